"""What every camera solver and importer offers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CameraOptions:
    """Options of the cameras stage.

    Attributes:
        backend: entry point of the group `anylift.cameras`.
        focal: focal length in pixels of the displayed image, when known.
        fov: horizontal field of view in degrees, when known. At most one of the two is given.
    """

    backend: str = "auto"
    focal: float | None = None
    fov: float | None = None

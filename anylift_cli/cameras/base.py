"""What every camera solver and importer offers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
    from anylift_cli.progress import Progress


@dataclass(frozen=True)
class CameraOptions:
    """Options of the cameras stage.

    Attributes:
        backend: entry point of the group `anylift.cameras`, or a file or folder with a path that is solved already.
        focal: focal length in pixels of the displayed image, when known.
        fov: horizontal field of view in degrees, when known. At most one of the two is given.
        moving: backend that finds the path where "auto" finds that the camera moves.
    """

    backend: str = "auto"
    focal: float | None = None
    fov: float | None = None
    moving: str = "moving"


class CameraSolver(Protocol):
    """One way to find the camera of each frame."""

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """The cameras of the frames `keypoints.frame_index`, people in `keypoints` left out of account.

        Raises:
            AnyliftError: the video cannot be read, or this solver cannot explain it.
        """
        ...

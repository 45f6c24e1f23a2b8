"""Where the focal length comes from when the images need not tell it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from anylift_cli.cameras.base import CameraOptions
from anylift_cli.geometry.cameras import default_focal
from anylift_cli.video import probe

FULL_FRAME_DIAGONAL_MM = math.hypot(36, 24)


@dataclass(frozen=True)
class FocalPrior:
    """Focal length in pixels known before any solving.

    Attributes:
        focal: pixels of the displayed image.
        source: "given", "metadata" or "assumed"; an assumed one may be replaced by a solved one.
    """

    focal: float
    source: str

    @property
    def known(self) -> bool:
        return self.source != "assumed"


def focal_prior(video: Path, image_size: tuple[int, int], options: CameraOptions) -> FocalPrior:
    """The user's focal length, else the container's, else the image diagonal."""
    width, height = (int(side) for side in image_size)
    if options.focal is not None:
        return FocalPrior(options.focal, "given")
    if options.fov is not None:
        return FocalPrior(width / 2 / math.tan(math.radians(options.fov) / 2), "given")
    if focal_35mm := probe(video).focal_35mm:
        return FocalPrior(focal_35mm / FULL_FRAME_DIAGONAL_MM * math.hypot(width, height), "metadata")
    return FocalPrior(default_focal(width, height), "assumed")

"""`cameras.npz`: the camera of each frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anylift_cli.artifacts.base import Artifact, array


@dataclass(kw_only=True)
class CamerasArtifact(Artifact):
    """Camera path (OpenCV axes: x right, y down, z forward) and intrinsics in pixels of the displayed image.

    `meta["motion"]` is "still", "rotating" or "moving"; `meta["scale"]` is "metric" or "arbitrary" (unit of the
    translations; always "metric" where there are none); `meta["focal_source"]` is "given", "metadata",
    "solved" or "assumed"; `meta["up_source"]` says where `up` comes from ("assumed" = upright camera);
    `meta["reason"]` says in words why this kind of camera was chosen.
    """

    schema: ClassVar[str] = "anylift.cameras"
    version: ClassVar[int] = 1

    world_from_camera: np.ndarray = array("T 4 4", "f8", "m or arbitrary, see meta.scale")
    K: np.ndarray = array("T 3 3", "f8", "px")
    confidence: np.ndarray = array("T", "f4")
    up: np.ndarray = array("3", "f8", "unit vector in world")
    timestamps: np.ndarray = array("T", "f8", "s")
    image_size: np.ndarray = array("2", "i8", "px width, height")

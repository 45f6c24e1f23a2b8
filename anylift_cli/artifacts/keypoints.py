"""`keypoints.npz`: 2D points of each person over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anylift_cli.artifacts.base import Artifact, array


@dataclass(kw_only=True)
class KeypointsArtifact(Artifact):
    """2D keypoints (P persons, T frames, K=24 points of `body24`), most prominent person first.

    An unobserved point has confidence 0 and NaN coordinates. A frame in which a person was not found
    has `present` False and all confidences 0; gaps are never filled here.

    `local_joints` are the estimator's own 3D points: root-centred (mid hip), metres, in the axes of a camera
    that looks at the middle of the person's box (x right, y down, z away from the camera).
    """

    schema: ClassVar[str] = "anylift.keypoints"
    version: ClassVar[int] = 1

    keypoints: np.ndarray = array("P T K 2", "f4", "px", finite=False)
    confidence: np.ndarray = array("P T K", "f4")
    boxes: np.ndarray = array("P T 4", "f4", "px xyxy", finite=False)
    present: np.ndarray = array("P T", "?")
    timestamps: np.ndarray = array("T", "f8", "s")
    frame_index: np.ndarray = array("T", "i8", "frame of the video")
    image_size: np.ndarray = array("2", "i8", "px width, height")
    local_joints: np.ndarray | None = array("P T K 3", "f4", "m", finite=False, optional=True)

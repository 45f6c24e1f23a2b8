"""The one camera that all motions of a video were seen by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.errors import AnyliftError
from anylift_cli.export.resampling import resample_poses

NO_CAMERA = "no_camera"
"""In the meta of a motion that no video showed: its cameras mean nothing."""


@dataclass(frozen=True)
class CameraPath:
    """The camera while any of the persons is there.

    Attributes:
        times: (T,) seconds of the video, increasing.
        frame_index: (T,) frames of the video.
        world_from_camera: (T, 4, 4) OpenCV axes, m.
        K: (T, 3, 3) px.
        image_size: px width, height.
    """

    times: np.ndarray
    frame_index: np.ndarray
    world_from_camera: np.ndarray
    K: np.ndarray
    image_size: tuple[int, int]

    def pose_at(self, times: np.ndarray) -> np.ndarray:
        """`world_from_camera` (N, 4, 4) at other times (N,) s; before and after, the first or last one."""
        if len(self.times) == 1:
            return np.repeat(self.world_from_camera, len(times), 0)
        return resample_poses(self.world_from_camera, self.times, times)


def camera_path(motions: Sequence[MotionArtifact]) -> CameraPath:
    """The camera of motions of one video, whose persons may come and go.

    Raises:
        AnyliftError: a motion that no camera saw.
    """
    if any(NO_CAMERA in motion.meta for motion in motions):
        raise AnyliftError("the motion has no camera: it was not made from a video", "leave out tum and colmap")
    times, chosen = np.unique(np.concatenate([motion.timestamps for motion in motions]), return_index=True)

    def merged(name: str) -> np.ndarray:
        return np.concatenate([getattr(motion, name) for motion in motions])[chosen]

    width, height = (int(side) for side in motions[0].image_size)
    return CameraPath(times, merged("frame_index"), merged("world_from_camera"), merged("K"), (width, height))

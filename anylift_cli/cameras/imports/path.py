"""What every reader of camera paths gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.cameras import invert

ROTATION_ERROR = 1e-2
"""Largest departure from a rotation that rounding explains."""


@dataclass(frozen=True)
class CameraPath:
    """A camera that another tool solved, at some moments of the video.

    Attributes:
        kind: which tool or format, for people to read.
        places: (N,) when, increasing: frames of the video from 0, or seconds after its first frame.
        in_seconds: which of the two.
        world_from_camera: (N, 4, 4), OpenCV axes.
        metric: whether the unit is the metre.
        K: (N, 3, 3) px of the displayed video, None where the file has none.
        up: (3,) unit vector in the path's world, None where the file's world is not upright.
        up_source: where that comes from, as in `CamerasArtifact`.
        motion: "still", "rotating" or "moving" where the file says so, else "".
    """

    kind: str
    places: np.ndarray
    in_seconds: bool
    world_from_camera: np.ndarray
    metric: bool = False
    K: np.ndarray | None = None
    up: np.ndarray | None = None
    up_source: str = "the imported file"
    motion: str = ""


def rigid(path: Path, poses: np.ndarray) -> np.ndarray:
    """Poses (N, 4, 4) with rounded rotations made exact.

    Raises:
        AnyliftError: a pose that is none: stretched, mirrored or not finite.
    """
    rotations = poses[:, :3, :3]
    if not np.isfinite(poses).all():
        raise AnyliftError(f"{path}: pose {int(np.argmin(np.isfinite(poses).all((1, 2))))} is not finite")
    left, stretch, right = np.linalg.svd(rotations)
    wrong = (np.abs(stretch - 1).max(1) > ROTATION_ERROR) | (np.linalg.det(rotations) < 0)
    if wrong.any():
        raise AnyliftError(f"{path}: pose {int(np.argmax(wrong))} is not a rotation with a translation")
    exact = np.tile(np.eye(4), (len(poses), 1, 1))
    exact[:, :3, :3], exact[:, :3, 3] = left @ right, poses[:, :3, 3]
    return exact


def from_world(path: Path, camera_from_world: np.ndarray) -> np.ndarray:
    """`world_from_camera` of poses given the other way round."""
    return invert(rigid(path, camera_from_world))


def with_size(path: Path, K: np.ndarray, size: tuple[float, float], video: tuple[int, int]) -> np.ndarray:
    """Intrinsics (N, 3, 3) in pixels of images of `size` as those of the displayed video.

    Raises:
        AnyliftError: focal lengths that are none, or images of another shape than the video's.
    """
    if not (np.isfinite(K).all() and (K[:, [0, 1], [0, 1]] > 0).all()):
        raise AnyliftError(f"{path}: focal lengths must be positive numbers")
    scale = np.array(video) / size
    if abs(scale[0] / scale[1] - 1) > 0.03:
        raise AnyliftError(
            f"{path} was made from images of {size[0]:g}x{size[1]:g}, the video is {video[0]}x{video[1]}",
            "give the cameras of this video, displayed upright and not cropped",
        )
    return np.diag([*scale, 1.0]) @ K

"""Pinhole cameras (OpenCV axes). Every function takes NumPy arrays or torch tensors alike, unless it says so."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np

ArrayOrTensor = TypeVar("ArrayOrTensor")


def transform(matrix: ArrayOrTensor, points: ArrayOrTensor) -> ArrayOrTensor:
    """Apply a (..., 4, 4) pose to (..., N, 3) points; leading axes broadcast."""
    rotation = matrix[..., :3, :3]
    return points @ rotation.swapaxes(-1, -2) + matrix[..., None, :3, 3]


def invert(matrix: ArrayOrTensor) -> ArrayOrTensor:
    """Inverse of rigid poses (..., 4, 4)."""
    inverse = matrix * 0
    rotation = matrix[..., :3, :3].swapaxes(-1, -2)
    inverse[..., :3, :3] = rotation
    inverse[..., :3, 3] = -(rotation @ matrix[..., :3, 3:])[..., 0]
    inverse[..., 3, 3] = 1
    return inverse


def project_camera(points: ArrayOrTensor, intrinsics: ArrayOrTensor) -> ArrayOrTensor:
    """Camera-frame points (..., N, 3) → pixels (..., N, 2). Points are expected in front of the camera."""
    depth = points[..., 2:]
    focal = intrinsics[..., None, [0, 1], [0, 1]]
    centre = intrinsics[..., None, :2, 2]
    return points[..., :2] / depth * focal + centre


def project(points: ArrayOrTensor, world_from_camera: ArrayOrTensor, intrinsics: ArrayOrTensor) -> ArrayOrTensor:
    """World points (..., N, 3) → pixels (..., N, 2)."""
    return project_camera(transform(invert(world_from_camera), points), intrinsics)


def rays(pixels: ArrayOrTensor, intrinsics: ArrayOrTensor) -> ArrayOrTensor:
    """Pixels (..., N, 2) → x/z, y/z in the camera frame, (..., N, 2)."""
    return (pixels - intrinsics[..., None, :2, 2]) / intrinsics[..., None, [0, 1], [0, 1]]


def intrinsics_matrix(focal: float | np.ndarray, width: int, height: int) -> np.ndarray:
    """K (..., 3, 3) of square pixels with the principal point in the image centre; `focal` in pixels, (...)."""
    focal = np.asarray(focal, np.float64)
    K = np.zeros((*focal.shape, 3, 3))
    K[..., 0, 0] = K[..., 1, 1] = focal
    K[..., 0, 2], K[..., 1, 2], K[..., 2, 2] = width / 2, height / 2, 1
    return K


def default_focal(width: int, height: int) -> float:
    """Focal length in pixels when nothing is known: the image diagonal (55° across it)."""
    return math.hypot(width, height)


def look_at(position: np.ndarray, target: np.ndarray, up: np.ndarray = (0.0, 0.0, 1.0)) -> np.ndarray:
    """`world_from_camera` (..., 4, 4) of a camera at `position` that looks at `target`, both (..., 3). NumPy."""
    position, target, up = (np.asarray(a, np.float64) for a in (position, target, up))
    forward = target - position
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    right = np.cross(forward, np.broadcast_to(up, forward.shape))
    right = right / np.linalg.norm(right, axis=-1, keepdims=True)
    pose = np.zeros((*forward.shape[:-1], 4, 4))
    pose[..., :3, 0], pose[..., :3, 1], pose[..., :3, 2] = right, np.cross(forward, right), forward
    pose[..., :3, 3], pose[..., 3, 3] = position, 1
    return pose

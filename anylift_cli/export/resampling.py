"""Motions at uneven times, resampled for formats that only know a frame rate."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from anylift_cli.errors import AnyliftError

EVEN = 0.1
"""Timestamps count as even when none is further than this share of a frame from its place."""


def uniform_times(timestamps: np.ndarray, fps: float) -> np.ndarray:
    """Times at `fps` over the span of `timestamps` (T,) seconds; those themselves where they are already even.

    Raises:
        AnyliftError: no frame rate, or timestamps that do not increase.
    """
    if not fps > 0 or (np.diff(timestamps) <= 0).any():
        raise AnyliftError(
            f"the motion's times are unusable: {fps:g} frames/s, or timestamps that do not increase",
            "run `anylift fit` to make it again",
        )
    if np.abs((timestamps - timestamps[0]) * fps - np.arange(len(timestamps))).max() <= EVEN:
        return timestamps
    return timestamps[0] + np.arange(round((timestamps[-1] - timestamps[0]) * fps) + 1) / fps


def resample(
    rotations: np.ndarray, positions: np.ndarray, timestamps: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, J, 3, 3) by slerp and positions (T, 3) linearly, from `timestamps` (T,) to `times` (N,).

    Times outside the span take the first or last frame.
    """
    if times is timestamps:
        return rotations, positions
    if len(timestamps) == 1:
        return rotations.repeat(len(times), 0), positions.repeat(len(times), 0)
    inside = np.clip(times, timestamps[0], timestamps[-1])
    turned = [Slerp(timestamps, Rotation.from_matrix(joint))(inside) for joint in rotations.swapaxes(0, 1)]
    moved = [np.interp(inside, timestamps, axis) for axis in positions.T]
    return np.stack([rotation.as_matrix() for rotation in turned], axis=1), np.stack(moved, axis=1)


def resample_poses(poses: np.ndarray, timestamps: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rigid poses (T, 4, 4) at other times (N,), (N, 4, 4); see `resample`."""
    rotations, positions = resample(poses[:, None, :3, :3], poses[:, :3, 3], timestamps, times)
    result = np.tile(np.eye(4), (len(times), 1, 1))
    result[:, :3, :3], result[:, :3, 3] = rotations[:, 0], positions
    return result


def resample_values(values: np.ndarray, timestamps: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Values (T, ...) linearly at other times (N,), (N, ...)."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    inside = np.clip(times, timestamps[0], timestamps[-1])
    return np.stack([np.interp(inside, timestamps, column) for column in flat.T], 1).reshape(-1, *values.shape[1:])

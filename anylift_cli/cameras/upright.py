"""The vertical, as far as the camera path alone tells it."""

from __future__ import annotations

import numpy as np

ENOUGH_SPREAD = np.radians(1.3)
LARGEST_PITCH_DEVIATION = np.radians(4)


def up_direction(rotations: np.ndarray, turned_by: str) -> tuple[np.ndarray, str]:
    """Up in the world, from cameras held level: their x axes (image rows) are horizontal.

    The x axes of a camera that turns about the vertical span the horizontal plane; its normal nearest to the
    cameras' mean -y is up. When they do not turn enough, or roll as much as they turn, up is the mean -y.

    Args:
        rotations: (T, 3, 3) world_from_camera.
        turned_by: what to call the source when the x axes settle it.

    Returns:
        up (3,) in world, and its source: `turned_by` or "assumed".
    """
    x_axes, assumed = rotations[:, :, 0], -rotations[:, :, 1].mean(0)
    assumed = assumed / np.linalg.norm(assumed)
    # Moments of the x axes about their mean direction; the smallest belongs to the normal of their plane.
    moments, directions = np.linalg.eigh(x_axes.T @ x_axes / len(x_axes))
    roll, turn = np.sqrt(np.maximum(moments[:2], 0))
    up = directions[:, 0] * np.sign(directions[:, 0] @ assumed)
    level = np.radians(0.1)
    if turn > ENOUGH_SPREAD and np.hypot(roll, level) / turn < LARGEST_PITCH_DEVIATION and up @ assumed > 0.7:
        return up, turned_by
    return assumed, "assumed"

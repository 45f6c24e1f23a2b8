"""Rotations over time as formats with quaternions hold them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def quaternions_xyzw(rotations: np.ndarray) -> np.ndarray:
    """Unit quaternions (T, ..., 4) of rotation matrices (T, ..., 3, 3).

    Of the two signs, the first frame has w ≥ 0 and each later one is the nearer to the frame before, so that
    programs that interpolate component by component do not turn the long way round.
    """
    found = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat(canonical=True)
    found = found.reshape(*rotations.shape[:-2], 4)
    flips = np.where((found[1:] * found[:-1]).sum(-1) < 0, -1.0, 1.0)
    found[1:] *= np.cumprod(flips, axis=0)[..., None]
    return found

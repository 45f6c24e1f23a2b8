"""Depth that feet on the ground disagree with: a planted foot tells how far the whole person really moved."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import solveh_banded
from torch import Tensor
from torch.nn.functional import normalize

from anylift_cli.lifting.observation import root_of

_STEP_DEVIATION = 0.004
"""Metres per frame that a planted foot seems to move."""
_DEPTH_DEVIATION = 0.3
"""Metres by which depth from apparent size is off,"""
_SURE = 0.6
"""Probability from which a foot counts: while it rolls on or off, it moves the way the person walks."""
_CORRELATION = 0.5
"""and for how many seconds it stays so."""


def steadied(points: Tensor, feet: Tensor, still: Tensor, centre: Tensor, times: Tensor) -> Tensor:
    """Move each frame along its line of sight so that resting feet stay where they are, points (T, K, 3).

    The correction a(t) minimises Σ w ((Δfeet · sight + Δa) / σ_step)² + Σ (a / σ_depth)², a tridiagonal system.

    Args:
        feet: (T, F, 3) foot points.
        still: (T, F) probability that they rest.
        centre: (T, 3) camera centres.
        times: (T,) seconds.
    """
    if len(points) < 2:
        return points
    sight = normalize(root_of(points) - centre, dim=-1)
    weight = ((torch.minimum(still[1:], still[:-1]) - _SURE) / (1 - _SURE)).clamp_min(0)
    drift = (feet.diff(dim=0) * sight[1:, None]).sum(-1)
    total = weight.sum(-1)
    mean_drift = (weight * drift).sum(-1) / total.clamp_min(1e-6)
    stiffness = (total.clamp_max(1.0) / _STEP_DEVIATION**2).double().cpu().numpy()
    frames_alike = max(_CORRELATION / float(times.diff().median()), 1.0)
    pull = 1 / (_DEPTH_DEVIATION**2 * frames_alike)
    banded = np.full((2, len(points)), pull)
    banded[1, :-1] += stiffness
    banded[1, 1:] += stiffness
    banded[0, 1:] = -stiffness
    banded[0, 0] = 0
    force = np.zeros(len(points))
    push = stiffness * mean_drift.double().cpu().numpy()
    force[:-1] += push
    force[1:] -= push
    shift = torch.as_tensor(solveh_banded(banded, force), dtype=points.dtype, device=points.device)
    return points + (shift[:, None] * sight)[:, None]

"""One of several orientations in each frame, such that a body turns as little as it can."""

from __future__ import annotations

import numpy as np


def steadiest(rotations: np.ndarray, cost: np.ndarray | None = None, turn: float = 0.3) -> np.ndarray:
    """The cheapest sequence of candidates (Viterbi): their own cost, and the squared angles between neighbours.

    Args:
        rotations: (T, C, 3, 3) candidates of each frame; NaN for frames that are not known, which count as still.
        cost: (T, C) of each candidate; inf for those that do not exist. None: all alike.
        turn: radians between neighbours that cost 1.

    Returns:
        (T,) index of the candidate.
    """
    frames, count = rotations.shape[:2]
    cost = np.zeros((frames, count)) if cost is None else cost
    best, origin = cost[0].copy(), np.zeros((frames, count), int)
    last = rotations[0]
    for frame in range(1, frames):
        now = rotations[frame]
        known = np.isfinite(now).all()
        if known and np.isfinite(last).all():
            trace = np.einsum("aij,bij->ab", last, now)
            between = (np.arccos(((trace - 1) / 2).clip(-1, 1)) / turn) ** 2
        else:
            between = 1e3 * (1 - np.eye(count)) if not known else np.zeros((count, count))
        total = best[:, None] + between
        origin[frame] = total.argmin(0)
        best = total.min(0) + (cost[frame] if known else 0.0)
        last = now if known else last
    chosen = np.zeros(frames, int)
    chosen[-1] = best.argmin()
    for frame in range(frames - 1, 0, -1):
        chosen[frame - 1] = origin[frame, chosen[frame]]
    return chosen


def cheapest_path(cost: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Index (T,) of one state in each frame with the least sum of `cost` (T, C) and of `change` (C, C) in between."""
    best, origin = cost[0].copy(), np.zeros(cost.shape, int)
    for frame in range(1, len(cost)):
        total = best[:, None] + change
        origin[frame] = total.argmin(0)
        best = total.min(0) + cost[frame]
    chosen = np.zeros(len(cost), int)
    chosen[-1] = best.argmin()
    for frame in range(len(cost) - 1, 0, -1):
        chosen[frame - 1] = origin[frame, chosen[frame]]
    return chosen


def about_middle(poses: np.ndarray, symmetries: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Poses (T, S, 4, 4) that look like `poses` (T, 4, 4) of a body whose `symmetries` (S, 3, 3) turn its `middle`."""
    alike = np.repeat(poses[:, None], len(symmetries), 1)
    alike[..., :3, :3] = poses[:, None, :3, :3] @ symmetries
    shift = middle - symmetries @ middle
    alike[..., :3, 3] += (poses[:, None, :3, :3] @ shift[..., None])[..., 0]
    return alike

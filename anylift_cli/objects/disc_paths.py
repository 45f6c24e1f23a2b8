"""Which of the discs of each frame is the ball: the cheapest path through all frames, which may skip some."""

from __future__ import annotations

import numpy as np

from anylift_cli.objects.discs import Discs

_LEAST = 0.42
"""A disc with a lower score is not worth a step of the path."""
_SPEED = 30.0
"""Diameters per second, of an ordinary throw."""
_SPEED_COST, _SIZE_COST, _SIZE = 0.06, 0.5, 0.25
_SKIP_COST = 2.0
"""Per second without a disc, up to `_LONGEST`; then it may be anywhere."""
_LONGEST = 1.0
_ANYWHERE = 3.0
"""Cost of coming back anywhere, in discs."""
_KNOWN = 100.0


def best_path(frames: list[Discs], times: np.ndarray, known: dict[int, int]) -> np.ndarray:
    """The disc of each frame, (T,), -1 where there is none.

    Args:
        times: (T,) seconds.
        known: {row: disc} that the path must take.
    """
    count = len(frames)
    worth = [_LEAST - discs.score for discs in frames]
    for row, disc in known.items():
        worth[row] = np.full(len(worth[row]), _KNOWN)
        worth[row][disc] = -_KNOWN
    total: list[np.ndarray] = []
    came: list[np.ndarray] = []
    best_before = [(0.0, (-1, -1))]
    starts = np.searchsorted(times, times - _LONGEST - 1e-9)
    for row, discs in enumerate(frames):
        far = best_before[int(starts[row])]
        cost = np.full(len(discs.score), far[0] + (_ANYWHERE if far[1][0] >= 0 else 0.0))
        source = np.tile(np.array(far[1]), (len(cost), 1))
        for earlier in range(int(starts[row]), row):
            if not len(total[earlier]) or not len(cost):
                continue
            seconds = times[row] - times[earlier]
            skipped = seconds - (times[earlier + 1] - times[earlier])
            step = total[earlier][:, None] + _step(frames[earlier].places, discs.places, seconds) + _SKIP_COST * skipped
            nearest = step.argmin(0)
            least = step[nearest, np.arange(len(cost))]
            closer = least < cost
            cost = np.where(closer, least, cost)
            source[closer] = np.stack([np.full(len(cost), earlier), nearest], -1)[closer]
        total.append(cost + worth[row])
        came.append(source)
        last = best_before[-1]
        if len(cost) and total[row].min() < last[0]:
            last = (float(total[row].min()), (row, int(total[row].argmin())))
        best_before.append(last)
    path = np.full(count, -1)
    row, disc = best_before[-1][1]
    while row >= 0:
        path[row] = disc
        row, disc = came[row][disc]
    return path


def _step(before: np.ndarray, after: np.ndarray, seconds: float) -> np.ndarray:
    """Cost (N, M) of moving and growing from discs (N, 3) to discs (M, 3)."""
    size = np.sqrt(before[:, None, 2] * after[:, 2])
    distance = np.linalg.norm(before[:, None, :2] - after[:, :2], axis=-1) / (2 * size)
    growth = np.log(after[:, 2] / before[:, None, 2])
    return _SPEED_COST * (distance / (_SPEED * seconds)) ** 2 + _SIZE_COST * (growth / _SIZE) ** 2

"""Metric scale of a moving camera's path: feet on the ground do not move (ALGORITHM 4.6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_LAG = 0.2
"""Seconds between the positions that a speed is measured from."""
_SPEED_CAP = 1.0
_CANDIDATES = 121
_MAX_PAIRS = 1000


@dataclass(frozen=True)
class PathScale:
    """Metres per unit of the camera path, and its relative standard deviation."""

    value: float
    uncertainty: float


def path_scale(feet: Tensor, weight: Tensor, rotation: Tensor, centre: Tensor, times: Tensor) -> PathScale:
    """The factor at which one foot at a time stands still in the world.

    Args:
        feet: (T, F, 3) metres, relative to the camera, in the camera's axes.
        weight: (T, F) confidence.
        rotation: (T, 3, 3) world-from-camera.
        centre: (T, 3) camera centres in units of the path.
        times: (T,) seconds.
    """
    lag = max(1, round(_LAG / float(times.diff().median())))
    earlier = torch.arange(0, len(times) - lag, max(1, len(times) // _MAX_PAIRS), device=feet.device)
    later = earlier + lag
    interval = (times[later] - times[earlier]).clamp_min(1e-3)
    relative = feet @ rotation.transpose(-1, -2)
    foot_speed = (relative[later] - relative[earlier]) / interval[:, None, None]
    camera_speed = (centre[later] - centre[earlier]) / interval[:, None]
    both = torch.minimum(weight[later], weight[earlier])
    reference = 1.0 / camera_speed.norm(dim=-1).quantile(0.75).clamp_min(1e-9)
    candidates = reference * torch.logspace(-2, 1.5, _CANDIDATES, device=feet.device)

    def cost(scales: Tensor) -> Tensor:
        speed = (foot_speed + scales[:, None, None, None] * camera_speed[:, None]).norm(dim=-1)
        stiller = torch.where(both > 0.2, speed, torch.inf).amin(-1).clamp_max(_SPEED_CAP)
        return stiller.mean(-1)

    costs = cost(candidates)
    best = candidates[costs.argmin()]
    fine = best * torch.logspace(-0.03, 0.03, 41, device=feet.device)
    best = fine[cost(fine).argmin()]
    around = best * torch.tensor([0.8, 1.0, 1.25], device=feet.device)
    low, middle, high = cost(around)
    curvature = ((low + high - 2 * middle) / 0.22**2).clamp_min(1e-6)
    noise = middle.clamp_min(0.02) / max(len(interval) / lag, 1) ** 0.5
    return PathScale(float(best), float((noise / curvature).sqrt().clamp_max(1.0)))

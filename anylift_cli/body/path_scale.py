"""Metric scale of a moving camera's path: feet on the ground do not move (ALGORITHM 4.6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

_LAGS = (0.1, 0.2)
"""Seconds between the positions that speeds are measured from."""
_SPEED_CAP = 0.25
"""m/s above which a foot is taken to be in the air: how fast it is then says nothing."""
_ALONG = 0.1
"""How much of a speed along the line of sight counts: there, apparent size alone tells where feet are."""
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
    interval = float(times.diff().median())
    camera_speed = centre.diff(dim=0).norm(dim=-1) / times.diff().clamp_min(1e-3)
    reference = 1.0 / camera_speed.quantile(0.75).clamp_min(1e-9)
    candidates = reference * torch.logspace(-2, 1.5, _CANDIDATES, device=feet.device)
    lags = sorted({min(max(1, round(lag / interval)), len(times) - 1) for lag in _LAGS})
    relative = feet @ rotation.transpose(-1, -2)
    pairs = [_Pairs.every(lag, relative, weight, centre, times) for lag in lags]

    def cost(scales: Tensor) -> Tensor:
        return torch.stack([part.foot_speed(scales) for part in pairs]).mean(0)

    costs = cost(candidates)
    best = candidates[costs.argmin()]
    fine = best * torch.logspace(-0.03, 0.03, 41, device=feet.device)
    best = fine[cost(fine).argmin()]
    around = best * torch.tensor([0.8, 1.0, 1.25], device=feet.device)
    low, middle, high = cost(around)
    curvature = ((low + high - 2 * middle) / 0.22**2).clamp_min(1e-6)
    noise = middle.clamp_min(0.02) / max(len(times) / lags[-1], 1) ** 0.5
    return PathScale(float(best), float((noise / curvature).sqrt().clamp_max(1.0)))


@dataclass(frozen=True)
class _Pairs:
    """Velocities of feet and camera between frames a lag apart: (N, F, 3) and (N, 1, 3) m/s, trust (N, F).

    What of them is along the line of sight is shortened.
    """

    feet: Tensor
    camera: Tensor
    trust: Tensor

    @classmethod
    def every(cls, lag: int, relative: Tensor, weight: Tensor, centre: Tensor, times: Tensor) -> _Pairs:
        earlier = torch.arange(0, len(times) - lag, max(1, len(times) // _MAX_PAIRS), device=times.device)
        later = earlier + lag
        interval = (times[later] - times[earlier]).clamp_min(1e-3)[:, None, None]
        sight = normalize(relative[earlier].mean(1, keepdim=True), dim=-1)
        shortened = torch.eye(3, device=times.device) - (1 - _ALONG) * sight.mT @ sight
        return cls(
            (relative[later] - relative[earlier]) / interval @ shortened,
            (centre[later] - centre[earlier])[:, None] / interval @ shortened,
            torch.minimum(weight[later], weight[earlier]),
        )

    def foot_speed(self, scales: Tensor) -> Tensor:
        """Mean speed of the stiller foot at each scale (S,), capped."""
        speed = (self.feet + scales[:, None, None, None] * self.camera).norm(dim=-1)
        return torch.where(self.trust > 0.2, speed, torch.inf).amin(-1).clamp_max(_SPEED_CAP).mean(-1)

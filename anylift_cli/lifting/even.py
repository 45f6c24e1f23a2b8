"""Evidence at an even frame rate, and what was found at it back at the video's own times."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from anylift_cli.geometry.rotations import matrix_from_6d, six_d_from_matrix
from anylift_cli.lifting.observation import Observation


def at_rate(seen: Observation, fps: float) -> Observation:
    """Evidence (B = 1) at even times; a point is seen there if it is in both frames around.

    Args:
        fps: frames per second, from the first time of `seen` on.
    """
    times = seen.times[0]
    count = max(int(torch.floor((times[-1] - times[0]) * fps + 1e-3)) + 1, 1)
    wanted = times[0] + torch.arange(count, device=times.device) / fps
    low, high, share = _around(times, wanted)
    pose = torch.lerp(seen.world_from_camera[0][low], seen.world_from_camera[0][high], share[:, None, None])
    pose[:, :3, :3] = matrix_from_6d(six_d_from_matrix(pose[:, :3, :3]))
    seen_there = partial(_both, low=low, high=high, share=share)
    rays = torch.lerp(seen.rays[0][low], seen.rays[0][high], share[:, None, None])
    even = Observation(rays[None], seen_there(seen.weight), pose[None], wanted[None])
    if seen.local is None or seen.local_weight is None:
        return even
    local = torch.lerp(seen.local[0][low], seen.local[0][high], share[:, None, None])
    return replace(even, local=local[None], local_weight=seen_there(seen.local_weight))


def at_times(values: Tensor, even: Tensor, times: Tensor) -> Tensor:
    """Values (N, ...) at even times (N,), at other times (T,)."""
    low, high, share = _around(even, times)
    return torch.lerp(values[low], values[high], share.reshape(-1, *[1] * (values.dim() - 1)))


def seen_at(values: Tensor, weight: Tensor, times: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Values (T, ...) with weights (T,), at other times (N,), where both frames around are seen."""
    low, high, share = _around(times, wanted)
    values = torch.where((weight > 0).reshape(-1, *[1] * (values.dim() - 1)), values, 0.0)
    there = _both(weight[None, :, None], low, high, share)[0, :, 0]
    return torch.lerp(values[low], values[high], share.reshape(-1, *[1] * (values.dim() - 1))), there


def _both(weight: Tensor, low: Tensor, high: Tensor, share: Tensor) -> Tensor:
    """Lesser weight (1, N, 24) of the two frames around, of one alone where a time is that frame's."""
    before = torch.where(share[:, None] < 1 - 1e-3, weight[0][low], torch.inf)
    after = torch.where(share[:, None] > 1e-3, weight[0][high], torch.inf)
    return torch.minimum(before, after)[None]


def _around(times: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Frames before and after each wanted time, and how far it is between them, 0 … 1."""
    high = torch.searchsorted(times, wanted - 1e-6).clamp(0, len(times) - 1)
    low = (high - 1).clamp_min(0)
    gap = (times[high] - times[low]).clamp_min(1e-9)
    return low, high, ((wanted - times[low]) / gap).clamp(0, 1)

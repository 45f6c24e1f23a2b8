"""How far away someone is by how large they look (ALGORITHM 8.5 step 1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from anylift_cli.lifting.edges import END, SIZE, START

MEAN_HEIGHT = 1.70
"""Metres: what people are taken to be who are as tall as nobody knows."""
_RATIOS = slice(1, 5)
"""Of the ratios of true to apparent edge length in ascending order, those averaged: foreshortening only adds."""
_BIAS = 0.99
"""Depth that those ratios tell over true depth on motion capture (median over poses)."""
_WINDOW = 0.25
_SEEN = 0.3
_REACH = 512
"""Frames: what lies farther away counts for nothing, so that memory and time grow with the clip, not its square."""


def size_depth(rays: Tensor, weight: Tensor, lengths: Tensor, times: Tensor) -> Tensor:
    """Metric depth of a person from apparent size, smoothed over time, (B, T).

    Args:
        rays: (B, T, 24, 2); weight: (B, T, 24).
        lengths: (B, E) the person's edge lengths, m.
        times: (B, T) seconds.
    """
    chosen = SIZE.nonzero()[:, 0].to(rays.device)
    start, end = START.to(rays.device)[chosen], END.to(rays.device)[chosen]
    apparent = (rays[:, :, end] - rays[:, :, start]).square().sum(-1).sqrt().clamp_min(1e-4)
    known = (weight[:, :, end] > _SEEN) & (weight[:, :, start] > _SEEN)
    ratio = torch.where(known, lengths[:, None, chosen] / apparent, torch.inf).sort(-1).values[..., _RATIOS]
    usable = torch.isfinite(ratio)
    depth = torch.where(usable, ratio, 0.0).sum(-1) / usable.sum(-1).clamp_min(1) / _BIAS
    evidence = usable.sum(-1).float() + 1e-6
    return averaged(depth.clamp(0.3, 200.0).log(), evidence, times, _WINDOW).exp()


def averaged(values: Tensor, weight: Tensor, times: Tensor, window: float) -> Tensor:
    """Average of `values` (B, T) or (B, T, C) over a Gaussian of `window` seconds, weighted by `weight` (B, T).

    A wide faint Gaussian bridges gaps, as far as `_REACH` frames.
    """
    parts = []
    for first in range(0, times.shape[1], _REACH):
        frames, near = slice(first, first + _REACH), slice(max(first - _REACH, 0), first + 2 * _REACH)
        distance = (times[:, frames, None] - times[:, None, near]) / window
        kernel = (torch.exp(-0.5 * distance**2) + 1e-4 / (1 + distance**2)) * weight[:, None, near]
        kernel = kernel / kernel.sum(-1, keepdim=True)
        around = values[:, near]
        parts.append((kernel @ around.unsqueeze(-1)).squeeze(-1) if values.dim() == 2 else kernel @ around)
    return torch.cat(parts, 1)


def running_median(values: Tensor, times: Tensor, window: float) -> Tensor:
    """Median of `values` (B, T) over `window` seconds about each frame; the ends are held."""
    half = round(0.5 * window / float(times.diff(dim=-1).median().clamp_min(1e-3))) if times.shape[1] > 1 else 0
    held = pad(values[:, None], (half, half), mode="replicate")[:, 0]
    return held.unfold(1, 2 * half + 1, 1).median(-1).values

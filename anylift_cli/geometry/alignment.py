"""Least-squares alignment of point sets (Kabsch 1976, Umeyama 1991), batched in torch."""

from __future__ import annotations

import torch
from torch import Tensor


def align_points(
    source: Tensor, target: Tensor, weights: Tensor | None = None, *, with_scale: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The similarity (or rigid motion) that takes `source` to `target` with the least squared error.

    Args:
        source, target: (..., N, 3).
        weights: (..., N), non-negative; None weighs all points alike.
        with_scale: whether the scale is free (Umeyama) or 1 (Kabsch).

    Returns:
        scale (...), rotation (..., 3, 3), translation (..., 3): target ≈ scale · rotation · source + translation.
    """
    if weights is None:
        weights = torch.ones_like(source[..., 0])
    weights = (weights / weights.sum(-1, keepdim=True).clamp_min(1e-12))[..., None]
    source_mean = (weights * source).sum(-2, keepdim=True)
    target_mean = (weights * target).sum(-2, keepdim=True)
    source_centred, target_centred = source - source_mean, target - target_mean
    covariance = (weights * target_centred).transpose(-1, -2) @ source_centred
    u, singular, vt = torch.linalg.svd(covariance)
    sign = torch.ones_like(singular)
    sign[..., 2] = torch.linalg.det(u @ vt).sign()
    rotation = (u * sign[..., None, :]) @ vt
    if with_scale:
        variance = (weights * source_centred**2).sum((-1, -2)).clamp_min(1e-12)
        scale = (singular * sign).sum(-1) / variance
    else:
        scale = torch.ones_like(singular[..., 0])
    moved = scale[..., None, None] * source_mean @ rotation.transpose(-1, -2)
    return scale, rotation, (target_mean - moved)[..., 0, :]

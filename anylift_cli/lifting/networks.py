"""The denoisers: transformers over time that see a person's conditions and give clean 2D points of other views."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from anylift_cli.body.skeleton import BODY24


@dataclass(frozen=True)
class NetworkConfig:
    """Size of a denoiser.

    Attributes:
        width, layers, heads, expansion: of the transformer.
        patch: consecutive frames that share a token.
        views: V, the input view among them.
        points: N of each view, the person's and, of joint networks, the object's after them.
        condition: numbers per frame that the network is told.
        hidden: ranges (first, end) of these that it is not told after all.
    """

    width: int = 192
    layers: int = 6
    heads: int = 6
    expansion: int = 3
    patch: int = 4
    views: int = 4
    points: int = len(BODY24)
    condition: int = 0
    hidden: tuple[tuple[int, int], ...] = ()


class ViewsAsChannels(nn.Module):
    """All virtual views of `patch` frames in one token (ALGORITHM 4.1): quick on CPUs."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        coordinates = (config.views - 1) * config.points * 2
        self.embed = nn.Linear(config.patch * (coordinates + config.condition), config.width)
        self.level = StepEmbedding(config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads, config.expansion) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, config.patch * coordinates)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, noisy: Tensor, step: Tensor, condition: Tensor, valid: Tensor) -> Tensor:
        """Clean views.

        Args:
            noisy: (B, T, V - 1, N, 2), T a multiple of `patch`.
            step: (B,) noise level, 0 … N - 1.
            condition: (B, T, C).
            valid: (B, T) frames that exist.
        """
        told = _told(condition, self.config)
        hidden = self.embed(_patches(torch.cat([noisy.flatten(2), told], -1), self.config.patch))
        level = self.level(step)
        exists = _patches(valid, self.config.patch).any(-1)
        angles = rotary_angles(hidden.shape[1], self.config.width // self.config.heads, hidden.device)
        for block in self.blocks:
            hidden = block(hidden, level, exists, angles)
        return self.output(self.norm(hidden)).reshape(noisy.shape)


class CrossView(nn.Module):
    """Tokens of `patch` frames of one virtual view, which look along time and at each other's views (ALGORITHM 4.1).

    Views are told apart by their azimuth.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width, heads, expansion = config.width, config.heads, config.expansion
        self.embed = nn.Linear(config.patch * (2 * config.points + config.condition), width)
        self.azimuth = nn.Linear(2, width)
        self.level = StepEmbedding(width)
        self.times = nn.ModuleList(Block(width, heads, expansion) for _ in range(config.layers))
        self.views = nn.ModuleList(Block(width, heads, expansion) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, config.patch * 2 * config.points)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, noisy: Tensor, step: Tensor, condition: Tensor, valid: Tensor) -> Tensor:
        """Clean views of noisy ones (B, T, V - 1, N, 2); see `ViewsAsChannels.forward`."""
        views, patch = noisy.shape[2], self.config.patch
        told = _told(condition, self.config)[:, :, None].expand(-1, -1, views, -1)
        tokens = torch.cat([noisy.flatten(3), told], -1).transpose(1, 2)
        azimuth = torch.arange(1, views + 1, device=noisy.device) * (2 * math.pi / (views + 1))
        azimuth = self.azimuth(torch.stack([azimuth.sin(), azimuth.cos()], -1))
        hidden = self.embed(_patches(tokens.flatten(0, 1), patch)).unflatten(0, (-1, views)) + azimuth[:, None]
        count = hidden.shape[2]
        level = self.level(step)
        along_time, along_views = level.repeat_interleave(views, 0), level.repeat_interleave(count, 0)
        exists = _patches(valid, patch).any(-1).repeat_interleave(views, 0)
        everything = torch.ones(len(along_views), views, dtype=torch.bool, device=noisy.device)
        angles = rotary_angles(count, self.config.width // self.config.heads, noisy.device)
        level_angles = torch.zeros_like(angles[:1]).expand(views, -1)
        for time, view in zip(self.times, self.views, strict=True):
            hidden = time(hidden.flatten(0, 1), along_time, exists, angles).unflatten(0, (-1, views))
            crossed = view(hidden.transpose(1, 2).flatten(0, 1), along_views, everything, level_angles)
            hidden = crossed.unflatten(0, (-1, count)).transpose(1, 2)
        clean = self.output(self.norm(hidden)).unflatten(-1, (patch, self.config.points, 2)).flatten(2, 3)
        return clean.transpose(1, 2)


class SingleView(nn.Module):
    """One view alone (ALGORITHM 2.2, 2.3): the same network with a single view in its tokens."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = replace(config, views=2)
        self.trunk = ViewsAsChannels(self.config)

    def forward(self, noisy: Tensor, step: Tensor, condition: Tensor, valid: Tensor) -> Tensor:
        """Clean root and local parts (B, T, 24, 2) of noisy ones; see `ViewsAsChannels.forward`."""
        return self.trunk(noisy[:, :, None], step, condition, valid)[:, :, 0]


class StepEmbedding(nn.Module):
    """Noise level (B,) → (B, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, step: Tensor) -> Tensor:
        """Sines and cosines of the level through two layers."""
        frequency = torch.exp(-math.log(10_000) * torch.arange(32, device=step.device) / 32)
        angle = step[:, None].float() * frequency
        return self.layers(torch.cat([angle.sin(), angle.cos()], -1))


class Block(nn.Module):
    """Self-attention and feed-forward, both scaled and shifted by the noise level (adaLN-zero of DiT)."""

    def __init__(self, width: int, heads: int, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width, elementwise_affine=False)
        self.norm_forward = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.forward_in = nn.Linear(width, expansion * width)
        self.forward_out = nn.Linear(expansion * width, width)
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        with torch.no_grad():
            self.modulation.bias[2 * width : 3 * width] = 1
            self.modulation.bias[5 * width :] = 1
        nn.init.zeros_(self.merge.weight)
        nn.init.zeros_(self.forward_out.weight)

    def forward(self, hidden: Tensor, level: Tensor, exists: Tensor, angles: Tensor) -> Tensor:
        """Tokens (B, N, width) → the same; `exists` (B, N) marks tokens that may be attended to."""
        parts = self.modulation(functional.silu(level))[:, None].chunk(6, -1)
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = parts
        inner = self.norm_attention(hidden) * (1 + scale_a) + shift_a
        query, key, value = self.qkv(inner).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = rotated(query, angles), rotated(key, angles)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=exists[:, None, None])
        hidden = hidden + gate_a * self.merge(mixed.transpose(1, 2).flatten(2))
        inner = self.norm_forward(hidden) * (1 + scale_f) + shift_f
        return hidden + gate_f * self.forward_out(functional.gelu(self.forward_in(inner)))


def _told(condition: Tensor, config: NetworkConfig) -> Tensor:
    told = condition.clone() if config.hidden else condition
    for first, end in config.hidden:
        told[..., first:end] = 0
    return told


def _patches(values: Tensor, patch: int) -> Tensor:
    """(B, T, ...) as tokens (B, T / patch, patch · ...)."""
    return values.unflatten(1, (-1, patch)).flatten(2)


def rotary_angles(count: int, width: int, device: torch.device) -> Tensor:
    """Angles (count, width / 2) of rotary position embedding (Su et al. 2021)."""
    frequency = 100.0 ** (-torch.arange(0, width, 2, device=device) / width)
    return torch.arange(count, device=device)[:, None] * frequency


def rotated(vectors: Tensor, angles: Tensor) -> Tensor:
    """Turn pairs of (..., N, width) by `angles` (N, width / 2)."""
    first, second = vectors.chunk(2, -1)
    cosine, sine = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)

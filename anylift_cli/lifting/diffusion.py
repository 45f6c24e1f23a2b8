"""Noise schedule and samplers for networks that predict the clean sample (DDPM, DDIM; ALGORITHM 2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""(noisy sample (B, ...), step (B,)) → clean sample (B, ...)."""


@dataclass(frozen=True)
class Schedule:
    """Shares of signal that are left after each of N steps, `signal` (N,): the squared cosine of Nichol & Dhariwal."""

    signal: Tensor

    @classmethod
    def cosine(cls, steps: int, device: str | torch.device = "cpu") -> Schedule:
        """The squared-cosine schedule with offset 0.008, betas clipped at 0.999."""
        time = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        level = torch.cos((time + 0.008) / 1.008 * math.pi / 2).square()
        betas = (1 - level[1:] / level[:-1]).clamp_max(0.999)
        return cls((1 - betas).cumprod(0).float().to(device))

    @property
    def steps(self) -> int:
        """N."""
        return len(self.signal)

    def noised(self, clean: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Clean sample (B, ...) after `step` (B,) steps of noise (B, ...)."""
        signal = _spread(self.signal[step], clean)
        return signal.sqrt() * clean + (1 - signal).sqrt() * noise

    def noise_of(self, noisy: Tensor, clean: Tensor, step: Tensor) -> Tensor:
        """The noise that leads from `clean` to `noisy`."""
        signal = _spread(self.signal[step], clean)
        return (noisy - signal.sqrt() * clean) / (1 - signal).sqrt().clamp_min(1e-4)


def ddim(denoise: Denoiser, schedule: Schedule, noise: Tensor, passes: int) -> Tensor:
    """Deterministic sampling (Song et al. 2021) in `passes` evaluations, from noise (B, ...)."""
    steps = torch.linspace(schedule.steps - 1, 0, passes + 1)[:-1].round().long().tolist()
    sample = noise
    clean = noise
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        index = torch.full((len(noise),), step, device=noise.device)
        clean = denoise(sample, index)
        if following is not None:
            guess = schedule.noise_of(sample, clean, index)
            sample = schedule.noised(clean, guess, torch.full_like(index, following))
    return clean


def ddpm(denoise: Denoiser, schedule: Schedule, noise: Tensor, generator: torch.Generator) -> Tensor:
    """Ancestral sampling (Ho et al. 2020) through all N steps, from noise (B, ...)."""
    sample = noise
    for step in reversed(range(schedule.steps)):
        index = torch.full((len(noise),), step, device=noise.device)
        clean = denoise(sample, index)
        if step == 0:
            return clean
        now, before = schedule.signal[step], schedule.signal[step - 1]
        beta = 1 - now / before
        mean = (before.sqrt() * beta * clean + (now / before).sqrt() * (1 - before) * sample) / (1 - now)
        deviation = (beta * (1 - before) / (1 - now)).sqrt()
        fresh = torch.randn(noise.shape, generator=generator, device=noise.device)
        sample = mean + deviation * fresh
    return sample


def _spread(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.dim() - 1))

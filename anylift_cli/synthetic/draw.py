"""Random numbers from one seeded torch generator, on any device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draw:
    """Draws of given shapes; the same seed on the same device gives the same numbers."""

    generator: torch.Generator

    @classmethod
    def seeded(cls, seed: int, device: str | torch.device = "cpu") -> Draw:
        """A fresh source of random numbers."""
        return cls(torch.Generator(device).manual_seed(seed))

    @property
    def device(self) -> torch.device:
        """Where the numbers are made."""
        return self.generator.device

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform in [low, high)."""
        return low + (high - low) * torch.rand(shape, generator=self.generator, device=self.device)

    def normal(self, shape: tuple[int, ...], deviation: float = 1.0) -> Tensor:
        """Normal about 0."""
        return deviation * torch.randn(shape, generator=self.generator, device=self.device)

    def chance(self, shape: tuple[int, ...], probability: float) -> Tensor:
        """True with the given probability."""
        return self.uniform(shape) < probability

    def integers(self, shape: tuple[int, ...], high: int) -> Tensor:
        """0 … high - 1."""
        return torch.randint(high, shape, generator=self.generator, device=self.device)

    def wander(self, shape: tuple[int, ...], times: Tensor, slowest: float, fastest: float) -> Tensor:
        """Smooth noise of unit deviation over `times` (T,) seconds, (*shape[:1], T, *shape[1:]).

        A sum of sines of random phase between the two frequencies, Hz.
        """
        parts = 6
        frequency = self.uniform((parts, *shape), slowest, fastest)
        phase = self.uniform((parts, *shape), 0, 2 * math.pi)
        moments = times.reshape(1, 1, -1, *[1] * (len(shape) - 1))
        angle = 2 * math.pi * frequency.unsqueeze(2) * moments + phase.unsqueeze(2)
        return (2 / parts) ** 0.5 * angle.sin().sum(0)

    def spans(self, shape: tuple[int, ...], frames: int, probability: float, shortest: int, longest: int) -> Tensor:
        """Whether a frame lies in a random span; with `probability` an entry has one, (*shape, frames)."""
        length = shortest + self.integers(shape, longest - shortest + 1)
        begin = self.integers(shape, max(frames, 1))
        index = torch.arange(frames, device=self.device)
        inside = (index >= begin[..., None]) & (index < (begin + length)[..., None])
        return inside & self.chance(shape, probability)[..., None]

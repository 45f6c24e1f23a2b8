"""A trained multi-view network at work on a whole clip: its windows, its frame rate, and its points in the world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from anylift_cli.geometry.windows import windows
from anylift_cli.lifting.canonical import canonical
from anylift_cli.lifting.checkpoint import load_checkpoint
from anylift_cli.lifting.conditions import conditions
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.edges import SIZE
from anylift_cli.lifting.even import at_rate, at_times
from anylift_cli.lifting.multi_view import imagine, triangulated
from anylift_cli.lifting.observation import Observation

_BATCH = 32
DOUBTFUL = 0.25
"""Confidence below which a point counts as unseen: networks are trained on doubtful points from 0.3 on."""


@dataclass(frozen=True)
class Imagination:
    """A network and what it was trained for: frames a window, frames a second, mean edge lengths (E,)."""

    network: nn.Module
    schedule: Schedule
    frames: int
    fps: float
    lengths: Tensor

    @classmethod
    def load(cls, path: Path, device: str) -> Imagination:
        """Read a checkpoint.

        Raises:
            AnyliftError: see `load_checkpoint`.
        """
        network, manifest = load_checkpoint(path, device)
        schedule = Schedule.cosine(manifest["noise_steps"], device)
        lengths = torch.tensor(manifest["lengths"], device=device)
        return cls(network, schedule, manifest["frames"], manifest["fps"], lengths)

    @torch.no_grad()
    def __call__(self, seen: Observation, lengths: Tensor, passes: int, seeds: list[int]) -> tuple[Tensor, Tensor]:
        """World points (1, T, 24, 3) and their standard deviation (1, T, 24), m, of one person.

        Args:
            seen: B = 1, in a metric world with z up.
            lengths: (E,) edge lengths of the person, m: their size counts, the proportions are the network's own.
            passes: evaluations of the network for each seed.
        """
        size = (lengths / self.lengths)[SIZE.to(lengths.device)].log().mean().exp()
        even = at_rate(seen, self.fps)
        count = even.times.shape[1]
        parts = list(windows(count, self.frames, self.frames // 2))
        points = torch.zeros(count, 24, 3, device=seen.times.device)
        deviation = torch.zeros(count, 24, device=seen.times.device)
        for begin in range(0, len(parts), _BATCH):
            some = parts[begin : begin + _BATCH]
            found, spread = self._windows(even, [part.frames for part in some], self.lengths * size, passes, seeds)
            for part, one, wide in zip(some, found, spread, strict=True):
                weight = part.weight.to(points)
                points[part.frames] += one[: len(weight)] * weight[:, None, None]
                deviation[part.frames] += wide[: len(weight)] * weight[:, None]
        return at_times(points, even.times[0], seen.times[0])[None], at_times(deviation, even.times[0], seen.times[0])[
            None
        ]

    def _windows(
        self, even: Observation, frames: list[slice], lengths: Tensor, passes: int, seeds: list[int]
    ) -> tuple[Tensor, Tensor]:
        """Points (W, T, 24, 3) and deviation (W, T, 24) of some windows; a short clip is padded with unseen frames."""
        index = torch.stack([torch.arange(part.start, part.start + self.frames) for part in frames]).to(
            even.times.device
        )
        valid = index < even.times.shape[1]
        index = index.clamp_max(even.times.shape[1] - 1)
        weight = _trusted(even.weight[0][index]) * valid[..., None]
        up = even.times.new_tensor([0.0, 0.0, 1.0]).expand(len(frames), 3)
        times = torch.arange(self.frames, device=index.device).expand(len(frames), -1) / self.fps
        rays = torch.where((weight > 0)[..., None], even.rays[0][index], 0.0)
        local, local_weight = _local(even, index, valid)
        window = canonical(
            rays,
            weight,
            even.world_from_camera[0][index],
            times,
            up,
            lengths.expand(len(frames), -1),
            local,
            local_weight,
        )
        condition = conditions(window)
        samples, misses = [], []
        for seed in seeds:
            views = imagine(self.network, self.schedule, condition, valid, passes, seed)
            local, miss = triangulated(window, views)
            samples.append(window.to_world(local))
            misses.append(miss * window.unit[:, None, None])
        points = torch.stack(samples)
        spread = points.var(0, unbiased=False).mean(-1) if len(seeds) > 1 else 0.0
        return points.mean(0), (torch.stack(misses).mean(0).square() + spread).sqrt()


def _trusted(weight: Tensor) -> Tensor:
    return torch.where(weight >= DOUBTFUL, weight, 0.0)


def _local(even: Observation, index: Tensor, valid: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The estimator's points (W, T, 24, 3) and trust (W, T, 24) at frames `index` (W, T)."""
    if even.local is None or even.local_weight is None:
        return None, None
    weight = _trusted(even.local_weight[0][index]) * valid[..., None]
    return torch.where((weight > 0)[..., None], even.local[0][index], 0.0), weight

"""A trained multi-view network at work on a whole clip: its windows, its frame rate, and its points in the world."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from anylift_cli.geometry.rotations import matrix_from_6d, six_d_from_matrix
from anylift_cli.geometry.windows import windows
from anylift_cli.lifting.canonical import canonical
from anylift_cli.lifting.checkpoint import load_checkpoint
from anylift_cli.lifting.conditions import conditions
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.edges import SIZE
from anylift_cli.lifting.multi_view import imagine, triangulated
from anylift_cli.lifting.observation import Observation

_BATCH = 32
_DOUBTFUL = 0.25
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
        even = _at_rate(seen, self.fps)
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
        return _at_times(points, even.times[0], seen.times[0])[None], _at_times(
            deviation, even.times[0], seen.times[0]
        )[None]

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
    return torch.where(weight >= _DOUBTFUL, weight, 0.0)


def _local(even: Observation, index: Tensor, valid: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The estimator's points (W, T, 24, 3) and trust (W, T, 24) at frames `index` (W, T)."""
    if even.local is None or even.local_weight is None:
        return None, None
    weight = _trusted(even.local_weight[0][index]) * valid[..., None]
    return torch.where((weight > 0)[..., None], even.local[0][index], 0.0), weight


def _at_rate(seen: Observation, fps: float) -> Observation:
    """The evidence at even times; a point is seen there if it is in both frames around."""
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


def _both(weight: Tensor, low: Tensor, high: Tensor, share: Tensor) -> Tensor:
    """Lesser weight (1, N, 24) of the two frames around, of one alone where a time is that frame's."""
    before = torch.where(share[:, None] < 1 - 1e-3, weight[0][low], torch.inf)
    after = torch.where(share[:, None] > 1e-3, weight[0][high], torch.inf)
    return torch.minimum(before, after)[None]


def _at_times(values: Tensor, even: Tensor, times: Tensor) -> Tensor:
    """Values (N, ...) at even times (N,), at other times (T,)."""
    low, high, share = _around(even, times)
    return torch.lerp(values[low], values[high], share.reshape(-1, *[1] * (values.dim() - 1)))


def _around(times: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Frames before and after each wanted time, and how far it is between them, 0 … 1."""
    high = torch.searchsorted(times, wanted - 1e-6).clamp(0, len(times) - 1)
    low = (high - 1).clamp_min(0)
    gap = (times[high] - times[low]).clamp_min(1e-9)
    return low, high, ((wanted - times[low]) / gap).clamp(0, 1)

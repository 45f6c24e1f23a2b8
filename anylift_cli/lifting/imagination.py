"""A trained multi-view network at work on a whole clip: its windows, its frame rate, and its points in the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from anylift_cli.geometry.windows import windows
from anylift_cli.lifting.canonical import Canonical, canonical
from anylift_cli.lifting.checkpoint import MULTI_VIEW, Kinds, load_checkpoint
from anylift_cli.lifting.conditions import conditions
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.edges import SIZE
from anylift_cli.lifting.even import at_rate, at_times
from anylift_cli.lifting.multi_view import imagine, triangulated
from anylift_cli.lifting.observation import Observation

Learned = TypeVar("Learned", bound="Imagination")

_BATCH = 32
_LONG = 120
"""Frames that tell distances best. Networks see time relatively, so windows may be twice as long as in training."""
DOUBTFUL = 0.25
"""Confidence below which a point counts as unseen: networks are trained on doubtful points from 0.3 on."""


@dataclass(frozen=True)
class Imagination:
    """A network, how many frames it is shown at once, and its training's frames a second and mean edge lengths (E,)."""

    network: nn.Module
    schedule: Schedule
    frames: int
    fps: float
    lengths: Tensor

    kinds: ClassVar[Kinds] = MULTI_VIEW

    @classmethod
    def load(cls: type[Learned], path: Path, device: str) -> Learned:
        """Read a checkpoint.

        Raises:
            AnyliftError: see `load_checkpoint`.
        """
        network, manifest = load_checkpoint(path, device, cls.kinds)
        schedule = Schedule.cosine(manifest["noise_steps"], device)
        lengths = torch.tensor(manifest["lengths"], device=device)
        trained = manifest["frames"]
        frames = min(max(trained, _LONG), 2 * trained)
        return cls(network, schedule, frames, manifest["fps"], lengths)

    @torch.no_grad()
    def __call__(self, seen: Observation, lengths: Tensor, passes: int, seeds: list[int]) -> tuple[Tensor, Tensor]:
        """World points (1, T, 24, 3) and their standard deviation (1, T, 24), m, of one person.

        Args:
            seen: B = 1, in a metric world with z up.
            lengths: (E,) edge lengths of the person, m: their size counts, the proportions are the network's own.
            passes: evaluations of the network for each seed.
        """
        even = at_rate(seen, self.fps)

        def look(window: Canonical, index: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
            views = self.views(conditions(window), valid, passes, seeds)
            return averaged(window, [triangulated(window, one) for one in views])

        points, deviation = self.in_windows(even, lengths, look)
        return tuple(at_times(values, even.times[0], seen.times[0])[None] for values in (points, deviation))

    def in_windows(
        self, even: Observation, lengths: Tensor, look: Callable[[Canonical, Tensor, Tensor], tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        """What `look` gives for windows, (W, frames, ...) each, cross-faded over all N frames, (N, ...) each.

        Args:
            even: B = 1, N frames at `fps`.
            lengths: (E,) edge lengths of the person, m.
            look: called with W windows, the frames (W, T) that they show, and whether these exist (W, T).
        """
        size = (lengths / self.lengths)[SIZE.to(lengths.device)].log().mean().exp()
        count = even.times.shape[1]
        parts = list(windows(count, self.frames, self.frames // 2))
        totals: list[Tensor] = []
        for begin in range(0, len(parts), _BATCH):
            some = parts[begin : begin + _BATCH]
            found = look(*self._canonical(even, [part.frames for part in some], self.lengths * size))
            totals = totals or [torch.zeros(count, *values.shape[2:], device=values.device) for values in found]
            for total, values in zip(totals, found, strict=True):
                for part, one in zip(some, values, strict=True):
                    weight = part.weight.to(one)
                    total[part.frames] += one[: len(weight)] * weight.reshape(-1, *[1] * (one.dim() - 1))
        return tuple(totals)

    def views(self, condition: Tensor, valid: Tensor, passes: int, seeds: list[int]) -> list[Tensor]:
        """What each seed imagines of windows, (W, T, V - 1, N, 2) each; see `multi_view.imagine`."""
        return [imagine(self.network, self.schedule, condition, valid, passes, seed) for seed in seeds]

    def _canonical(self, even: Observation, frames: list[slice], lengths: Tensor) -> tuple[Canonical, Tensor, Tensor]:
        """Windows, their frames (W, T) and whether these exist; a short clip is padded with unseen ones."""
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
        return window, index, valid


def averaged(window: Canonical, samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """World points (W, T, N, 3), m, and their deviation (W, T, N), m, of what several seeds gave.

    Args:
        samples: points and the views' disagreement about them, canonical units.
    """
    points = torch.stack([window.to_world(local) for local, _ in samples])
    misses = torch.stack([miss * window.unit[:, None, None] for _, miss in samples])
    spread = points.var(0, unbiased=False).mean(-1) if len(samples) > 1 else 0.0
    return points.mean(0), (misses.mean(0).square() + spread).sqrt()


def _trusted(weight: Tensor) -> Tensor:
    return torch.where(weight >= DOUBTFUL, weight, 0.0)


def _local(even: Observation, index: Tensor, valid: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The estimator's points (W, T, 24, 3) and trust (W, T, 24) at frames `index` (W, T)."""
    if even.local is None or even.local_weight is None:
        return None, None
    weight = _trusted(even.local_weight[0][index]) * valid[..., None]
    return torch.where((weight > 0)[..., None], even.local[0][index], 0.0), weight

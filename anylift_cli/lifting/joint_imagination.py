"""A trained joint network at work on a whole clip: the person and one object in the world, seen together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from anylift_cli.lifting.canonical import Canonical
from anylift_cli.lifting.checkpoint import JOINT, Kinds
from anylift_cli.lifting.conditions import conditions
from anylift_cli.lifting.even import at_rate, at_times, seen_at
from anylift_cli.lifting.imagination import Imagination, averaged
from anylift_cli.lifting.joint import Told, category_index, object_conditions, told_of, triangulated_object
from anylift_cli.lifting.multi_view import triangulated
from anylift_cli.lifting.observation import Observation

_WANDERS = 0.35
"""Metres that a square root of a second out of sight adds to what imagined corners are off by (measured on made
interactions of held-out people: 0.13 m after 0.3 s and before as much again, 0.5 m after 1.6 s)."""
_FORGOTTEN = 10.0
"""Seconds out of sight beyond which it is not worse."""


@dataclass(frozen=True)
class Followed:
    """One object as a tracker sees it over T frames.

    Attributes:
        corners: (T, 8, 3) of its box (`joint.box_corners`) before the camera, m; anything where `weight` is 0.
        weight: (T,) confidence of the tracker.
        category: one of `CATEGORIES`, or another word.
    """

    corners: Tensor
    weight: Tensor
    category: str


@dataclass(frozen=True)
class Together:
    """Points (1, T, 24, 3) of the person, corners (T, 8, 3) of the object, in the world, m, and their deviations
    (1, T, 24), (T, 8)."""

    points: Tensor
    deviation: Tensor
    corners: Tensor
    corner_deviation: Tensor


@dataclass(frozen=True)
class JointImagination(Imagination):
    """A joint network and what it was trained for."""

    kinds: ClassVar[Kinds] = JOINT

    @torch.no_grad()
    def together(
        self, seen: Observation, followed: Followed, lengths: Tensor, measured: bool, passes: int, seeds: list[int]
    ) -> Together:
        """A person and an object, seen together.

        Args:
            seen: B = 1, in a metric world with z up.
            followed: the object, at the times of `seen`.
            lengths: (E,) edge lengths that the person is assumed to have, m; the network finds their size.
            measured: whether that size is known.
            passes: evaluations of the network for each seed.
        """
        even = at_rate(seen, self.fps)
        times, wanted = seen.times[0], even.times[0]
        corners, weight = seen_at(followed.corners, followed.weight, times, wanted)
        kind = category_index(followed.category)

        def look(window: Canonical, index: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
            told = self._told(window, even, corners[index], weight[index] * valid, index, kind, measured)
            condition = torch.cat([conditions(window), object_conditions(window, told)], -1)
            views = self.views(condition, valid, passes, seeds)
            person = averaged(window, [triangulated(window, one) for one in views])
            thing = averaged(window, [triangulated_object(window, told, one) for one in views])
            return *person, *thing

        points, deviation, placed, placed_deviation = (
            at_times(values, wanted, times) for values in self.in_windows(even, lengths, look)
        )
        wandered = _WANDERS * out_of_sight(followed.weight > 0, times).sqrt()
        return Together(points[None], deviation[None], placed, torch.hypot(placed_deviation, wandered[:, None]))

    @staticmethod
    def _told(
        window: Canonical, even: Observation, corners: Tensor, weight: Tensor, index: Tensor, kind: int, measured: bool
    ) -> Told:
        local = window.from_camera(corners, even.world_from_camera[0][index])
        category = torch.full((len(index),), kind, device=index.device)
        return told_of(window, local, weight, category, torch.full_like(category, measured, dtype=torch.bool))


def out_of_sight(known: Tensor, times: Tensor) -> Tensor:
    """Seconds (T,) since a and until b a `known` (T,) frame, a b / (a + b): the variance of a Brownian bridge."""
    never = torch.full_like(times, torch.inf)
    since = times - torch.where(known, times, -never).cummax(0).values
    until = torch.where(known, times, never).flip(0).cummin(0).values.flip(0) - times
    since, until = since.clamp_max(_FORGOTTEN), until.clamp_max(_FORGOTTEN)
    return since * until / (since + until).clamp_min(1e-9)

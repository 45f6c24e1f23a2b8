"""Limbs bent the wrong way in depth: one view allows both, habit and smooth motion decide (ALGORITHM 8.5)."""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.prior import PosePrior
from anylift_cli.body.skeleton import K
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.vectors import squared_length
from anylift_cli.lifting.objective import Weights, local_term
from anylift_cli.lifting.observation import Observation

_LIMBS = tuple(
    (K[f"{side}_{upper}"], K[f"{side}_{middle}"], tuple(K[f"{side}_{name}"] for name in ends))
    for side in ("left", "right")
    for upper, middle, ends in (
        ("shoulder", "elbow", ("wrist",)),
        ("hip", "knee", ("ankle", "heel", "big_toe", "small_toe")),
    )
)
_STATES = ((False, False), (True, False), (False, True), (True, True))
"""Whether the upper and the lower half of a limb are mirrored."""
_SWEEPS = 2
_REASON = 3.0
"""What a mirrored half must gain to be preferred."""
_SPEED = 4.0
"""m/s at which moving from one frame to the next costs as much as one standard deviation."""


def unflipped(points: Tensor, seen: Observation, prior: PosePrior, weights: Weights) -> Tensor:
    """World points (1, T, 24, 3) with the depth of each half limb mirrored wherever that is the likelier path.

    Limb by limb, twice, the cheapest path through four states per frame: the pose prior and the estimator's local
    points rate a state, the speed of its joints the step to the next frame. Projections do not change.
    """
    camera_from_world = invert(seen.world_from_camera)
    for start, middle, ends in _LIMBS * _SWEEPS:
        camera = transform(camera_from_world, points)
        states = torch.cat([_mirrored(camera, start, middle, ends, *state) for state in _STATES])
        world = transform(seen.world_from_camera, states)
        doubt = points.new_tensor([_REASON * sum(state) for state in _STATES])
        cost = weights.pose * prior.energy(world) + doubt[:, None]
        if seen.local is not None:
            cost = cost + local_term(states, seen, weights)
        moving = world[:, :, [middle, ends[0]]]
        interval = seen.times[0].diff().clamp_min(1e-3)[:, None]
        step = moving[None, :, 1:] - moving[:, None, :-1]
        speed = squared_length(step / interval[..., None] / _SPEED).sum(-1)
        path = _cheapest_path(cost.T, speed.permute(2, 0, 1))
        points = world[path, torch.arange(len(path), device=path.device)][None]
    return points


def _mirrored(camera: Tensor, start: int, middle: int, ends: tuple[int, ...], upper: bool, lower: bool) -> Tensor:
    """Camera points (1, T, 24, 3) with the depth offsets of a limb's halves negated along the lines of sight."""
    depth = camera[..., 2]
    changed = depth.clone()
    upper_offset = depth[..., middle] - depth[..., start]
    changed[..., middle] = depth[..., start] + (-upper_offset if upper else upper_offset)
    for end in ends:
        lower_offset = depth[..., end] - depth[..., middle]
        if lower:
            lower_offset = lower_offset - 2 * (depth[..., ends[0]] - depth[..., middle])
        changed[..., end] = changed[..., middle] + lower_offset
    return camera * (changed.clamp_min(0.2) / depth.clamp_min(0.2))[..., None]


def _cheapest_path(cost: Tensor, transition: Tensor) -> Tensor:
    """States (T,) of least total cost, cost (T, S) and transition (T - 1, S from, S to)."""
    total, back = cost[0], []
    for frame, step in zip(cost[1:], transition, strict=True):
        best, origin = (total[:, None] + step).min(0)
        total = best + frame
        back.append(origin)
    path = [total.argmin()]
    for origin in reversed(back):
        path.append(origin[path[-1]])
    return torch.stack(path[::-1])

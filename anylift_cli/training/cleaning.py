"""Triangulated clips made bodily: constant bone lengths, likely poses, smooth paths (the SMPL fit of ALGORITHM 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.prior import PosePrior
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.lifting.canonical import Canonical
from anylift_cli.lifting.objective import Objective, Weights
from anylift_cli.lifting.observation import Observation, root_of
from anylift_cli.lifting.solve import minimise

_SEEN = 0.05
_FLOOR = 0.04
"""Standard deviation of triangulated points where the views agree, m."""
_ITERATIONS = 100
_STEP = 0.01


def cleaned(seen: Canonical, local: Tensor, miss: Tensor, lengths: Tensor, prior: PosePrior, fps: float) -> Tensor:
    """World points (B, T, 24, 3), m, near triangulated ones and the input view, all clips at once.

    Args:
        local: (B, T, 24, 3) and miss: (B, T, 24) of `multi_view.triangulated`, canonical units.
        lengths: (E,) edge lengths of a mean body, m.
    """
    metres = seen.unit[:, None, None]
    poses = invert(seen.camera_from_first)
    poses[..., :3, 3] *= metres
    world = seen.to_world(local)
    world_from_camera = seen.world_from_first[:, None] @ poses
    inside = transform(invert(world_from_camera), world)
    root = root_of(inside)
    times = torch.arange(local.shape[1], device=local.device).expand(len(local), -1) / fps
    observation = Observation(
        rays=seen.rays,
        weight=seen.weight * (seen.weight > _SEEN),
        world_from_camera=world_from_camera,
        times=times,
        imagined=inside - root[..., None, :],
        imagined_deviation=(_FLOOR**2 + (miss * metres).square()).sqrt(),
        imagined_depth=root[..., 2].clamp_min(0.2),
    )
    objective = Objective(observation, lengths, prior, Weights())
    return minimise(objective, world, iterations=_ITERATIONS, step=_STEP).points

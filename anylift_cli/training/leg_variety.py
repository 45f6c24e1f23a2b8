"""Stances that were not recorded: feet elsewhere, knees bent further (ALGORITHM 8.2)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from anylift_cli.body.skeleton import J
from anylift_cli.geometry.vectors import unit
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.limbs import two_bones

_LEGS = tuple(tuple(J[f"{side}_{part}"] for part in ("hip", "knee", "ankle", "foot")) for side in ("left", "right"))
_FOOT, _BODY = 0.17, 0.08
"""Deviation of where a foot is, and of where the body is over both, along each level axis, m."""
_CROUCH = 0.06
"""Deviation of how far a body is lowered, m; half of them keep their height."""
_STRAIGHT = 0.985
"""Of a leg's length, how far it reaches."""
_EVENED = 7
"""Frames over which a body that has to go down does so."""


def restanced(joints: Tensor, which: Tensor, draw: Draw) -> Tensor:
    """Joints (B, T, 24, 3) m, z up, of which the clips `which` (B,) have each foot elsewhere by a fixed level step.

    Steps stay steps and what stands goes on standing; the body goes with its feet, and down as far as both legs need.
    """
    batch = len(joints)
    steps = _FOOT * draw.normal((batch, 2, 2))
    along = steps.mean(1) + _BODY * draw.normal((batch, 2))
    crouch = _CROUCH * draw.normal((batch,)).clamp_min(0)
    sole = functional.pad(steps, (0, 1))[:, None]
    shift = functional.pad(along, (0, 1))[:, None].repeat(1, joints.shape[1], 1)
    shift[..., 2] = -_evened(_drop(joints, sole, shift)) - crouch[:, None]
    moved = joints + shift[:, :, None]
    forward = _forward(joints)
    for side, (hip, knee, ankle, foot) in enumerate(_LEGS):
        thigh, shank = ((joints[:, :, b] - joints[:, :, a]).norm(dim=-1) for a, b in ((hip, knee), (knee, ankle)))
        tends = joints[:, :, knee] - 0.5 * (joints[:, :, hip] + joints[:, :, ankle]) + 0.1 * forward
        goal = joints[:, :, ankle] + sole[:, :, side]
        moved[:, :, knee], moved[:, :, ankle] = two_bones(moved[:, :, hip], goal, thigh, shank, tends)
        moved[:, :, foot] = moved[:, :, ankle] + joints[:, :, foot] - joints[:, :, ankle]
    return torch.where(which[:, None, None, None], moved, joints)


def _drop(joints: Tensor, sole: Tensor, shift: Tensor) -> Tensor:
    """How far hips (B, T) must go down such that legs reach feet that are moved by `sole` (B, 1, 2, 3)."""
    lack = []
    for side, (hip, knee, ankle, _) in enumerate(_LEGS):
        length = sum((joints[:, :, b] - joints[:, :, a]).norm(dim=-1) for a, b in ((hip, knee), (knee, ankle)))
        line = joints[:, :, hip] + shift - joints[:, :, ankle] - sole[:, :, side]
        reach = ((_STRAIGHT * length).square() - line[..., :2].square().sum(-1)).clamp_min(0).sqrt()
        lack.append(line[..., 2] - reach)
    return torch.stack(lack).amax(0).clamp_min(0)


def _evened(values: Tensor) -> Tensor:
    """Smooth values (B, T) that are nowhere below the given ones."""
    half = _EVENED // 2
    highest = functional.max_pool1d(values, _EVENED, 1, half)
    return functional.avg_pool1d(functional.pad(highest, (half, half), mode="replicate"), _EVENED, 1)


def _forward(joints: Tensor) -> Tensor:
    """Level directions (B, T, 3) in which hips face."""
    left = joints[:, :, _LEGS[0][0]] - joints[:, :, _LEGS[1][0]]
    return unit(torch.linalg.cross(left, left.new_tensor([0.0, 0.0, 1.0]).expand_as(left)))

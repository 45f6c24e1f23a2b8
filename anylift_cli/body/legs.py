"""Inverse kinematics of legs: feet are put where they are wanted, hips stay."""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.skeleton import SMPL_PARENTS, J
from anylift_cli.geometry.rotations import matrix_from_axis_angle, rotation_between
from anylift_cli.geometry.vectors import dot, length, unit

_REACH = 0.9995
"""Share of its length that a leg is stretched to at most, where it is not already."""
_STRAIGHT = 0.05
"""A knee bent less than about this, rad, bends about its own axis rather than in the plane it happens to lie in."""


def world_rotations(rotations: Tensor) -> Tensor:
    """Local rotations (T, 24, 3, 3) → rotations in the world."""
    world = [rotations[:, 0]]
    for joint, parent in list(enumerate(SMPL_PARENTS))[1:]:
        world.append(world[parent] @ rotations[:, joint])
    return torch.stack(world, 1)


def out_of_reach(joints: Tensor, side: str, ankle: Tensor) -> Tensor:
    """How far, and where to, the hip of joints (T, 24, 3) must go for the leg to reach `ankle` (T, 3); (T, 3) m."""
    hip, knee, foot = (joints[:, J[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
    reach = _reach(knee - hip, foot - knee)
    return unit(ankle - hip) * (length(ankle - hip) - reach).clamp_min(0)[:, None]


def step_to(rotations: Tensor, joints: Tensor, side: str, ankle: Tensor, turn: Tensor) -> Tensor:
    """Local rotations (T, 24, 3, 3) of a body whose leg brings its ankle to `ankle`, as far as the leg reaches.

    The knee stays in its plane, the hip turns as little as it can.

    Args:
        rotations: (T, 24, 3, 3) local.
        joints: (T, 24, 3) that they give, m.
        side: "left" or "right".
        ankle: (T, 3) m.
        turn: (T, 3, 3) by which the foot turns in the world.
    """
    hip, knee, foot = (J[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
    world = world_rotations(rotations)
    thigh, shank = joints[:, knee] - joints[:, hip], joints[:, foot] - joints[:, knee]
    long, short = length(thigh), length(shank)
    goal = ankle - joints[:, hip]
    distance = torch.minimum(length(goal), _reach(thigh, shank))
    distance = torch.maximum(distance, (long - short).abs() + 1e-3)

    across = torch.linalg.cross(thigh, shank) / (long * short)[:, None]
    bend = torch.atan2(length(across), dot(thigh, shank) / (long * short))
    wanted = torch.acos(((distance**2 - long**2 - short**2) / (2 * long * short)).clamp(-1, 1))
    own = world[:, knee, :, 0]
    own = own - dot(own, unit(thigh))[:, None] * unit(thigh)
    hinge = unit(across + _STRAIGHT * own)
    fold = matrix_from_axis_angle(hinge * (wanted - bend)[:, None])
    reached = thigh + (fold @ shank[..., None])[..., 0]
    swing = rotation_between(reached, goal)

    new_thigh, new_shank = swing @ world[:, hip], swing @ fold @ world[:, knee]
    result = rotations.clone()
    result[:, hip] = world[:, 0].mT @ new_thigh
    result[:, knee] = new_thigh.mT @ new_shank
    result[:, foot] = new_shank.mT @ turn @ world[:, foot]
    return result


def _reach(thigh: Tensor, shank: Tensor) -> Tensor:
    return torch.maximum(_REACH * (length(thigh) + length(shank)), length(thigh + shank))

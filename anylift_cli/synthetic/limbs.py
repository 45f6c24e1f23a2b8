"""Arms that reach, knees that bend, backs that stoop: `body24` points moved to where a task needs them.

Limbs keep the lengths of their bones, feet stay where they are, and what reaches too far ends stretched.
"""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.vectors import dot, unit

SIDES = ("left", "right")
HAND = 0.085
"""Metres from the wrist to the middle of the hand, along the forearm."""
_STRETCHED = 0.995
_LEG_POINTS = ("knee", "ankle", "big_toe", "small_toe", "heel")
_UPPER = [index for index, name in enumerate(BODY24) if name.split("_", 1)[-1] not in _LEG_POINTS]
"""Points that go along with the hips."""
ARMS = [[K[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist")] for side in SIDES]
_LEGS = [[K[f"{side}_{part}"] for part in ("hip", "knee", "ankle")] for side in SIDES]
_HIPS = [K["left_hip"], K["right_hip"]]


def hands(points: Tensor) -> Tensor:
    """Middles of the left and right hand (..., 2, 3) of `body24` points (..., 24, 3)."""
    elbows, wrists = (points[..., [arm[part] for arm in ARMS], :] for part in (1, 2))
    return wrists + HAND * unit(wrists - elbows)


def arm_lengths(points: Tensor) -> tuple[Tensor, Tensor]:
    """Upper arm, and forearm with half a hand, (..., 2) m each."""
    shoulders, elbows, wrists = (points[..., [arm[part] for arm in ARMS], :] for part in range(3))
    return (elbows - shoulders).norm(dim=-1), (wrists - elbows).norm(dim=-1) + HAND


def reaching(points: Tensor, targets: Tensor, outward: Tensor) -> Tensor:
    """Points (..., 24, 3) whose hands are at `targets` (..., 2, 3), as far as the arms reach.

    Args:
        outward: (..., 2, 3) where elbows tend to.
    """
    moved = points.clone()
    upper, lower = arm_lengths(points)
    for side, (shoulder, elbow, wrist) in enumerate(ARMS):
        bend, end = two_bones(points[..., shoulder, :], targets[..., side, :], upper[..., side], lower[..., side],
                              outward[..., side, :])  # fmt: skip
        moved[..., elbow, :] = bend
        moved[..., wrist, :] = end - HAND * unit(end - bend)
    return moved


def lowered(points: Tensor, shift: Tensor, stoop: Tensor, forward: Tensor) -> Tensor:
    """Points (..., 24, 3) whose hips moved by `shift` (..., 3) over feet that stay, and whose trunk leans.

    Args:
        stoop: (...) rad that the trunk leans to `forward` (..., 3), a level direction.
    """
    up = torch.zeros_like(forward)
    up[..., 2] = 1
    turn = matrix_from_axis_angle(stoop[..., None] * torch.linalg.cross(up, forward))
    root = points[..., _HIPS, :].mean(-2, keepdim=True)
    moved = points.clone()
    upper = (points[..., _UPPER, :] - root) @ turn.transpose(-1, -2) + root
    moved[..., _UPPER, :] = upper + shift[..., None, :]
    for hip, knee, ankle in _LEGS:
        moved[..., hip, :] = points[..., hip, :] + shift
        thigh, shin = ((points[..., b, :] - points[..., a, :]).norm(dim=-1) for a, b in ((hip, knee), (knee, ankle)))
        ahead = points[..., knee, :] - 0.5 * (points[..., hip, :] + points[..., ankle, :]) + 0.1 * forward
        moved[..., knee, :], end = two_bones(moved[..., hip, :], points[..., ankle, :], thigh, shin, ahead)
        foot = [K[BODY24[ankle].replace("ankle", part)] for part in ("ankle", "big_toe", "small_toe", "heel")]
        moved[..., foot, :] = points[..., foot, :] + (end - points[..., ankle, :])[..., None, :]
    return moved


def two_bones(start: Tensor, target: Tensor, first: Tensor, second: Tensor, towards: Tensor) -> tuple[Tensor, Tensor]:
    """The joint between two bones, and their end, (..., 3) each.

    Args:
        start, target: (..., 3) of the first bone, and where the second one should end.
        first, second: (...) lengths.
        towards: (..., 3) where the joint tends to.
    """
    line = target - start
    distance = line.norm(dim=-1).clamp_min(1e-6)
    direction = line / distance[..., None]
    distance = torch.minimum(distance, _STRETCHED * (first + second))
    distance = torch.maximum(distance, (first - second).abs() + 0.02)
    along = (first**2 - second**2 + distance**2) / (2 * distance)
    aside = (first**2 - along**2).clamp_min(0).sqrt()
    pole = unit(towards - dot(towards, direction)[..., None] * direction)
    joint = start + along[..., None] * direction + aside[..., None] * pole
    return joint, start + distance[..., None] * direction

"""Other people, and people doing other things: mirrored, taller, with others' arms, loose, tumbling (ALGORITHM 8.2)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anylift_cli.body.mocap import AXES_OF
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_MIRROR, SMPL_PARENTS, J
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.vectors import unit
from anylift_cli.synthetic.draw import Draw

_GROUPS = (
    ("left_hip",), ("left_knee",), ("left_ankle",), ("left_foot",), ("spine1", "spine2", "spine3"), ("neck", "head"),
    ("left_collar",), ("left_shoulder",), ("left_elbow",), ("left_wrist", "left_hand"),
)  # fmt: skip
"""Bones, named by their end, that get one length factor together with their mirror images."""
_WIDTHS = ("left_hip", "left_collar", "left_shoulder")
_BONE_GROUP = torch.full((len(SMPL_JOINTS),), len(_GROUPS))
for _index, _names in enumerate(_GROUPS):
    for _name in _names:
        _BONE_GROUP[J[_name]] = _index
        _BONE_GROUP[SMPL_MIRROR[J[_name]]] = _index
_SHOULDERS = (J["left_shoulder"], J["right_shoulder"])
_ARMS = [[J[f"{side}_{part}"] for part in ("elbow", "wrist", "hand")] for side in ("left", "right")]
_LOOSENESS = {
    "spine1": 0.12, "neck": 0.15, "left_shoulder": 0.35, "right_shoulder": 0.35, "left_elbow": 0.25,
    "right_elbow": 0.25,
}  # fmt: skip
"""Deviation, rad about each axis, by which what hangs on a joint strays, the trunk before the limbs. Legs keep to the
floor."""
_STRAYING = 0.05, 0.5
"""Hz, slowest and fastest."""
_TOPPLED, _SPIN = 1.2, 4.0
"""Deviation of a tumbling body's tilt, and of its rate per second, rad."""
_MIRROR = torch.tensor([-1.0, 1.0, 1.0])


def mirrored(joints: Tensor, axes: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Left and right exchanged in the clips `which` (B,): joints (B, T, 24, 3), axes (B, T, 3, 3, 3)."""
    sign = _MIRROR.to(joints.device)
    other_joints = joints[:, :, list(SMPL_MIRROR)] * sign
    other_axes = axes[:, :, [0, 2, 1]] * sign[:, None] * sign
    return (
        torch.where(which[:, None, None, None], other_joints, joints),
        torch.where(which[:, None, None, None, None], other_axes, axes),
    )


def turned(joints: Tensor, axes: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Turned about the vertical by `angle` (B,)."""
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rotation = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], -1).reshape(-1, 1, 3, 3)
    return joints @ rotation.transpose(-1, -2), rotation[:, :, None] @ axes


def reproportioned(joints: Tensor, draw: Draw) -> Tensor:
    """Each clip's person with another stature (about 1.45 to 1.95 m for one of 1.7) and other proportions.

    The root's path is scaled with the legs, so that feet stay on the floor and steps stay steps.
    """
    batch = len(joints)
    stature = draw.uniform((batch, 1), 0.86, 1.14)
    deviation = torch.full((len(_GROUPS) + 1,), 0.04, device=draw.device)
    deviation[[_GROUPS.index((name,)) for name in _WIDTHS]] = 0.06
    factors = stature * (1 + deviation * draw.normal((batch, len(deviation))))
    per_bone = factors[:, _BONE_GROUP.to(joints.device)]
    legs = per_bone[:, [J["left_knee"], J["left_ankle"]]].mean(1)
    placed = [joints[:, :, 0] * legs[:, None, None]]
    for joint in range(1, len(SMPL_PARENTS)):
        parent = SMPL_PARENTS[joint]
        bone = (joints[:, :, joint] - joints[:, :, parent]) * per_bone[:, joint, None, None]
        placed.append(placed[parent] + bone)
    return torch.stack(placed, 2)


def arms_exchanged(joints: Tensor, which: Tensor) -> Tensor:
    """Joints (B, T, 24, 3) of which the clips `which` (B,) move their arms as the clip before them does."""
    chest = _chest(joints)
    others = torch.roll(joints, 1, 0)
    changed = joints.clone()
    for shoulder, arm in zip(_SHOULDERS, _ARMS, strict=True):
        reach = (others[:, :, arm] - others[:, :, shoulder, None]) @ torch.roll(chest, 1, 0)
        changed[:, :, arm] = joints[:, :, shoulder, None] + reach @ chest.transpose(-1, -2)
    return torch.where(which[:, None, None, None], changed, joints)


def loosened(joints: Tensor, axes: Tensor, fps: float, which: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Clips of which those `which` (B,) hold trunk, head and arms differently, slowly more or less so."""
    batch, frames = joints.shape[:2]
    times = torch.arange(frames, device=joints.device) / fps
    joints, axes = joints.clone(), axes.clone()
    for name, deviation in _LOOSENESS.items():
        stray = deviation * draw.wander((batch, 3), times, *_STRAYING)
        turn = matrix_from_axis_angle(stray * which[:, None, None])
        pivot, hanging = J[name], _hanging_on(J[name])
        offset = joints[:, :, hanging] - joints[:, :, pivot, None]
        joints[:, :, hanging] = joints[:, :, pivot, None] + offset @ turn.transpose(-1, -2)
        moved = [index for index, joint in enumerate(AXES_OF) if joint in hanging]
        axes[:, :, moved] = turn[:, :, None] @ axes[:, :, moved]
    return joints, axes


def tumbled(joints: Tensor, axes: Tensor, fps: float, which: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Clips of which those `which` (B,) tilt and turn over about a level axis through the pelvis."""
    batch, frames = joints.shape[:2]
    heading = draw.uniform((batch,), 0, 2 * math.pi)
    axis = torch.stack([heading.cos(), heading.sin(), torch.zeros_like(heading)], -1)
    times = (torch.arange(frames, device=joints.device) - draw.uniform((batch, 1), 0, frames)) / fps
    angle = draw.normal((batch, 1), _TOPPLED) + draw.normal((batch, 1), _SPIN) * times.clamp(-0.5, 0.5)
    turn = matrix_from_axis_angle((angle * which[:, None])[..., None] * axis[:, None])
    pelvis = joints[:, :, :1]
    return (joints - pelvis) @ turn.transpose(-1, -2) + pelvis, turn[:, :, None] @ axes


def varied(joints: Tensor, axes: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Mirrored half of the time, turned anywhere, other proportions."""
    batch = len(joints)
    joints, axes = mirrored(joints, axes, draw.chance((batch,), 0.5))
    joints, axes = turned(joints, axes, draw.uniform((batch,), 0, 2 * math.pi))
    return reproportioned(joints, draw), axes


def _hanging_on(joint: int) -> list[int]:
    """The joints that move when this one turns."""
    found = [joint]
    for child in range(joint + 1, len(SMPL_PARENTS)):
        if SMPL_PARENTS[child] in found:
            found.append(child)
    return found[1:]


def _chest(joints: Tensor) -> Tensor:
    """Axes (B, T, 3, 3) that go with the shoulders."""
    across = unit(joints[:, :, _SHOULDERS[0]] - joints[:, :, _SHOULDERS[1]])
    front = unit(torch.linalg.cross(across, joints[:, :, J["neck"]] - joints[:, :, J["spine2"]]))
    return torch.stack([across, front, torch.linalg.cross(across, front)], -1)

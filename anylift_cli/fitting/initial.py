"""Body parameters to start from: each limb turned along the lifted points (analytic, no iterations)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from anylift_cli.body.model import BodyModel
from anylift_cli.body.prior import torso_frame
from anylift_cli.body.skeleton import SMPL_PARENTS, J, K
from anylift_cli.geometry.rotations import rotation_between

_STRAIGHT = 0.25
"""Sine of the bend below which the bend no longer says how a limb is twisted."""


def initial_pose(points: Tensor, body: BodyModel, betas: Tensor) -> tuple[Tensor, Tensor]:
    """Pose matrices (T, 24, 3, 3) and translation (T, 3) that follow `body24` world points (T, 24, 3).

    The spine is straight; thighs and upper arms take the twist that lets knees and elbows bend in their plane.
    """
    frames = len(points)
    identity = torch.eye(3, dtype=points.dtype, device=points.device)
    rest = body.joints(identity.expand(1, 24, 3, 3), betas, points.new_zeros(1, 3))
    rest_joints, rest_points = rest.joints[0], rest.keypoints[0]
    pose = identity.expand(frames, 24, 3, 3).clone()
    world = identity.expand(frames, 24, 3, 3).clone()

    def turn(joint: str, wanted: Tensor) -> None:
        index = J[joint]
        world[:, index] = wanted
        pose[:, index] = world[:, SMPL_PARENTS[index]].transpose(-1, -2) @ wanted

    root = torso_frame(points) @ torso_frame(rest_points).T
    pose[:, 0] = root
    world[:] = root[:, None]

    for side, sign in (("left", 1.0), ("right", -1.0)):
        hip, knee, ankle, toe = (points[:, K[f"{side}_{name}"]] for name in ("hip", "knee", "ankle", "big_toe"))
        thigh, shin, foot = knee - hip, ankle - knee, toe - ankle
        upper_rest = rest_joints[J[f"{side}_knee"]] - rest_joints[J[f"{side}_hip"]]
        lower_rest = rest_joints[J[f"{side}_ankle"]] - rest_joints[J[f"{side}_knee"]]
        hinge = identity[0]
        turn(f"{side}_hip", _limb(thigh, shin, root, upper_rest, hinge))
        turn(f"{side}_knee", _bend(world[:, J[f"{side}_hip"]], shin, lower_rest))
        foot_rest = rest_points[K[f"{side}_big_toe"]] - rest_joints[J[f"{side}_ankle"]]
        turn(f"{side}_ankle", _bend(world[:, J[f"{side}_knee"]], foot, foot_rest))
        turn(f"{side}_foot", world[:, J[f"{side}_ankle"]])

        shoulder, elbow, wrist = (points[:, K[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist"))
        upper, fore = elbow - shoulder, wrist - elbow
        upper_rest = rest_joints[J[f"{side}_elbow"]] - rest_joints[J[f"{side}_shoulder"]]
        lower_rest = rest_joints[J[f"{side}_wrist"]] - rest_joints[J[f"{side}_elbow"]]
        turn(f"{side}_shoulder", _limb(upper, fore, root, upper_rest, -sign * identity[1]))
        turn(f"{side}_elbow", _bend(world[:, J[f"{side}_shoulder"]], fore, lower_rest))
        for name in ("wrist", "hand"):
            turn(f"{side}_{name}", world[:, J[f"{side}_elbow"]])

    face = points[:, K["nose"]] - 0.5 * (points[:, K["left_ear"]] + points[:, K["right_ear"]])
    ears = points[:, K["left_ear"]] - points[:, K["right_ear"]]
    rest_face = rest_points[K["nose"]] - 0.5 * (rest_points[K["left_ear"]] + rest_points[K["right_ear"]])
    turn("head", _frame(face, ears) @ _frame(rest_face[None], identity[:1])[0].T)

    hips = 0.5 * (points[:, K["left_hip"]] + points[:, K["right_hip"]])
    posed = body.joints(pose, betas, points.new_zeros(1, 3)).keypoints
    return pose, hips - 0.5 * (posed[:, K["left_hip"]] + posed[:, K["right_hip"]])


def _limb(upper: Tensor, lower: Tensor, trunk: Tensor, upper_rest: Tensor, hinge: Tensor) -> Tensor:
    """World rotation (T, 3, 3) of an upper limb whose joint bends about `hinge` (rest axes)."""
    upper, lower = normalize(upper, dim=-1), normalize(lower, dim=-1)
    carried = rotation_between((trunk @ upper_rest[:, None])[..., 0], upper) @ trunk @ hinge[:, None]
    normal = torch.linalg.cross(upper, lower)
    bend = normal.norm(dim=-1, keepdim=True)
    trust = (bend / _STRAIGHT).clamp_max(1.0)
    axis = trust * normal / bend.clamp_min(1e-6) + (1.2 - trust) * carried[..., 0]
    return _frame(upper, axis) @ _frame(upper_rest[None], hinge[None])[0].T


def _bend(parent: Tensor, direction: Tensor, rest: Tensor) -> Tensor:
    """World rotation of a child that turns from its parent's pose along `direction`."""
    return rotation_between((parent @ rest[:, None])[..., 0], direction) @ parent


def _frame(first: Tensor, second: Tensor) -> Tensor:
    """Right-handed axes (T, 3, 3): `first` kept, `second` made perpendicular."""
    x = normalize(first, dim=-1)
    y = normalize(second - (second * x).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)

"""The same motion in another body: shape from the bones' lengths, then pose and place from the joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS, convention_arrays, pose_arrays
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices
from anylift_cli.body.skeleton import SMPL_PARENTS
from anylift_cli.geometry.rotations import axis_angle_from_matrix, matrix_from_6d, six_d_from_matrix

_CHUNK = 500
"""Frames posed at once, so that memory does not grow with the motion."""
_SHAPE_ITERATIONS, _POSE_ITERATIONS = 60, 60
_SHAPE_WEIGHT = 1e-4
"""Squared metres that one squared unit of shape costs: shapes stay sane where bones do not tell."""
_TURN_WEIGHT = 2e-5
"""The same for a rotation matrix that departs from the motion's own: turns about bones stay."""


def change_body(motion: MotionArtifact, name: str) -> MotionArtifact:
    """`motion` with the parameters of the body `name`, as `BodyModel.load` takes it; joints stay where they are.

    Raises:
        MissingDependencyError, AnyliftError: the body is not there or cannot be read.
    """
    body = BodyModel.load(name)
    target = torch.from_numpy(motion.joints).float()
    before = pose_matrices(motion).float()
    with torch.enable_grad():
        betas = _shape(body, target)
        parts = [
            _pose(body, betas, joints, turns)
            for joints, turns in zip(target.split(_CHUNK), before.split(_CHUNK), strict=True)
        ]
    pose, transl = (torch.cat(values) for values in zip(*parts, strict=True))
    with torch.no_grad():
        joints = torch.cat(
            [body.joints(p, betas, t).joints for p, t in zip(pose.split(_CHUNK), transl.split(_CHUNK), strict=True)]
        )
        height = float(body.standing_height(betas)[0])
    angles = axis_angle_from_matrix(pose.double()).numpy()[:, :BODY_JOINTS].reshape(len(pose), -1)
    shape = np.zeros(len(motion.betas), np.float32)
    shape[: body.num_betas] = betas[0].numpy()
    return replace(
        motion,
        **pose_arrays(angles),
        **convention_arrays(body.family, body.gender),
        trans=transl.numpy(),
        betas=shape,
        num_betas=body.num_betas,
        joints=joints.numpy(),
        height=height,
        meta={
            **motion.meta,
            "body": {"name": name, "sha256": body.sha256, "family": body.family, "gender": body.gender},
        },
    )


def _shape(body: BodyModel, target: Tensor) -> Tensor:
    """Shape (1, S) whose bones are as long as those of the joints (T, 24, 3)."""
    wanted = _lengths(target).median(0).values
    betas = torch.zeros(1, body.num_betas, requires_grad=True)

    def cost() -> Tensor:
        return (_lengths(body.rest_joints(betas))[0] - wanted).square().sum() + _SHAPE_WEIGHT * betas.square().mean()

    _minimise(cost, [betas], _SHAPE_ITERATIONS)
    return betas.detach()


def _pose(body: BodyModel, betas: Tensor, target: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Pose (T, 24, 3, 3) and translation (T, 3) that bring the joints to `target` (T, 24, 3)."""
    six = six_d_from_matrix(before[:, :BODY_JOINTS]).clone().requires_grad_()
    rest = body.rest_joints(betas)[0, 0]
    transl = (target[:, 0] - rest).clone().requires_grad_()
    still = torch.eye(3).expand(len(before), before.shape[1] - BODY_JOINTS, 3, 3)

    def pose() -> Tensor:
        return torch.cat([matrix_from_6d(six), still], 1)

    def cost() -> Tensor:
        turns = pose()
        apart = (body.joints(turns, betas, transl).joints - target).square().sum()
        return apart + _TURN_WEIGHT * (turns - before).square().sum()

    _minimise(cost, [six, transl], _POSE_ITERATIONS)
    with torch.no_grad():
        return pose(), transl.detach()


def _minimise(cost, parameters: list[Tensor], iterations: int) -> None:
    solver = torch.optim.LBFGS(parameters, max_iter=iterations, history_size=20, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        solver.zero_grad()
        value = cost()
        value.backward()
        return value

    solver.step(step)


def _lengths(joints: Tensor) -> Tensor:
    """Of the bones of (..., 24, 3), (..., 23)."""
    return (joints[..., 1:, :] - joints[..., list(SMPL_PARENTS[1:]), :]).norm(dim=-1)

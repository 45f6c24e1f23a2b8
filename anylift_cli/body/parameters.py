"""A motion's body and its parameters in the form the body model takes: rotation matrices, tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS
from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import SMPL_JOINTS
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.rotations import matrix_from_axis_angle


def body_of(motion: MotionArtifact) -> BodyModel:
    """The body that `motion` was fitted with.

    Raises:
        AnyliftError: the motion names no body, or the installed body of that name is not the same file.
    """
    record = motion.meta.get("body")
    if not isinstance(record, dict) or "name" not in record:
        raise AnyliftError("the motion does not say which body it belongs to", "run `anylift fit` to make it again")
    body = BodyModel.load(record["name"])
    if record.get("sha256", body.sha256) != body.sha256:
        raise AnyliftError(
            f"the motion was fitted with another version of the body '{record['name']}' than the one installed",
            "run `anylift fit` to make it again, or install the body it was made with",
        )
    return body


def pose_matrices(motion: MotionArtifact) -> Tensor:
    """Local rotations of the 24 SMPL joints, (T, 24, 3, 3); the first is `global_orient` in the z-up world."""
    frames = len(motion.poses)
    axis_angle = torch.zeros(frames, len(SMPL_JOINTS), 3)
    axis_angle[:, :BODY_JOINTS] = torch.from_numpy(motion.poses[:, : BODY_JOINTS * 3]).reshape(frames, BODY_JOINTS, 3)
    return matrix_from_axis_angle(axis_angle)


def shape_of(motion: MotionArtifact, body: BodyModel) -> Tensor:
    """The motion's shape coefficients as `body` takes them, (1, S)."""
    return torch.from_numpy(motion.betas[: body.num_betas])[None]

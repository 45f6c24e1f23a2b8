"""A motion posed by its body, and in other poses of which all that follows from them still holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import SMPLX_JOINTS, pose_arrays
from anylift_cli.body.model import BodyPoints
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of

_CHUNK = 500
"""Frames posed at once, so that memory does not grow with the clip."""


def posed(motion: MotionArtifact) -> BodyPoints:
    """Joints (T, 24, 3) and `body24` points (T, 24, 3) of `motion`, m, by its body.

    Raises:
        AnyliftError: the motion's body is not installed.
    """
    body = body_of(motion)
    pose, betas, trans = pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans)
    with torch.no_grad():
        parts = [
            body.joints(pose_part, betas, trans_part)
            for pose_part, trans_part in zip(pose.split(_CHUNK), trans.split(_CHUNK), strict=True)
        ]
    return BodyPoints(*(torch.cat(points) for points in zip(*parts, strict=True)))


def with_parameters(motion: MotionArtifact, poses: np.ndarray, trans: np.ndarray, **changes: object) -> MotionArtifact:
    """`motion` in other poses (T, 165) and translations (T, 3), with both key families and joints that agree.

    Args:
        changes: other arrays to replace.

    Raises:
        AnyliftError: the motion's body is not installed.
    """
    blank = {"trans": trans, "joints": np.zeros((len(poses), 24, 3))}
    changed = replace(motion, **pose_arrays(poses), **{**blank, **changes})
    return replace(changed, joints=posed(changed).joints.numpy())


def rotations_of(motion: MotionArtifact) -> np.ndarray:
    """Local rotations (T, 55, 3, 3) of all joints of `motion.poses`."""
    turns = Rotation.from_rotvec(motion.poses.reshape(-1, 3).astype(np.float64))
    return turns.as_matrix().reshape(-1, SMPLX_JOINTS, 3, 3)


def poses_from(rotations: np.ndarray) -> np.ndarray:
    """`MotionArtifact.poses` (T, 165) of local rotations (T, 55, 3, 3)."""
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(len(rotations), -1)

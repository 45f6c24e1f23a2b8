"""A motion with other poses, or at other times, of which all that follows from them still holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyPoints
from anylift_cli.export.parameters import body_of, pose_matrices, shape_of
from anylift_cli.export.resampling import resample, resample_poses, resample_values, uniform_times

SMPLX_JOINTS = 55
"""Rotations in `MotionArtifact.poses`: 22 of the body, jaw, two eyes, 15 of each hand."""
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
    changed = replace(
        motion,
        poses=poses,
        root_orient=poses[:, :3],
        pose_body=poses[:, 3:66],
        pose_jaw=poses[:, 66:69],
        pose_eye=poses[:, 69:75],
        pose_hand=poses[:, 75:],
        trans=trans,
        **{"joints": np.zeros((len(poses), 24, 3)), **changes},
    )
    return replace(changed, joints=posed(changed).joints.numpy())


def with_rate(motion: MotionArtifact, fps: float) -> MotionArtifact:
    """`motion` whose frames are said to be 1/fps seconds apart."""
    return replace(
        motion, fps=fps, mocap_frame_rate=fps, mocap_framerate=fps, mocap_time_length=len(motion.poses) / fps
    )


def motion_at(motion: MotionArtifact, times: np.ndarray) -> MotionArtifact:
    """`motion` at `times` (N,) seconds of the video; joints are posed anew, `frame_index` is the nearest frame's.

    Times outside its span take the first or last frame.

    Raises:
        AnyliftError: the motion's body is not installed.
    """
    before = motion.timestamps
    rotations, trans = resample(rotations_of(motion), motion.trans.astype(np.float64), before, times)
    middles = (before[1:] + before[:-1]) / 2
    objects, sure = motion.world_from_object, motion.object_confidence
    return with_parameters(
        motion,
        poses_from(rotations),
        trans,
        timestamps=times,
        frame_index=motion.frame_index[np.searchsorted(middles, times)],
        joint_confidence=resample_values(motion.joint_confidence, before, times),
        confidence=resample_values(motion.confidence, before, times),
        foot_contact=resample_values(motion.foot_contact, before, times),
        world_from_camera=resample_poses(motion.world_from_camera, before, times),
        K=resample_values(motion.K, before, times),
        world_from_object=None
        if objects is None
        else np.stack([resample_poses(one, before, times) for one in objects]),
        object_confidence=None if sure is None else resample_values(sure.T, before, times).T,
    )


def evenly(motion: MotionArtifact, fps: float) -> MotionArtifact:
    """`motion` at `fps` frames per second over its own duration.

    Raises:
        AnyliftError: see `uniform_times` and `motion_at`.
    """
    times = uniform_times(motion.timestamps, fps)
    return with_rate(motion if times is motion.timestamps else motion_at(motion, times), fps)


def rotations_of(motion: MotionArtifact) -> np.ndarray:
    """Local rotations (T, 55, 3, 3) of all joints of `motion.poses`."""
    turns = Rotation.from_rotvec(motion.poses.reshape(-1, 3).astype(np.float64))
    return turns.as_matrix().reshape(-1, SMPLX_JOINTS, 3, 3)


def poses_from(rotations: np.ndarray) -> np.ndarray:
    """`MotionArtifact.poses` (T, 165) of local rotations (T, 55, 3, 3)."""
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(len(rotations), -1)

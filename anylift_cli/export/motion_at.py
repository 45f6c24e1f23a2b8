"""A motion with other poses, or at other times, of which all that follows from them still holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import rate_arrays
from anylift_cli.body.posing import poses_from, rotations_of, with_parameters
from anylift_cli.export.resampling import resample, resample_poses, resample_values, uniform_times


def with_rate(motion: MotionArtifact, fps: float) -> MotionArtifact:
    """`motion` whose frames are said to be 1/fps seconds apart."""
    return replace(motion, **rate_arrays(fps, len(motion.poses)))


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

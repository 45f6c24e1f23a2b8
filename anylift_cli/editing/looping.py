"""Cycles: how well the end of a motion meets its begin, and how to make it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.foot_lock import between
from anylift_cli.body.posing import poses_from, rotations_of, with_parameters
from anylift_cli.editing.placement import heading_of, rest_pelvis
from anylift_cli.errors import UsageError


def seam(motion: MotionArtifact) -> dict[str, float]:
    """What jumps when the last frame is followed by the first, wherever the person has gone and turned to.

    Returns:
        `seam_deg`: of the joint that turns most; `seam_cm`: the pelvis' height; `seam_cm_s`: the pelvis' velocity.

    Raises:
        AnyliftError: the person lies on a side in the first or last frame.
    """
    rotations = _without_heading(motion)
    turns = Rotation.from_matrix(rotations[-1].swapaxes(-1, -2) @ rotations[0]).magnitude()
    height = motion.joints[[0, -1], 0, 2]
    speeds = np.zeros((2, 3))
    if len(motion.poses) > 1:
        speed = np.diff(motion.joints[:, 0], axis=0) / np.diff(motion.timestamps)[:, None]
        speeds = np.stack([_about_z(-heading_of(motion, frame)) @ speed[frame] for frame in (0, -1)])
    return {
        "seam_deg": float(np.degrees(turns.max())),
        "seam_cm": float(abs(height[1] - height[0]) * 100),
        "seam_cm_s": float(np.linalg.norm(speeds[1] - speeds[0]) * 100),
    }


def loop(motion: MotionArtifact, seconds: float) -> MotionArtifact:
    """Bend the last `seconds` so that the last frame has the first one's pose and height; 0 changes nothing.

    Where the person goes and turns to stays. Feet may slide in the bent part.

    Raises:
        UsageError: a negative time, or more than the motion lasts.
        AnyliftError: the person lies on a side in the first or last frame, or the motion's body is not installed.
    """
    lasts = float(motion.timestamps[-1] - motion.timestamps[0])
    if not 0 <= seconds <= lasts:
        raise UsageError(f"{seconds:g} s cannot be bent to a loop: the motion lasts {lasts:g} s", "give less")
    if not seconds:
        return motion
    share = np.clip((motion.timestamps - motion.timestamps[-1]) / seconds + 1, 0, 1)
    share = share**2 * (3 - 2 * share)
    level = _without_heading(motion)
    rotations = rotations_of(motion)
    bend = level[-1].swapaxes(-1, -2) @ level[0]
    rotations = between(rotations, rotations @ bend, np.tile(share[:, None], rotations.shape[1]))
    pelvis = rest_pelvis(motion) + motion.trans
    trans = motion.trans + share[:, None] * (pelvis[0] - pelvis[-1]) * (0, 0, 1)
    return with_parameters(motion, poses_from(rotations), trans)


def _without_heading(motion: MotionArtifact) -> np.ndarray:
    """Local rotations (2, 55, 3, 3) of the first and last frame, both facing x."""
    rotations = rotations_of(motion)[[0, -1]]
    for index, frame in enumerate((0, -1)):
        rotations[index, 0] = _about_z(-heading_of(motion, frame)) @ rotations[index, 0]
    return rotations


def _about_z(degrees: float) -> np.ndarray:
    return Rotation.from_euler("z", degrees, degrees=True).as_matrix()

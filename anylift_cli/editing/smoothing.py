"""Less jitter without softer footsteps."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import SMPLX_JOINTS
from anylift_cli.body.foot_lock import feet_of, hold_feet, hold_toes, toes_of
from anylift_cli.body.posing import with_parameters
from anylift_cli.errors import UsageError

_WIDTH_PER_DEVIATION = 2 * np.sqrt(2 * np.log(2))
_REACH = 3.0
"""Standard deviations after which a neighbour no longer counts."""


def smooth(motion: MotionArtifact, seconds: float) -> MotionArtifact:
    """Average rotations and the pelvis over a bell of this width (at half its height); planted feet stay in place.

    Raises:
        UsageError: a negative time.
        AnyliftError: the motion's body is not installed.
    """
    if not 0 <= seconds < np.inf:
        raise UsageError(f"a motion cannot be smoothed over {seconds:g} s", "give seconds, 0 or more")
    average = averaging(motion.timestamps, seconds)
    turns = Rotation.from_rotvec(motion.poses.reshape(-1, 3).astype(np.float64)).as_quat()
    turns = _without_flips(turns.reshape(-1, SMPLX_JOINTS, 4))
    mean = (average @ turns.reshape(len(turns), -1)).reshape(-1, 4)
    poses = Rotation.from_quat(mean).as_rotvec().reshape(len(turns), -1)
    smoothed = with_parameters(motion, poses, average @ motion.trans.astype(np.float64))
    return hold_feet(hold_toes(smoothed, toes_of(motion)), feet_of(motion))


def averaging(times: np.ndarray, seconds: float) -> csr_matrix:
    """Weights (T, T) that take values at `times` to those of straight lines fitted around each time.

    Lines, not means: a mean over one side only would hold back who comes into the picture walking.
    """
    deviation = seconds / _WIDTH_PER_DEVIATION
    starts = np.searchsorted(times, times - _REACH * deviation)
    stops = np.searchsorted(times, times + _REACH * deviation, side="right")
    columns, values = [], []
    for frame, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        apart = times[start:stop] - times[frame]
        weight = np.exp(-0.5 * (apart / deviation) ** 2) if stop - start > 1 else np.ones(1)
        total, lever, inertia = weight.sum(), weight @ apart, weight @ apart**2
        spread = total * inertia - lever**2
        values.append(weight * (inertia - apart * lever) / spread if spread > 0 else weight / total)
        columns.append(np.arange(start, stop))
    rows = np.concatenate([[0], np.cumsum(stops - starts)])
    return csr_matrix((np.concatenate(values), np.concatenate(columns), rows), shape=(len(times), len(times)))


def _without_flips(quaternions: np.ndarray) -> np.ndarray:
    """Quaternions (T, J, 4) with the signs that keep neighbours in time close."""
    flips = (quaternions[1:] * quaternions[:-1]).sum(-1) < 0
    signs = np.cumprod(np.where(flips, -1.0, 1.0), 0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs[..., None]])

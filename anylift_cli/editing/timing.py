"""Less of a motion, or the same motion in another time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.export.motion_at import motion_at, with_rate

_TOLERANCE = 1e-6


def trim(motion: MotionArtifact, start: float | None, end: float | None) -> MotionArtifact:
    """The frames from `start` to `end`, both included, in seconds of the video; the world stays where it is.

    Raises:
        AnyliftError: no frame lies between the two.
    """
    first, last = float(motion.timestamps[0]), float(motion.timestamps[-1])
    kept = (motion.timestamps >= (first if start is None else start) - _TOLERANCE) & (
        motion.timestamps <= (last if end is None else end) + _TOLERANCE
    )
    if not kept.any():
        raise AnyliftError(
            f"no frame lies between {first if start is None else start:g} s and {last if end is None else end:g} s",
            f"the motion lasts from {first:g} s to {last:g} s of the video",
        )
    index = np.flatnonzero(kept)
    return with_rate(motion.frames(slice(index[0], index[-1] + 1)), float(motion.fps))


def retime(motion: MotionArtifact, factor: float) -> MotionArtifact:
    """A motion that lasts `factor` times as long at the same frame rate; 0.5 is twice as fast.

    `timestamps` are then no longer the video's, `frame_index` still is.

    Raises:
        UsageError: a factor that is not positive.
        AnyliftError: the motion's body is not installed.
    """
    if not 0 < factor < np.inf:
        raise UsageError(f"a motion cannot be retimed by {factor:g}", "give a number above 0")
    if len(motion.timestamps) == 1:
        return motion
    start, fps = float(motion.timestamps[0]), float(motion.fps)
    duration = (float(motion.timestamps[-1]) - start) * factor
    passed = np.arange(round(duration * fps) + 1) / fps
    return with_rate(replace(motion_at(motion, start + passed / factor), timestamps=start + passed), fps)

"""What an edit changes, in figures."""

from __future__ import annotations

import numpy as np
import torch

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.foot_lock import feet_of
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of
from anylift_cli.editing.looping import seam
from anylift_cli.editing.placement import heading_of
from anylift_cli.errors import AnyliftError
from anylift_cli.report.quality import foot_slide, jitter

_MOST_SKINNED = 400
"""Frames whose mesh is looked at; of longer motions, evenly many."""


def figures(motion: MotionArtifact) -> dict[str, float | None]:
    """Plain JSON values; None where there is nothing to measure.

    Returns:
        frames, seconds (from the first to the last), `foot_slide_cm_s` and `jitter_mm` as `report.quality` has them,
        `penetration_cm`: mean depth of the lowest vertex below the floor, `heading_deg` of the first frame, and what
        `looping.seam` tells.

    Raises:
        AnyliftError: the motion's body is not installed.
    """
    values = {
        "frames": len(motion.poses),
        "seconds": motion.timestamps[-1] - motion.timestamps[0],
        "foot_slide_cm_s": foot_slide(feet_of(motion), motion.foot_contact, motion.timestamps),
        "jitter_mm": jitter(motion.joints, motion.timestamps),
        "penetration_cm": np.maximum(-_lowest(motion), 0).mean() * 100,
        **_directions(motion),
    }
    return {name: None if np.isnan(value) else round(float(value), 3) for name, value in values.items()}


def _directions(motion: MotionArtifact) -> dict[str, float]:
    try:
        return {"heading_deg": heading_of(motion), **seam(motion)}
    except AnyliftError:
        return dict.fromkeys(("heading_deg", "seam_deg", "seam_cm", "seam_cm_s"), np.nan)


def _lowest(motion: MotionArtifact) -> np.ndarray:
    """Height of the lowest vertex in some frames, (N,) m."""
    body = body_of(motion)
    some = np.unique(np.linspace(0, len(motion.poses) - 1, _MOST_SKINNED).round().astype(int))
    with torch.no_grad():
        vertices = body.vertices(
            pose_matrices(motion)[some], shape_of(motion, body), torch.from_numpy(motion.trans)[some]
        )
    return vertices[..., 2].amin(-1).numpy()

"""The pose of an object by what someone clicked in one frame: points of the mesh, or of a ball's outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anylift_cli.meshes.balls import Ball, centre_from_outline, outline_miss
from anylift_cli.objects.pnp import LEAST_POINTS, pose_from_points, reprojection

CLICK_TOLERANCE = 12.0
"""px by which a clicked point may be off."""
_SHARE = 0.6
"""Of the clicked points must agree on a pose."""


@dataclass(frozen=True)
class ClickedPose:
    """`camera_from_object` (4, 4) m, and how far (N,) px each clicked point is from where the pose puts it."""

    camera_from_object: np.ndarray
    miss: np.ndarray


def pose_of_clicks(points: np.ndarray, pixels: np.ndarray, K: np.ndarray) -> ClickedPose | None:
    """The pose that most clicked points agree with; None where too few do.

    Args:
        points: (N, 3) m in the object's axes.
        pixels: (N, 2).
        K: (3, 3) px.
    """
    found = pose_from_points(points, pixels, K, tolerance=CLICK_TOLERANCE)
    if found is None or found.inliers.sum() < max(LEAST_POINTS, _SHARE * len(points)):
        return None
    return ClickedPose(found.camera_from_object, reprojection(points, pixels, K, found.camera_from_object))


def pose_of_outline(ball: Ball, pixels: np.ndarray, K: np.ndarray) -> ClickedPose | None:
    """Where a ball is by points (N, 2) px of its outline; None where they are not on one.

    How it is turned, an outline does not tell: its axes are the camera's.
    """
    centre = centre_from_outline(pixels, K, ball.radius)
    if centre is None:
        return None
    miss = np.abs(outline_miss(pixels, K, centre, ball.radius))
    pose = np.eye(4)
    pose[:3, 3] = centre - ball.middle
    return ClickedPose(pose, miss) if miss.max() < CLICK_TOLERANCE else None

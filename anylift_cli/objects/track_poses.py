"""Poses of an object whose points something else followed: PnP frame by frame, from the known frames outwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anylift_cli.objects.base import Anchor, ObjectTrack
from anylift_cli.objects.pnp import PointPose, pose_from_points

LEAST_INLIERS, LEAST_SHARE = 6, 0.45
"""Fewer points, or a smaller share of those that were followed, make no pose."""


def track_confidence(count: int, error: float) -> float:
    """Trust 0..1 in a pose that `count` points agree with to `error` px."""
    return float(min(1.0, count / 16) / (1 + (error / 2) ** 2))


def poses_of_tracks(
    points3d: np.ndarray,
    points2d: np.ndarray,
    K: np.ndarray,
    anchors: Sequence[Anchor],
    tolerance: float = 2.5,
) -> ObjectTrack:
    """A pose for every frame in which enough points agree on one; points that do not agree are not visible.

    Args:
        points3d: (M, 3) m.
        points2d: (T, M, 2) px, NaN where not seen.
        K: (T, 3, 3) px.
        anchors: frames in which the pose is known; others start from the nearest one.
    """
    frames = len(points2d)
    poses, confidence = np.full((frames, 4, 4), np.nan), np.zeros(frames)
    kept = np.full(points2d.shape, np.nan)
    rows = np.array([anchor.row for anchor in anchors])
    nearest = np.abs(np.arange(frames)[:, None] - rows).argmin(1)
    for index, anchor in enumerate(anchors):
        own = np.flatnonzero(nearest == index)
        for way in (own[own >= anchor.row], own[own < anchor.row][::-1]):
            near = anchor.camera_from_object
            for row in way:
                seen = np.flatnonzero(np.isfinite(points2d[row]).all(-1))
                found = pose_from_points(points3d[seen], points2d[row, seen], K[row], near=near, tolerance=tolerance)
                if found is None or not enough(found, len(seen)):
                    continue
                near = poses[row] = found.camera_from_object
                agree = seen[found.inliers]
                kept[row, agree] = points2d[row, agree]
                confidence[row] = track_confidence(len(agree), found.error)
    return ObjectTrack(points3d, kept, poses, confidence)


def enough(found: PointPose, followed: int) -> bool:
    """Whether so many of the points that were followed agree that the pose can be believed."""
    return int(found.inliers.sum()) >= max(LEAST_INLIERS, LEAST_SHARE * followed)

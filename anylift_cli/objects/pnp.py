"""The pose of a rigid body from points seen in one image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anylift_cli.geometry.cameras import project_camera, transform

LEAST_POINTS = 4
_ATTEMPTS, _SURE = 200, 0.999
_SAME = 0.3
"""px: errors below it say nothing about which of two poses is right."""


@dataclass(frozen=True)
class PointPose:
    """A pose found from points.

    Attributes:
        camera_from_object: (4, 4) m.
        inliers: (N,) the points that agree with it.
        error: root mean square distance of these, px.
    """

    camera_from_object: np.ndarray
    inliers: np.ndarray
    error: float


def pose_from_points(
    points3d: np.ndarray,
    points2d: np.ndarray,
    K: np.ndarray,
    *,
    near: np.ndarray | None = None,
    tolerance: float = 2.5,
) -> PointPose | None:
    """The pose with which most points agree, refined on them; None where fewer than four do.

    Args:
        points3d: (N, 3) m.
        points2d: (N, 2) px.
        K: (3, 3) px.
        near: (4, 4) a pose that it should be close to; points on one plane often fit two poses, of which this chooses.
        tolerance: px within which a point agrees.
    """
    if len(points3d) < LEAST_POINTS:
        return None
    starts = _starts(points3d, points2d, K, near, tolerance)
    found = [_refined(points3d, points2d, K, pose, tolerance) for pose in starts]
    found = [one for one in found if one is not None]
    if not found:
        return None
    most = max(int(one.inliers.sum()) for one in found)
    rivals = [one for one in found if one.inliers.sum() >= 0.9 * most]
    least = max(min(one.error for one in rivals), _SAME)
    rivals = [one for one in rivals if one.error <= 1.5 * least]
    if near is None:
        return min(rivals, key=lambda one: one.error)
    return min(rivals, key=lambda one: _turn_between(one.camera_from_object, near))


def reprojection(
    points3d: np.ndarray, points2d: np.ndarray, K: np.ndarray, camera_from_object: np.ndarray
) -> np.ndarray:
    """Distances (N,) px of seen points from where the pose puts them; inf behind the camera."""
    camera = transform(camera_from_object, points3d)
    ahead = camera[:, 2] > 1e-3
    pixels = project_camera(np.where(ahead[:, None], camera, 1.0), K)
    return np.where(ahead, np.linalg.norm(pixels - points2d, axis=-1), np.inf)


def _starts(
    points3d: np.ndarray, points2d: np.ndarray, K: np.ndarray, near: np.ndarray | None, tolerance: float
) -> list[np.ndarray]:
    starts = [] if near is None else [near]
    cv2.setRNGSeed(0)
    found, turn, place, inliers = cv2.solvePnPRansac(
        points3d, points2d, K, None, iterationsCount=_ATTEMPTS, reprojectionError=tolerance, confidence=_SURE,
        flags=cv2.SOLVEPNP_SQPNP,
    )  # fmt: skip
    if not found or inliers is None or len(inliers) < LEAST_POINTS:
        return starts
    starts.append(_pose(turn, place))
    chosen = inliers[:, 0]
    flat = _flatness(points3d[chosen])
    if flat < 0.02:
        count, turns, places, _ = cv2.solvePnPGeneric(
            points3d[chosen], points2d[chosen], K, None, flags=cv2.SOLVEPNP_IPPE
        )
        starts += [_pose(turns[i], places[i]) for i in range(count)]
    return starts


def _refined(
    points3d: np.ndarray, points2d: np.ndarray, K: np.ndarray, pose: np.ndarray, tolerance: float
) -> PointPose | None:
    """Least squares on the points that agree, which are chosen anew each time, from a wide tolerance to the final."""
    for wide in (4.0, 2.0, 1.0, 1.0):
        agree = reprojection(points3d, points2d, K, pose) < wide * tolerance
        if agree.sum() < LEAST_POINTS:
            return None
        turn, place = cv2.solvePnPRefineLM(
            points3d[agree], points2d[agree], K, None, cv2.Rodrigues(pose[:3, :3])[0], pose[:3, 3:].copy()
        )
        pose = _pose(turn, place)
        if not np.isfinite(pose).all():
            return None
    miss = reprojection(points3d, points2d, K, pose)
    agree = miss < tolerance
    if agree.sum() < LEAST_POINTS:
        return None
    return PointPose(pose, agree, float(np.sqrt((miss[agree] ** 2).mean())))


def _pose(turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], np.ravel(place)
    return pose


def _flatness(points: np.ndarray) -> float:
    """How thick a cloud of points is, relative to its width."""
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
    return float(spread[2] / max(spread[0], 1e-12))


def _turn_between(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.arccos(((np.trace(first[:3, :3].T @ second[:3, :3]) - 1) / 2).clip(-1, 1)))

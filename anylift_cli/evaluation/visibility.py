"""Which points of an object a camera sees: not its far side, and not what the person is before."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP, K
from anylift_cli.geometry.cameras import invert, transform

_LIMBS = {
    ("elbow", "wrist"): 0.04, ("shoulder", "elbow"): 0.05, ("knee", "ankle"): 0.055, ("hip", "knee"): 0.075,
}  # fmt: skip
_TRUNK, _HEAD = 0.13, 0.1
"""Half the thickness of people, m."""
_HAND = 0.16
"""Metres from wrist to finger tips, along the forearm."""
_OWN = 0.004
"""Metres before a point within which a surface is the one that it lies on."""


def seen_points(
    points: np.ndarray, mesh: tuple[np.ndarray, np.ndarray], poses: np.ndarray, people: np.ndarray, cameras: np.ndarray
) -> np.ndarray:
    """Which points (M, 3) of a mesh are seen, (T, M).

    Args:
        mesh: vertices (V, 3) m and faces (F, 3), in whose axes the points are.
        poses: (T, 4, 4) `world_from_object`.
        people: (T, 24, 3) `body24`, m, in that world; bones with an end that is NaN hide nothing.
        cameras: (T, 4, 4) `world_from_camera`.
    """
    eyes = transform(invert(poses), cameras[:, None, :3, 3])[:, 0]
    faces = mesh[0][mesh[1]]
    own = np.stack([_behind_faces(eye, points, faces) for eye in eyes])
    world = transform(poses, points)
    return ~(own | _behind_people(cameras[:, :3, 3], world, people))


def _behind_faces(eye: np.ndarray, points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Whether a face (F, 3, 3) is between an eye (3,) and each point (M, 3) (Möller and Trumbore 1997)."""
    ray = points - eye
    first, second = faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]
    from_corner = eye - faces[:, 0]
    normal = np.cross(first, second)
    across = np.cross(from_corner, ray[:, None])
    slope = -ray @ normal.T
    slope = np.where(np.abs(slope) > 1e-12, slope, np.nan)
    along = np.einsum("fc,fc->f", from_corner, normal) / slope
    beside = np.einsum("mfc,fc->mf", across, second) / slope, -np.einsum("mfc,fc->mf", across, first) / slope
    nearest = 1 - _OWN / np.linalg.norm(ray, axis=-1, keepdims=True)
    hit = (beside[0] >= 0) & (beside[1] >= 0) & (beside[0] + beside[1] <= 1) & (along > 0) & (along < nearest)
    return hit.any(1)


def _behind_people(eyes: np.ndarray, points: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Whether a limb, the trunk or the head is between eyes (T, 3) and points (T, M, 3), (T, M)."""
    hidden = np.zeros(points.shape[:2], bool)
    for start, end, radius in _bones(people):
        distance = _distance(eyes[:, None], points, start[:, None], end[:, None])
        hidden |= np.nan_to_num(distance, nan=np.inf) < radius
    return hidden


def _bones(people: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Ends (T, 3) and radius of what people consist of, m."""
    parts = [
        (people[:, K[f"{side}_{a}"]], people[:, K[f"{side}_{b}"]], radius)
        for side in ("left", "right")
        for (a, b), radius in _LIMBS.items()
    ]
    for side in ("left", "right"):
        elbow, wrist = (people[:, K[f"{side}_{part}"]] for part in ("elbow", "wrist"))
        along = wrist - elbow
        parts.append((wrist, wrist + _HAND * along / np.linalg.norm(along, axis=-1, keepdims=True), 0.04))
    neck, hips = people[:, K["neck"]], people[:, [LEFT_HIP, RIGHT_HIP]].mean(1)
    ears = people[:, [K["left_ear"], K["right_ear"]]].mean(1)
    return [*parts, (hips, neck, _TRUNK), (neck, np.where(np.isfinite(ears), ears, neck), _HEAD)]


def _distance(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Least distance of the segments a–b and c–d, all (..., 3)."""
    one, other, between = b - a, d - c, a - c
    squares = [np.einsum("...c,...c->...", *pair) for pair in ((one, one), (other, other), (one, other))]
    along, aside = (np.einsum("...c,...c->...", vector, between) for vector in (one, other))
    determinant = np.maximum(squares[0] * squares[1] - squares[2] ** 2, 1e-12)
    first = np.clip((squares[2] * aside - squares[1] * along) / determinant, 0, 1)
    second = np.clip((squares[2] * first + aside) / np.maximum(squares[1], 1e-12), 0, 1)
    first = np.clip((squares[2] * second - along) / np.maximum(squares[0], 1e-12), 0, 1)
    return np.linalg.norm(between + first[..., None] * one - second[..., None] * other, axis=-1)

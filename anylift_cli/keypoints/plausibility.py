"""What a pose of one whole person looks like, and whether two poses can be, or are, the same person."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import K
from anylift_cli.keypoints.base import Pose

CONFIDENT = 0.5
"""Points above this confidence are trusted."""

TORSO = [K[name] for name in ("right_shoulder", "left_shoulder", "right_hip", "left_hip")]
MAIN_JOINTS = [
    K[side + joint]
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("right_", "left_")
]  # fmt: skip
_LEGS = [K[side + joint] for joint in ("knee", "ankle") for side in ("right_", "left_")]

_MIN_BOX_PX = 24
_MIN_CONFIDENCE_FOLLOWED, _MIN_CONFIDENCE_WHOLE = 0.35, 0.5
_MAX_BONE = 0.45
"""Longest thigh, shank, upper arm or torso side, as a fraction of the region's size (about 2.4 m on a person)."""
_BONES = [
    (K[side + a], K[side + b])
    for side in ("right_", "left_")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"), ("knee", "ankle"))
]
_POINT_SPREAD = 0.035
"""Distance at which two estimates of one point are half way to being different, as a fraction of the region."""
_SAME_POSE = 0.4
_FRAGMENT_INSIDE = 0.85
_STEP, _SPEED = 0.12, 4.0
"""How far a person moves: fractions of the region's size, at once and per second (about 10 m/s)."""
_MAX_GROWTH = 1.6


def box_of(pose: Pose) -> np.ndarray:
    """Box of the confident points, padded to hold the whole body: (4,) px xyxy, NaN without such points."""
    seen = pose.points[pose.confidence >= CONFIDENT]
    if len(seen) == 0:
        return np.full(4, np.nan, np.float32)
    low, high = seen.min(axis=0), seen.max(axis=0)
    pad = 0.08 * float((high - low).max())
    return np.concatenate([low - pad, high + pad])


def is_believable(pose: Pose) -> bool:
    """Whether a torso is clearly seen and no limb is too long: enough for a person known from the frame before."""
    confidence = pose.confidence
    if (confidence[TORSO] >= CONFIDENT).sum() < 3 or confidence[MAIN_JOINTS].mean() < _MIN_CONFIDENCE_FOLLOWED:
        return False
    box = box_of(pose)
    extent = float(max(box[2:] - box[:2]))
    if extent < _MIN_BOX_PX or not 0.2 < extent / pose.region.size < 1.5:
        return False
    bones = np.array([np.linalg.norm(pose.points[a] - pose.points[b]) for a, b in _BONES])
    return not (bones > _MAX_BONE * pose.region.size).any()


def is_whole_person(pose: Pose) -> bool:
    """Whether a believable pose shows legs too, and most of the body clearly."""
    confidence = pose.confidence
    legs_seen = (confidence[_LEGS] >= CONFIDENT).sum()
    return is_believable(pose) and legs_seen >= 2 and confidence[MAIN_JOINTS].mean() >= _MIN_CONFIDENCE_WHOLE


def similarity(a: Pose, b: Pose) -> float:
    """How well two poses of one image coincide, 0..1 (object keypoint similarity over points seen in both)."""
    both = (a.confidence >= CONFIDENT) & (b.confidence >= CONFIDENT)
    if not both.any():
        return 0.0
    scale = _POINT_SPREAD * np.sqrt(a.region.size * b.region.size)
    squared = ((a.points[both] - b.points[both]) ** 2).sum(axis=1)
    return float(np.exp(-squared / (2 * scale**2)).mean())


def is_same_person(a: Pose, b: Pose) -> bool:
    """Whether two poses of one image show one person: they coincide, or one is a fragment inside the other."""
    if similarity(a, b) >= _SAME_POSE:
        return True
    small, large = sorted((box_of(a), box_of(b)), key=_area)
    overlap = np.concatenate([np.maximum(small[:2], large[:2]), np.minimum(small[2:], large[2:])])
    return _area(overlap) >= _FRAGMENT_INSIDE * _area(small)


def can_follow(before: Pose, after: Pose, seconds: float) -> bool:
    """Whether one person can have moved from one pose to the other in this time."""
    sizes = before.region.size, after.region.size
    distance = np.hypot(before.region.x - after.region.x, before.region.y - after.region.y)
    return max(sizes) <= _MAX_GROWTH ** (1 + abs(seconds)) * min(sizes) and distance <= (
        _STEP + _SPEED * abs(seconds)
    ) * max(sizes)


def _area(box: np.ndarray) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))

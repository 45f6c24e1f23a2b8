"""Figures that tell, without ground truth, whether a motion can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from anylift_cli.artifacts import KeypointsArtifact, MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices, shape_of
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.geometry.cameras import project

CONFIDENT = 0.5
IN_CONTACT = 0.5
FOOT_POINTS = (K["left_heel"], K["left_big_toe"], K["right_heel"], K["right_big_toe"])
"""`body24` points of the columns of `MotionArtifact.foot_contact`."""
FRAME = 1 / 30
"""Seconds; differences between frames are given for this step, whatever the frame rate."""

_CHUNK = 64


@dataclass(frozen=True)
class Series:
    """Figures of each frame, (T,) each; NaN where there is nothing to measure.

    Attributes:
        confidence: 0 … 1; 0 where the person was not seen.
        reprojection_px, reprojection_percent: mean distance to the confident keypoints, in % of the box height.
        foot_slide_cm_s: horizontal speed of the fastest planted foot point since the frame before.
        jitter_mm: mean second difference of the joints around this frame, at 30 frames/s.
        jump_cm: the farthest that any joint moved in 1/30 s since the frame before.
        penetration_cm: of the lowest vertex below the floor.
    """

    confidence: np.ndarray
    reprojection_px: np.ndarray
    reprojection_percent: np.ndarray
    foot_slide_cm_s: np.ndarray
    jitter_mm: np.ndarray
    jump_cm: np.ndarray
    penetration_cm: np.ndarray


def quality(motion: MotionArtifact, keypoints: KeypointsArtifact, body: BodyModel, person: int = 0) -> dict[str, Any]:
    """All figures of one person's motion, as plain JSON values; None where there is nothing to measure.

    Args:
        motion: the result.
        keypoints: what it was lifted from.
        body: the motion's body (`body.parameters.body_of`).
        person: row of `keypoints` that the motion belongs to.
    """
    return measure(motion, keypoints, body, person)[0]


def measure(
    motion: MotionArtifact, keypoints: KeypointsArtifact | None, body: BodyModel, person: int = 0
) -> tuple[dict[str, Any], Series]:
    """The figures of `quality` and those of each frame; without keypoints the reprojection error is unknown."""
    landmarks, lowest = _pose(motion, body)
    projected = project(landmarks, motion.world_from_camera, motion.K)
    observed = _Observed.of(motion, keypoints, person)
    penetration = np.maximum(-lowest, 0) * 100
    pixels, percent = reprojection_error(projected, observed.points, observed.confidence, observed.box_height)
    figures = {
        "reprojection_px": pixels,
        "reprojection_percent": percent,
        "foot_slide_cm_s": foot_slide(landmarks[:, FOOT_POINTS], motion.foot_contact, motion.timestamps),
        "jitter_mm": jitter(motion.joints, motion.timestamps),
        "max_jump_cm": max_jump(motion.joints, motion.timestamps),
        "penetration_cm": float(penetration.mean()),
    }
    figures = {name: None if np.isnan(value) else round(float(value), 3) for name, value in figures.items()}
    figures |= {"frames": len(motion.poses), "frames_present": int((motion.confidence > 0).sum())}
    pixels, relative = _counted_distances(projected, observed.points, observed.confidence, observed.box_height)
    planted = planted_speed(landmarks[:, FOOT_POINTS], motion.foot_contact, motion.timestamps)
    series = Series(
        confidence=motion.confidence,
        reprojection_px=_mean(pixels),
        reprojection_percent=_mean(relative) * 100,
        foot_slide_cm_s=_after_first(np.fmax.reduce(planted, 1) * 100, len(landmarks)),
        jitter_mm=_after_first(second_differences(motion.joints, motion.timestamps).mean(1), len(landmarks)),
        jump_cm=_after_first(speeds(motion.joints, motion.timestamps).max(1) * FRAME * 100, len(landmarks)),
        penetration_cm=penetration,
    )
    return figures, series


@dataclass(frozen=True)
class _Observed:
    """A person's keypoints at the frames of a motion: points (T, K, 2) px, confidence (T, K), box height (T,) px."""

    points: np.ndarray
    confidence: np.ndarray
    box_height: np.ndarray

    @classmethod
    def of(cls, motion: MotionArtifact, keypoints: KeypointsArtifact | None, person: int) -> _Observed:
        frames = len(motion.poses)
        observed = cls(
            np.full((frames, len(BODY24), 2), np.nan), np.zeros((frames, len(BODY24))), np.full(frames, np.nan)
        )
        if keypoints is not None:
            _, ours, theirs = np.intersect1d(motion.frame_index, keypoints.frame_index, return_indices=True)
            boxes = keypoints.boxes[person, theirs]
            observed.points[ours] = keypoints.keypoints[person, theirs]
            observed.confidence[ours] = keypoints.confidence[person, theirs]
            observed.box_height[ours] = boxes[:, 3] - boxes[:, 1]
        return observed


def reprojection_error(
    projected: np.ndarray, observed: np.ndarray, confidence: np.ndarray, box_height: np.ndarray
) -> tuple[float, float]:
    """Mean distance of `projected` to the confident `observed` points, in pixels and in % of the person's box height.

    Args:
        projected, observed: (T, K, 2) pixels.
        confidence: (T, K).
        box_height: (T,) pixels.

    Returns:
        pixels, percent; NaN where no point is confident.
    """
    distance, relative = _counted_distances(projected, observed, confidence, box_height)
    return float(_mean(distance.ravel())), float(_mean(relative.ravel()) * 100)


def _counted_distances(
    projected: np.ndarray, observed: np.ndarray, confidence: np.ndarray, box_height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (T, K) in pixels and as shares of the box height; NaN where a point does not count."""
    distance = np.linalg.norm(projected - observed, axis=-1)
    counted = (confidence >= CONFIDENT) & np.isfinite(distance) & (box_height > 0)[:, None]
    distance = np.where(counted, distance, np.nan)
    return distance, distance / np.where(box_height > 0, box_height, 1)[:, None]


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of the known values along the last axis; NaN where there are none."""
    known = np.isfinite(values)
    count = known.sum(-1)
    return np.where(count > 0, np.where(known, values, 0).sum(-1) / np.maximum(count, 1), np.nan)


def _after_first(values: np.ndarray, frames: int) -> np.ndarray:
    """Values (N,) of the second frame and those that follow, (frames,); the others are NaN."""
    return np.concatenate([[np.nan], values, np.full(frames, np.nan)])[:frames]


def foot_slide(feet: np.ndarray, contact: np.ndarray, timestamps: np.ndarray) -> float:
    """Mean horizontal speed, cm/s, of foot points (T, 4, 3) m while `contact` (T, 4) holds in both frames of a step.

    Time-weighted; NaN where nothing touches the ground.
    """
    speed = planted_speed(feet, contact, timestamps)
    planted = np.isfinite(speed)
    seconds = planted * np.diff(timestamps)[:, None]
    travelled = np.where(planted, speed, 0) * seconds
    return float(travelled.sum() / seconds.sum() * 100) if planted.any() else np.nan


def planted_speed(feet: np.ndarray, contact: np.ndarray, timestamps: np.ndarray) -> np.ndarray:
    """Horizontal speed (T - 1, 4), m/s, of foot points; NaN where `contact` fails in one of a step's two frames."""
    steps = np.linalg.norm(np.diff(feet[..., :2], axis=0), axis=-1)
    planted = (contact[1:] >= IN_CONTACT) & (contact[:-1] >= IN_CONTACT)
    return np.where(planted, steps / np.diff(timestamps)[:, None], np.nan)


def jitter(joints: np.ndarray, timestamps: np.ndarray) -> float:
    """Mean length of the second difference of joints (T, J, 3) m, in mm at 30 frames/s; NaN below three frames."""
    return float(second_differences(joints, timestamps).mean()) if len(joints) >= 3 else np.nan


def second_differences(joints: np.ndarray, timestamps: np.ndarray) -> np.ndarray:
    """Lengths (T - 2, J) of the second differences of joints (T, J, 3) m, in mm at 30 frames/s."""
    seconds = np.diff(timestamps)[:, None, None]
    velocity = np.diff(joints, axis=0) / seconds
    acceleration = np.diff(velocity, axis=0) / ((seconds[1:] + seconds[:-1]) / 2)
    return np.linalg.norm(acceleration, axis=-1) * FRAME**2 * 1000


def max_jump(joints: np.ndarray, timestamps: np.ndarray) -> float:
    """The farthest that any joint of (T, J, 3) m moves in 1/30 s, in cm; NaN below two frames."""
    return float(speeds(joints, timestamps).max() * FRAME * 100) if len(joints) >= 2 else np.nan


def speeds(joints: np.ndarray, timestamps: np.ndarray) -> np.ndarray:
    """Speed (T - 1, J), m/s, of joints (T, J, 3) m from frame to frame."""
    return np.linalg.norm(np.diff(joints, axis=0), axis=-1) / np.diff(timestamps)[:, None]


def _pose(motion: MotionArtifact, body: BodyModel) -> tuple[np.ndarray, np.ndarray]:
    """The body's landmarks (T, 24, 3) and the height of its lowest vertex (T,), skinned a few frames at a time."""
    pose, betas, transl = pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans)
    landmarks, lowest = np.empty((len(pose), len(BODY24), 3)), np.empty(len(pose))
    with torch.no_grad():
        for start in range(0, len(pose), _CHUNK):
            frames = slice(start, start + _CHUNK)
            parameters = pose[frames], betas, transl[frames]
            landmarks[frames] = body.joints(*parameters).keypoints.numpy()
            lowest[frames] = body.vertices(*parameters)[..., 2].amin(-1).numpy()
    return landmarks, lowest

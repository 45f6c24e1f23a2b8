"""Figures that tell, without ground truth, whether a motion can be believed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from anylift_cli.artifacts import KeypointsArtifact, MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.export.parameters import pose_matrices, shape_of
from anylift_cli.geometry.cameras import project

CONFIDENT = 0.5
IN_CONTACT = 0.5
FOOT_POINTS = (K["left_heel"], K["left_big_toe"], K["right_heel"], K["right_big_toe"])
"""`body24` points of the columns of `MotionArtifact.foot_contact`."""
FRAME = 1 / 30
"""Seconds; differences between frames are given for this step, whatever the frame rate."""

_CHUNK = 64


def quality(motion: MotionArtifact, keypoints: KeypointsArtifact, body: BodyModel, person: int = 0) -> dict[str, Any]:
    """All figures of one person's motion, as plain JSON values; None where there is nothing to measure.

    Args:
        motion: the result.
        keypoints: what it was lifted from.
        body: the motion's body (`export.parameters.body_of`).
        person: row of `keypoints` that the motion belongs to.
    """
    landmarks, lowest = _pose(motion, body)
    _, ours, theirs = np.intersect1d(motion.frame_index, keypoints.frame_index, return_indices=True)
    boxes = keypoints.boxes[person, theirs]
    pixels, percent = reprojection_error(
        project(landmarks[ours], motion.world_from_camera[ours], motion.K[ours]),
        keypoints.keypoints[person, theirs],
        keypoints.confidence[person, theirs],
        boxes[:, 3] - boxes[:, 1],
    )
    figures = {
        "reprojection_px": pixels,
        "reprojection_percent": percent,
        "foot_slide_cm_s": foot_slide(landmarks[:, FOOT_POINTS], motion.foot_contact, motion.timestamps),
        "jitter_mm": jitter(motion.joints, motion.timestamps),
        "max_jump_cm": max_jump(motion.joints, motion.timestamps),
        "penetration_cm": float(np.maximum(-lowest, 0).mean() * 100),
    }
    figures = {name: None if np.isnan(value) else round(float(value), 3) for name, value in figures.items()}
    return {**figures, "frames": len(motion.poses), "frames_present": int((motion.confidence > 0).sum())}


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
    distance = np.linalg.norm(projected - observed, axis=-1)
    counted = (confidence >= CONFIDENT) & np.isfinite(distance) & (box_height > 0)[:, None]
    if not counted.any():
        return np.nan, np.nan
    relative = distance / np.where(box_height > 0, box_height, 1)[:, None]
    return float(distance[counted].mean()), float(relative[counted].mean() * 100)


def foot_slide(feet: np.ndarray, contact: np.ndarray, timestamps: np.ndarray) -> float:
    """Mean horizontal speed, cm/s, of foot points (T, 4, 3) m while `contact` (T, 4) holds in both frames of a step.

    Time-weighted; NaN where nothing touches the ground.
    """
    steps = np.linalg.norm(np.diff(feet[..., :2], axis=0), axis=-1)
    planted = (contact[1:] >= IN_CONTACT) & (contact[:-1] >= IN_CONTACT)
    seconds = (planted * np.diff(timestamps)[:, None]).sum()
    return float(steps[planted].sum() / seconds * 100) if seconds > 0 else np.nan


def jitter(joints: np.ndarray, timestamps: np.ndarray) -> float:
    """Mean length of the second difference of joints (T, J, 3) m, in mm at 30 frames/s; NaN below three frames."""
    if len(joints) < 3:
        return np.nan
    seconds = np.diff(timestamps)[:, None, None]
    velocity = np.diff(joints, axis=0) / seconds
    acceleration = np.diff(velocity, axis=0) / ((seconds[1:] + seconds[:-1]) / 2)
    return float(np.linalg.norm(acceleration, axis=-1).mean() * FRAME**2 * 1000)


def max_jump(joints: np.ndarray, timestamps: np.ndarray) -> float:
    """The farthest that any joint of (T, J, 3) m moves in 1/30 s, in cm; NaN below two frames."""
    if len(joints) < 2:
        return np.nan
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) / np.diff(timestamps)[:, None]
    return float(speed.max() * FRAME * 100)


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

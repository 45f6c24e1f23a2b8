"""What a page draws over time: the figures of each frame, contacts, and what the camera does."""

from __future__ import annotations

from typing import Any

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.export.take import CONTACT_NAMES
from anylift_cli.report.html_verdict import MEASURES
from anylift_cli.report.quality import Series

STILL, TURNING, MOVING, ZOOMING = range(4)
CAMERA_STATES = ("still", "turning", "moving", "zooming")
_REACH = 0.25
"""Seconds before and after a frame over which the camera's speed is measured."""
_TURN, _TRAVEL, _ZOOM = np.radians(2.0), 0.05, 0.05
"""Per second: radians, metres, share of the focal length; a camera below all of them is still."""


def describe_lanes() -> dict[str, Any]:
    """What the lanes are called and where their limits lie."""
    return {
        "measures": [
            {
                "name": measure.name,
                "title": measure.title,
                "unit": measure.unit,
                "good": measure.good,
                "poor": measure.poor,
                "about": measure.about,
                "moreIsBetter": measure.more_is_better,
            }
            for measure in MEASURES
        ],
        "contacts": [name.replace("_", " ") for name in CONTACT_NAMES],
        "cameraStates": list(CAMERA_STATES),
    }


def lane_arrays(number: int, motion: MotionArtifact, series: Series, origin: float) -> dict[str, np.ndarray]:
    """The lanes of person `number`: values (T,) float32 with NaN where unknown, contacts (T, 4) 0 … 255."""
    arrays = {f"lanes{number}.{measure.name}": getattr(series, measure.name) for measure in MEASURES}
    arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
    arrays[f"lanes{number}.times"] = (motion.timestamps - origin).astype(np.float32)
    arrays[f"lanes{number}.contacts"] = np.clip(np.round(motion.foot_contact * 255), 0, 255).astype(np.uint8)
    arrays[f"lanes{number}.camera"] = camera_states(motion.world_from_camera, motion.K, motion.timestamps)
    return arrays


def camera_states(world_from_camera: np.ndarray, K: np.ndarray, timestamps: np.ndarray) -> np.ndarray:
    """What a camera does at each frame, (T,) uint8: index into `CAMERA_STATES`; moving goes before zooming, turning.

    Args:
        world_from_camera: (T, 4, 4) metres.
        K: (T, 3, 3) px.
        timestamps: (T,) seconds.
    """
    before = np.searchsorted(timestamps, timestamps - _REACH).clip(0)
    after = (np.searchsorted(timestamps, timestamps + _REACH, side="right") - 1).clip(0, len(timestamps) - 1)
    seconds = np.maximum(timestamps[after] - timestamps[before], 1e-6)
    first, last = world_from_camera[before], world_from_camera[after]
    travel = np.linalg.norm(last[:, :3, 3] - first[:, :3, 3], axis=-1) / seconds
    cosine = (np.einsum("tij,tij->t", first[:, :3, :3], last[:, :3, :3]) - 1) / 2
    turn = np.arccos(np.clip(cosine, -1, 1)) / seconds
    zoom = np.abs(np.log(K[after, 0, 0] / K[before, 0, 0])) / seconds
    states = np.where(turn > _TURN, TURNING, STILL)
    states = np.where(zoom > _ZOOM, ZOOMING, states)
    return np.where(travel > _TRAVEL, MOVING, states).astype(np.uint8)

"""TRAM's track and cameras as a motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.body.tracks.posing import Poser
from anylift_cli.body.tracks.tram import KIND, tram_camera_file, tram_in_camera
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.record import (
    DEFAULT_FPS,
    Z_UP_FROM_CAMERA,
    Z_UP_FROM_Y_UP,
    MotionRecord,
    person_of,
    poses_of,
    turned_poses,
)  # fmt: skip
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.foreign.unpickle import load_object_array
from anylift_cli.geometry.cameras import transform


def read_tram(path: Path, stored: Mapping[str, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """One track, SMPL in each frame's camera, taken to the world by the metric cameras.

    `world_cam_*`, which older versions write, is y up; without it the world is that of `pred_cam_*`, whose first
    camera is taken to be upright. Without a `camera.npy` beside the file or in the folder above, the camera is taken
    to stand still.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    track = poser.points_of(tram_in_camera(path, stored))
    frames, cameras = track.frames, _cameras(path)
    if cameras is not None and (frames.min() < 0 or frames.max() >= len(cameras)):
        raise AnyliftError(f"{path} has frame {frames.max()}, its camera.npy only {len(cameras)} frames")
    still = turned_poses(Z_UP_FROM_CAMERA, np.eye(4))
    poses = np.tile(still, (len(frames), 1, 1)) if cameras is None else cameras[frames]
    rate = fps or DEFAULT_FPS
    track = replace(track, joints=transform(poses, track.joints), points=transform(poses, track.points))
    person = person_of(track, rate)
    return MotionRecord(path.name, KIND, (person,), cameras is not None, poser.name, rate, cameras)


def _cameras(path: Path) -> np.ndarray | None:
    """World from camera (F, 4, 4) with z up."""
    file = tram_camera_file(path)
    if file is None:
        return None
    stored = load_object_array(file)
    upright = isinstance(stored, Mapping) and "world_cam_R" in stored
    prefix, turn = ("world", Z_UP_FROM_Y_UP) if upright else ("pred", Z_UP_FROM_CAMERA)
    rotation, position = arrays_of(file, KIND, stored, {f"{prefix}_cam_R": "F 3 3", f"{prefix}_cam_T": "F 3"})
    return turned_poses(turn, poses_of(rotation, position))

"""TRAM's `hps/hps_track_k.npy` and the `camera.npy` of the same sequence (yufu-wang/tram)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.fields import arrays_of
from anylift_cli.evaluation.formats.posing import Poser
from anylift_cli.evaluation.formats.record import (
    DEFAULT_FPS,
    Z_UP_FROM_CAMERA,
    Z_UP_FROM_Y_UP,
    MotionRecord,
    PersonRecord,
    poses_of,
    turned_poses,
)  # fmt: skip
from anylift_cli.geometry.cameras import transform
from anylift_cli.unpickle import load_object_array


def is_tram(stored: Any) -> bool:
    """Whether `stored` is one person's track."""
    return isinstance(stored, Mapping) and {"pred_rotmat", "pred_trans", "frame"} <= set(stored)


def read_tram(path: Path, stored: Mapping[str, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """One track, SMPL in each frame's camera, taken to the world by the metric cameras.

    `world_cam_*`, which older versions write, is y up; without it the world is that of `pred_cam_*`, whose first
    camera is taken to be upright. Without a `camera.npy` beside the file or in the folder above, the camera is taken
    to stand still.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    wanted = {"pred_rotmat": "T 24 3 3", "pred_trans": "T 1 3", "frame": "T", "pred_shape": "T 10"}
    rotations, trans, frame, betas = arrays_of(path, "TRAM", stored, wanted)
    frames = frame.astype(int)
    joints, points = poser.from_translation(rotations, trans[:, 0], betas)
    cameras = _cameras(path)
    if cameras is not None and (frames.min() < 0 or frames.max() >= len(cameras)):
        raise AnyliftError(f"{path} has frame {frames.max()}, its camera.npy only {len(cameras)} frames")
    still = turned_poses(Z_UP_FROM_CAMERA, np.eye(4))
    poses = np.tile(still, (len(frames), 1, 1)) if cameras is None else cameras[frames]
    rate = fps or DEFAULT_FPS
    person = PersonRecord(path.stem, frames / rate, frames, transform(poses, joints), transform(poses, points))
    return MotionRecord(path.name, "TRAM", (person,), cameras is not None, poser.name, rate, cameras)


def _cameras(path: Path) -> np.ndarray | None:
    """World from camera (F, 4, 4) with z up."""
    found = [folder / "camera.npy" for folder in (path.parent, path.parent.parent)]
    file = next((file for file in found if file.is_file()), None)
    if file is None:
        return None
    stored = load_object_array(file)
    upright = isinstance(stored, Mapping) and "world_cam_R" in stored
    prefix, turn = ("world", Z_UP_FROM_Y_UP) if upright else ("pred", Z_UP_FROM_CAMERA)
    rotation, position = arrays_of(file, "TRAM", stored, {f"{prefix}_cam_R": "F 3 3", f"{prefix}_cam_T": "F 3"})
    return turned_poses(turn, poses_of(rotation, position))

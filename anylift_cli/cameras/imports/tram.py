"""TRAM's `camera.npy` (yufu-wang/tram, scripts/estimate_camera.py): metric, with gravity where it was estimated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.cameras.imports.path import CameraPath, rigid, with_size
from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.foreign.unpickle import load_object_array

Y_UP = np.array([0.0, 1.0, 0.0])


def read_tram(path: Path, video: tuple[int, int]) -> CameraPath:
    """One pose a frame, in metres; `world_cam_*`, where present, is y up.

    Raises:
        AnyliftError: a missing or malformed array, or not a file of TRAM's.
    """
    stored = load_object_array(path)
    if not isinstance(stored, Mapping) or "img_focal" not in stored:
        raise AnyliftError(f"{path} is not TRAM's camera.npy: it has no 'img_focal'")
    upright = "world_cam_R" in stored
    prefix = "world" if upright else "pred"
    turn, place = arrays_of(path, "TRAM", stored, {f"{prefix}_cam_R": "T 3 3", f"{prefix}_cam_T": "T 3"})
    poses = np.tile(np.eye(4), (len(turn), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = turn, place
    K = _intrinsics(path, stored)
    size = tuple(2 * K[:2, 2])
    return CameraPath(
        "TRAM",
        np.arange(len(poses)),
        False,
        rigid(path, poses),
        metric=True,
        K=np.tile(with_size(path, K[None], size, video), (len(poses), 1, 1)),
        up=Y_UP if upright else None,
    )


def _intrinsics(path: Path, stored: Mapping[str, Any]) -> np.ndarray:
    """Its centre is that of the image, from which the image's size follows."""
    focal, centre = arrays_of(path, "TRAM", stored, {"img_focal": "", "img_center": "2"})
    K = np.diag([float(focal), float(focal), 1.0])
    K[:2, 2] = centre
    return K

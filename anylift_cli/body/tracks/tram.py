"""TRAM's `hps/hps_track_k.npy` and the `camera.npy` of the same sequence (yufu-wang/tram)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.body.tracks.track import SmplTrack
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.foreign.unpickle import load_object_array

KIND = "TRAM"


def is_tram(stored: Any) -> bool:
    """Whether `stored` is one person's track."""
    return isinstance(stored, Mapping) and {"pred_rotmat", "pred_trans", "frame"} <= set(stored)


def tram_in_camera(path: Path, stored: Mapping[str, Any]) -> SmplTrack:
    """SMPL in each frame's camera.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    wanted = {"pred_rotmat": "T 24 3 3", "pred_trans": "T 1 3", "frame": "T", "pred_shape": "T 10"}
    rotations, trans, frame, betas = arrays_of(path, KIND, stored, wanted)
    return SmplTrack(path.stem, frame.astype(int), rotations, trans[:, 0], betas)


def tram_camera_file(path: Path) -> Path | None:
    """The `camera.npy` beside a track or in the folder above."""
    found = [folder / "camera.npy" for folder in (path.parent, path.parent.parent)]
    return next((file for file in found if file.is_file()), None)


def tram_intrinsics(path: Path) -> np.ndarray | None:
    """K (3, 3) in pixels of the video, where a track's `camera.npy` says.

    Raises:
        AnyliftError: a malformed array.
    """
    file = tram_camera_file(path)
    stored = load_object_array(file) if file is not None else None
    if not isinstance(stored, Mapping) or not {"img_focal", "img_center"} <= set(stored):
        return None
    focal, centre = arrays_of(file, KIND, stored, {"img_focal": "", "img_center": "2"})
    return np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])

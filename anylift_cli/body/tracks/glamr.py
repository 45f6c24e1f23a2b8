"""GLAMR's result pickle (NVlabs/GLAMR; the root's place is that of the pelvis: lib/models/smpl.py, `root_trans`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.body.tracks.posing import rotations_of
from anylift_cli.body.tracks.track import SmplTrack
from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.fields import arrays_of

KIND = "GLAMR"


def is_glamr(stored: Any) -> bool:
    """Whether `stored` is what GLAMR saves."""
    return isinstance(stored, Mapping) and "person_data" in stored


def glamr_in_world(path: Path, stored: Mapping[str, Any]) -> list[SmplTrack]:
    """SMPL in GLAMR's world (z up), in the frames in which people exist.

    Raises:
        AnyliftError: nobody, or a missing or malformed array.
    """
    return [_track(path, str(name), person, "world") for name, person in _people(path, stored).items()]


def glamr_in_camera(path: Path, stored: Mapping[str, Any]) -> list[SmplTrack]:
    """SMPL in each frame's camera; raises as `glamr_in_world`."""
    return [_track(path, str(name), person, "cam") for name, person in _people(path, stored).items()]


def glamr_intrinsics(path: Path, stored: Mapping[str, Any]) -> np.ndarray:
    """K (F, 3, 3) in pixels of the video."""
    return arrays_of(path, KIND, next(iter(_people(path, stored).values())), {"cam_K": "F 3 3"})[0]


def _people(path: Path, stored: Mapping[str, Any]) -> Mapping[Any, Any]:
    people = stored["person_data"]
    if not isinstance(people, Mapping) or not people:
        raise AnyliftError(f"{path}: 'person_data' holds no people", "did the tool find anyone?")
    return people


def _track(path: Path, name: str, person: Any, axes: str) -> SmplTrack:
    wanted = {
        f"smpl_orient_{axes}": "T 3", "smpl_pose": "T 69", f"root_trans_{axes}": "T 3", "smpl_beta": "T 10",
        "frames": "T", "exist_frames": "T",
    }  # fmt: skip
    orient, pose, pelvis, betas, frames, exists = arrays_of(path, KIND, person, wanted)
    there = exists > 0
    rotations = rotations_of(np.concatenate([orient, pose], -1)[there])
    return SmplTrack(name, frames[there].astype(int), rotations, pelvis[there], betas, place_is_pelvis=True)

"""GLAMR's result pickle (NVlabs/GLAMR; the root's place is that of the pelvis: lib/models/smpl.py, `root_trans`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.posing import Poser, rotations_of
from anylift_cli.evaluation.formats.record import DEFAULT_FPS, MotionRecord, PersonRecord
from anylift_cli.foreign.fields import arrays_of


def read_glamr(path: Path, stored: Mapping[str, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """People in GLAMR's world (z up), in the frames in which they exist.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    kind, people = "GLAMR", stored["person_data"]
    if not isinstance(people, Mapping) or not people:
        raise AnyliftError(f"{path}: 'person_data' holds no people", "did the tool find anyone?")
    rate = fps or DEFAULT_FPS
    (poses,) = arrays_of(path, kind, stored, {"cam_pose_inv": "F 4 4"})
    K = arrays_of(path, kind, next(iter(people.values())), {"cam_K": "F 3 3"})[0]
    return MotionRecord(
        name=path.name,
        kind=kind,
        people=tuple(_person(path, str(track), people[track], poser, rate) for track in people),
        world=True,
        body=poser.name,
        frame_rate=rate,
        world_from_camera=poses,
        K=K,
    )


def _person(path: Path, track: str, stored: Any, poser: Poser, rate: float) -> PersonRecord:
    wanted = {
        "smpl_orient_world": "T 3", "smpl_pose": "T 69", "root_trans_world": "T 3", "smpl_beta": "T 10",
        "frames": "T", "exist_frames": "T",
    }  # fmt: skip
    orient, pose, pelvis, betas, frames, exists = arrays_of(path, "GLAMR", stored, wanted)
    there = exists > 0
    rotations = rotations_of(np.concatenate([orient, pose], -1)[there])
    joints, points = poser.from_pelvis(rotations, pelvis[there], betas)
    return PersonRecord(track, frames[there] / rate, frames[there].astype(int), joints, points)

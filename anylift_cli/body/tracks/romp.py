"""ROMP's npz of an image or a video (Arthur151/ROMP, simple_romp). It holds SMPL's joints themselves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.body.model import LANDMARKS
from anylift_cli.body.skeleton import SMPL_JOINTS, K
from anylift_cli.body.tracks.track import PointTrack, points_of_joints
from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.fields import arrays_of

KIND = "ROMP"
LANDMARK_PLACES = {
    "nose": 24, "right_eye": 25, "left_eye": 26, "right_ear": 27, "left_ear": 28,
    "left_big_toe": 29, "left_small_toe": 30, "left_heel": 31,
    "right_big_toe": 32, "right_small_toe": 33, "right_heel": 34,
}  # fmt: skip
"""Places of the landmarks among ROMP's 71 joints, after SMPL's 24."""


def romp_in_camera(path: Path, stored: Any) -> list[PointTrack]:
    """People in each frame's camera, by track.

    Args:
        stored: what `results` holds: one frame's people, or {frame name: people} of a video, in order.

    Raises:
        AnyliftError: a missing or malformed array, or nobody in any frame.
    """
    if not isinstance(stored, Mapping):
        raise AnyliftError(f"{path}: 'results' holds a {type(stored).__name__}, a ROMP file has a dictionary")
    frames = [stored] if "joints" in stored else [stored[name] for name in sorted(stored)]
    tracks: dict[str, list[tuple[int, np.ndarray]]] = {}
    for index, people in enumerate(frames):
        if not people:
            continue
        joints, trans = arrays_of(path, KIND, people, {"joints": "N 71 3", "cam_trans": "N 3"})
        ids = np.asarray(people.get("track_ids", np.arange(len(joints)))).reshape(-1)
        for track, person in zip(ids, joints + trans[:, None], strict=True):
            tracks.setdefault(str(track), []).append((index, person))
    if not tracks:
        raise AnyliftError(f"{path}: nobody in any frame", "did the tool find anyone?")
    return [_track(name, seen) for name, seen in tracks.items()]


def _track(name: str, seen: list[tuple[int, np.ndarray]]) -> PointTrack:
    stored = np.stack([joints for _, joints in seen])
    joints = stored[:, : len(SMPL_JOINTS)]
    points = points_of_joints(joints)
    for landmark in LANDMARKS:
        points[:, K[landmark]] = stored[:, LANDMARK_PLACES[landmark]]
    return PointTrack(name, np.array([index for index, _ in seen]), joints, points)

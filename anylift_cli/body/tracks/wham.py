"""WHAM's `wham_output.pkl`, joblib (yohanshin/WHAM, demo.py --save_pkl)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anylift_cli.body.tracks.posing import rotations_of
from anylift_cli.body.tracks.track import SmplTrack
from anylift_cli.foreign.fields import arrays_of

KIND = "WHAM"


def is_wham(stored: Any) -> bool:
    """Whether `stored` is {person: {"pose": …, "frame_ids": …}}."""
    return (
        isinstance(stored, Mapping)
        and len(stored) > 0
        and all(isinstance(person, Mapping) and {"pose", "frame_ids"} <= set(person) for person in stored.values())
    )


def wham_has_world(stored: Mapping[Any, Any]) -> bool:
    """Whether every person is in the y-up world too."""
    return all("pose_world" in person for person in stored.values())


def wham_in_world(path: Path, stored: Mapping[Any, Any]) -> list[SmplTrack]:
    """SMPL in a y-up world, by track.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    return [_track(path, str(name), person, "_world") for name, person in stored.items()]


def wham_in_camera(path: Path, stored: Mapping[Any, Any]) -> list[SmplTrack]:
    """SMPL in each frame's camera, by track; raises as `wham_in_world`."""
    return [_track(path, str(name), person, "") for name, person in stored.items()]


def _track(path: Path, name: str, person: Any, suffix: str) -> SmplTrack:
    wanted = {f"pose{suffix}": "T 72", f"trans{suffix}": "T 3", "betas": "T 10", "frame_ids": "T"}
    pose, trans, betas, frames = arrays_of(path, KIND, person, wanted)
    return SmplTrack(name, frames.astype(int), rotations_of(pose), trans, betas)

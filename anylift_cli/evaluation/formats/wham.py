"""WHAM's `wham_output.pkl`, joblib (yohanshin/WHAM, demo.py --save_pkl)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anylift_cli.evaluation.formats.posing import Poser, rotations_of
from anylift_cli.evaluation.formats.record import (
    DEFAULT_FPS,
    Z_UP_FROM_CAMERA,
    Z_UP_FROM_Y_UP,
    MotionRecord,
    PersonRecord,
    turned,
)  # fmt: skip
from anylift_cli.foreign.fields import arrays_of


def is_wham(stored: Any) -> bool:
    """Whether `stored` is {person: {"pose": …, "frame_ids": …}}."""
    return (
        isinstance(stored, Mapping)
        and len(stored) > 0
        and all(isinstance(person, Mapping) and {"pose", "frame_ids"} <= set(person) for person in stored.values())
    )


def read_wham(path: Path, stored: Mapping[Any, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """People by track, SMPL, metres: the y-up world where every track has it, else the camera's frame.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    world = all("pose_world" in person for person in stored.values())
    rate = fps or DEFAULT_FPS
    people = [_person(path, str(track), stored[track], world, poser, rate) for track in stored]
    return MotionRecord(path.name, "WHAM", tuple(people), world, poser.name, rate)


def _person(path: Path, track: str, stored: Any, world: bool, poser: Poser, rate: float) -> PersonRecord:
    suffix = "_world" if world else ""
    wanted = {f"pose{suffix}": "T 72", f"trans{suffix}": "T 3", "betas": "T 10", "frame_ids": "T"}
    pose, trans, betas, frames = arrays_of(path, "WHAM", stored, wanted)
    joints, points = poser.from_translation(rotations_of(pose), trans, betas)
    person = PersonRecord(track, frames / rate, frames.astype(int), joints, points)
    return turned(person, Z_UP_FROM_Y_UP if world else Z_UP_FROM_CAMERA)

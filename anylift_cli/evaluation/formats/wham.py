"""WHAM's `wham_output.pkl` as a motion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anylift_cli.body.tracks.posing import Poser
from anylift_cli.body.tracks.wham import KIND, wham_has_world, wham_in_camera, wham_in_world
from anylift_cli.evaluation.formats.record import (
    DEFAULT_FPS,
    Z_UP_FROM_CAMERA,
    Z_UP_FROM_Y_UP,
    MotionRecord,
    person_of,
    turned,
)  # fmt: skip


def read_wham(path: Path, stored: Mapping[Any, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """People by track, SMPL, metres: the y-up world where every track has it, else the camera's frame.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    world, rate = wham_has_world(stored), fps or DEFAULT_FPS
    tracks, turn = (
        (wham_in_world(path, stored), Z_UP_FROM_Y_UP) if world else (wham_in_camera(path, stored), Z_UP_FROM_CAMERA)
    )
    people = tuple(turned(person_of(poser.points_of(track), rate), turn) for track in tracks)
    return MotionRecord(path.name, KIND, people, world, poser.name, rate)

"""ROMP's npz as a motion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anylift_cli.body.tracks.romp import KIND, romp_in_camera
from anylift_cli.evaluation.formats.record import DEFAULT_FPS, Z_UP_FROM_CAMERA, MotionRecord, person_of, turned


def read_romp(path: Path, stored: Any, fps: float | None) -> MotionRecord:
    """ROMP writes SMPL's joints themselves, so no body is needed. It knows only the camera's frame.

    Raises:
        AnyliftError: as `romp_in_camera`.
    """
    rate = fps or DEFAULT_FPS
    people = tuple(turned(person_of(track, rate), Z_UP_FROM_CAMERA) for track in romp_in_camera(path, stored))
    return MotionRecord(path.name, KIND, people, False, "the file's joints", rate)

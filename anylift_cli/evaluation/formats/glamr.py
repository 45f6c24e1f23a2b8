"""GLAMR's result pickle as a motion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anylift_cli.body.tracks.glamr import KIND, glamr_in_world, glamr_intrinsics
from anylift_cli.body.tracks.posing import Poser
from anylift_cli.evaluation.formats.record import DEFAULT_FPS, MotionRecord, person_of
from anylift_cli.foreign.fields import arrays_of


def read_glamr(path: Path, stored: Mapping[str, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """People in GLAMR's world (z up), in the frames in which they exist.

    Raises:
        AnyliftError: nobody, or a missing or malformed array.
    """
    rate = fps or DEFAULT_FPS
    (poses,) = arrays_of(path, KIND, stored, {"cam_pose_inv": "F 4 4"})
    return MotionRecord(
        name=path.name,
        kind=KIND,
        people=tuple(person_of(poser.points_of(track), rate) for track in glamr_in_world(path, stored)),
        world=True,
        body=poser.name,
        frame_rate=rate,
        world_from_camera=poses,
        K=glamr_intrinsics(path, stored),
    )

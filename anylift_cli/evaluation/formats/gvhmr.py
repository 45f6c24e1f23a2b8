"""GVHMR's `hmr4d_results.pt` as a motion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anylift_cli.body.tracks.gvhmr import KIND, gvhmr_in_world, gvhmr_intrinsics
from anylift_cli.body.tracks.posing import Poser
from anylift_cli.evaluation.formats.record import DEFAULT_FPS, Z_UP_FROM_Y_UP, MotionRecord, person_of, turned


def read_gvhmr(path: Path, stored: Mapping[str, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """`smpl_params_global`: SMPL-X, metres, gravity along -y. GVHMR rewrites every video at 30 fps.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    rate = fps or DEFAULT_FPS
    person = person_of(poser.points_of(gvhmr_in_world(path, stored)), rate)
    return MotionRecord(
        name=path.name,
        kind=KIND,
        people=(turned(person, Z_UP_FROM_Y_UP),),
        world=True,
        body=poser.name,
        frame_rate=rate,
        K=gvhmr_intrinsics(path, stored),
    )

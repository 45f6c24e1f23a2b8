"""GVHMR's `hmr4d_results.pt` (zju3dv/GVHMR, tools/demo/demo.py)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.evaluation.formats.posing import Poser, rotations_of
from anylift_cli.evaluation.formats.record import DEFAULT_FPS, Z_UP_FROM_Y_UP, MotionRecord, PersonRecord, turned
from anylift_cli.foreign.fields import arrays_of


def read_gvhmr(path: Path, stored: Mapping[str, Any], poser: Poser, fps: float | None) -> MotionRecord:
    """`smpl_params_global`: SMPL-X, metres, gravity along -y. GVHMR rewrites every video at 30 fps.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    kind = "GVHMR"
    wanted = {"global_orient": "T 3", "body_pose": "T 63", "transl": "T 3"}
    orient, body, transl = arrays_of(path, kind, stored["smpl_params_global"], wanted)
    K = arrays_of(path, kind, stored, {"K_fullimg": "T 3 3"})[0] if "K_fullimg" in stored else None
    rotations = rotations_of(np.concatenate([orient, body], -1))
    joints, points = poser.from_translation(rotations, transl, family="smplx")
    rate = fps or DEFAULT_FPS
    frames = np.arange(len(transl))
    return MotionRecord(
        name=path.name,
        kind=kind,
        people=(turned(PersonRecord("0", frames / rate, frames, joints, points), Z_UP_FROM_Y_UP),),
        world=True,
        body=poser.name,
        frame_rate=rate,
        K=K,
    )

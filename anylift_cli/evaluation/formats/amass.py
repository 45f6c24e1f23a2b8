"""AMASS npz, old (SMPL-H) and new (SMPL-X, "stageii") (nghorbani/amass, notebooks/01-AMASS_Visualization)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anylift_cli.body.tracks.posing import BODY_JOINTS, Poser, rotations_of
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.record import DEFAULT_FPS, MotionRecord, PersonRecord
from anylift_cli.foreign.fields import arrays_of

RATES = ("mocap_frame_rate", "mocap_framerate", "fps")


def read_amass(path: Path, stored: Mapping[str, np.ndarray], poser: Poser, fps: float | None) -> MotionRecord:
    """`poses` or `root_orient` and `pose_body`, with `trans`, in AMASS's world (z up).

    Raises:
        AnyliftError: a missing or malformed array.
    """
    kind = "AMASS"
    if "poses" in stored:
        poses, trans = arrays_of(path, kind, stored, {"poses": "T P", "trans": "T 3"})
    else:
        wanted = {"root_orient": "T 3", "pose_body": "T 63", "trans": "T 3"}
        root, body, trans = arrays_of(path, kind, stored, wanted)
        poses = np.concatenate([root, body], -1)
    if poses.shape[1] % 3 or poses.shape[1] < 3 * BODY_JOINTS:
        raise AnyliftError(f"{path}: 'poses' has shape {poses.shape}, an {kind} file has 66 angles or more per frame")
    family = "smplx" if str(stored.get("surface_model_type", "")).startswith("smplx") else "smpl"
    if poses.shape[1] == 165 and "surface_model_type" not in stored:
        family = "smplx"
    betas = arrays_of(path, kind, stored, {"betas": "S"})[0] if "betas" in stored else None
    said = next((name for name in RATES if name in stored), None)
    rate = float(arrays_of(path, kind, stored, {said: ""})[0]) if said else fps or DEFAULT_FPS
    if not rate > 0:
        raise AnyliftError(f"{path}: its frame rate is {rate}")
    gender = _text(stored.get("gender", "neutral"))
    joints, points = poser.from_translation(rotations_of(poses), trans, betas, family, gender)
    frames = np.arange(len(trans))
    return MotionRecord(
        name=path.name,
        kind=kind,
        people=(PersonRecord("0", frames / rate, frames, joints, points),),
        world=True,
        body=poser.name,
        frame_rate=rate,
    )


def _text(value: object) -> str:
    value = np.asarray(value)[()]
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)

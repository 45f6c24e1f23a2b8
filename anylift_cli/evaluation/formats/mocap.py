"""One clip of a compact mocap npz: joints of many clips end to end, `FILE.npz#CLIP`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anylift_cli.body.tracks.track import points_of_joints
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.formats.record import MotionRecord, PersonRecord
from anylift_cli.foreign.fields import arrays_of

KEYS = {"joints", "clip_start", "clip_len", "clip_name"}


def read_mocap(path: Path, stored: Mapping[str, np.ndarray], clip: str | None) -> MotionRecord:
    """SMPL joints in metres, z up, with the floor of the clip put at z = 0.

    Raises:
        UsageError: no clip named, or none of that name.
        AnyliftError: a missing or malformed array, or a clip that leaves the file.
    """
    kind, names = "mocap", stored["clip_name"]
    if names.ndim != 1 or names.dtype.kind != "U":
        raise AnyliftError(f"{path}: 'clip_name' is no list of names")
    if clip is None or not (names == clip).any():
        some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        asked = f"has no clip '{clip}'" if clip else f"holds {len(names)} clips"
        raise UsageError(
            f"{path} {asked}", f"name one as {path}#{names[0] if len(names) else 'CLIP'}; there are {some}"
        )
    wanted = {"joints": "N 24 3", "clip_start": "C", "clip_len": "C", "fps": ""}
    joints, starts, lengths, rate = arrays_of(path, kind, stored, wanted)
    if len(starts) != len(names):
        raise AnyliftError(f"{path}: {len(names)} names of clips and {len(starts)} clips")
    index = int(np.argmax(names == clip))
    start, length = int(starts[index]), int(lengths[index])
    if start < 0 or length < 1 or start + length > len(joints):
        raise AnyliftError(f"{path}: the clip '{clip}' leaves the file")
    own = joints[start : start + length]
    if "floor_z" in stored:
        (floors,) = arrays_of(path, kind, stored, {"floor_z": "C"})
        own = own - [0.0, 0.0, floors[index]]
    frames = np.arange(length)
    person = PersonRecord("0", frames / float(rate), frames, own, points_of_joints(own))
    return MotionRecord(clip, kind, (person,), True, "the file's joints", float(rate))

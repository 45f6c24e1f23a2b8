"""BVH files of SMPL's, Mixamo's, MotionBuilder's or CMU's joints."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.body.skeleton import SMPL_JOINTS
from anylift_cli.body.tracks.track import points_of_joints
from anylift_cli.evaluation.formats.record import MotionRecord, PersonRecord
from anylift_cli.export.bvh_names import read_human


def read_bvh_motion(path: Path) -> MotionRecord:
    """Joints by name, in metres with z up. Face, toes and heels are not known.

    Raises:
        AnyliftError: see `read_human`.
    """
    human = read_human(path)
    positions, _ = human.world()
    joints = np.full((len(positions), len(SMPL_JOINTS), 3), np.nan)
    for joint, place in human.places.items():
        joints[:, joint] = positions[:, place]
    frames = np.arange(len(joints))
    person = PersonRecord("0", frames / human.fps, frames, joints, points_of_joints(joints))
    return MotionRecord(path.name, "BVH", (person,), True, "the file's joints", human.fps)

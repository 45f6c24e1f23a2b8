"""Our own `motion.npz`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of
from anylift_cli.body.tracks.track import points_of_joints
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.record import MotionRecord, PersonRecord


def read_anylift(path: Path) -> MotionRecord:
    """Joints as they are in the file; face, toes and heels where the file's body is installed.

    Raises:
        AnyliftError: damaged, or of another version.
    """
    motion = MotionArtifact.load(path)
    joints = motion.joints.astype(np.float64)
    try:
        body = body_of(motion)
        posed = body.joints(pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans))
        points, name = posed.keypoints.double().numpy(), f"{body.name}, the file's shape"
    except AnyliftError:
        points, name = points_of_joints(joints), "the file's joints"
    return MotionRecord(
        name=path.name,
        kind="anylift",
        people=(PersonRecord("0", motion.timestamps, motion.frame_index, joints, points),),
        world=True,
        body=name,
        frame_rate=float(motion.fps),
        world_from_camera=motion.world_from_camera,
        K=motion.K,
    )

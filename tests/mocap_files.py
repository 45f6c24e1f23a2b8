"""Writes compact mocap files of a procedural walker for tests of what reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from motions import walking
from scipy.spatial.transform import Rotation

from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS

CLIPS = (("walk_a", "walk", "train", 0.0, 90), ("dance_b", "dance - wild", "train", 2.0, 75),
         ("walk_c", "walk", "test", -1.0, 70))  # fmt: skip
"""Name, action, split, heading in radians, frames."""
FLOOR = 0.07
"""Height of the floor in the files, m."""


def compact_mocap(clips: tuple = CLIPS) -> dict[str, np.ndarray]:
    """Arrays of a compact mocap file: walkers that face and go along their heading, on a floor at `FLOOR`."""
    body = BodyModel.load("open")
    joints, rotations = [], []
    for _, _, _, heading, frames in clips:
        motion = walking(body, frames)
        turn = Rotation.from_euler("z", heading)
        joints.append(turn.apply(motion.joints.reshape(-1, 3)).reshape(frames, 24, 3) + np.array([0, 0, FLOOR]))
        local = np.zeros((frames, 24, 3))
        local[:, :22] = motion.poses[:, :66].reshape(frames, 22, 3)
        local[:, 0] = (turn * Rotation.from_rotvec(local[:, 0])).as_rotvec()
        xyzw = Rotation.from_rotvec(local.reshape(-1, 3)).as_quat().reshape(frames, 24, 4)
        rotations.append(xyzw[..., [3, 0, 1, 2]])
    lengths = np.array([clip[-1] for clip in clips])
    names, actions, splits = (np.array([clip[column] for clip in clips]) for column in range(3))
    return {
        "fps": np.float32(30),
        "up": np.array("z"),
        "joint_names": np.array(SMPL_JOINTS),
        "parents": np.array(SMPL_PARENTS),
        "clip_start": np.cumsum([0, *lengths[:-1]]),
        "clip_len": lengths,
        "clip_name": names,
        "subject": np.array([f"s{index}" for index in range(len(clips))]),
        "action": actions,
        "split": splits,
        "floor_z": np.full(len(clips), FLOOR, np.float32),
        "joints": np.concatenate(joints).astype(np.float32),
        "local_quat_wxyz": np.concatenate(rotations).astype(np.float16),
    }


def write_mocap(path: Path, **changed: np.ndarray | None) -> Path:
    """A file of `CLIPS` with some arrays `changed`, or left out where None."""
    arrays = {**compact_mocap(), **changed}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path

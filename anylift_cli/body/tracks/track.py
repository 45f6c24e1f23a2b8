"""One person over time, as SMPL parameters and as points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anylift_cli.body.skeleton import BODY24_FROM_SMPL_JOINT, J, K


@dataclass(frozen=True)
class SmplTrack:
    """Parameters of one person, in the frames in which the file has them.

    Attributes:
        id: the file's own name for the person.
        frames: (T,) frame of the video, from 0.
        rotations: (T, 24, 3, 3) relative to the parent, the first in the file's axes.
        place: (T, 3) m, SMPL's translation, or where the pelvis is.
        place_is_pelvis: which of the two.
        betas: (T, S) shape of the `family`.
        family: "smpl" or "smplx".
    """

    id: str
    frames: np.ndarray
    rotations: np.ndarray
    place: np.ndarray
    betas: np.ndarray
    family: str = "smpl"
    place_is_pelvis: bool = False


@dataclass(frozen=True)
class PointTrack:
    """Points of one person, in the file's axes.

    Attributes:
        id: the file's own name for the person.
        frames: (T,) frame of the video, from 0.
        joints: (T, 24, 3) SMPL joints, m; NaN where the file does not say.
        points: (T, 24, 3) the same person as `body24` points; NaN where not known.
    """

    id: str
    frames: np.ndarray
    joints: np.ndarray
    points: np.ndarray


def points_of_joints(joints: np.ndarray) -> np.ndarray:
    """`body24` points (T, 24, 3) that are SMPL joints (T, 24, 3), and the neck; face, toes and heels are NaN."""
    points = np.full((len(joints), len(K), 3), np.nan)
    for name, joint in BODY24_FROM_SMPL_JOINT.items():
        points[:, K[name]] = joints[:, joint]
    points[:, K["neck"]] = joints[:, [J["left_shoulder"], J["right_shoulder"]]].mean(1)
    return points

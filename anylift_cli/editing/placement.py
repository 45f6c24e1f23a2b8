"""Where a motion is in its world: the floor's height, the direction that the person faces."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.contacts import CONTACT_POINTS, floor_height, foot_clearance
from anylift_cli.body.parameters import body_of, shape_of
from anylift_cli.body.posing import posed, poses_from, rotations_of, with_parameters
from anylift_cli.errors import AnyliftError

_FLAT = 0.1
"""Someone whose left-to-right axis has less than this share in the floor plane lies on a side."""


def set_floor(motion: MotionArtifact, height: float | None) -> MotionArtifact:
    """Put what lies at `height`, m, at z = 0; None for the floor that the planted feet stand on.

    Raises:
        AnyliftError: no height was given and nobody stands on anything.
    """
    found = floor_of(motion) if height is None else height
    return moved(motion, np.eye(3), np.array([0.0, 0.0, -found]))


def floor_of(motion: MotionArtifact) -> float:
    """Height, m, of the soles of planted feet.

    Raises:
        AnyliftError: nobody stands on anything, or the motion's body is not installed.
    """
    body = body_of(motion)
    feet = posed(motion).keypoints[:, list(CONTACT_POINTS), 2]
    clearance = foot_clearance(body, shape_of(motion, body))
    found = floor_height(feet - clearance, torch.from_numpy(motion.foot_contact))
    if found is None:
        raise AnyliftError("there is no floor to find: nobody stands on anything", "give its height: --floor METRES")
    return found


def face(motion: MotionArtifact, degrees: float) -> MotionArtifact:
    """Turn the world about its origin until the person faces `degrees` in the first frame; see `heading_of`.

    Raises:
        AnyliftError: the person lies on a side in the first frame.
    """
    turn = Rotation.from_euler("z", degrees - heading_of(motion), degrees=True).as_matrix()
    return moved(motion, turn, np.zeros(3))


def heading_of(motion: MotionArtifact, frame: int = 0) -> float:
    """Where the pelvis faces in a frame, degrees from x towards y, seen from above counter-clockwise, in ±180.

    Raises:
        AnyliftError: the person lies on a side.
    """
    left = left_of(motion, frame)
    return math.degrees(math.atan2(-left[0], left[1])) + 0.0


def left_of(motion: MotionArtifact, frame: int = 0) -> np.ndarray:
    """Horizontal direction (3,) to the person's left in a frame.

    Raises:
        AnyliftError: the person lies on a side.
    """
    left = rotations_of(motion)[frame, 0, :, 0] * (1, 1, 0)
    if np.linalg.norm(left) < _FLAT:
        raise AnyliftError(
            f"where the person faces in frame {frame % len(motion.poses)} is not defined: they lie on a side",
            "begin elsewhere with --trim",
        )
    return left / np.linalg.norm(left)


def moved(motion: MotionArtifact, rotation: np.ndarray, translation: np.ndarray) -> MotionArtifact:
    """The whole world, x' = rotation x + translation (3, 3), (3,): person, camera and objects."""
    rest = rest_pelvis(motion)
    rotations = rotations_of(motion)
    rotations[:, 0] = rotation @ rotations[:, 0]
    pelvis = (rest + motion.trans) @ rotation.T + translation
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = rotation, translation
    objects = motion.world_from_object
    return with_parameters(
        motion,
        poses_from(rotations),
        pelvis - rest,
        world_from_camera=step @ motion.world_from_camera,
        world_from_object=None if objects is None else step @ objects,
    )


def rest_pelvis(motion: MotionArtifact) -> np.ndarray:
    """Pelvis (3,) of the rest pose, m: the world's pelvis is this + `trans`."""
    body = body_of(motion)
    return body.rest_joints(shape_of(motion, body))[0, 0].double().numpy()

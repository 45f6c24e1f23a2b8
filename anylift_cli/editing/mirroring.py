"""Left for right: the motion as a mirror shows it."""

from __future__ import annotations

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.posing import poses_from, rotations_of, with_parameters
from anylift_cli.body.skeleton import SMPL_MIRROR
from anylift_cli.editing.placement import left_of, rest_pelvis

_FLIP = np.diag([-1.0, 1.0, 1.0])
"""The body's left is +x of its rest pose, a picture's right is +x of the camera."""
_POSE_MIRROR = [*SMPL_MIRROR[:22], 22, 24, 23, *range(40, 55), *range(25, 40)]
"""The partner of each SMPL-X joint: body, jaw, eyes, left hand, right hand."""
_CONTACT_MIRROR = [2, 3, 0, 1]


def mirror(motion: MotionArtifact) -> MotionArtifact:
    """Mirror the world in the upright plane that the person faces along, through the pelvis, in the first frame.

    Camera and intrinsics become those of the video flipped left to right. Objects' meshes are mirrored in x of their
    own axes.

    Raises:
        AnyliftError: the person lies on a side in the first frame.
    """
    normal = left_of(motion)
    rest = rest_pelvis(motion)
    pelvis = rest + motion.trans
    reflection = np.eye(4)
    reflection[:3, :3] -= 2 * np.outer(normal, normal)
    reflection[:3, 3] = 2 * normal * (normal @ pelvis[0])

    rotations = _FLIP @ rotations_of(motion)[:, _POSE_MIRROR] @ _FLIP
    rotations[:, 0] = reflection[:3, :3] @ rotations_of(motion)[:, 0] @ _FLIP
    K = motion.K.copy()
    K[:, 0, 2] = motion.image_size[0] - K[:, 0, 2]
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    objects = motion.world_from_object
    return with_parameters(
        motion,
        poses_from(rotations),
        pelvis @ reflection[:3, :3].T + reflection[:3, 3] - rest,
        joint_confidence=motion.joint_confidence[:, list(SMPL_MIRROR)],
        foot_contact=motion.foot_contact[:, _CONTACT_MIRROR],
        world_from_camera=reflection @ motion.world_from_camera @ flip,
        K=K,
        world_from_object=None if objects is None else reflection @ objects @ flip,
    )

"""People of one video, each of whose motions has its own origin, in one world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from anylift_cli.artifacts import MotionArtifact


def in_one_world(motions: Sequence[MotionArtifact]) -> list[MotionArtifact]:
    """Move motions of one video so that its camera is where the first motion has it; each has a floor of its own.

    Worlds of one lift differ by a shift only. A motion that shares no frame with the first stays where it is.
    """
    return [motions[0], *(_moved(motion, _shift(motions[0], motion)) for motion in motions[1:])]


def _shift(reference: MotionArtifact, motion: MotionArtifact) -> np.ndarray:
    _, theirs, ours = np.intersect1d(reference.frame_index, motion.frame_index, return_indices=True)
    if not len(ours):
        return np.zeros(3)
    return (reference.world_from_camera[theirs, :3, 3] - motion.world_from_camera[ours, :3, 3]).mean(0)


def _moved(motion: MotionArtifact, shift: np.ndarray) -> MotionArtifact:
    cameras = motion.world_from_camera.copy()
    cameras[:, :3, 3] += shift
    objects = motion.world_from_object
    if objects is not None:
        objects = objects.copy()
        objects[..., :3, 3] += shift
    return replace(
        motion,
        trans=(motion.trans + shift).astype(np.float32),
        joints=(motion.joints + shift).astype(np.float32),
        world_from_camera=cameras,
        world_from_object=objects,
    )

"""The lift stage: 2D points and cameras to 3D points in the metric, gravity-aligned world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, LiftedArtifact, ObjectsArtifact
from anylift_cli.body.hidden import without_hidden
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import transform
from anylift_cli.geometry.threads import one_thread
from anylift_cli.lifting.base import (
    JointOptions,
    LiftedPerson,
    Lifter,
    LiftOptions,
    is_checkpoint,
    joint_checkpoint,
)
from anylift_cli.lifting.joint_lifter import lift_together, things_of
from anylift_cli.plugins import load_backend
from anylift_cli.progress import SILENT, Progress

STAGE_VERSION = 10


def run_lift(
    keypoints: KeypointsArtifact,
    cameras: CamerasArtifact,
    options: LiftOptions,
    progress: Progress = SILENT,
) -> LiftedArtifact:
    """Lift every person; the first (most prominent) one's world is the world of all.

    Raises:
        UsageError: a height outside 0.5 to 2.5 m, or an unknown lifter.
        AnyliftError: keypoints and cameras of different frames.
    """
    _check(keypoints, cameras, options)
    lifter = load_lifter(options.lifter)
    with one_thread():
        people = [
            lifter.lift(keypoints, cameras, person, options, progress) for person in range(len(keypoints.keypoints))
        ]
    return _together(people, lifter.name, keypoints, cameras)


def run_lift_with_objects(
    keypoints: KeypointsArtifact,
    cameras: CamerasArtifact,
    objects: ObjectsArtifact,
    options: LiftOptions,
    progress: Progress = SILENT,
) -> LiftedArtifact:
    """As `run_lift`, without the points of people that objects hide.

    With `JointOptions` the first person is lifted together with the objects of known size and category, by the joint
    network, where there are such an object and such a network.

    Raises:
        UsageError, AnyliftError: see `run_lift`; a joint checkpoint that cannot be used.
    """
    keypoints = without_hidden(keypoints, objects)
    if not isinstance(options, JointOptions):
        return run_lift(keypoints, cameras, options, progress)
    checkpoint = joint_checkpoint(options.joint)
    things = things_of(objects, options.categories)
    if checkpoint is None or not things:
        progress.note(
            "objects are not lifted together: " + ("no joint network" if things else "none of known category")
        )
        return run_lift(keypoints, cameras, options, progress)
    _check(keypoints, cameras, options)
    with one_thread():
        found = lift_together(keypoints, cameras, list(things.values()), checkpoint, options, progress)
        people = [found.person]
        if len(keypoints.keypoints) > 1:
            lifter = load_lifter(options.lifter)
            others = range(1, len(keypoints.keypoints))
            people += [lifter.lift(keypoints, cameras, person, options, progress) for person in others]
    corners = np.full((len(objects.names), *found.corners.shape[1:]), np.nan)
    deviation = np.full(corners.shape[:-1], np.nan, np.float32)
    corners[list(things)], deviation[list(things)] = found.corners, found.deviation
    lifted = _together(people, "joint", keypoints, cameras)
    return replace(lifted, object_corners=corners, object_std=deviation)


def _together(
    people: list[LiftedPerson], lifter: str, keypoints: KeypointsArtifact, cameras: CamerasArtifact
) -> LiftedArtifact:
    """All people in the world of the first."""
    reference = people[0]
    moved = [reference.joints] + [_into_world_of(reference, person) for person in people[1:]]
    return LiftedArtifact(
        joints=np.stack(moved),
        joint_std=np.stack([person.joint_std for person in people]),
        present=keypoints.present,
        world_from_camera=reference.world_from_camera,
        K=cameras.K,
        timestamps=cameras.timestamps,
        meta={
            **reference.meta,
            "lifter": lifter,
            **{name: cameras.meta[name] for name in ("motion", "focal_source") if name in cameras.meta},
        },
    )


def _check(keypoints: KeypointsArtifact, cameras: CamerasArtifact, options: LiftOptions) -> None:
    if options.height is not None and not 0.5 <= options.height <= 2.5:
        raise UsageError(f"a height of {options.height} m is not a person's", "give metres between 0.5 and 2.5")
    if len(keypoints.timestamps) != len(cameras.timestamps) or not np.allclose(
        keypoints.timestamps, cameras.timestamps, atol=1e-3
    ):
        raise AnyliftError(
            f"the keypoints cover {len(keypoints.timestamps)} frames and the cameras {len(cameras.timestamps)}, "
            "or at other times",
            "run `anylift cameras` on these keypoints",
        )


def load_lifter(name: str) -> Lifter:
    """The lifter of an entry point's name, or the diffusion lifter with the checkpoint of a path `….safetensors`.

    Raises:
        UsageError: no such name.
    """
    if not is_checkpoint(name):
        return load_backend("anylift.lifters", name)()
    from anylift_cli.lifting.diffusion_lifter import DiffusionLifter

    return DiffusionLifter(Path(name))


def _into_world_of(reference: LiftedPerson, person: LiftedPerson) -> np.ndarray:
    """Joints as the reference's cameras see them: each frame keeps its position relative to the camera."""
    move = reference.world_from_camera @ np.linalg.inv(person.world_from_camera)
    return transform(move, person.joints)

"""The fit stage: lifted points to SMPL parameters with feet on the floor, as `motion.npz`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from anylift_cli.artifacts import KeypointsArtifact, LiftedArtifact, MotionArtifact, ObjectsArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS, NUM_BETAS, convention_arrays, pose_arrays, rate_arrays
from anylift_cli.artifacts.presence import present_span
from anylift_cli.body.foot_lock import lock_feet
from anylift_cli.body.hidden import without_hidden
from anylift_cli.body.model import BodyModel
from anylift_cli.body.priors import BodyPrior, load_prior
from anylift_cli.body.skeleton import BODY24_FROM_SMPL_JOINT, J, K
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.fitting.base import HANDS, FitOptions
from anylift_cli.fitting.object_scale import find_scales, rescaled
from anylift_cli.fitting.objective import Target
from anylift_cli.fitting.objects import place_thing, touches, with_objects
from anylift_cli.fitting.solve import Fit, fit_person, hold_on, joints_of
from anylift_cli.fitting.things import things_of
from anylift_cli.fitting.upright import upright
from anylift_cli.geometry.cameras import invert, rays
from anylift_cli.geometry.rotations import axis_angle_from_matrix
from anylift_cli.geometry.threads import one_thread
from anylift_cli.progress import SILENT, Progress, Task

STAGE_VERSION = 8
_KEPT = ("gravity_source", "scale", "motion", "focal_source", "lifter")
"""What the lifted file's meta says of the world, and a motion's should."""


def run_fit(
    lifted: LiftedArtifact, keypoints: KeypointsArtifact, options: FitOptions, progress: Progress = SILENT
) -> MotionArtifact:
    """Fit the body to one person, hold planted feet still, put the origin on the floor below the first pelvis.

    Raises:
        UsageError: no such person.
        AnyliftError: keypoints and lifted points of different frames.
    """
    _check(lifted, keypoints, options)
    with _fitting(lifted, keypoints, options, progress, passes=2) as (target, body, prior, span, task):
        fit = fit_person(target, body, prior, options.height, task)
        return lock_feet(_motion(fit, body, lifted, keypoints, options, span), strength=1.0)


def run_fit_with_objects(
    lifted: LiftedArtifact,
    keypoints: KeypointsArtifact,
    objects: ObjectsArtifact,
    options: FitOptions,
    progress: Progress = SILENT,
) -> MotionArtifact:
    """As `run_fit`, with objects in the same world.

    Objects of known size give people, and the path of a moving camera, their scale; objects of unknown size get theirs
    from the hands that hold them. With `options.contacts`, hands are then brought to what they hold, and bodies out
    of objects.

    `meta["objects"]` says of each object: `scale` (on the mesh), `frames_seen`, `frames_carried` by hands while it is
    hidden, `held_seconds`, `hand_gap_mm`, `body_inside_mm` and `rests_above_floor_mm`, these also `_before` contacts;
    `meta["object_scales"]` what the objects did to the world.

    Raises:
        UsageError: no such person.
        AnyliftError: files of different frames.
    """
    _check(lifted, keypoints, options)
    if len(objects.timestamps) != len(lifted.timestamps):
        raise AnyliftError(
            f"the objects cover {len(objects.timestamps)} frames, the lifted points {len(lifted.timestamps)}",
            "run `anylift objects` on these keypoints",
        )
    person, contacts = options.person, options.contacts
    keypoints = without_hidden(keypoints, objects)
    units = {str(name): float(objects.meta.get("units", {}).get(str(name), 1.0)) for name in objects.names}
    things = things_of(objects)
    lifted = upright(lifted, things)
    scales, things, grips = find_scales(lifted, things, options.height, contacts=HANDS in contacts)
    lifted = rescaled(lifted, scales)
    with _fitting(lifted, keypoints, options, progress, passes=3) as (target, body, prior, span, task):
        fit = fit_person(target, body, prior, options.height, task)
        placed = [
            place_thing(thing, number, grip, lifted, fit.floor, contacts)
            for number, (thing, grip) in enumerate(zip(things, grips, strict=True))
        ]
        placed = [one.frames(span) for one in placed]
        before = joints_of(fit, body).double().cpu().numpy()
        wanted = touches(placed, person, before, contacts)
        if wanted is not None:
            fit = hold_on(fit, wanted.to(options.device), target, body, prior, task)
        motion = lock_feet(_motion(fit, body, lifted, keypoints, options, span), strength=1.0)
    shift = motion.world_from_camera[0, :3, 3] - lifted.world_from_camera[span][0, :3, 3]
    return with_objects(motion, placed, scales, units, person, (before, shift))


def _check(lifted: LiftedArtifact, keypoints: KeypointsArtifact, options: FitOptions) -> None:
    if not 0 <= options.person < len(lifted.joints):
        raise UsageError(f"there is no person {options.person + 1}", f"the file holds {len(lifted.joints)}")
    if lifted.joints.shape[:2] != keypoints.keypoints.shape[:2]:
        raise AnyliftError(
            f"lifted points {lifted.joints.shape[:2]} and keypoints {keypoints.keypoints.shape[:2]} "
            "differ in persons or frames",
            "run `anylift lift` on these keypoints",
        )


@contextmanager
def _fitting(
    lifted: LiftedArtifact, keypoints: KeypointsArtifact, options: FitOptions, progress: Progress, passes: int
) -> Iterator[tuple[Target, BodyModel, BodyPrior, slice, Task]]:
    """What a fit needs, for the frames in which the person is there."""
    torch.manual_seed(options.seed)
    body = BodyModel.load(options.body, options.device)
    prior = load_prior(options.prior, options.device)
    span = present_span(lifted.present[options.person])
    target = _target(lifted, keypoints, options).frames(span)
    with one_thread(), progress.task("fit: body", total=passes * len(target.times)) as task:
        yield target, body, prior, span, task


def _target(lifted: LiftedArtifact, keypoints: KeypointsArtifact, options: FitOptions) -> Target:
    person = options.person
    weight = np.where(keypoints.present[person][:, None], keypoints.confidence[person], 0.0)
    pixels = np.nan_to_num(keypoints.keypoints[person].astype(np.float64))
    values = (
        lifted.joints[person],
        lifted.joint_std[person],
        np.where(weight[..., None] > 0, rays(pixels, lifted.K), 0.0),
        weight,
        invert(lifted.world_from_camera),
        lifted.timestamps - lifted.timestamps[0],
    )
    return Target(*(torch.as_tensor(value, dtype=torch.float32, device=options.device) for value in values))


def _motion(
    fit: Fit, body: BodyModel, lifted: LiftedArtifact, keypoints: KeypointsArtifact, options: FitOptions, span: slice
) -> MotionArtifact:
    pose, transl = fit.parameters.pose.double().cpu(), fit.parameters.transl.double().cpu()
    joints = joints_of(fit, body).double().cpu().numpy()
    height = float(body.standing_height(fit.betas))
    floor = fit.floor if fit.floor is not None else float(joints[..., 2].min())
    start = joints[0, 0] if options.person == 0 else _first_root(lifted)
    origin = np.array([start[0], start[1], floor])
    timestamps = lifted.timestamps[span]
    world_from_camera = lifted.world_from_camera[span].copy()
    world_from_camera[:, :3, 3] -= origin

    frames = len(joints)
    axis_angle = axis_angle_from_matrix(pose).numpy()
    betas = np.zeros(NUM_BETAS)
    betas[: body.num_betas] = fit.betas[0].cpu().numpy()
    confidence = _joint_confidence(lifted.joint_std[options.person, span])
    present = lifted.present[options.person, span]
    duration = float(timestamps[-1] - timestamps[0])
    fps = (frames - 1) / duration if duration > 0 else 30.0
    return MotionArtifact(
        **pose_arrays(axis_angle[:, :BODY_JOINTS].reshape(frames, -1)),
        **rate_arrays(fps, frames),
        **convention_arrays(body.family, body.gender),
        trans=transl.numpy() - origin,
        betas=betas,
        num_betas=body.num_betas,
        timestamps=timestamps,
        frame_index=keypoints.frame_index[span],
        joints=joints - origin,
        joint_confidence=confidence * present[:, None],
        confidence=np.where(present, confidence.mean(-1), 0.0),
        foot_contact=fit.contact.cpu().numpy(),
        world_from_camera=world_from_camera,
        K=lifted.K[span],
        image_size=keypoints.image_size,
        height=height,
        meta={
            **{name: lifted.meta[name] for name in _KEPT if name in lifted.meta},
            "body": {"name": options.body, "sha256": body.sha256, "family": body.family, "gender": body.gender},
            "floor": "feet in contact" if fit.floor is not None else "lowest joint; nobody stands on anything",
            "person": options.person,
        },
    )


def _first_root(lifted: LiftedArtifact) -> np.ndarray:
    """Where the first person's root starts: the origin of the world that all people share."""
    start = present_span(lifted.present[0]).start
    return lifted.joints[0, start, [K["left_hip"], K["right_hip"]]].mean(0)


def _joint_confidence(joint_std: np.ndarray) -> np.ndarray:
    """Confidence (T, 24) of SMPL joints from the standard deviations (T, 24) of `body24` points.

    Joints without a point of their own (spine, collars, hands) take the mean of the nearest ones.
    """
    point = np.exp(-np.square(joint_std / 0.2))
    trunk = point[:, [K["left_hip"], K["right_hip"], K["left_shoulder"], K["right_shoulder"]]].mean(-1)
    joints = np.repeat(trunk[:, None], len(J), 1)
    for name, joint in BODY24_FROM_SMPL_JOINT.items():
        joints[:, joint] = point[:, K[name]]
    for side in ("left", "right"):
        joints[:, J[f"{side}_hand"]] = point[:, K[f"{side}_wrist"]]
        joints[:, J[f"{side}_foot"]] = point[:, K[f"{side}_big_toe"]]
    joints[:, J["head"]] = point[:, K["nose"]]
    return joints

"""The fit stage: lifted points to SMPL parameters with feet on the floor, as `motion.npz`."""

from __future__ import annotations

import numpy as np
import torch

from anylift_cli.artifacts import KeypointsArtifact, LiftedArtifact, MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS, NUM_BETAS, convention_arrays, pose_arrays, rate_arrays
from anylift_cli.artifacts.presence import present_span
from anylift_cli.body.foot_lock import lock_feet
from anylift_cli.body.model import BodyModel
from anylift_cli.body.prior import PosePrior
from anylift_cli.body.skeleton import BODY24_FROM_SMPL_JOINT, J, K
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.fitting.base import FitOptions
from anylift_cli.fitting.objective import Target
from anylift_cli.fitting.solve import Fit, fit_person, joints_of
from anylift_cli.geometry.cameras import invert, rays
from anylift_cli.geometry.rotations import axis_angle_from_matrix
from anylift_cli.geometry.threads import one_thread
from anylift_cli.progress import SILENT, Progress

STAGE_VERSION = 2
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
    if not 0 <= options.person < len(lifted.joints):
        raise UsageError(f"there is no person {options.person + 1}", f"the file holds {len(lifted.joints)}")
    if lifted.joints.shape[:2] != keypoints.keypoints.shape[:2]:
        raise AnyliftError(
            f"lifted points {lifted.joints.shape[:2]} and keypoints {keypoints.keypoints.shape[:2]} "
            "differ in persons or frames",
            "run `anylift lift` on these keypoints",
        )
    torch.manual_seed(options.seed)
    body = BodyModel.load(options.body, options.device)
    prior = PosePrior.load(device=options.device)
    span = present_span(lifted.present[options.person])
    target = _target(lifted, keypoints, options).frames(span)
    with one_thread(), progress.task("fit: body", total=2 * len(target.times)) as task:
        fit = fit_person(target, body, prior, options.height, task)
    return lock_feet(_motion(fit, body, lifted, keypoints, options, span), strength=1.0)


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

"""Makes motions of the open body for tests of what reads them."""

from __future__ import annotations

import math

import numpy as np
import torch

from anylift_cli.artifacts import KeypointsArtifact, MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS, NUM_BETAS, convention_arrays, pose_arrays, rate_arrays
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices
from anylift_cli.body.skeleton import J
from anylift_cli.geometry.cameras import intrinsics_matrix, look_at, project

FACING_X = (2 * math.pi / 3 / math.sqrt(3),) * 3
"""Axis-angle that stands the rest pose (y up, facing z) up in the world, facing x with its left towards y."""


def make_motion(
    body: BodyModel,
    axis_angle: np.ndarray,
    trans: np.ndarray,
    betas: np.ndarray | None = None,
    timestamps: np.ndarray | None = None,
    fps: float = 30.0,
    camera: np.ndarray | None = None,
    image_size: tuple[int, int] = (640, 480),
) -> MotionArtifact:
    """A motion from local rotations (T, 22, 3) and translations (T, 3) that stands in for what the fit stage gives."""
    frames = len(axis_angle)
    timestamps = np.arange(frames) / fps if timestamps is None else timestamps
    betas = np.zeros(NUM_BETAS) if betas is None else np.pad(betas, (0, NUM_BETAS - len(betas)))
    width, height = image_size
    camera = look_at((5.0, 1.0, 1.4), (0.0, 0.0, 0.9)) if camera is None else camera
    motion = MotionArtifact(
        **pose_arrays(np.reshape(axis_angle, (frames, -1))),
        **rate_arrays(fps, frames),
        **convention_arrays(),
        trans=trans,
        betas=betas,
        num_betas=body.num_betas,
        timestamps=timestamps,
        frame_index=np.arange(frames),
        joints=np.zeros((frames, 24, 3)),
        joint_confidence=np.ones((frames, 24)),
        confidence=np.ones(frames),
        foot_contact=np.zeros((frames, 4)),
        world_from_camera=np.broadcast_to(camera, (frames, 4, 4)).copy(),
        K=np.broadcast_to(intrinsics_matrix(1.1 * width, width, height), (frames, 3, 3)),
        image_size=image_size,
        height=float(body.standing_height(torch.tensor(betas[None, : body.num_betas], dtype=torch.float32))),
        meta={"body": {"name": body.name, "sha256": body.sha256}},
    )
    motion.joints = _points(motion, body).joints.numpy()
    return motion


def walking(body: BodyModel, frames: int, **options: object) -> MotionArtifact:
    """Swinging arms and legs on the way along x; feet slide, since nothing plants them."""
    phase = np.arange(frames) / 30 * 2 * np.pi * 0.9
    axis_angle = np.zeros((frames, BODY_JOINTS, 3))
    axis_angle[:, J["pelvis"]] = FACING_X
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(phase)
        axis_angle[:, J[f"{side}_hip"], 0] = -0.5 * swing
        axis_angle[:, J[f"{side}_knee"], 0] = 0.4 - 0.4 * sign * np.cos(phase)
        axis_angle[:, J[f"{side}_shoulder"], 2] = -1.2 * sign
        axis_angle[:, J[f"{side}_elbow"], 1] = -0.5 * sign
    rest = body.rest_joints(torch.zeros(1, body.num_betas))[0].numpy()
    pelvis_height = rest[0, 1] - body.v_template[:, 1].min().item()
    pelvis = np.stack([1.1 * np.arange(frames) / 30, 0 * phase, 0 * phase + pelvis_height], -1)
    return make_motion(body, axis_angle, pelvis - rest[0], **options)


def keypoints_of(motion: MotionArtifact, body: BodyModel) -> KeypointsArtifact:
    """Exact projections of the motion's landmarks."""
    landmarks = _points(motion, body).keypoints.numpy().astype(np.float64)
    points = project(landmarks, motion.world_from_camera, motion.K)
    return KeypointsArtifact(
        keypoints=points[None],
        confidence=np.ones((1, *points.shape[:2])),
        boxes=np.concatenate([points.min(1), points.max(1)], -1)[None],
        present=np.ones((1, len(points)), bool),
        timestamps=motion.timestamps,
        frame_index=motion.frame_index,
        image_size=motion.image_size,
    )


def _points(motion: MotionArtifact, body: BodyModel):
    betas = torch.from_numpy(motion.betas[None, : body.num_betas])
    return body.joints(pose_matrices(motion), betas, torch.from_numpy(motion.trans))

"""Fitting the body to exact points: what comes back must be what went in, with feet that stand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from importers.ufbx_reader import read_with_ufbx

from anylift_cli.artifacts import KeypointsArtifact, LiftedArtifact, MotionArtifact
from anylift_cli.body.contacts import CONTACT_POINTS
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices, shape_of
from anylift_cli.body.skeleton import BODY24
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.export.fbx import FbxExporter
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.fitting.base import FitOptions
from anylift_cli.fitting.initial import initial_pose
from anylift_cli.fitting.stage import run_fit
from anylift_cli.geometry.cameras import project
from anylift_cli.report.quality import foot_slide, quality
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene


@pytest.fixture(scope="module")
def walk() -> Scene:
    return build_scene(SceneSpec("walk_pan", "walk", "pan", seed=4, seconds=2.0))


def inputs(scene: Scene, noise: float) -> tuple[LiftedArtifact, KeypointsArtifact]:
    rng = np.random.default_rng(0)
    frames = len(scene.time)
    raised = np.array([2.0, -1.0, 0.7])
    cameras = scene.world_from_camera.copy()
    cameras[:, :3, 3] += raised
    points = scene.keypoints3d + raised
    pixels = project(points, cameras, scene.K)
    present = np.ones((1, frames))
    lifted = LiftedArtifact(
        joints=(points + rng.normal(0, noise, points.shape))[None],
        joint_std=np.full((1, frames, 24), 0.05),
        present=present,
        world_from_camera=cameras,
        K=scene.K,
        timestamps=scene.time,
    )
    keypoints = KeypointsArtifact(
        keypoints=pixels[None],
        confidence=np.full((1, frames, 24), 0.9),
        boxes=np.concatenate([pixels.min(1), pixels.max(1)], -1)[None],
        present=present,
        timestamps=scene.time,
        frame_index=np.arange(frames),
        image_size=[scene.spec.width, scene.spec.height],
    )
    return lifted, keypoints


@pytest.fixture(scope="module")
def fitted(walk: Scene) -> tuple[MotionArtifact, KeypointsArtifact]:
    lifted, keypoints = inputs(walk, noise=0.02)
    return run_fit(lifted, keypoints, FitOptions()), keypoints


def test_initial_pose_follows_limbs_exactly(walk: Scene) -> None:
    betas = torch.as_tensor(walk.betas[None], dtype=torch.float32)
    points = torch.as_tensor(walk.keypoints3d, dtype=torch.float32)
    pose, transl = initial_pose(points, walk.body, betas)
    found = walk.body.joints(pose, betas, transl).keypoints
    error = (found - points).norm(dim=-1)
    assert error.mean() < 0.04
    assert torch.allclose(torch.linalg.det(pose), torch.ones(()), atol=1e-4)


def test_joints_come_back(walk: Scene, fitted: tuple[MotionArtifact, KeypointsArtifact]) -> None:
    motion, _ = fitted
    shift = walk.joints[0, 0] * [1, 1, 0]
    error = np.linalg.norm(motion.joints - (walk.joints - shift), axis=-1)
    assert error.mean() < 0.025
    assert np.quantile(error, 0.99) < 0.09


def test_world_stands_on_the_floor_below_the_first_pelvis(
    walk: Scene, fitted: tuple[MotionArtifact, KeypointsArtifact]
) -> None:
    motion, keypoints = fitted
    assert np.abs(motion.joints[0, 0, :2]).max() < 1e-5
    assert abs(motion.joints[:, 0, 2].mean() - walk.joints[:, 0, 2].mean()) < 0.02
    figures = quality(motion, keypoints, BodyModel.load("open"))
    assert figures["foot_slide_cm_s"] < 0.1
    assert figures["penetration_cm"] < 1.0
    assert figures["reprojection_percent"] < 1.0


def test_contacts_match_the_footsteps(walk: Scene, fitted: tuple[MotionArtifact, KeypointsArtifact]) -> None:
    agreement = ((fitted[0].foot_contact > 0.5) == (walk.foot_contact > 0.5)).mean()
    assert agreement > 0.85


def test_parameters_give_the_joints(fitted: tuple[MotionArtifact, KeypointsArtifact]) -> None:
    motion, _ = fitted
    body = BodyModel.load("open")
    joints = body.joints(
        torch.as_tensor(pose_matrices(motion), dtype=torch.float32), torch.as_tensor(shape_of(motion, body)).float(),
        torch.as_tensor(motion.trans),
    ).joints  # fmt: skip
    assert np.abs(joints.numpy() - motion.joints).max() < 1e-3


def test_feet_stand_still_in_the_exported_fbx_too(fitted: tuple[MotionArtifact, KeypointsArtifact], tmp_path) -> None:
    """Skinned from what ufbx reads: bones, weights, bind pose; every key is there."""
    motion, _ = fitted
    take = Take((motion,), ("walk",), ExportOptions(names="mixamo"))
    path = FbxExporter().write(take, tmp_path / "walk.fbx")
    seen = read_with_ufbx(path, float(motion.fps), len(motion.poses))
    (weights,), (vertices,) = seen.weights.values(), seen.vertices.values()
    body = BodyModel.load("open")
    chosen = [body.landmark_vertices[BODY24[point]] for point in CONTACT_POINTS]
    feet = np.zeros((len(motion.poses), len(chosen), 3))
    for joint, share in weights.items():
        local = np.pad(vertices[chosen] - seen.binds[joint], ((0, 0), (0, 1))) / 100
        local[:, 3] = 1
        pose = seen.poses[joint]
        scale = np.linalg.norm(pose[:, :3, :3], axis=1, keepdims=True)
        pose[:, :3, :3] /= scale
        feet += share[chosen, None] * np.einsum("tij,vj->tvi", pose, local)[..., :3]
    points = body.joints(pose_matrices(motion), shape_of(motion, body), torch.as_tensor(motion.trans)).keypoints
    assert np.abs(feet - points[:, list(CONTACT_POINTS)].numpy()).max() < 0.01
    assert foot_slide(feet, motion.foot_contact, motion.timestamps) < 0.1
    assert np.abs(seen.joints(JOINT_NAMES["mixamo"]) - motion.joints).max() < 1e-4


def test_both_amass_key_families_agree(fitted: tuple[MotionArtifact, KeypointsArtifact]) -> None:
    motion, _ = fitted
    assert np.array_equal(motion.poses[:, :3], motion.root_orient)
    assert np.array_equal(motion.poses[:, 3:66], motion.pose_body)
    assert motion.mocap_frame_rate == motion.mocap_framerate == pytest.approx(30.0)


def test_height_is_kept_when_given(walk: Scene) -> None:
    lifted, keypoints = inputs(walk, noise=0.0)
    motion = run_fit(lifted, keypoints, FitOptions(height=1.80))
    assert float(motion.height) == pytest.approx(1.80, abs=0.01)


def test_wrong_person_and_foreign_keypoints_are_refused(walk: Scene) -> None:
    lifted, keypoints = inputs(walk, noise=0.0)
    with pytest.raises(UsageError, match="person 2"):
        run_fit(lifted, keypoints, FitOptions(person=1))
    shorter, _ = inputs(build_scene(SceneSpec("walk_pan", "walk", "pan", seed=4, seconds=1.0)), noise=0.0)
    with pytest.raises(AnyliftError, match="differ"):
        run_fit(shorter, keypoints, FitOptions())

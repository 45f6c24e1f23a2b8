"""Lifting against scenes whose motion, cameras and keypoints are known exactly."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.body.contacts import CONTACT_POINTS, contact_probability, floor_height, still_probability
from anylift_cli.body.model import BodyModel
from anylift_cli.body.path_scale import path_scale
from anylift_cli.body.prior import PosePrior
from anylift_cli.body.skeleton import K
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation import metrics
from anylift_cli.geometry.cameras import invert, project, project_camera, transform
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.windows import equal_windows, windows
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.lifting.edges import EDGES, TWIN
from anylift_cli.lifting.flips import unflipped
from anylift_cli.lifting.gravity import find_gravity
from anylift_cli.lifting.objective import Contacts, Objective, Weights
from anylift_cli.lifting.observation import Observation, observe
from anylift_cli.lifting.refine import Models, models_for, upright
from anylift_cli.lifting.solve import minimise, polish
from anylift_cli.lifting.stage import run_lift
from anylift_cli.lifting.steady import steadied
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene

LIMBS = [K[f"{side}_{name}"] for side in ("left", "right")
         for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]  # fmt: skip


@pytest.fixture(scope="module")
def walk() -> Scene:
    return build_scene(SceneSpec("walk_still", "walk", "still", seed=3, seconds=2.5))


@pytest.fixture(scope="module")
def dolly() -> Scene:
    return build_scene(SceneSpec("walk_dolly", "walk", "dolly", seed=11, seconds=2.5))


def artifacts_of(scene: Scene, with_local: bool, noise_px: float = 2.0) -> tuple[KeypointsArtifact, CamerasArtifact]:
    """Detections of a scene with Gaussian noise, and its cameras in the axes of the first one."""
    rng = np.random.default_rng(0)
    in_camera = transform(invert(scene.world_from_camera), scene.keypoints3d)
    pixels = project_camera(in_camera, scene.K) + rng.normal(0, noise_px, (*in_camera.shape[:2], 2))
    low, high = pixels.min(1), pixels.max(1)
    local = in_camera - in_camera[:, [K["left_hip"], K["right_hip"]]].mean(1, keepdims=True)
    frames = len(pixels)
    size = [scene.spec.width, scene.spec.height]
    keypoints = KeypointsArtifact(
        keypoints=pixels[None],
        confidence=np.full((1, frames, 24), 0.9),
        boxes=np.concatenate([low, high], -1)[None],
        present=np.ones((1, frames)),
        timestamps=scene.time,
        frame_index=np.arange(frames),
        image_size=size,
        local_joints=local[None] if with_local else None,
    )
    first = invert(scene.world_from_camera)[0]
    cameras = CamerasArtifact(
        world_from_camera=first @ scene.world_from_camera,
        K=scene.K,
        confidence=np.ones(frames),
        up=first[:3, 2],
        timestamps=scene.time,
        image_size=size,
        meta={"motion": "moving", "scale": "metric", "up_source": "camera x axes"},
    )
    return keypoints, cameras


def errors(scene: Scene, joints: np.ndarray, world_from_camera: np.ndarray) -> tuple[float, float]:
    """MPJPE of the limbs and root path error, metres, after turning about the vertical only."""
    heading = metrics.yaw_between(world_from_camera[:, :3, :3], scene.world_from_camera[:, :3, :3])
    hips = [K["left_hip"], K["right_hip"]]
    ours, truth = joints @ heading.T, scene.keypoints3d
    roots = [points[:, hips].mean(1) for points in (ours, truth)]
    rooted = [
        np.concatenate([root[:, None], points[:, LIMBS]], 1) for root, points in zip(roots, (ours, truth), strict=True)
    ]
    return metrics.mpjpe(*rooted, *roots), metrics.root_error(*roots)


def test_edges_share_lengths_between_sides() -> None:
    lengths = {}
    for (start, end, _), twin in zip(EDGES, TWIN.tolist(), strict=True):
        lengths.setdefault(twin, []).append({start, end})
    assert sorted(lengths) == list(range(len(lengths)))
    thighs = [{K[f"{side}_hip"], K[f"{side}_knee"]} for side in ("left", "right")]
    assert thighs in lengths.values()
    assert all(len(pairs) <= 2 for pairs in lengths.values())


def test_local_evidence_gives_pose_and_path(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=True)
    lifted = run_lift(keypoints, cameras, LiftOptions("optimize", float(walk.body.standing_height(_betas(walk))[0])))
    pose, root = errors(walk, lifted.joints[0], lifted.world_from_camera)
    assert pose < 0.045
    assert root < 0.10


def test_two_dimensional_points_alone_give_a_usable_pose(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=False)
    lifted = run_lift(keypoints, cameras, LiftOptions("optimize", float(walk.body.standing_height(_betas(walk))[0])))
    pose, root = errors(walk, lifted.joints[0], lifted.world_from_camera)
    assert pose < 0.10
    assert root < 0.15


def test_polishing_ends_nearer_to_the_minimum_than_as_many_steps_of_adam(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=False)
    seen = upright(observe(keypoints, cameras, 0, "cpu"), cameras)
    models = models_for(LiftOptions())
    objective = Objective(seen, models.lengths, models.prior, models.weights)
    true = transform(invert(walk.world_from_camera), walk.keypoints3d)
    true = transform(seen.world_from_camera[0], torch.as_tensor(true, dtype=torch.float32))[None]
    start = true + 0.05 * torch.randn((1, 1, 24, 3), generator=torch.Generator().manual_seed(0))
    rough = minimise(objective, start, iterations=80, step=0.01)
    fine = polish(objective, start, evaluations=80)
    assert fine.energy < 0.5 * rough.energy
    assert (fine.points - true).norm(dim=-1).mean() < 0.5 * (start - true).norm(dim=-1).mean()


def _evidence_with_feet(
    scene: Scene, cameras: CamerasArtifact, keypoints: KeypointsArtifact
) -> tuple[Observation, Models, torch.Tensor, Contacts]:
    """What is seen from `cameras`, the true points before them (1, T, 24, 3), and the true contacts."""
    seen = upright(observe(keypoints, cameras, 0, "cpu"), cameras)
    models = models_for(LiftOptions(height=float(scene.body.standing_height(_betas(scene))[0])))
    true = transform(invert(scene.world_from_camera), scene.keypoints3d)
    true = transform(seen.world_from_camera[0], torch.as_tensor(true, dtype=torch.float32))[None]
    feet, centre = true[0][:, list(CONTACT_POINTS)], seen.world_from_camera[0, :, :3, 3]
    true_feet = torch.as_tensor(scene.keypoints3d[:, list(CONTACT_POINTS)], dtype=torch.float32)
    still = still_probability(true_feet, centre, seen.times[0], 0.35, 0.08)
    return seen, models, true, Contacts(CONTACT_POINTS, still[None], feet[..., 2].median(0).values)


def test_feet_that_stand_still_correct_a_camera_path_that_drifts(dolly: Scene) -> None:
    keypoints, cameras = artifacts_of(dolly, with_local=False, noise_px=0.5)
    poses = cameras.world_from_camera.copy()
    poses[:, :3, 3] += 0.06 * np.sin(2 * np.pi * 0.25 * dolly.time)[:, None] * poses[:, :3, 0]
    seen, models, true, contacts = _evidence_with_feet(dolly, replace(cameras, world_from_camera=poses), keypoints)
    misses = {}
    for drift in (0.0, 0.06):
        weights = replace(models.weights, drift=drift)
        solution = polish(Objective(seen, models.lengths, models.prior, weights, contacts), true, evaluations=100)
        poses = seen.world_from_camera[0].double().numpy()
        misses[drift] = errors(dolly, solution.points[0].double().numpy(), poses)[1]
        assert (solution.moved.abs().max() > 0) == (drift > 0)
    assert misses[0.06] < 0.6 * misses[0.0], misses


def test_feet_that_stand_still_correct_the_length_of_a_camera_path(dolly: Scene) -> None:
    keypoints, cameras = artifacts_of(dolly, with_local=False, noise_px=0.5)
    poses = cameras.world_from_camera.copy()
    poses[:, :3, 3] *= 1.15
    seen, models, true, contacts = _evidence_with_feet(dolly, replace(cameras, world_from_camera=poses), keypoints)
    estimated = seen.world_from_camera[0, :, :3, 3]
    for stretch, length in ((0.0, 1.15), (0.2, 1.0)):
        weights = replace(models.weights, stretch=stretch)
        solution = polish(Objective(seen, models.lengths, models.prior, weights, contacts), true, evaluations=100)
        found = estimated + solution.moved[0]
        assert float(1.15 * found.std(0).norm() / estimated.std(0).norm()) == pytest.approx(length, abs=0.02)


def test_a_path_that_its_solver_is_sure_of_is_kept(dolly: Scene) -> None:
    keypoints, cameras = artifacts_of(dolly, with_local=False, noise_px=2.0)
    height = float(dolly.body.standing_height(_betas(dolly))[0])

    def off(figures: dict[str, float]) -> float:
        told = replace(cameras, meta={**cameras.meta, "motion": "moving", "figures": figures})
        found, true = run_lift(keypoints, told, LiftOptions(height=height)).world_from_camera, dolly.world_from_camera
        return float(np.linalg.norm((invert(found[0]) @ found - invert(true[0]) @ true)[:, :3, 3], axis=1).mean())

    guessed, sure = off({}), off({"moving_residual_px": 0.05})
    assert sure < 0.3 * guessed and sure < 0.01, (guessed, sure)


def test_scale_of_a_moving_camera_is_found(dolly: Scene) -> None:
    keypoints, cameras = artifacts_of(dolly, with_local=True)
    world_from_camera = cameras.world_from_camera.copy()
    world_from_camera[:, :3, 3] *= 0.37
    shrunk = replace(cameras, world_from_camera=world_from_camera, meta={**cameras.meta, "scale": "arbitrary"})
    height = float(dolly.body.standing_height(_betas(dolly))[0])
    lifted = run_lift(keypoints, shrunk, LiftOptions(height=height))
    assert lifted.meta["scale"]["metres_per_unit"] == pytest.approx(1 / 0.37, rel=0.12)
    pose, root = errors(dolly, lifted.joints[0], lifted.world_from_camera)
    assert pose < 0.05
    assert root < 0.15


def test_path_scale_is_exact_without_noise(dolly: Scene) -> None:
    poses = torch.as_tensor(dolly.world_from_camera, dtype=torch.float32)
    feet = transform(invert(poses), torch.as_tensor(dolly.keypoints3d, dtype=torch.float32))[:, list(CONTACT_POINTS)]
    found = path_scale(
        feet, torch.ones(feet.shape[:2]), poses[:, :3, :3], poses[:, :3, 3] / 5, torch.as_tensor(dolly.time).float()
    )
    assert found.value == pytest.approx(5.0, rel=0.02)
    assert 0 <= found.uncertainty < 0.2


@pytest.mark.parametrize("tilt", [(8.0, 0.0), (-6.0, 3.0)])
def test_gravity_is_found_from_the_feet(walk: Scene, tilt: tuple[float, float]) -> None:
    """`tilt` is pitch and roll in degrees."""
    points = torch.as_tensor(walk.keypoints3d, dtype=torch.float32)
    right, forward = (torch.as_tensor(walk.world_from_camera[0, :3, axis], dtype=torch.float32) for axis in (0, 2))
    turn = matrix_from_axis_angle(torch.deg2rad(torch.tensor(tilt[0]) * right + torch.tensor(tilt[1]) * forward))
    gaze = turn @ forward
    found = find_gravity(
        points @ turn.T, torch.as_tensor(walk.foot_contact).float(), gaze, torch.as_tensor(walk.time).float(), {}
    )
    up = found.upright_from_world @ turn @ torch.tensor([0.0, 0.0, 1.0])
    assert torch.rad2deg(torch.acos(up[2].clamp(-1, 1))) < 2.5
    assert "feet on the floor" in found.source


def test_a_leaning_person_hardly_turns_a_vertical_that_upright_edges_tell(walk: Scene) -> None:
    points = torch.as_tensor(walk.keypoints3d, dtype=torch.float32)
    right, gaze = (torch.as_tensor(walk.world_from_camera[0, :3, axis], dtype=torch.float32) for axis in (0, 2))
    leaning = points @ matrix_from_axis_angle(math.radians(5) * right).T
    turns = []
    for source, focal in (("upright edges", "solved"), ("upright edges", "assumed"), ("assumed", "assumed")):
        cameras = {"up_source": source, "focal_source": focal, "figures": {"pitch_deviation_deg": 0.3}}
        found = find_gravity(
            leaning, torch.as_tensor(walk.foot_contact).float(), gaze, torch.as_tensor(walk.time).float(), cameras
        )
        turns.append(math.degrees(math.acos(min(float(found.upright_from_world[2, 2]), 1.0))))
    assert turns[0] < 1 and turns[0] < turns[1] < turns[2] and turns[2] > 3


def test_people_who_lean_before_a_sure_camera_are_turned_back(walk: Scene) -> None:
    """What balance says is divided by the variances of the camera's pitch and of leaning."""
    points = torch.as_tensor(walk.keypoints3d, dtype=torch.float32)
    right, gaze = (torch.as_tensor(walk.world_from_camera[0, :3, axis], dtype=torch.float32) for axis in (0, 2))
    evidence = torch.as_tensor(walk.foot_contact).float(), gaze, torch.as_tensor(walk.time).float()
    sure = {"up_source": "upright edges", "focal_source": "solved"}
    upright = find_gravity(points, *evidence, sure, leaning=3.0)
    leaning = points @ matrix_from_axis_angle(math.radians(5) * right).T
    found = find_gravity(leaning, *evidence, sure, leaning=3.0)
    assert 2 < math.degrees(found.lean - upright.lean) < 5
    assert found.upright_from_world[2, 2] > math.cos(math.radians(1))
    alone = find_gravity(leaning, *evidence, sure)
    assert alone.lean == 0 and alone.deviation < 1 and found.deviation < 1.2
    assert find_gravity(leaning, *evidence, {}, leaning=3.0).lean < 0.2 * found.lean


def test_whose_people_lean(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=True)
    told = {"mediapipe": {"estimator": "mediapipe 0.10 pose full"}, "other": {"estimator": "openpose"},
            "gvhmr": {"estimator": "mediapipe 0.10 pose full", "local_poses": {"kind": "GVHMR"}}}  # fmt: skip
    leans = {name: observe(replace(keypoints, meta=meta), cameras, 0, "cpu").local_lean for name, meta in told.items()}
    assert (leans["mediapipe"] == 3).all() and not leans["other"].any() and not leans["gvhmr"].any()
    assert observe(replace(keypoints, local_joints=None), cameras, 0, "cpu").local_lean is None


def test_contacts_of_a_walk_match_its_footsteps(walk: Scene) -> None:
    feet = torch.as_tensor(walk.keypoints3d[:, list(CONTACT_POINTS)], dtype=torch.float32)
    times = torch.as_tensor(walk.time).float()
    centre = torch.as_tensor(walk.world_from_camera[:, :3, 3]).float()
    still = still_probability(feet, centre, times, 0.30, 0.06)
    clearance = feet[..., 2].amin(0)
    floor = floor_height(feet[..., 2] - clearance, still)
    assert floor == pytest.approx(0.0, abs=0.01)
    contact = contact_probability(feet, still, floor, clearance, times) > 0.5
    agreement = (contact.numpy() == (walk.foot_contact > 0.5)).mean()
    assert agreement > 0.88


def test_windows_cover_every_frame_once() -> None:
    for count in (5, 240, 241, 700, 1999):
        total = torch.zeros(count)
        for window in windows(count):
            total[window.frames] += window.weight
        assert torch.allclose(total, torch.ones(count), atol=1e-5)


@pytest.mark.parametrize("count", [1, 60, 240, 241, 300, 1000])
def test_equal_windows_share_no_more_than_they_must(count: int) -> None:
    total = torch.zeros(count)
    spans = list(equal_windows(count))
    for span in spans:
        total[span.frames] += span.weight
    assert torch.allclose(total, torch.ones(count), atol=1e-5)
    assert len(spans) == len(list(windows(count))) and len({span.stop - span.start for span in spans}) == 1
    assert all(before.stop - after.start in (40, 41) for before, after in pairwise(spans))


def test_prior_prefers_people_to_noise(walk: Scene) -> None:
    prior = PosePrior.load()
    points = torch.as_tensor(walk.keypoints3d, dtype=torch.float32)
    broken = points.clone()
    broken[:, K["left_ankle"]] += 2 * (broken[:, K["left_hip"]] - broken[:, K["left_knee"]])
    assert prior.energy(points).mean() < 0.5 * prior.energy(broken).mean()
    assert (prior.energy(points) >= 0).all()


def test_gaps_are_bridged_and_marked(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=True)
    keypoints.present[0, 30:38] = False
    keypoints.confidence[0, 30:38] = 0
    keypoints.keypoints[0, 30:38] = np.nan
    keypoints.local_joints[0, 30:38] = np.nan
    lifted = run_lift(keypoints, cameras, LiftOptions("optimize"))
    assert np.isfinite(lifted.joints).all()
    jump = np.linalg.norm(np.diff(lifted.joints[0], axis=0), axis=-1).max()
    assert jump < 0.25
    assert lifted.joint_std[0, 34].mean() > 2 * lifted.joint_std[0, 10].mean()


def test_frames_without_the_person_are_held_and_marked(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=True)
    keypoints.present[0, :20] = False
    lifted = run_lift(keypoints, cameras, LiftOptions("optimize"))
    assert np.array_equal(lifted.joints[0, 0], lifted.joints[0, 20])
    assert (lifted.joint_std[0, :20] == 1.0).all()
    seen = project(lifted.joints[0, 40].astype(float), lifted.world_from_camera[40], lifted.K[40])
    assert np.linalg.norm(seen - keypoints.keypoints[0, 40], axis=-1).mean() < 12


def test_other_frames_and_impossible_heights_are_refused(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=False)
    with pytest.raises(UsageError, match="height"):
        run_lift(keypoints, cameras, LiftOptions(height=17.0))
    shifted = replace(cameras, timestamps=cameras.timestamps + 1.0)
    with pytest.raises(AnyliftError, match="frames"):
        run_lift(keypoints, shifted, LiftOptions("optimize"))


def _betas(scene: Scene) -> torch.Tensor:
    return torch.as_tensor(scene.betas[None], dtype=torch.float32)


def test_open_body_is_what_lifting_measures_people_by() -> None:
    body = BodyModel.load("open")
    assert float(body.standing_height(body.from_height(1.83))[0]) == pytest.approx(1.83, abs=1e-3)


def test_planted_feet_take_drift_in_depth_out(walk: Scene) -> None:
    points = torch.as_tensor(walk.keypoints3d, dtype=torch.float32)
    centre = torch.as_tensor(walk.world_from_camera[:, :3, 3]).float()
    times = torch.as_tensor(walk.time).float()
    sight = torch.nn.functional.normalize(points.mean(1) - centre, dim=-1)
    drifted = points + 0.15 * (torch.sin(4 * times)[:, None] * sight)[:, None]
    feet = drifted[:, list(CONTACT_POINTS)]
    moved = steadied(drifted, feet, torch.as_tensor(walk.foot_contact).float(), centre, times)

    def wobble(candidate: torch.Tensor) -> torch.Tensor:
        along = ((candidate - points) * sight[:, None]).sum(-1).mean(1)
        return (along - along.mean()).abs().mean()

    assert wobble(moved) < 0.25 * wobble(drifted)


def test_limbs_bent_the_wrong_way_in_depth_are_put_right() -> None:
    scene = build_scene(SceneSpec("squat_still", "squat", "still", seed=1, seconds=2.5))
    keypoints, cameras = artifacts_of(scene, with_local=False, noise_px=0.0)
    seen = observe(keypoints, cameras, 0, "cpu")
    world = transform(cameras.world_from_camera[0], transform(invert(scene.world_from_camera), scene.keypoints3d))
    truth = torch.as_tensor(world, dtype=torch.float32)[None]
    camera = transform(invert(seen.world_from_camera), truth)
    broken = camera.clone()
    frames = slice(20, 45)
    depth = camera[:, frames, :, 2]
    elbow = 2 * depth[..., K["right_shoulder"]] - depth[..., K["right_elbow"]]
    wrong = {
        "left_wrist": 2 * depth[..., K["left_elbow"]] - depth[..., K["left_wrist"]],
        "right_elbow": elbow,
        "right_wrist": elbow + depth[..., K["right_wrist"]] - depth[..., K["right_elbow"]],
    }
    for name, value in wrong.items():
        broken[:, frames, K[name]] = camera[:, frames, K[name]] * (value / depth[..., K[name]])[..., None]
    broken = transform(seen.world_from_camera, broken)
    mended = unflipped(broken, seen, PosePrior.load(), Weights())

    def miss(points: torch.Tensor) -> float:
        return float((points - truth)[:, :, LIMBS].norm(dim=-1).mean())

    assert miss(mended) < 0.4 * miss(broken)
    pixels = project_camera(transform(invert(seen.world_from_camera), mended), torch.as_tensor(scene.K).float()[None])
    assert np.abs(pixels[0].numpy() - keypoints.keypoints[0]).max() < 0.1
    assert miss(unflipped(truth, seen, PosePrior.load(), Weights())) < 0.03

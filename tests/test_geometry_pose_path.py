"""Paths of rigid bodies from points, exactly and with noise; flips of symmetric ones."""

from __future__ import annotations

import numpy as np
import pytest
from object_scenes import BoxScene, box_mesh, box_scene, pose_errors
from scipy.spatial.transform import Rotation

from anylift_cli.geometry.cameras import invert, project, transform
from anylift_cli.geometry.flips import about_middle, steadiest
from anylift_cli.geometry.pose_path import Ease, Places, Sightings, filled_poses, fit_pose_path, moved
from anylift_cli.meshes.surface import sampled
from anylift_cli.objects.base import Anchor
from anylift_cli.objects.pnp import pose_from_points
from anylift_cli.objects.track_poses import poses_of_tracks


@pytest.fixture(scope="module")
def scene() -> BoxScene:
    return box_scene(45)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    mesh = box_mesh()
    return sampled(np.array(mesh.vertices), np.array(mesh.faces), 30)


def pixels_of(scene: BoxScene, points: np.ndarray, noise: float = 0.0) -> np.ndarray:
    exact = project(transform(scene.world_from_object, points), scene.world_from_camera, scene.K)
    return exact + np.random.default_rng(1).normal(0, noise, exact.shape)


def seen_in(scene: BoxScene, points: np.ndarray, pixels: np.ndarray, weight: np.ndarray | None = None) -> Sightings:
    weight = np.ones(pixels.shape[:2]) if weight is None else weight
    return Sightings(points, pixels, weight, invert(scene.world_from_camera), scene.K)


def disturbed(poses: np.ndarray, metres: float, radians: float) -> np.ndarray:
    rng = np.random.default_rng(2)
    return moved(poses, np.concatenate([rng.normal(0, metres, (len(poses), 3)),
                                        rng.normal(0, radians, (len(poses), 3))], 1))  # fmt: skip


def test_exact_points_give_the_exact_path(scene, points):
    start = disturbed(scene.world_from_object, 0.03, 0.1)
    free = Ease(1e6, 1e6, 1e6, 1e6)
    found = fit_pose_path(start, seen_in(scene, points, pixels_of(scene, points)), scene.times, free)
    place, turn = pose_errors(found, scene.world_from_object)
    assert place.max() < 1e-4 and turn.max() < 0.01


def test_smoothness_beats_noise_and_outliers(scene, points):
    """One pixel of noise, a fifth of the points anywhere, and a quarter of the frames with three points only."""
    rng = np.random.default_rng(3)
    pixels = pixels_of(scene, points, 1.0)
    wrong = rng.random(pixels.shape[:2]) < 0.2
    pixels[wrong] += rng.normal(0, 60, (wrong.sum(), 2))
    weight = np.ones(pixels.shape[:2])
    weight[np.ix_(rng.random(len(weight)) < 0.25, np.arange(30) >= 3)] = 0
    start = disturbed(scene.world_from_object, 0.02, 0.05)
    found = fit_pose_path(start, seen_in(scene, points, pixels, weight), scene.times)
    place, turn = pose_errors(found, scene.world_from_object)
    assert np.median(place) < 0.008 and place.max() < 0.03
    assert np.median(turn) < 0.8 and turn.max() < 3.5
    rough = fit_pose_path(start, seen_in(scene, points, pixels, weight), scene.times, Ease(1e6, 1e6, 1e6, 1e6))
    assert np.median(pose_errors(rough, scene.world_from_object)[0]) > 1.5 * np.median(place)


def test_gaps_are_bridged(scene, points):
    weight = np.ones((45, 30))
    weight[18:28] = 0
    start = scene.world_from_object.copy()
    start[18:28] = np.nan
    start = filled_poses(start, scene.times)
    assert pose_errors(start, scene.world_from_object)[0].max() < 0.06
    found = fit_pose_path(start, seen_in(scene, points, pixels_of(scene, points), weight), scene.times)
    place, turn = pose_errors(found, scene.world_from_object)
    assert place.max() < 0.03 and turn.max() < 5
    assert place[:15].max() < 0.004


def test_what_is_badly_seen_before_a_gap_does_not_run_on(scene, points):
    """It rests, four points of it are seen with a noise of 2 px, and for a second none."""
    poses = np.repeat(scene.world_from_object[:1], 45, 0)
    weight = np.zeros((45, 30))
    weight[:, :4] = 1
    weight[8:38] = 0
    pixels = project(transform(poses, points), scene.world_from_camera, scene.K)
    seen = seen_in(scene, points, pixels + np.random.default_rng(0).normal(0, 2, pixels.shape), weight)
    paths = [fit_pose_path(poses, seen, scene.times, ease) for ease in (Ease(), Ease(speed=3.0, turning=6.0))]
    calm, loose = (np.linalg.norm(np.diff(path[8:38, :3, 3], axis=0), axis=-1).sum() for path in paths)
    assert calm < 0.06 and loose > 1.5 * calm


def test_filled_poses_at_the_ends_and_halfway():
    poses = np.full((5, 4, 4), np.nan)
    poses[1] = poses[3] = np.eye(4)
    poses[3, :3, :3] = Rotation.from_rotvec([0, 0, 1.0]).as_matrix()
    poses[3, :3, 3] = 2, 0, 0
    found = filled_poses(poses, np.arange(5.0))
    assert found[0] == pytest.approx(np.eye(4)) and found[4] == pytest.approx(poses[3])
    assert found[2, :3, 3] == pytest.approx([1, 0, 0])
    assert Rotation.from_matrix(found[2, :3, :3]).as_rotvec() == pytest.approx([0, 0, 0.5])


def test_places_are_kept(scene, points):
    """A corner that must stay on the floor although the points say that it is 3 cm above."""
    raised = scene.world_from_object.copy()
    raised[:, 2, 3] += 0.03
    corner = np.tile(np.array([[0.15, 0.18, 0.0]]), (45, 1, 1))
    target = transform(scene.world_from_object, corner)
    precision = np.zeros((45, 1, 3))
    precision[..., 2] = 1e8
    pixels = project(transform(raised, points), scene.world_from_camera, scene.K)
    found = fit_pose_path(raised, seen_in(scene, points, pixels), scene.times, places=Places(corner, target, precision))
    assert np.abs(transform(found, corner)[..., 2] - target[..., 2]).max() < 0.001
    assert np.abs(transform(raised, corner)[..., 2] - target[..., 2]).min() > 0.02


def test_one_frame_and_none_seen(scene, points):
    seen = seen_in(scene, points, pixels_of(scene, points))
    one = Sightings(points, seen.points2d[:1], seen.weight[:1], seen.camera_from_world[:1], seen.K[:1])
    found = fit_pose_path(disturbed(scene.world_from_object[:1], 0.02, 0.05), one, scene.times[:1])
    assert pose_errors(found, scene.world_from_object[:1])[0].max() < 1e-4
    blind = seen_in(scene, points, np.full((45, 30, 2), np.nan), np.zeros((45, 30)))
    assert np.isfinite(fit_pose_path(scene.world_from_object, blind, scene.times)).all()


def test_pnp_is_exact_and_robust(scene, points):
    exact = pixels_of(scene, points)[20]
    found = pose_from_points(points, exact, scene.K[20])
    assert found.inliers.all() and found.error < 1e-3
    place, turn = pose_errors(found.camera_from_object[None], scene.camera_from_object[20:21])
    assert place[0] < 1e-4 and turn[0] < 0.01
    wrong = exact.copy()
    wrong[:10] += np.random.default_rng(4).normal(0, 80, (10, 2))
    found = pose_from_points(points, wrong, scene.K[20])
    assert found.inliers.sum() == 20 and not found.inliers[:10].any()
    assert pose_errors(found.camera_from_object[None], scene.camera_from_object[20:21])[0][0] < 1e-3
    assert pose_from_points(points[:3], exact[:3], scene.K[20]) is None
    assert pose_from_points(points, np.random.default_rng(5).random((30, 2)) * 300, scene.K[20]) is None


def test_of_two_poses_of_a_plane_the_near_one_is_taken(scene):
    """Points of one face, far away and noisy: both poses of the plane fit them."""
    rng = np.random.default_rng(6)
    face = np.column_stack([rng.uniform(-0.15, 0.15, 24), rng.uniform(-0.18, 0.18, 24), np.full(24, 0.32)])
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", [0.5, 0.1, 0.2]).as_matrix()
    pose[:3, 3] = 0.1, 0.1, 9.0
    camera = transform(pose, face)
    pixels = camera[:, :2] / camera[:, 2:] * 620 + [320, 180] + rng.normal(0, 0.4, (24, 2))
    mirrored = pose.copy()
    mirrored[:3, :3] = Rotation.from_euler("xyz", [-0.5, -0.1, 0.2]).as_matrix()
    near = pose_from_points(face, pixels, scene.K[0], near=pose).camera_from_object
    far = pose_from_points(face, pixels, scene.K[0], near=mirrored).camera_from_object
    assert pose_errors(near[None], pose[None])[1][0] < 15
    assert pose_errors(far[None], pose[None])[1][0] > 25


def test_tracks_of_others_become_poses(scene, points):
    pixels = pixels_of(scene, points, 0.3)
    pixels[10:14] = np.nan
    pixels[:, 5] += 40
    track = poses_of_tracks(points, pixels, scene.K, [Anchor(22, scene.camera_from_object[22])])
    known = np.isfinite(track.camera_from_object).all((1, 2))
    assert known.tolist() == [not 10 <= row < 14 for row in range(45)]
    place, turn = pose_errors(track.camera_from_object[known], scene.camera_from_object[known])
    assert place.max() < 0.02 and turn.max() < 1.5
    assert np.isnan(track.points2d[:, 5]).all() and (track.confidence[known] > 0.9).all()
    assert (track.confidence[~known] == 0).all()


def test_flips_of_a_symmetric_body_are_undone(scene):
    """Half turns about each axis, drawn at random for each frame, with two frames missing."""
    turns = Rotation.from_rotvec(np.pi * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])).as_matrix()
    middle = np.array([0, 0, 0.16])
    alike = about_middle(scene.world_from_object, turns, middle)
    assert transform(alike[7], middle[None]) == pytest.approx(
        np.tile(transform(scene.world_from_object[7:8], middle[None]), (4, 1, 1)), abs=1e-9
    )
    drawn = np.random.default_rng(7).integers(0, 4, 45)
    drawn[0] = 0
    flipped = alike[np.arange(45), drawn]
    flipped[[12, 13]] = np.nan
    candidates = about_middle(flipped, turns, middle)
    cost = np.zeros((45, 4))
    cost[0, 1:] = 1.0
    chosen = steadiest(candidates[..., :3, :3], cost)
    steady = candidates[np.arange(45), chosen]
    known = np.isfinite(steady).all((1, 2))
    assert known.sum() == 43
    place, turn = pose_errors(steady[known], scene.world_from_object[known])
    assert turn.max() < 1e-3 and place.max() < 1e-9

"""Balls: which meshes are one, where outlines put them, and following one that is thrown, bounces and is hidden."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from object_scenes import (
    BALL_RADIUS,
    IMAGE,
    BoxScene,
    artifacts_of,
    ball_mesh,
    ball_scene,
    box_mesh,
    film_ball,
    pose_errors,
)

from anylift_cli.artifacts import LiftedArtifact, ObjectsArtifact
from anylift_cli.errors import UsageError
from anylift_cli.fitting.things import smooth_path, things_of
from anylift_cli.geometry.cameras import intrinsics_matrix, project_camera, transform
from anylift_cli.meshes.balls import ball_of, centre_from_outline, outline, outline_miss
from anylift_cli.meshes.surface import cast
from anylift_cli.objects.base import ObjectFiles, ObjectOptions, Prompts
from anylift_cli.objects.disc_paths import best_path
from anylift_cli.objects.discs import Discs, find_discs
from anylift_cli.objects.stage import read_targets, run_objects

HIDDEN = slice(13, 19)
FAR = np.array([0.8, -0.4, 2.0])


def test_which_meshes_are_balls():
    def ball(mesh: trimesh.Trimesh):
        return ball_of(np.array(mesh.vertices), np.array(mesh.faces))

    holed = trimesh.creation.icosphere(radius=0.11)
    holed.update_faces(holed.triangles_center[:, 2] > -0.08)
    holed.apply_translation([1, 2, 3])
    for mesh in (ball_mesh(), trimesh.creation.uv_sphere(0.11, count=[16, 16]), holed):
        found = ball(mesh)
        assert found.radius == pytest.approx(0.11, rel=0.02)
        assert found.middle == pytest.approx([1, 2, 3] if mesh is holed else [0, 0, 0], abs=1e-3)
    bowl = trimesh.creation.icosphere(radius=0.11)
    bowl.update_faces(bowl.triangles_center[:, 2] < 0)
    for mesh in (box_mesh(), trimesh.creation.box([1, 1, 1]), trimesh.creation.cylinder(0.1, 0.2), bowl,
                 trimesh.creation.capsule(0.1, 0.1), trimesh.creation.icosahedron()):  # fmt: skip
        assert ball(mesh) is None


def test_an_outline_says_where_a_ball_is():
    K = intrinsics_matrix(900, 1280, 720)
    rim = outline(K, FAR, 0.11)
    assert centre_from_outline(rim[[0, 9, 20]], K, 0.11) == pytest.approx(FAR, abs=1e-9)
    assert np.abs(outline_miss(rim, K, FAR, 0.11)).max() < 1e-6
    grown = rim + 2 * (rim - rim.mean(0)) / np.linalg.norm(rim - rim.mean(0), axis=1, keepdims=True)
    assert outline_miss(grown, K, FAR, 0.11) == pytest.approx(np.full(len(rim), 2), rel=0.25)
    assert centre_from_outline(np.array([[0, 0], [10, 10], [20, 20.0]]), K, 0.11) is None


def test_discs_stand_out():
    rows, columns = np.mgrid[:200, :300] + 0.5
    likeness = np.full((200, 300), 0.1, np.float32)
    likeness[np.hypot(columns - 100.3, rows - 80.6) < 20] = 0.9
    likeness[120:124, :] = 0.9
    likeness[50:70, 220:270] = 0.9
    found = find_discs(likeness, 18.0)
    assert found.places[0] == pytest.approx([100.3, 80.6, 20], abs=0.3) and found.score[0] > 0.9
    assert len(found.score) > 1 and (found.score[1:] < 0.55).all()


def test_the_path_follows_what_moves_and_skips_what_is_hidden():
    """A ball moves to the right; a disc with a better score appears far away in one frame only."""
    frames = [Discs(np.array([[10.0 * row, 50, 10], [400, 50, 10]]), np.array([0.8, 0.0])) for row in range(12)]
    frames[5] = Discs(np.array([[400.0, 50, 10]]), np.array([0.95]))
    frames[6] = Discs(np.zeros((0, 3)), np.zeros(0))
    path = best_path(frames, np.arange(12) / 30, {0: 0})
    assert path.tolist() == [0] * 5 + [-1, -1] + [0] * 5


@pytest.fixture(scope="module")
def scene() -> BoxScene:
    return ball_scene()


@pytest.fixture(scope="module")
def filmed(scene, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ball")
    film_ball(scene, folder / "video.mp4", hidden=HIDDEN)
    ball_mesh().export(folder / "ball.obj")
    rim = outline(scene.K[0], scene.camera_from_object[0, :3, 3], BALL_RADIUS, 6)
    rim += np.random.default_rng(0).normal(0, 0.5, rim.shape)
    (folder / "points.json").write_text(json.dumps({"ball": {"frame": 0, "pixels": rim.tolist()}}))
    return folder


@pytest.fixture(scope="module")
def followed(scene, filmed) -> ObjectsArtifact:
    prompts = Prompts((ObjectFiles(filmed / "ball.obj"),), filmed / "points.json")
    return run_objects(filmed / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions())


def test_a_thrown_ball_is_followed(scene, followed):
    found = followed.confidence[0] > 0
    hidden = np.zeros(len(found), bool)
    hidden[HIDDEN] = True
    assert not found[hidden].any() and np.isnan(followed.camera_from_object[0][hidden]).all()
    assert found[~hidden].mean() > 0.95 and np.median(followed.confidence[0][~hidden]) > 0.9
    ours, true = followed.camera_from_object[0][found, :3, 3], scene.camera_from_object[found, :3, 3]
    pixels = np.linalg.norm(project_camera(ours, scene.K[0]) - project_camera(true, scene.K[0]), axis=1)
    assert np.median(pixels) < 0.4 and pixels.max() < 1
    distance = np.abs(np.linalg.norm(ours, axis=1) / np.linalg.norm(true, axis=1) - 1)
    assert np.median(distance) < 0.015 and distance.max() < 0.03
    assert "discs" in followed.meta["tracker"] and len(followed.symmetries_of(0)) == 24


def test_a_ball_keeps_its_orientation_in_the_world(scene, followed):
    """How it spins cannot be seen."""
    found = followed.confidence[0] > 0
    world = scene.world_from_camera[found, :3, :3] @ followed.camera_from_object[0][found, :3, :3]
    assert np.abs(world - world[0]).max() < 1e-6


def test_a_bounce_is_not_smoothed_away(scene, followed):
    (thing,) = things_of(followed)
    frames = len(scene.times)
    lifted = LiftedArtifact(
        joints=np.zeros((1, frames, 24, 3)), joint_std=np.ones((1, frames, 24)), present=np.zeros((1, frames), bool),
        world_from_camera=scene.world_from_camera, K=scene.K, timestamps=scene.times,
    )  # fmt: skip
    height = smooth_path(thing, lifted)[:, 2, 3]
    true = scene.world_from_object[:, 2, 3]
    seen = followed.confidence[0] > 0
    assert thing.is_ball and np.abs(height - true)[seen].max() < 0.06
    assert np.abs(height.argmin() - true.argmin()) <= 1


def test_only_balls_are_looked_for_by_their_discs(scene, filmed, tmp_path):
    box_mesh().export(tmp_path / "box.obj")
    (tmp_path / "points.json").write_text(
        json.dumps({"box": {"camera_from_object": scene.camera_from_object[0].tolist()}})
    )
    prompts = Prompts((ObjectFiles(tmp_path / "box.obj"),), tmp_path / "points.json")
    with pytest.raises(UsageError, match="'box' is no ball"):
        run_objects(filmed / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions("ball"))
    (tmp_path / "points.json").write_text(json.dumps({"ball": {"pixels": [[1, 2], [3, 4]]}}))
    ball = Prompts((ObjectFiles(filmed / "ball.obj"),), tmp_path / "points.json")
    with pytest.raises(UsageError, match="2 pixels are too few"):
        read_targets(ball, scene.K, np.arange(3))
    (tmp_path / "points.json").write_text(json.dumps({"ball": {"pixels": [[0, 0], [100, 300], [600, 20], [9, 300]]}}))
    with pytest.raises(UsageError, match="no pose of the mesh explains"):
        read_targets(ball, scene.K, np.arange(3))


def test_tracks_of_delta_are_for_what_is_no_ball(scene, filmed, tmp_path):
    """A box goes where the ball goes, by a file of tracks; the ball is still followed by its discs."""
    box = box_mesh()
    box.export(tmp_path / "box.obj")
    grid = np.stack(np.meshgrid(*(np.arange(1.5, side, 3) for side in IMAGE)), -1).reshape(-1, 2)
    points, face = cast(np.array(box.vertices), np.array(box.faces), scene.camera_from_object[0], scene.K[0], grid)
    pixels = project_camera(transform(scene.camera_from_object, points[face >= 0]), scene.K)
    with open(tmp_path / "tracks.pkl", "wb") as stream:
        pickle.dump({"coords": pixels - 0.5, "vis": np.ones(pixels.shape[:2], bool)}, stream)
    placed = json.loads((filmed / "points.json").read_text())
    placed["box"] = {"camera_from_object": scene.camera_from_object[0].tolist()}
    (tmp_path / "points.json").write_text(json.dumps(placed))
    files = ObjectFiles(tmp_path / "box.obj"), ObjectFiles(filmed / "ball.obj")
    prompts = Prompts(files, tmp_path / "points.json", tmp_path / "tracks.pkl")
    found = run_objects(filmed / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions(others="delta"))
    assert found.meta["tracker"].startswith("DELTA tracks; balls by discs")
    place, turn = pose_errors(found.camera_from_object[0], scene.camera_from_object)
    assert place.max() < 2e-3 and turn.max() < 0.2
    seen = found.confidence[1] > 0
    assert not seen[HIDDEN].any() and seen.sum() > 35
    off = found.camera_from_object[1][seen, :3, 3] - scene.camera_from_object[seen, :3, 3]
    assert np.median(np.linalg.norm(off, axis=1)) < 0.06


def test_a_ball_that_leaves_the_picture_is_unsure(scene, filmed, tmp_path):
    """The camera looks elsewhere from frame 20 on: the ball is not found there."""
    away = replace(scene, K=scene.K.copy())
    away.K[20:, 0, 2] += 2 * IMAGE[0]
    film_ball(away, tmp_path / "video.mp4")
    prompts = Prompts((ObjectFiles(filmed / "ball.obj"),), filmed / "points.json")
    found = run_objects(tmp_path / "video.mp4", *artifacts_of(away), prompts, ObjectOptions())
    assert (found.confidence[0, :20] > 0.5).mean() > 0.9 and not (found.confidence[0, 20:] > 0).any()

"""Objects that are hard to follow: hidden for seconds, out of the picture, of very many faces, of two kinds at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from object_scenes import (
    BALL_RADIUS,
    IMAGE,
    BoxScene,
    artifacts_of,
    ball_mesh,
    box_mesh,
    box_scene,
    clicks,
    film_box,
    pose_errors,
)

from anylift_cli.artifacts import ObjectsArtifact
from anylift_cli.errors import UsageError
from anylift_cli.geometry.cameras import invert
from anylift_cli.meshes.balls import outline
from anylift_cli.objects.base import ObjectFiles, ObjectOptions, Prompts
from anylift_cli.objects.stage import run_objects
from anylift_cli.rendering.mesh import draw_mesh
from anylift_cli.video import VideoWriter, read_frames


def follow(scene: BoxScene, video: Path, entries: dict, *files: ObjectFiles) -> ObjectsArtifact:
    points = video.with_suffix(".json")
    points.write_text(json.dumps(entries))
    return run_objects(video, *artifacts_of(scene), Prompts(files, points), ObjectOptions())


def known(found: ObjectsArtifact, number: int = 0) -> np.ndarray:
    return np.isfinite(found.camera_from_object[number]).all((1, 2))


@pytest.fixture
def box_file(tmp_path) -> ObjectFiles:
    box_mesh().export(tmp_path / "box.obj")
    return ObjectFiles(tmp_path / "box.obj")


def test_hidden_for_three_seconds(box_file, tmp_path):
    """Another click after it saves the search; without one the box is recognised by what it looked like."""
    scene, hidden = box_scene(40, fps=10), slice(6, 36)
    video = film_box(scene, tmp_path / "video.mp4", hidden=hidden)
    for entries, least in ((clicks(scene), 1), ([clicks(scene), clicks(scene, 37)], 3)):
        found = follow(scene, video, {"box": entries}, box_file)
        assert not known(found)[hidden].any() and (found.confidence[0, hidden] == 0).all()
        assert known(found)[:6].all() and known(found)[36:].sum() >= least
        place, turn = pose_errors(found.camera_from_object[0][known(found)], scene.camera_from_object[known(found)])
        assert place.max() < 0.05 and turn.max() < 6


def test_out_of_the_picture_and_back(box_file, tmp_path):
    """The camera looks past the box for ten frames."""
    scene = box_scene(32)
    K = scene.K.copy()
    K[12:22, 0, 2] += 1.5 * IMAGE[0]
    away = replace(scene, K=K)
    found = follow(away, film_box(away, tmp_path / "video.mp4"), {"box": clicks(scene)}, box_file)
    assert known(found)[:12].all() and not known(found)[12:22].any() and known(found)[25:].all()
    place, turn = pose_errors(found.camera_from_object[0][known(found)], scene.camera_from_object[known(found)])
    assert place.max() < 0.05 and turn.max() < 6


def test_partly_out_of_the_picture(box_file, tmp_path):
    scene = box_scene(16)
    K = scene.K.copy()
    K[:, 0, 2] += np.linspace(0, 0.42, 16) * IMAGE[0]
    edge = replace(scene, K=K)
    found = follow(edge, film_box(edge, tmp_path / "video.mp4"), {"box": clicks(edge)}, box_file)
    place, _ = pose_errors(found.camera_from_object[0][known(found)], scene.camera_from_object[known(found)])
    assert known(found)[:12].all() and place.max() < 0.08


def test_hundred_thousand_faces_open_and_in_inches(tmp_path):
    scene = box_scene(5)
    fine = box_mesh()
    while len(fine.faces) < 100_000:
        fine = fine.subdivide()
    fine.update_faces(fine.triangles_center[:, 2] > 1e-3)
    fine.apply_scale(1 / 0.0254)
    fine.export(tmp_path / "fine.ply")
    assert len(fine.faces) > 100_000 and not fine.is_watertight
    entry = clicks(scene)
    entry["points"] = (np.array(entry["points"]) / 0.0254).tolist()
    video = film_box(scene, tmp_path / "video.mp4")
    found = follow(scene, video, {"fine": entry}, ObjectFiles(tmp_path / "fine.ply", 0.36))
    place, turn = pose_errors(found.camera_from_object[0], scene.camera_from_object)
    assert place.max() < 0.02 and turn.max() < 2 and found.meta["units"]["fine"] == pytest.approx(0.0254)
    with pytest.raises(UsageError, match="which are not metres"):
        follow(scene, video, {"fine": entry}, ObjectFiles(tmp_path / "fine.ply"))


def test_a_box_and_a_ball_at_once(box_file, tmp_path):
    """Each is followed in its own way, in the order in which they were named."""
    scene = box_scene(14)
    ball = np.tile(np.eye(4), (14, 1, 1))
    ball[:, :3, 3] = np.stack([-0.5 + 0.9 * scene.times, 0.2 + 0 * scene.times, 0.9 + 0.4 * scene.times], -1)
    centres = (invert(scene.world_from_camera) @ ball)[:, :3, 3]
    mesh = ball_mesh()
    mesh.export(tmp_path / "ball.obj")
    film_box(scene, tmp_path / "box.mp4")
    with VideoWriter(tmp_path / "video.mp4", *IMAGE, 30.0) as video:
        for row, frame in enumerate(read_frames(tmp_path / "box.mp4")):
            world = mesh.vertices + ball[row, :3, 3]
            view = scene.world_from_camera[row], scene.K[row]
            video.write(draw_mesh(frame.image.copy(), world, mesh.faces, *view, (40, 70, 210)))
    rim = outline(scene.K[0], centres[0], BALL_RADIUS, 6).tolist()
    entries = {"box": clicks(scene), "ball": {"pixels": rim}}
    found = follow(scene, tmp_path / "video.mp4", entries, ObjectFiles(tmp_path / "ball.obj"), box_file)
    assert found.names.tolist() == ["ball", "box"] and len(found.symmetries_of(0)) > len(found.symmetries_of(1)) == 4
    assert np.linalg.norm(found.camera_from_object[0, :, :3, 3] - centres, axis=1).max() < 0.12
    place, turn = pose_errors(found.camera_from_object[1], scene.camera_from_object)
    assert place.max() < 0.04 and turn.max() < 5


def test_what_never_appears_is_asked_for(box_file, tmp_path):
    scene = box_scene(3)
    with pytest.raises(UsageError, match="nobody said where 'box' is") as error:
        follow(scene, film_box(scene, tmp_path / "video.mp4"), {}, box_file)
    assert "--points" in error.value.hint

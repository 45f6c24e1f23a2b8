"""Objects on the command line: from the pixels of a small scene to every file that shows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from typer.testing import CliRunner

from anylift_cli.app import app
from anylift_cli.artifacts import MotionArtifact, ObjectsArtifact
from anylift_cli.body.skeleton import J
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import transform
from anylift_cli.meshes.simplify import simplified
from anylift_cli.meshes.surface import Surface, sampled
from anylift_cli.synthetic.props import box_mesh
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_scene
from anylift_cli.video import probe, read_frames_at

SPEC = SceneSpec("carry_still", "carry", "still", seconds=3.0, fps=10, width=640, height=360, seed=7)
MIDDLE = np.array([[0, 0, 0.16]])


@pytest.fixture
def run(tmp_path, monkeypatch) -> Callable[..., dict]:
    """Runs the command line in this process, in `tmp_path`; gives what it prints with --json."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> dict:
        done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
        return json.loads(done.stdout)

    return call


@pytest.fixture(scope="module")
def carried(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("carry")
    write_scene(build_scene(SPEC), folder)
    return folder


def test_scenes_come_with_meshes_and_clicks(carried):
    clicks = json.loads((carried / "points.json").read_text())
    (entry,) = clicks["box"]
    assert len(entry["points"]) in (6, 7) and len(entry["pixels"]) == len(entry["points"])
    scene = build_scene(SPEC)
    vertices, faces = box_mesh(scene.boxes[0])
    assert np.ptp(vertices, axis=0) == pytest.approx(scene.boxes[0].size) and vertices[:, 2].min() == 0
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    outward = (np.cross(b - a, c - a) * ((a + b + c) / 3 - MIDDLE)).sum(-1)
    assert (outward > 0).all()


@pytest.mark.slow
def test_a_box_is_carried_through_the_chain(run: Callable, carried, tmp_path):
    arguments = (
        "run", carried / "video.mp4", "--out", "hoi.npz", "--object", carried / "box.obj",
        "--points", carried / "points.json", "--overlay", "hoi.mp4", "--report", "hoi.html", "--glb", "hoi.glb",
    )  # fmt: skip
    steps = [step["step"] for step in run(*arguments)["shots"][0]["steps"]]
    assert steps[:5] == ["keypoints", "cameras", "objects", "lift", "fit"]

    motion, truth = MotionArtifact.load(tmp_path / "hoi.npz"), MotionArtifact.load(carried / "motion.npz")
    assert motion.object_names.tolist() == ["box"] and motion.object_confidence.shape == (1, len(motion.poses))
    rows = motion.frame_index
    ours = transform(motion.world_from_object[0], MIDDLE)[:, 0] - motion.joints[:, 0]
    theirs = (transform(truth.world_from_object[0], MIDDLE)[:, 0] - truth.joints[:, 0])[rows]
    assert np.median(np.abs(np.linalg.norm(ours, axis=1) - np.linalg.norm(theirs, axis=1))) < 0.10
    held = rows >= 17
    surface = Surface(*box_mesh(build_scene(SPEC).boxes[0]))
    hands = motion.joints[held][:, [J["left_hand"], J["right_hand"]]].astype(float)
    inverse = np.linalg.inv(motion.world_from_object[0][held])
    gap = np.abs(surface.nearest(transform(inverse, hands).reshape(-1, 3))[1])
    assert np.median(gap) < 0.04
    figures = motion.meta["objects"]["box"]
    assert figures["hand_gap_mm"] < 10 and max(figures["held_seconds"].values()) > 0.8

    names = [node.name for node in pygltflib.GLTF2().load(str(tmp_path / "hoi.glb")).nodes]
    assert "box" in names
    assert '"props": [{"name": "box"}]' in (tmp_path / "hoi.html").read_text()
    frame = next(read_frames_at(tmp_path / "hoi.mp4", [15])).image.astype(int)
    left = frame[: round(frame.shape[0] * 0.9), : round(frame.shape[1] * 0.6)]
    yellow = (left[..., 0] > 110) & (left[..., 1] > 80) & (left[..., 2] < 0.6 * left[..., 0])
    assert yellow.sum() > 400 and probe(tmp_path / "hoi.mp4").frame_count == probe(carried / "video.mp4").frame_count

    again = run(*arguments)["shots"][0]["steps"]
    assert all(step["reused"] for step in again)
    apart = run(*arguments[:8], "--contacts", "none")["shots"][0]["steps"]
    assert {step["step"]: step["why"] for step in apart if not step["reused"]}["fit"] == (
        "option contacts changed: ['hands', 'body', 'floor'] → []"
    )
    assert [step["step"] for step in apart if step["reused"]][:4] == ["keypoints", "cameras", "objects", "lift"]


def test_one_stage_at_a_time(run: Callable, carried, tmp_path):
    (tmp_path / "points.json").write_text((carried / "points.json").read_text())
    files = carried / "video.mp4", carried / "keypoints.npz", carried / "cameras.npz"
    arguments = "objects", *files, "--object", carried / "box.obj", "--points", "points.json"
    first = run(*arguments)
    assert not first["reused"] and Path(first["file"]).name == "objects.npz"
    assert run(*arguments)["reused"]
    clicks = json.loads((tmp_path / "points.json").read_text())
    clicks["box"][0]["pixels"][0][0] += 0.5
    (tmp_path / "points.json").write_text(json.dumps(clicks))
    changed = run(*arguments)
    assert changed["why"] == "input prompts changed"
    objects = ObjectsArtifact.load(tmp_path / "objects.npz")
    truth = MotionArtifact.load(carried / "motion.npz")
    camera = np.linalg.inv(truth.world_from_camera) @ truth.world_from_object[0]
    known = np.isfinite(objects.camera_from_object[0]).all((1, 2))
    assert known[:15].all()
    miss = transform(objects.camera_from_object[0][known], MIDDLE) - transform(camera[known], MIDDLE)
    assert np.median(np.linalg.norm(miss, axis=-1)) < 0.15


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--points", "points.json"), "none was named"),
        (("--object", "box.obj", "--object-size", "1", "--object-size", "2"), "1 --object and 2 --object-size"),
        (("--object", "box.obj"), r"box\.obj does not exist"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(carried, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        CliRunner().invoke(app, ["run", str(carried / "video.mp4"), *options], catch_exceptions=False)
    assert not list(tmp_path.iterdir())


def test_unknown_trackers_are_refused(carried, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--object", str(carried / "box.obj"), "--object-tracker", "magic"]
    with pytest.raises(AnyliftError, match="unknown objects backend 'magic'"):
        CliRunner().invoke(app, ["run", str(carried / "video.mp4"), *options], catch_exceptions=False)


def test_coarser_meshes_keep_their_shape():
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.5)
    vertices, faces = simplified(np.array(ball.vertices), np.array(ball.faces), 2000)
    assert 300 < len(faces) <= 2000
    off = np.linalg.norm(sampled(vertices, faces, 500), axis=-1) - 0.5
    assert np.abs(off).max() < 0.03
    same = simplified(np.array(ball.vertices), np.array(ball.faces), 10**6)
    assert len(same[1]) == len(ball.faces)

"""Two objects at once in everything that shows objects: each with its own mesh, on its own path."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from export_takes import TETRAHEDRON
from importers.gltf import GltfScene
from importers.ufbx_reader import read_with_ufbx
from motions import keypoints_of, walking
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.export.base import exporter
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.geometry.cameras import project, transform
from anylift_cli.report.html import ReportSources, report_page
from anylift_cli.report.overlay import MIN_HEIGHT, render_overlay
from anylift_cli.video import VideoWriter, read_frames

FRAMES, FPS, SIZE = 6, 30.0, (320, 240)
GREY = 128
_BALL = trimesh.creation.icosphere(subdivisions=1, radius=0.15)
MESHES = {"wedge": TETRAHEDRON, "ball": (np.array(_BALL.vertices), np.array(_BALL.faces))}


@pytest.fixture(scope="module")
def motion(body) -> MotionArtifact:
    """A walk; on its right a wedge rises and turns, on its left a ball comes nearer, last seen in frame 3."""
    share = np.linspace(0, 1, FRAMES)
    poses = np.tile(np.eye(4), (2, FRAMES, 1, 1))
    poses[0, :, :3, :3] = Rotation.from_rotvec(share[:, None] * [0.3, 0.2, 1.5]).as_matrix()
    poses[0, :, :3, 3] = np.stack([0 * share, -0.9 + 0 * share, 0.4 + share], -1)
    poses[1, :, :3, 3] = np.stack([share, 1.0 + 0.2 * share, 1.3 - 0.5 * share], -1)
    confidence = np.ones((2, FRAMES))
    confidence[1, 4:] = 0
    return replace(
        walking(body, FRAMES, fps=FPS, image_size=SIZE),
        object_names=np.array(list(MESHES)), world_from_object=poses, object_confidence=confidence,
        object_scale=np.ones(2),
    )  # fmt: skip


def truth(motion: MotionArtifact, name: str) -> np.ndarray:
    """World vertices (T, V, 3) of an object, z up, m."""
    return transform(motion.world_from_object[list(MESHES).index(name)], MESHES[name][0])


def take_of(motion: MotionArtifact) -> Take:
    return Take((motion,), ("walker",), ExportOptions(metres_per_unit=1.0), MESHES)


def test_gltf_has_both(motion, tmp_path):
    scene = GltfScene(exporter("glb").write(take_of(motion), tmp_path / "two.glb"))
    worlds = scene.worlds(np.arange(FRAMES) / FPS)
    for name in MESHES:
        node = scene.node(name)
        shown = transform(worlds[:, node], scene.attributes(node)["POSITION"].astype(float))
        z_up = np.stack([shown[..., 0], -shown[..., 2], shown[..., 1]], -1)
        np.testing.assert_allclose(z_up, truth(motion, name), atol=1e-5)
        np.testing.assert_array_equal(scene.attributes(node)["indices"], MESHES[name][1])


def test_fbx_has_both(motion, tmp_path):
    seen = read_with_ufbx(exporter("fbx").write(take_of(motion), tmp_path / "two.fbx"), FPS, FRAMES)
    for name in MESHES:
        shown = transform(seen.poses[name], seen.vertices[name])
        np.testing.assert_allclose(shown, truth(motion, name), atol=1e-4)


def test_usd_has_both(motion, tmp_path):
    pytest.importorskip("pxr", reason="usd-core is not installed (pip install usd-core)")
    from importers.usd import UsdScene
    from pxr import UsdGeom

    scene = UsdScene(exporter("usd").write(take_of(motion), tmp_path / "two.usdc"))
    for name in MESHES:
        mesh = scene.prim(name).GetChild(f"{name}_mesh")
        local = np.array(UsdGeom.Mesh(mesh).GetPointsAttr().Get(), float)
        shown = np.stack([transform(scene.pose(mesh, frame), local) for frame in range(FRAMES)])
        np.testing.assert_allclose(scene.metric(shown), truth(motion, name), atol=1e-5)


def test_holosoma_has_both(motion, tmp_path):
    with np.load(exporter("holosoma").write(take_of(motion), tmp_path / "two.npz")) as stored:
        assert stored["object_names"].tolist() == list(MESHES)
        for name, pose in zip(("object_poses", "object_poses_2"), motion.world_from_object, strict=True):
            np.testing.assert_allclose(stored[name][:, 4:], pose[:, :3, 3], atol=1e-6)
            turn = Rotation.from_quat(stored[name][:, [1, 2, 3, 0]]).as_matrix()
            np.testing.assert_allclose(turn, pose[:, :3, :3], atol=1e-6)


def test_the_motion_file_has_both(motion, tmp_path):
    again = MotionArtifact.load(motion.save(tmp_path / "motion.npz"))
    assert again.object_names.tolist() == list(MESHES)
    np.testing.assert_array_equal(again.world_from_object, motion.world_from_object)
    np.testing.assert_array_equal(again.object_confidence, motion.object_confidence.astype(np.float32))


def test_the_report_has_both(motion):
    page = report_page(ReportSources(take_of(motion), "two"))
    blocks = dict(re.findall(r'<script type="[^"]*" id="([^"]*)">(.*?)</script>', page, re.S))
    facts = json.loads(blocks["report-data"])
    assert [prop["name"] for prop in facts["scene"]["props"]] == list(MESHES)
    data = gzip.decompress(base64.b64decode(blocks["array-data"]))
    for number, name in enumerate(MESHES):
        spec = facts["arrays"][f"prop{number}.vertices"]
        stored = np.frombuffer(data, spec["type"], int(np.prod(spec["shape"])), spec["offset"]).reshape(spec["shape"])
        np.testing.assert_allclose(stored, MESHES[name][0], atol=1e-6)
        spec = facts["arrays"][f"prop{number}.pose.position"]
        place = np.frombuffer(data, spec["type"], int(np.prod(spec["shape"])), spec["offset"]).reshape(spec["shape"])
        true = motion.world_from_object[number, :, :3, 3]
        np.testing.assert_allclose(np.stack([place[:, 0], -place[:, 2], place[:, 1]], -1), true, atol=1e-5)


def test_the_overlay_shows_both_and_pales_the_one_that_is_hidden(motion, body, tmp_path):
    video = tmp_path / "grey.mp4"
    with VideoWriter(video, *SIZE, FPS) as writer:
        for time in motion.timestamps:
            writer.write(np.full((SIZE[1], SIZE[0], 3), GREY, np.uint8), time)
    keypoints = keypoints_of(motion, body)
    keypoints.confidence[:] = 0
    frames = list(read_frames(render_overlay(video, [motion], keypoints, tmp_path / "overlay.mp4", meshes=MESHES)))
    scale = MIN_HEIGHT / SIZE[1]
    for number, name in enumerate(MESHES):
        middle = truth(motion, name).mean(1)
        places = project(middle[:, None], motion.world_from_camera, motion.K)[:, 0] * scale
        yellow = []
        for (x, y), frame in zip(np.round(places).astype(int), frames, strict=True):
            red, _, blue = frame.image[y - 2 : y + 3, x - 2 : x + 3].astype(int).mean((0, 1))
            yellow.append(red - blue)
        seen = motion.object_confidence[number] > 0
        assert min(np.array(yellow)[seen]) > 35, (name, yellow)
        assert all(8 < one < 0.6 * min(np.array(yellow)[seen]) for one in np.array(yellow)[~seen]), (name, yellow)

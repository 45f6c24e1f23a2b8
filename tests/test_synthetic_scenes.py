"""Scenes: the truth agrees with itself, with the pixels, and with what is written."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.errors import UsageError
from anylift_cli.geometry.cameras import intrinsics_matrix, look_at, project, rays
from anylift_cli.synthetic.pixels import render_scene
from anylift_cli.synthetic.room import Surface, draw_shadow, draw_surface
from anylift_cli.synthetic.scene import SCENES, SceneSpec, build_scene, scene_spec
from anylift_cli.synthetic.writing import synthesize, true_keypoints, true_motion
from anylift_cli.video import probe, read_frames

BODY = BodyModel.load("open")
SMALL = SceneSpec("small", "squat", "pan", seconds=1.0, fps=6, width=480, height=270, seed=3)


@pytest.fixture(scope="module")
def scenes():
    return {name: build_scene(replace(spec, fps=10), BODY) for name, spec in SCENES.items()}


def frames_of(scene, chosen) -> list[np.ndarray]:
    """Rendered frames of a scene cut down to the chosen ones."""
    per_frame = ("pose", "transl", "joints", "keypoints3d", "world_from_camera", "K", "foot_contact", "time")
    boxes = [replace(box, world_from_box=box.world_from_box[chosen]) for box in scene.boxes]
    return list(render_scene(replace(scene, boxes=boxes, **{name: getattr(scene, name)[chosen] for name in per_frame})))


def test_scenes_cover_every_kind_of_camera():
    cameras = [spec.camera for spec in SCENES.values()]
    assert len(SCENES) >= 10
    for kind in ("still", "pan", "zoom"):
        assert cameras.count(kind) >= 2
    assert sum(camera in ("dolly", "orbit", "handheld") for camera in cameras) >= 2


@pytest.mark.parametrize("name", SCENES)
def test_truth_of_a_scene(scenes, name: str):
    scene = scenes[name]
    assert scene.joints[0, 0, :2] == pytest.approx([0, 0], abs=1e-6)
    shape = (scene.spec.width, scene.spec.height)
    for points in (scene.joints, scene.keypoints3d):
        pixels = project(points, scene.world_from_camera, scene.K) / shape
        assert pixels.min() > 0 and pixels.max() < 1
    extent = np.ptp(project(scene.joints, scene.world_from_camera, scene.K)[..., 1], axis=1) / scene.spec.height
    assert 0.35 < np.percentile(extent, 90) < 0.85

    centre = scene.world_from_camera[:, :3, 3]
    forward = scene.world_from_camera[:, :3, 2]
    turn = np.rad2deg(np.arccos(np.clip(forward @ forward[0], -1, 1))).max()
    focal = scene.K[:, 0, 0]
    assert centre[:, 2].min() > 1.0 and centre[:, 2].max() < 1.9
    assert np.abs(centre[:, :2] - scene.room_offset).max() < 7.8
    if scene.camera_motion == "still":
        assert np.ptp(scene.world_from_camera, axis=0).max() == 0 and np.ptp(focal) == 0
    elif scene.camera_motion == "rotating":
        assert np.ptp(centre, axis=0).max() < 1e-9
        assert turn > 3
        assert (np.ptp(focal) / focal[0] > 0.3) == (scene.spec.camera == "zoom")
    else:
        assert np.linalg.norm(centre - centre[0], axis=-1).max() > 0.8


def test_same_spec_same_scene_other_seed_another():
    first, again, other = (build_scene(spec, BODY) for spec in (SMALL, SMALL, replace(SMALL, seed=4)))
    assert np.array_equal(first.joints, again.joints) and np.array_equal(first.K, again.K)
    assert not np.allclose(first.betas, other.betas)
    image, same = (next(render_scene(scene)) for scene in (first, again))
    assert np.array_equal(image, same)
    assert not np.array_equal(image, next(render_scene(other)))


@pytest.mark.parametrize("name", ["cartwheel_pan", "dance_orbit"])
def test_projected_points_land_on_the_rendered_person(scenes, name: str):
    scene = scenes[name]
    chosen = np.array([0, 12, 20])
    nobody = replace(scene, transl=scene.transl + np.array([0, 0, 500.0]))
    for frame, image, empty in zip(chosen, frames_of(scene, chosen), frames_of(nobody, chosen), strict=True):
        person = cv2.dilate(np.ptp([image, empty], axis=0).max(-1), np.ones((5, 5))) > 8
        pixels = project(scene.keypoints3d[frame], scene.world_from_camera[frame], scene.K[frame])
        x, y = pixels.astype(int).T
        assert person[y, x].mean() > 0.9
        rows, columns = np.nonzero(person)
        box = true_keypoints(scene).boxes[0, frame]
        assert [columns.min(), rows.min(), columns.max(), rows.max()] == pytest.approx(box, abs=5)


def test_motion_file_gives_the_joints_back(scenes):
    scene = scenes["carry_pan"]
    motion = true_motion(scene)
    body = body_of(motion)
    with torch.no_grad():
        points = body.joints(pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans))
    assert points.joints.numpy() == pytest.approx(motion.joints, abs=2e-4)
    assert motion.object_names.tolist() == ["box"]
    assert motion.height == pytest.approx(float(body.standing_height(shape_of(motion, body))))


def test_written_scene_reads_back(tmp_path):
    paths = synthesize(SMALL, tmp_path / "a scene")
    scene = build_scene(SMALL, BODY)
    keypoints = KeypointsArtifact.load(paths["keypoints"])
    cameras = CamerasArtifact.load(paths["cameras"])
    motion = MotionArtifact.load(paths["motion"])
    assert keypoints.keypoints[0] == pytest.approx(
        project(motion_points(motion), cameras.world_from_camera, cameras.K), abs=0.1
    )
    assert cameras.meta["motion"] == "rotating" and cameras.meta["scale"] == "metric"
    info = probe(paths["video"])
    assert (info.width, info.height) == (SMALL.width, SMALL.height)
    frames = list(read_frames(paths["video"]))
    assert [frame.time for frame in frames] == pytest.approx(cameras.timestamps, abs=1e-3)
    error = np.abs(frames[0].image.astype(float) - next(render_scene(scene)))
    assert error.mean() < 6


def motion_points(motion: MotionArtifact) -> np.ndarray:
    body = body_of(motion)
    with torch.no_grad():
        points = body.joints(pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans))
    return points.keypoints.double().numpy()


def test_unknown_scene_names_the_choices():
    with pytest.raises(UsageError, match="unknown scene 'swim_still'") as error:
        scene_spec("swim_still")
    assert "squat_still" in error.value.hint
    with pytest.raises(UsageError):
        build_scene(SceneSpec("x", "walk", "drone"), BODY)
    assert scene_spec("jog_orbit").camera == "orbit"


@pytest.mark.parametrize("distance", [2.0, 6.0, 11.0])
def test_texture_is_where_the_rays_hit_near_and_far(distance: float):
    squares = np.kron(np.indices((8, 8)).sum(0) % 2, np.full((75, 75), 255))[..., None].repeat(3, -1)
    floor = Surface.textured(
        np.array([-2.0, 2.0, 0]), np.array([4.0, 0, 0]), np.array([0, -4.0, 0]), squares.astype(np.uint8)
    )
    width, height, samples = 320, 180, 6
    camera, intrinsics = look_at((distance, 0.3, 1.5), (0.0, 0.0, 0.0)), intrinsics_matrix(300.0, width, height)
    image, inverse_depth = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.float32)
    draw_surface(image, inverse_depth, floor, camera, intrinsics)

    y, x = (np.indices((samples * height, samples * width)) + 0.5) / samples
    directions = rays(np.stack([x, y], -1), intrinsics)
    directions = directions @ camera[:3, :2].T + camera[:3, 2]
    depth = np.where(directions[..., 2] < -1e-9, -camera[2, 3] / directions[..., 2], np.inf)
    hit = np.nan_to_num(camera[:2, 3] + depth[..., None] * directions[..., :2], nan=99, posinf=99, neginf=99)
    on_floor = np.abs(hit).max(-1) < 2
    exact = 255.0 * (on_floor & (np.floor(hit * 2).sum(-1) % 2 == 0))
    exact = exact.reshape(height, samples, width, samples).mean((1, 3)).astype(np.float32)
    drawn = image[..., 0].astype(np.float32)
    assert np.abs(drawn - exact).mean() < 4
    inner = np.s_[height // 3 :, width // 4 : -width // 4]
    slopes = np.stack([slope[inner].ravel() for slope in np.gradient(cv2.GaussianBlur(exact, (0, 0), 1.0))], -1)
    difference = cv2.GaussianBlur(exact - drawn, (0, 0), 1.0)[inner].ravel()
    assert np.abs(np.linalg.lstsq(slopes, difference, rcond=None)[0]).max() < 0.05
    nearness = np.where(on_floor, 1 / depth, 0).reshape(height, samples, width, samples).mean((1, 3))
    assert inverse_depth[height // 2, width // 2] == pytest.approx(nearness[height // 2, width // 2], rel=1e-4)


def test_surfaces_have_one_side_and_respect_depth():
    camera, intrinsics = look_at((4.0, 0, 1.0), (0.0, 0, 1.0)), intrinsics_matrix(300.0, 320, 180)
    sheet = [np.full((32, 32, 3), value, np.uint8) for value in (60, 220)]
    wall = Surface.textured(np.array([0.0, -1, 2]), np.array([0, 2.0, 0]), np.array([0, 0, -2.0]), sheet[0])
    near = Surface.textured(np.array([1.0, -0.3, 1.3]), np.array([0, 0.6, 0]), np.array([0, 0, -0.6]), sheet[1])
    back = Surface.textured(wall.corner + wall.right, -wall.right, wall.down, sheet[1])
    image, inverse_depth = np.zeros((180, 320, 3), np.uint8), np.zeros((180, 320), np.float32)
    draw_surface(image, inverse_depth, back, camera, intrinsics)
    assert not image.any()
    for surface in (near, wall):
        draw_surface(image, inverse_depth, surface, camera, intrinsics)
    assert image[90, 160, 0] == 220 and image[90, 110, 0] == 60
    assert 1 / inverse_depth[90, [160, 110]] == pytest.approx([3, 4], rel=1e-4)


def test_shadow_falls_on_the_visible_floor_only():
    camera, intrinsics = look_at((4.0, 0, 1.5), (0.0, 0, 0.3)), intrinsics_matrix(300.0, 320, 180)
    white = np.full((64, 64, 3), 255, np.uint8)
    floor = Surface.textured(np.array([-3.0, 3, 0]), np.array([6.0, 0, 0]), np.array([0, -6.0, 0]), white)
    screen = Surface.textured(np.array([1.0, -2, 1]), np.array([0, 2.0, 0]), np.array([0, 0, -1.0]), white)
    image, inverse_depth = np.zeros((180, 320, 3), np.uint8), np.zeros((180, 320), np.float32)
    for surface in (floor, screen):
        draw_surface(image, inverse_depth, surface, camera, intrinsics)
    draw_shadow(image, inverse_depth, np.zeros(2), 0.5, 0.8, camera, intrinsics)
    (x, y), *_ = project(np.array([[0.0, 0.2, 0]]), camera, intrinsics).astype(int)
    assert image[y, x, 0] < 150
    (x, y), *_ = project(np.array([[0.0, -0.2, 0]]), camera, intrinsics).astype(int)
    assert image[y, x, 0] == 255


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_mediapipe_finds_the_person(scenes, name: str):
    pose = pytest.importorskip("mediapipe").solutions.pose
    places = {
        "nose": 0, "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13, "right_elbow": 14, "left_wrist": 15,
        "right_wrist": 16, "left_hip": 23, "right_hip": 24, "left_knee": 25, "right_knee": 26, "left_ankle": 27,
        "right_ankle": 28, "left_heel": 29, "right_heel": 30, "left_big_toe": 31, "right_big_toe": 32,
    }  # fmt: skip
    scene = scenes[name]
    chosen = np.arange(0, len(scene.time), 4)
    truth = true_keypoints(scene)
    size = np.array([scene.spec.width, scene.spec.height])
    errors = []
    with pose.Pose(static_image_mode=True) as detector:
        for frame, image in zip(chosen, frames_of(scene, chosen), strict=True):
            result = detector.process(image).pose_landmarks
            if result is None:
                continue
            found = np.array([[point.x, point.y] for point in result.landmark])[list(places.values())] * size
            height = truth.boxes[0, frame, 3] - truth.boxes[0, frame, 1]
            exact = truth.keypoints[0, frame, [K[part] for part in places]]
            errors.append(np.linalg.norm(found - exact, axis=-1) / height)
    assert len(errors) > 0.95 * len(chosen)
    assert np.median(errors) < 0.03
    assert set(places) <= set(BODY24)

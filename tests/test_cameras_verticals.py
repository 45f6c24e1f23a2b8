"""The vertical from upright edges, against painted lines and rendered scenes whose cameras are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.stage import run_cameras
from anylift_cli.cameras.verticals import UPRIGHT_EDGES, find_vertical, steep_edges
from anylift_cli.geometry.cameras import intrinsics_matrix, project_camera
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import true_keypoints, write_video

WIDTH, HEIGHT = 960, 540
K = intrinsics_matrix(800.0, WIDTH, HEIGHT)


def camera(pitch: float, roll: float) -> np.ndarray:
    """camera_from_world (3, 3) of a camera that looks along y of a z-up world, then down, then leans; degrees."""
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return Rotation.from_euler("xz", [pitch, roll], degrees=True).as_matrix() @ level


def picture(camera_from_world: np.ndarray, posts: int, slanted: int, seed: int = 0) -> np.ndarray:
    """Upright posts of a room, and as many slanted lines as wanted, on a noisy wall."""
    draw = np.random.default_rng(seed)
    image = np.clip(draw.normal(150, 4, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    foot = 7 * camera_from_world[2] + draw.uniform([-4, -2, -2], [4, 2, 0], (posts, 3))
    tops = foot + np.array([0, 0, 1]) * draw.uniform(1, 2, (posts, 1))
    ends = project_camera(np.stack([foot, tops], 1) @ camera_from_world.T, K)
    lines = [(a, b) for a, b in ends]
    for _ in range(slanted):
        middle, angle = draw.uniform([100, 100], [WIDTH - 100, HEIGHT - 100]), np.radians(draw.uniform(-30, 30))
        half = 60 * np.array([np.sin(angle), np.cos(angle)])
        lines.append((middle - half, middle + half))
    for a, b in lines:
        a, b = (tuple(int(v) for v in np.round(16 * end)) for end in (a, b))
        cv2.line(image, a, b, tuple(int(v) for v in draw.integers(0, 80, 3)), 3, cv2.LINE_AA, 4)
    return image


def angle(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (12, 3), (-8, -4), (35, 0)])
@pytest.mark.parametrize("slanted", [0, 8])
def test_posts_of_a_room_tell_pitch_and_roll(pitch: float, roll: float, slanted: int) -> None:
    pose = camera(pitch, roll)
    edges = steep_edges(picture(pose, 14, slanted), K, np.eye(3))
    vertical = find_vertical([edges], np.eye(3))
    assert vertical is not None
    assert angle(vertical.up, pose @ [0, 0, 1]) < 0.5
    assert vertical.deviation < np.radians(1.5)


def test_pictures_of_a_camera_that_turns_agree_in_the_world() -> None:
    poses = [camera(10, 2), Rotation.from_euler("y", 25, degrees=True).as_matrix() @ camera(10, 2)]
    pictures = [steep_edges(picture(pose, 10, 0, seed), K, pose.T) for seed, pose in enumerate(poses)]
    vertical = find_vertical(pictures, poses[0].T)
    assert vertical is not None and angle(vertical.up, np.array([0, 0, 1.0])) < 0.5


@pytest.mark.parametrize(("posts", "slanted"), [(0, 0), (1, 0), (0, 30)])
def test_nothing_is_said_where_nothing_stands(posts: int, slanted: int) -> None:
    assert find_vertical([steep_edges(picture(camera(5, 0), posts, slanted), K, np.eye(3))], np.eye(3)) is None


def test_edges_of_people_do_not_count() -> None:
    image = picture(camera(5, 0), 14, 0)
    everything = np.array([0, 0, WIDTH, HEIGHT])
    assert len(steep_edges(image, K, np.eye(3), [everything]).length) == 0


def test_a_still_camera_in_a_rendered_room(tmp_path) -> None:
    scene = build_scene(SceneSpec("squat_still", "squat", "still", seconds=1.0, fps=5, width=640, height=360))
    video = write_video(scene, tmp_path / "squat.mp4")
    options = CameraOptions("still", focal=float(scene.K[0, 0, 0]))
    cameras = run_cameras(video, true_keypoints(scene), options)
    assert cameras.meta["up_source"] == UPRIGHT_EDGES
    assert angle(cameras.up, scene.world_from_camera[0, 2, :3]) < 1.0
    assert cameras.meta["figures"]["upright_edges_heights"] > 1

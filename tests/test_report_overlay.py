"""The overlay video: what is drawn where and when."""

from __future__ import annotations

import numpy as np
import pytest
from motions import keypoints_of, walking

from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.cameras import look_at, project
from anylift_cli.report.overlay import camera_kind, render_overlay
from anylift_cli.report.plan_view import PlanView
from anylift_cli.report.world_view import WorldView, draw_segments
from anylift_cli.video import VideoWriter, read_frames

FRAMES = 6
SIZE = (320, 240)
TIMES = np.array([0, 0.04, 0.08, 0.16, 0.2, 0.24])
GREY = 128


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "grey.mp4"
    with VideoWriter(path, *SIZE, 25) as writer:
        for time in TIMES:
            writer.write(np.full((SIZE[1], SIZE[0], 3), GREY, np.uint8), time)
    return path


def render(video, motions, keypoints):
    return list(read_frames(render_overlay(video, motions, keypoints, video.with_name("overlay.mp4"))))


def test_body_is_drawn_where_the_camera_sees_it_and_only_while_present(body, video):
    motion = walking(body, FRAMES, timestamps=TIMES, fps=25.0, image_size=SIZE)
    motion.confidence[:2] = 0
    keypoints = keypoints_of(motion, body)
    keypoints.confidence[:] = 0
    frames = render(video, [motion], keypoints)

    np.testing.assert_allclose([frame.time for frame in frames], TIMES, atol=1e-3)
    width, height = 640, 480
    assert frames[0].image.shape[1] == width + height
    pictures = np.stack([frame.image[:height, :width] for frame in frames]).astype(int)
    drawn = np.abs(pictures - GREY).max(-1) > 20
    assert not drawn[:2].any()
    joints = project(motion.joints.astype(float), motion.world_from_camera, motion.K) * width / SIZE[0]
    for frame in range(2, FRAMES):
        rows, columns = np.nonzero(drawn[frame])
        left = joints[frame, :, 0].min()
        right, bottom = joints[frame].max(0)
        np.testing.assert_allclose(columns.min(), left, atol=0.04 * height)
        np.testing.assert_allclose(columns.max(), right, atol=0.04 * height)
        np.testing.assert_allclose(rows.max(), bottom, atol=0.06 * height)
        inside = joints[frame].astype(int)
        assert drawn[frame][inside[:, 1], inside[:, 0]].mean() > 0.9
    beside = np.stack([frame.image[:height, width:] for frame in frames]).astype(int)
    blue = (beside[..., 2] - beside[..., 0] > 40).mean((1, 2))
    assert (blue[:2] < 0.002).all()
    assert (blue[2:] > 0.02).all()


def test_keypoints_are_drawn_at_the_pictures_scale(body, video):
    motion = walking(body, FRAMES, timestamps=TIMES, fps=25.0, image_size=SIZE)
    motion.confidence[:] = 0
    keypoints = keypoints_of(motion, body)
    keypoints.confidence[:, :3] = 0
    pictures = np.stack([frame.image[:480, :640] for frame in render(video, [motion], keypoints)]).astype(int)
    drawn = np.abs(pictures - GREY).max(-1) > 30
    assert not drawn[:3].any()
    x, y = (keypoints.keypoints[0, 4] * 2).astype(int).T
    assert drawn[4][y, x].all()


def test_worlds_of_several_people_are_joined_by_their_common_camera(body, video):
    """The second person's world has another origin; seen by the same camera the two are in the same place."""
    first = walking(body, FRAMES, timestamps=TIMES, fps=25.0, image_size=SIZE)
    second = walking(body, FRAMES, timestamps=TIMES, fps=25.0, image_size=SIZE)
    second.trans += (3, 0, 0)
    second.joints += np.float32((3, 0, 0))
    second.world_from_camera[:, 0, 3] += 3
    keypoints = keypoints_of(first, body)
    keypoints.confidence[:] = 0
    one = render(video, [first], keypoints)[3].image.astype(int)
    both = render(video, [first, second], keypoints)[3].image.astype(int)
    silhouettes = [np.abs(image[:480, :640] - GREY).max(-1) > 10 for image in (one, both)]
    assert (silhouettes[0] ^ silhouettes[1]).sum() < 0.08 * silhouettes[0].sum()


def test_no_motion_is_an_error(body, video):
    keypoints = keypoints_of(walking(body, FRAMES, timestamps=TIMES, image_size=SIZE), body)
    with pytest.raises(AnyliftError, match="no motion to draw"):
        render_overlay(video, [], keypoints, video.with_name("overlay.mp4"))
    assert not video.with_name("overlay.mp4").exists()


def test_camera_kinds():
    still = np.broadcast_to(look_at((4, 0, 1.5), (0, 0, 1)), (10, 4, 4))
    assert camera_kind(still) == "still"
    targets = np.stack([np.zeros(10), np.linspace(0, 0.5, 10), np.ones(10)], -1)
    assert camera_kind(look_at(np.broadcast_to((4, 0, 1.5), (10, 3)), targets)) == "rotating"
    assert camera_kind(look_at(targets + np.array([4, 0, 0.5]), targets)) == "moving"


def test_world_view_keeps_a_runner_in_the_picture():
    """Over 40 m the view follows; the person is always well inside."""
    times = np.arange(200) / 30
    root = np.stack([6.0 * times, np.sin(times), 0.9 + 0 * times], -1)
    cameras = np.broadcast_to(look_at((20, -15, 2), (20, 0, 1)), (200, 4, 4))
    view = WorldView([root], [(255, 0, 0)], cameras, times, (400, 400))
    for height in (0.0, 1.8):
        points = root * (1, 1, 0) + (0, 0, height)
        pixels = np.stack([project(p[None], pose, view.K)[0] for p, pose in zip(points, view.views, strict=True)])
        assert (pixels > 20).all()
        assert (pixels < 380).all()


def test_segments_are_cut_at_the_camera_plane():
    """A line from ahead to behind the camera runs off the picture instead of coming back on the other side."""
    image = np.zeros((100, 100, 3), np.uint8)
    K = np.array([[100, 0, 50], [0, 100, 50], [0, 0, 1.0]])
    draw_segments(image, np.array([[[0, 0, 1.0], [1, 0, -1.0]]]), np.eye(4), K, np.array([[255, 255, 255]]), 1)
    rows, columns = np.nonzero(image[..., 0])
    assert columns.min() >= 48
    assert columns.max() == 99
    assert abs(rows.mean() - 50) < 1.5


def test_plan_shows_everyone_and_the_camera():
    roots = [np.array([[0, 0, 1.0], [4, 0, 1]]), np.array([[0, 3, 1.0], [0, 3, 1]])]
    camera = np.broadcast_to(look_at((2, -8, 1.5), (2, 0, 1)), (2, 4, 4))
    colors = [(255, 0, 0), (0, 0, 255)]
    plan = PlanView(roots, colors, camera, 200)
    image = plan.draw(1, [1, 1]).astype(int)
    red = np.argwhere((image[..., 0] > 200) & (image[..., 1] < 60)).mean(0)
    blue = np.argwhere((image[..., 2] > 200) & (image[..., 1] < 60)).mean(0)
    dark = np.argwhere(image.max(-1) < 100).mean(0)
    assert blue[0] < red[0] < dark[0]
    assert blue[1] < dark[1] < red[1]

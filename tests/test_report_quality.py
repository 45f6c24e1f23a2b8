"""Quality figures against cases worked out by hand, and on a motion whose keypoints are exact."""

from __future__ import annotations

import numpy as np
import pytest
from motions import keypoints_of, walking

from anylift_cli.report.quality import foot_slide, jitter, max_jump, quality, reprojection_error


def test_reprojection_counts_confident_points_only():
    """Distances 5 px in a box of 100 px and 10 px in one of 400 px; the others are unsure, unseen or boxless."""
    projected = np.zeros((3, 2, 2))
    observed = np.array([[[3, 4], [90, 0]], [[0, 10], [np.nan, np.nan]], [[50, 0], [50, 0]]], float)
    confidence = np.array([[0.9, 0.2], [0.5, 0.9], [1, 1]])
    pixels, percent = reprojection_error(projected, observed, confidence, np.array([100.0, 400.0, np.nan]))
    assert pixels == pytest.approx(7.5)
    assert percent == pytest.approx((5 + 2.5) / 2)
    assert np.isnan(reprojection_error(projected, observed, 0 * confidence, np.ones(3))).all()


def test_foot_slide_is_speed_while_planted():
    """One toe slides 2 cm in 0.1 s and then 1 cm in 0.2 s; it also rises, which is no slide; its third step is free."""
    feet = np.zeros((4, 4, 3))
    feet[:, 1, 0] = 0, 0.02, 0.02, 0.5
    feet[:, 1, 1] = 0, 0, 0.01, 0.5
    feet[:, 1, 2] = 0, 0.01, 0.02, 0.5
    feet[:, 0, 0] = 0, 1, 2, 3
    contact = np.zeros((4, 4))
    contact[:3, 1] = 1
    times = np.array([0, 0.1, 0.3, 0.4])
    assert foot_slide(feet, contact, times) == pytest.approx(10)
    assert np.isnan(foot_slide(feet, 0 * contact, times))


@pytest.mark.parametrize("fps", [30, 50])
def test_jitter_is_acceleration_per_frame_at_30(fps):
    """1.8 m/s² is 2 mm per frame² at 30 frames/s, whatever the video's own rate; steady motion is none."""
    times = np.arange(20) / fps
    falling = np.zeros((20, 24, 3))
    falling[..., 2] = 0.9 * times[:, None] ** 2
    assert jitter(falling, times) == pytest.approx(2)
    assert jitter(np.broadcast_to(times[:, None, None], (20, 24, 3)), times) == pytest.approx(0, abs=1e-9)
    assert np.isnan(jitter(falling[:2], times[:2]))


def test_uneven_times_make_no_jitter():
    times = np.array([0, 0.03, 0.1, 0.12, 0.2])
    steady = times[:, None, None] * np.ones((5, 24, 3))
    assert jitter(steady, times) == pytest.approx(0, abs=1e-9)
    assert max_jump(steady, times) == pytest.approx(np.sqrt(3) / 30 * 100)


def test_max_jump_is_the_fastest_joint():
    joints = np.zeros((3, 24, 3))
    joints[2, 5] = 0.3, 0, 0.4
    assert max_jump(joints, np.arange(3) / 30) == pytest.approx(50)
    assert np.isnan(max_jump(joints[:1], np.zeros(1)))


def test_exact_motion_has_no_error_and_a_sunk_one_penetrates(body):
    motion = walking(body, 6)
    motion.confidence[:2] = 0
    keypoints = keypoints_of(motion, body)
    figures = quality(motion, keypoints, body)
    assert figures["reprojection_px"] < 0.01
    assert figures["foot_slide_cm_s"] is None
    assert (figures["frames"], figures["frames_present"]) == (6, 4)

    sunk, deeper = walking(body, 6), walking(body, 6)
    sunk.trans[:, 2] -= 1
    deeper.trans[:, 2] -= 1.5
    penetration = [quality(motion, keypoints, body)["penetration_cm"] for motion in (sunk, deeper)]
    assert penetration[1] - penetration[0] == pytest.approx(50, abs=1e-2)
    assert 85 < penetration[0] < 115


def test_frames_are_matched_by_number(body):
    """Keypoints of frames 10.. belong to the motion's rows of the same numbers, wherever those lie."""
    motion = walking(body, 6)
    keypoints = keypoints_of(motion, body)
    motion.frame_index = np.arange(6) + 10
    keypoints.frame_index = np.arange(6) + 12
    keypoints.keypoints = np.roll(keypoints.keypoints, -2, axis=1)
    assert quality(motion, keypoints, body)["reprojection_px"] < 0.01

"""The parts of the keypoints stage that need no video: mapping, plausibility, swaps, options."""

from __future__ import annotations

import numpy as np
import pytest

from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, K
from anylift_cli.errors import UsageError
from anylift_cli.keypoints.base import KeypointOptions, Pose, Region
from anylift_cli.keypoints.mediapipe_pose import to_body24
from anylift_cli.keypoints.plausibility import can_follow, is_same_person, is_whole_person
from anylift_cli.keypoints.stage import run_keypoints
from anylift_cli.keypoints.swaps import DOUBTFUL, doubt_swaps

BLAZEPOSE = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip


def standing(x: float = 200.0, y: float = 100.0, height: float = 200.0) -> Pose:
    """A frontal person: `x` of the middle, `y` of the top of the head; left is on the image's right."""
    rows = {
        "nose": (0, 0.07), "eye": (0.02, 0.05), "ear": (0.04, 0.06), "shoulder": (0.1, 0.18), "elbow": (0.13, 0.36),
        "wrist": (0.14, 0.5), "hip": (0.06, 0.5), "knee": (0.06, 0.73), "ankle": (0.06, 0.95), "heel": (0.05, 0.98),
        "big_toe": (0.08, 1.0), "small_toe": (0.09, 1.0), "neck": (0, 0.18),
    }  # fmt: skip
    points = np.empty((24, 2), np.float32)
    for name, index in K.items():
        side, part = name.split("_", 1) if name.startswith(("left_", "right_")) else ("", name)
        across, down = rows[part]
        points[index] = x + height * across * (-1 if side == "right" else 1), y + height * down
    return Pose(points, np.ones(24, np.float32), None, Region(x, y + height / 2, 1.25 * height))


def test_every_blazepose_landmark_lands_on_its_own_name():
    landmarks = np.array([(10.0 * i, 5.0 * i + 1) for i in range(33)])
    visibility = np.linspace(0.3, 0.9, 33)
    world = np.random.default_rng(0).normal(size=(33, 3))
    pose = to_body24(landmarks, visibility, world, Region(160, 100, 300), (400, 300))
    middle = (world[BLAZEPOSE.index("left_hip")] + world[BLAZEPOSE.index("right_hip")]) / 2
    for name in set(BODY24) - {"neck", "left_small_toe", "right_small_toe"}:
        source = BLAZEPOSE.index(name.replace("big_toe", "foot_index"))
        np.testing.assert_allclose(pose.points[K[name]], landmarks[source])
        np.testing.assert_allclose(pose.confidence[K[name]], visibility[source], rtol=1e-6)
        np.testing.assert_allclose(pose.local_joints[K[name]], world[source] - middle, atol=1e-6)
    shoulders = [BLAZEPOSE.index(f"{side}_shoulder") for side in ("left", "right")]
    np.testing.assert_allclose(pose.points[K["neck"]], landmarks[shoulders].mean(axis=0))
    assert pose.confidence[K["neck"]] == pytest.approx(visibility[shoulders].min())
    for name in ("left_small_toe", "right_small_toe"):
        assert pose.confidence[K[name]] == 0 and np.isnan(pose.points[K[name]]).all()


def test_points_clearly_outside_the_image_are_unobserved():
    landmarks = np.full((33, 2), 50.0)
    landmarks[BLAZEPOSE.index("left_ankle")] = 50, 130
    landmarks[BLAZEPOSE.index("right_ankle")] = 50, 101
    pose = to_body24(landmarks, np.ones(33), np.zeros((33, 3)), Region(50, 50, 100), (100, 100))
    assert pose.confidence[K["left_ankle"]] == 0 and np.isnan(pose.points[K["left_ankle"]]).all()
    assert np.isnan(pose.local_joints[K["left_ankle"]]).all()
    assert pose.confidence[K["right_ankle"]] == 1


def test_a_whole_person_is_told_from_parts_and_collapsed_or_torn_skeletons():
    pose = standing()
    assert is_whole_person(pose)
    legs_only = pose.confidence.copy()
    legs_only[[i for i, name in enumerate(BODY24) if not name.endswith(("knee", "ankle", "heel", "toe"))]] = 0.1
    assert not is_whole_person(Pose(pose.points, legs_only, None, pose.region))
    torso_only = pose.confidence.copy()
    torso_only[[i for i, name in enumerate(BODY24) if name.endswith(("knee", "ankle", "heel", "toe"))]] = 0.1
    assert not is_whole_person(Pose(pose.points, torso_only, None, pose.region))
    collapsed = pose.points.mean(axis=0) + 0.1 * (pose.points - pose.points.mean(axis=0))
    assert not is_whole_person(Pose(collapsed, pose.confidence, None, pose.region))
    torn = pose.points.copy()
    torn[K["left_ankle"]] += 150
    assert not is_whole_person(Pose(torn, pose.confidence, None, pose.region))


def test_poses_of_one_image_coincide_only_for_one_person():
    assert is_same_person(standing(), standing(x=204))
    assert is_same_person(standing(), standing(y=190, height=90)), "legs found as a small person are a fragment"
    assert not is_same_person(standing(), standing(x=260))


def test_nobody_teleports():
    assert can_follow(standing(), standing(x=215), 1 / 30)
    assert not can_follow(standing(), standing(x=420), 1 / 30)
    assert not can_follow(standing(), standing(height=400), 1 / 30)
    assert can_follow(standing(), standing(x=420), 1.0)


def test_a_short_exchange_of_sides_is_doubted_and_a_turn_is_not():
    points = np.stack([standing(x=200 + 2 * t).points for t in range(20)])
    points[8:10, [K["left_knee"], K["right_knee"]]] = points[8:10, [K["right_knee"], K["left_knee"]]]
    legs = [K[s + j] for s in ("left_", "right_") for j in ("hip", "ankle", "heel", "big_toe")]
    points[8:10, legs] = points[8:10, [BODY24_MIRROR[i] for i in legs]]
    points[15:] = points[15:, list(BODY24_MIRROR)]
    lowered = doubt_swaps(points, np.ones((20, 24), np.float32), np.full(20, 200.0), np.arange(20) / 30)
    doubted = np.argwhere(lowered == np.float32(DOUBTFUL))
    assert set(doubted[:, 0]) == {8, 9}
    assert set(doubted[:, 1]) == {*legs, K["left_knee"], K["right_knee"]}
    assert ((lowered == 1) | (lowered == np.float32(DOUBTFUL))).all()


def test_a_body_that_turns_round_for_an_instant_is_doubted():
    points = np.stack([standing(x=200 + 2 * t).points for t in range(60)])
    points[20:30] = points[20:30, list(BODY24_MIRROR)]
    lowered = doubt_swaps(points, np.ones((60, 24), np.float32), np.full(60, 200.0), np.arange(60) / 30)
    assert (lowered[20:30] == np.float32(DOUBTFUL)).all()
    assert (lowered[:20] == 1).all() and (lowered[30:] == 1).all()


@pytest.mark.parametrize(
    "options",
    [
        {"person": "tallest"}, {"person": "0"}, {"person": "-1"}, {"shot": "first"}, {"shot": "0"}, {"start": -1.0},
        {"start": 3.0, "end": 3.0}, {"end": 0.0},
    ],
)  # fmt: skip
def test_impossible_options_are_refused_before_the_video_is_opened(options, tmp_path):
    with pytest.raises(UsageError):
        run_keypoints(tmp_path / "absent.mp4", KeypointOptions(**options))

"""BVH writing: the file, read back and posed, is the motion."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from motions import FACING_X, make_motion, walking
from scipy.spatial.transform import Rotation

from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS, J
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.export.base import write_motion
from anylift_cli.export.bvh import BvhExporter, euler_zyx
from anylift_cli.export.bvh_reader import read_bvh

Z_UP_FROM_Y_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
"""As GMR and Blender (forward -Z, up Y) turn BVH worlds."""


@pytest.fixture(scope="module")
def body():
    return BodyModel.load("open")


def read_joints(path):
    """Joints of a file in metres, z up, in SMPL order (T, 24, 3)."""
    bvh = read_bvh(path)
    positions, _ = bvh.pose()
    return positions[:, [bvh.names.index(name) for name in SMPL_JOINTS]] @ Z_UP_FROM_Y_UP.T / 100


def test_read_back_joints_are_the_motions(body, tmp_path):
    motion = walking(body, 40)
    path = BvhExporter().write(motion, tmp_path / "walk.bvh")
    np.testing.assert_allclose(read_joints(path), motion.joints, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    axis_angle=arrays(np.float64, (3, 22, 3), elements=st.floats(-4, 4)),
    trans=arrays(np.float64, (3, 3), elements=st.floats(-50, 50)),
    betas=arrays(np.float64, 10, elements=st.floats(-3, 3)),
)
def test_any_pose_place_and_shape_survives(body, tmp_path_factory, axis_angle, trans, betas):
    motion = make_motion(body, axis_angle, trans, betas)
    path = BvhExporter().write(motion, tmp_path_factory.mktemp("any") / "any.bvh")
    np.testing.assert_allclose(read_joints(path), motion.joints, atol=1e-3)


def test_hierarchy_is_smpl_with_all_channels_and_tips(body, tmp_path):
    bvh = read_bvh(BvhExporter().write(walking(body, 2), tmp_path / "walk.bvh"))
    parents = {
        name: bvh.names[parent] if parent >= 0 else None for name, parent in zip(bvh.names, bvh.parents, strict=True)
    }
    assert parents == {
        name: SMPL_JOINTS[parent] if parent >= 0 else None
        for name, parent in zip(SMPL_JOINTS, SMPL_PARENTS, strict=True)
    }
    rotations = ("Zrotation", "Yrotation", "Xrotation")
    assert bvh.channels == (("Xposition", "Yposition", "Zposition", *rotations), *[rotations] * 23)
    leaves = {"head", "left_foot", "right_foot", "left_hand", "right_hand"}
    assert {bvh.names[joint] for joint in bvh.end_sites} == leaves
    assert all(np.linalg.norm(tip) > 1 for tip in bvh.end_sites.values())


def test_rests_in_t_pose_facing_z_with_left_along_x(body, tmp_path):
    """All channels zero: y up, faces +z, left = +x, a grown person in centimetres."""
    bvh = read_bvh(BvhExporter().write(walking(body, 2), tmp_path / "walk.bvh"))
    bvh.frames[:] = 0
    rest = dict(zip(bvh.names, bvh.pose()[0][0], strict=True))
    assert 120 < rest["head"][1] - rest["left_foot"][1] < 180
    arm = rest["left_wrist"] - rest["left_shoulder"]
    assert arm[0] > 40
    assert abs(arm[1]) < 0.1 * arm[0]
    np.testing.assert_allclose(rest["left_wrist"] * (-1, 1, 1), rest["right_wrist"], atol=0.1)
    assert rest["left_foot"][2] - rest["left_ankle"][2] > 5


def test_standing_person_stands_in_a_y_up_world(body, tmp_path):
    """A person who faces world +x with the head up (+z) faces file +x with the head up (+y), and left is file -z."""
    still = np.zeros((1, 22, 3))
    still[:, 0] = FACING_X
    bvh = read_bvh(BvhExporter().write(make_motion(body, still, np.array([[1.0, 2.0, 3.0]])), tmp_path / "s.bvh"))
    joints = dict(zip(bvh.names, bvh.pose()[0][0], strict=True))
    assert joints["head"][1] - joints["pelvis"][1] > 40
    assert joints["left_foot"][0] - joints["left_ankle"][0] > 5
    assert joints["left_wrist"][2] < joints["right_wrist"][2] - 50


def test_frame_time_has_the_digits_of_ntsc(body, tmp_path):
    fps = 30000 / 1001
    path = BvhExporter().write(walking(body, 5, fps=fps), tmp_path / "ntsc.bvh")
    assert read_bvh(path).frame_time == pytest.approx(1 / fps, rel=1e-8)


def test_uneven_times_are_resampled_to_the_frame_rate(body, tmp_path):
    """A person turning steadily about the vertical while moving steadily, seen at uneven times."""
    times = np.sort(np.random.default_rng(0).uniform(0, 2, 50))
    times[[0, -1]] = 0, 2
    axis_angle = np.zeros((50, 22, 3))
    upright = Rotation.from_rotvec(FACING_X)
    axis_angle[:, 0] = (Rotation.from_rotvec(times[:, None] * (0, 0, 1.0)) * upright).as_rotvec()
    motion = make_motion(body, axis_angle, times[:, None] * (1.0, 0.5, 0), timestamps=times, fps=25)
    path = BvhExporter().write(motion, tmp_path / "uneven.bvh")
    bvh, joints = read_bvh(path), read_joints(path)
    assert len(joints) == 51
    assert (len(joints) - 1) * bvh.frame_time == pytest.approx(2)
    expected = motion.joints[0, 0] + np.arange(51)[:, None] / 25 * (1.0, 0.5, 0)
    np.testing.assert_allclose(joints[:, J["pelvis"]], expected, atol=1e-4)
    across = joints[:, J["left_shoulder"]] - joints[:, J["right_shoulder"]]
    turned = np.unwrap(np.arctan2(across[:, 1], across[:, 0]))
    np.testing.assert_allclose(turned - turned[0], np.arange(51) / 25, atol=1e-3)


def test_angles_do_not_jump_between_frames():
    """A full turn about z and a swing through the gimbal's pole: no channel jumps more than the motion does."""
    turn = np.linspace(0, 2 * math.pi, 60)
    about_z = Rotation.from_rotvec(turn[:, None] * (0, 0, 1)).as_matrix()
    past_pole = Rotation.from_euler("Y", turn[:, None] / 2).as_matrix()
    rotations = np.stack([about_z, past_pole], axis=1)
    angles = euler_zyx(rotations)
    assert np.abs(np.diff(angles, axis=0)).max() < 7
    back = Rotation.from_euler("ZYX", angles.reshape(-1, 3), degrees=True).as_matrix()
    np.testing.assert_allclose(back.reshape(rotations.shape), rotations, atol=1e-9)


def test_write_motion_names_files_by_format(body, tmp_path):
    assert write_motion(walking(body, 2), ["bvh"], tmp_path / "a.walk") == [tmp_path / "a.walk.bvh"]
    with pytest.raises(UsageError, match="unknown exporters backend 'doc'"):
        write_motion(walking(body, 2), ["bvh", "doc"], tmp_path / "b")
    assert not (tmp_path / "b.bvh").exists()


def test_another_body_is_refused(body, tmp_path):
    motion = walking(body, 2)
    motion.meta["body"] = {"name": "open", "sha256": "0" * 64}
    with pytest.raises(AnyliftError, match="another version of the body 'open'"):
        BvhExporter().write(motion, tmp_path / "walk.bvh")
    motion.meta = {}
    with pytest.raises(AnyliftError, match="does not say which body"):
        BvhExporter().write(motion, tmp_path / "walk.bvh")
    assert not list(tmp_path.iterdir())


def test_unusable_times_are_refused(body, tmp_path):
    with pytest.raises(AnyliftError, match="times are unusable"):
        BvhExporter().write(walking(body, 3, timestamps=np.array([0, 0.1, 0.1])), tmp_path / "walk.bvh")

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

from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS, J
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.export.base import exporter_of, write_take
from anylift_cli.export.bvh import BvhExporter, euler_zyx
from anylift_cli.export.bvh_reader import read_bvh
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.take import ExportOptions, Take

Z_UP_FROM_Y_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
"""As GMR and Blender (forward -Z, up Y) turn BVH worlds."""


def write(motion, path, options=ExportOptions()):
    return BvhExporter().write(Take((motion,), ("walk",), options), path)


def read_joints(path):
    """Joints of a file in metres, z up, in SMPL order (T, 24, 3)."""
    bvh = read_bvh(path)
    positions, _ = bvh.pose()
    return positions[:, [bvh.names.index(name) for name in SMPL_JOINTS]] @ Z_UP_FROM_Y_UP.T / 100


def test_read_back_joints_are_the_motions(body, tmp_path):
    motion = walking(body, 40)
    path = write(motion, tmp_path / "walk.bvh")
    np.testing.assert_allclose(read_joints(path), motion.joints, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    axis_angle=arrays(np.float64, (3, 22, 3), elements=st.floats(-4, 4)),
    trans=arrays(np.float64, (3, 3), elements=st.floats(-50, 50)),
    betas=arrays(np.float64, 10, elements=st.floats(-3, 3)),
)
def test_any_pose_place_and_shape_survives(body, tmp_path_factory, axis_angle, trans, betas):
    motion = make_motion(body, axis_angle, trans, betas)
    path = write(motion, tmp_path_factory.mktemp("any") / "any.bvh")
    np.testing.assert_allclose(read_joints(path), motion.joints, atol=1e-3)


def test_hierarchy_is_smpl_with_all_channels_and_tips(body, tmp_path):
    bvh = read_bvh(write(walking(body, 2), tmp_path / "walk.bvh"))
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
    bvh = read_bvh(write(walking(body, 2), tmp_path / "walk.bvh"))
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
    bvh = read_bvh(write(make_motion(body, still, np.array([[1.0, 2.0, 3.0]])), tmp_path / "s.bvh"))
    joints = dict(zip(bvh.names, bvh.pose()[0][0], strict=True))
    assert joints["head"][1] - joints["pelvis"][1] > 40
    assert joints["left_foot"][0] - joints["left_ankle"][0] > 5
    assert joints["left_wrist"][2] < joints["right_wrist"][2] - 50


def test_frame_time_has_the_digits_of_ntsc(body, tmp_path):
    fps = 30000 / 1001
    path = write(walking(body, 5, fps=fps), tmp_path / "ntsc.bvh")
    assert read_bvh(path).frame_time == pytest.approx(1 / fps, rel=1e-8)


def test_uneven_times_are_resampled_to_the_frame_rate(body, tmp_path):
    """A person turning steadily about the vertical while moving steadily, seen at uneven times."""
    times = np.sort(np.random.default_rng(0).uniform(0, 2, 50))
    times[[0, -1]] = 0, 2
    axis_angle = np.zeros((50, 22, 3))
    upright = Rotation.from_rotvec(FACING_X)
    axis_angle[:, 0] = (Rotation.from_rotvec(times[:, None] * (0, 0, 1.0)) * upright).as_rotvec()
    motion = make_motion(body, axis_angle, times[:, None] * (1.0, 0.5, 0), timestamps=times, fps=25)
    path = write(motion, tmp_path / "uneven.bvh")
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


@pytest.mark.parametrize("names", JOINT_NAMES)
@pytest.mark.parametrize("rest", ["t-pose", "a-pose"])
@pytest.mark.parametrize("root", ["pelvis", "ground"])
@pytest.mark.parametrize(("up", "unit"), [("y", 1.0), ("z", 0.01)])
def test_joints_are_the_motions_whatever_the_options(body, tmp_path, names, rest, root, up, unit):
    motion = walking(body, 6)
    options = ExportOptions(names=names, rest=rest, root=root, up=up, metres_per_unit=unit)
    bvh = read_bvh(write(motion, tmp_path / "walk.bvh", options))
    order = [bvh.names.index(name) for name in JOINT_NAMES[names]]
    turn = Z_UP_FROM_Y_UP.T if up == "y" else np.eye(3)
    positions = bvh.pose()[0] @ turn * unit
    np.testing.assert_allclose(positions[:, order], motion.joints, atol=1e-4)
    assert bvh.names[0] == ("root" if root == "ground" else JOINT_NAMES[names][0])
    travels = [name for name, channels in zip(bvh.names, bvh.channels, strict=True) if len(channels) == 6]
    assert travels == ["root", JOINT_NAMES[names][0]][root == "pelvis" :]
    if root == "ground":
        np.testing.assert_allclose(positions[:, 0], motion.joints[:, 0] * (1, 1, 0), atol=1e-4)
    assert bvh.offsets[0].tolist() == [0, 0, 0]


def test_tips_follow_the_axes_and_the_arms(body, tmp_path):
    """Standing height is 1.7 m: the head ends 20.4 cm above its joint, the foot 7.65 cm before it."""
    motion = walking(body, 2)
    y_up = read_bvh(write(motion, tmp_path / "y.bvh"))
    tips = {y_up.names[joint]: tip for joint, tip in y_up.end_sites.items()}
    np.testing.assert_allclose(tips["head"], [0, 20.4, 0], atol=1e-3)
    np.testing.assert_allclose(tips["left_foot"], [0, 0, 7.65], atol=1e-3)
    np.testing.assert_allclose(tips["left_hand"], [10.2, 0, 0], atol=1.5)
    z_up = read_bvh(write(motion, tmp_path / "z.bvh", ExportOptions(up="z", metres_per_unit=1.0, rest="a-pose")))
    tips = {z_up.names[joint]: tip for joint, tip in z_up.end_sites.items()}
    np.testing.assert_allclose(tips["head"], [0, 0, 0.204], atol=1e-5)
    np.testing.assert_allclose(tips["right_foot"], [0, -0.0765, 0], atol=1e-5)
    assert np.linalg.norm(tips["right_hand"]) == pytest.approx(0.102, abs=1e-5)
    assert tips["right_hand"][0] < -0.05 and tips["right_hand"][2] < -0.05


def test_another_rate_keeps_the_duration(body, tmp_path):
    bvh = read_bvh(write(walking(body, 31), tmp_path / "film.bvh", ExportOptions(fps=24)))
    assert (len(bvh.frames), bvh.frame_time) == (25, pytest.approx(1 / 24))


def test_takes_become_files_named_after_persons(body, tmp_path):
    one, two = walking(body, 4), make_motion(body, np.zeros((4, 22, 3)), np.ones((4, 3)))
    take = Take((one, two), ("a.walk", "b"))
    assert write_take(take, ["bvh"], tmp_path) == [tmp_path / "a.walk.bvh", tmp_path / "b.bvh"]
    np.testing.assert_allclose(read_joints(tmp_path / "a.walk.bvh"), one.joints, atol=1e-4)
    np.testing.assert_allclose(read_joints(tmp_path / "b.bvh"), two.joints, atol=1e-4)
    with pytest.raises(UsageError, match="unknown exporters backend 'doc'"):
        write_take(take, ["bvh", "doc"], tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(AnyliftError, match="holds one person, not 2"):
        BvhExporter().write(take, tmp_path / "both.bvh")


def test_exporters_are_found_by_suffix(tmp_path):
    assert exporter_of(tmp_path / "Walk.BVH").name == "bvh"
    assert exporter_of(tmp_path / "bvh") is None
    assert exporter_of(tmp_path / "motion.npz") is None


def test_another_body_is_refused(body, tmp_path):
    motion = walking(body, 2)
    motion.meta["body"] = {"name": "open", "sha256": "0" * 64}
    with pytest.raises(AnyliftError, match="another version of the body 'open'"):
        write(motion, tmp_path / "walk.bvh")
    motion.meta = {}
    with pytest.raises(AnyliftError, match="does not say which body"):
        write(motion, tmp_path / "walk.bvh")
    assert not list(tmp_path.iterdir())


def test_unusable_times_are_refused(body, tmp_path):
    with pytest.raises(AnyliftError, match="times are unusable"):
        write(walking(body, 3, timestamps=np.array([0, 0.1, 0.1])), tmp_path / "walk.bvh")

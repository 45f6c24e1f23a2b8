"""Scenes hold the motion, whatever axes, unit, rest pose and root they are asked for."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from motions import walking

from anylift_cli.body.parameters import pose_matrices, shape_of
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_MIRROR, J
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.scene import Y_UP_FROM_Z_UP
from anylift_cli.export.take import ExportOptions, Take

CHOICES = [
    ExportOptions(rest=rest, root=root, up=up, metres_per_unit=unit)
    for rest, root, up, unit in itertools.product(("t-pose", "a-pose"), ("pelvis", "ground"), "yz", (1.0, 0.01))
]


def in_world(points, scene):
    """Scene points as z-up metres."""
    turned = points if scene.up == "z" else points @ Y_UP_FROM_Z_UP
    return turned * scene.metres_per_unit


def skinned(one):
    """Mesh of each frame (T, V, 3) by plain linear blending."""
    rotations, positions = one.world()
    local = one.vertices[:, None] - one.rest[one.skin_joints]
    moved = np.einsum("tvkij,vkj->tvki", rotations[:, one.skin_joints], local) + positions[:, one.skin_joints]
    return np.einsum("vk,tvki->tvi", one.skin_weights, moved)


@pytest.mark.parametrize("options", CHOICES, ids=lambda one: f"{one.rest}-{one.root}-{one.up}-{one.metres_per_unit}")
def test_joints_and_mesh_are_the_motions(body, options):
    motion = walking(body, 12)
    scene = Take((motion,), ("walk",), options).scene
    one = scene.characters[0]
    joints = in_world(one.world()[1], scene)[:, -24:]
    np.testing.assert_allclose(joints, motion.joints, atol=1e-5)
    assert one.travelling == ((0,) if options.root == "pelvis" else (0, 1))
    true = body.vertices(pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans)).numpy()
    assert np.abs(in_world(skinned(one), scene) - true).max() < 0.02, "up to what a pose adds to a shape"
    if options.root == "ground":
        floor = in_world(one.world()[1], scene)[:, 0]
        np.testing.assert_allclose(floor[:, :2], motion.joints[:, 0, :2], atol=1e-5)
        assert np.abs(floor[:, 2]).max() < 1e-9


def test_rest_poses(body):
    motion = walking(body, 3)
    t_pose, a_pose = (
        Take((motion,), ("walk",), ExportOptions(rest=rest, metres_per_unit=1.0)).scene.characters[0]
        for rest in ("t-pose", "a-pose")
    )
    arm = t_pose.rest[J["left_wrist"]] - t_pose.rest[J["left_shoulder"]]
    assert arm[0] > 0.4 and abs(arm[1]) < 0.05
    lowered = a_pose.rest[J["left_wrist"]] - a_pose.rest[J["left_shoulder"]]
    assert np.degrees(np.arctan2(-lowered[1], lowered[0]) - np.arctan2(-arm[1], arm[0])) == pytest.approx(45)
    mirrored = a_pose.rest[list(SMPL_MIRROR)] * (-1, 1, 1)
    np.testing.assert_allclose(mirrored, a_pose.rest, atol=0.01)
    assert a_pose.vertices[:, 0].max() < t_pose.vertices[:, 0].max() - 0.1


def test_the_camera_sees_the_joints_where_the_video_has_them(body):
    motion = walking(body, 6)
    scene = Take((motion,), ("walk",), ExportOptions(up="z", metres_per_unit=1.0)).scene
    camera_from_world = np.linalg.inv(motion.world_from_camera)
    seen = np.einsum("tij,tnj->tni", camera_from_world[:, :3, :3], motion.joints) + camera_from_world[:, None, :3, 3]
    true = np.einsum("tij,tnj->tni", motion.K, seen / seen[..., 2:])[..., :2]
    inverse = np.linalg.inv(scene.camera.pose)
    points = scene.characters[0].world()[1]
    local = np.einsum("tij,tnj->tni", inverse[:, :3, :3], points) + inverse[:, None, :3, 3]
    picture = local[..., :2] / -local[..., 2:] * (1, -1) * scene.camera.focal[:, None] + scene.camera.principal[:, None]
    np.testing.assert_allclose(picture, true, atol=1e-2)


def test_objects_are_props_with_their_meshes(body):
    motion = walking(body, 5)
    pose = np.tile(np.eye(4), (1, 5, 1, 1))
    pose[0, :, :3, 3] = [[frame, 2, 1] for frame in range(5)]
    motion = dataclasses.replace(motion, object_names=np.array(["box"]), world_from_object=pose)
    mesh = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])
    for up in "yz":
        scene = Take((motion,), ("walk",), ExportOptions(up=up), {"box": mesh}).scene
        prop = scene.props[0]
        tip = prop.pose[3, :3, :3] @ prop.vertices[0] + prop.pose[3, :3, 3]
        np.testing.assert_allclose(in_world(tip, scene), [3, 2, 2], atol=1e-9)
    assert Take((motion,), ("walk",)).scene.props[0].vertices.shape == (0, 3)


def test_two_persons_share_the_times(body):
    first, second = walking(body, 20, fps=30), walking(body, 10, fps=30)
    second = dataclasses.replace(second, timestamps=second.timestamps + 0.5)
    take = Take((first, second), ("one", "two"))
    scene = take.scene
    assert [one.name for one in scene.characters] == ["one", "two"]
    assert len({len(one.rotations) for one in scene.characters}) == 1
    early = take.times < second.timestamps[0] - 0.02
    assert early.any() and (scene.characters[1].confidence[early] == 0).all()
    there = ~early & (take.times <= second.timestamps[-1])
    np.testing.assert_allclose(
        in_world(scene.characters[1].world()[1], scene)[there], second.joints[: there.sum()], atol=1e-3
    )


def test_persons_share_the_world_of_the_first(body):
    motion = walking(body, 20, fps=30)
    shift = np.array([0.4, -1.0, 0.1])
    cameras = motion.world_from_camera.copy()
    cameras[:, :3, 3] -= shift
    second = dataclasses.replace(motion, trans=motion.trans - shift.astype(np.float32), world_from_camera=cameras)
    scene = Take((motion, second), ("one", "two")).scene
    first, other = (in_world(one.world()[1], scene) for one in scene.characters)
    np.testing.assert_allclose(other, first, atol=1e-5)


def test_who_is_there_for_one_frame_only_stands_still(body):
    first, second = walking(body, 20, fps=30), walking(body, 1, fps=30)
    scene = Take((first, second), ("one", "two")).scene
    placed = in_world(scene.characters[1].world()[1], scene)
    np.testing.assert_allclose(placed, second.joints.repeat(20, 0), atol=1e-5)
    assert scene.characters[1].confidence[0] > 0 and (scene.characters[1].confidence[1:] == 0).all()


def test_another_rate_keeps_the_duration(body):
    motion = walking(body, 31, fps=30)
    take = Take((motion,), ("walk",), ExportOptions(fps=24))
    assert take.scene.frames == 25 and take.times[-1] == pytest.approx(motion.timestamps[-1])
    same = Take((motion,), ("walk",), ExportOptions(fps=60))
    np.testing.assert_allclose(in_world(same.scene.characters[0].world()[1], same.scene)[::2], motion.joints, atol=1e-5)


def test_names():
    assert JOINT_NAMES["smpl"] == SMPL_JOINTS
    for names in JOINT_NAMES.values():
        assert len(set(names)) == 24
    assert JOINT_NAMES["mixamo"][J["left_elbow"]] == "mixamorig:LeftForeArm"
    assert JOINT_NAMES["unreal"][J["right_knee"]] == "calf_r"

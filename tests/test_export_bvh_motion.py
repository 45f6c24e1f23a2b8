"""BVH files as motions of the open body: ours come back as they were, others' bones point the same ways."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from motions import FACING_X, make_motion, walking
from scipy.spatial.transform import Rotation

from anylift_cli.body.skeleton import SMPL_JOINTS, J
from anylift_cli.errors import AnyliftError
from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.bvh_motion import read_bvh_as_motion
from anylift_cli.export.inputs import read_take
from anylift_cli.export.scene import Scene
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.export.targets import TARGETS, export_options
from anylift_cli.export.tum import TumExporter

SHAPE = np.array([1.5, -1.0, 0.8, 0.5, -0.6, 0.3, 0.2, 0.0, 0.4, -0.3])


@pytest.fixture(scope="module")
def motion(body):
    """Any pose of any joint but the hands, on the way; upright, for that tells which axis is up."""
    rng = np.random.default_rng(3)
    turns = np.cumsum(rng.normal(0, 0.1, (20, 22, 3)), 0) + rng.normal(0, 0.3, (22, 3))
    turns[:, 0] = FACING_X + 0.3 * turns[:, 0]
    places = np.array([0.0, 0.0, 1.0]) + np.cumsum(rng.normal(0, 0.02, (20, 3)), 0)
    return make_motion(body, turns, places, SHAPE, fps=25.0)


@pytest.mark.parametrize("target", [None, *TARGETS])
def test_our_own_files_come_back_from_every_target(motion, tmp_path, target):
    path = BvhExporter().write(Take((motion,), ("a",), export_options(target)), tmp_path / "a.bvh")
    again = read_bvh_as_motion(path)
    assert again.fps == pytest.approx(25, rel=1e-6)
    assert np.linalg.norm(again.joints - motion.joints, axis=-1).max() < 2e-3
    if not target:
        difference = Rotation.from_rotvec(again.poses[:, :66].reshape(-1, 3)).inv() * Rotation.from_rotvec(
            motion.poses[:, :66].reshape(-1, 3)
        )
        assert difference.magnitude().max() < 5e-3, "rad; lengths hardly tell some of the shape"


def test_another_rest_pose_changes_nothing_that_can_be_seen(body, motion, tmp_path):
    """Each joint's rest is turned at random, as in files of MotionBuilder or LAFAN, whose bones all lie along x."""
    take = Take((motion,), ("a",), ExportOptions())
    rng = np.random.default_rng(5)
    turns = Rotation.random(24, rng).as_matrix()
    one = take.scene.characters[0]
    rest, rotations = one.rest.copy(), one.rotations.copy()
    for joint, parent in enumerate(one.parents):
        if parent >= 0:
            rest[joint] = rest[parent] + turns[parent] @ one.rest_offsets[joint]
        before = np.eye(3) if parent < 0 else turns[parent]
        rotations[:, joint] = before @ one.rotations[:, joint] @ turns[joint].T
    offsets = np.stack([rest[j] - (rest[p] if p >= 0 else 0) for j, p in enumerate(one.parents)])
    translations = np.where(np.arange(24)[:, None] == 0, one.translations, offsets)
    other = replace(one, rest=rest, rotations=rotations, translations=translations)
    assert np.abs(other.world()[1] - one.world()[1]).max() < 1e-9
    vars(take)["scene"] = Scene(take.fps, (other,), None, (), metres_per_unit=0.01)
    again = read_bvh_as_motion(BvhExporter().write(take, tmp_path / "a.bvh"))
    assert np.linalg.norm(again.joints - motion.joints, axis=-1).max() < 2e-3


def test_joints_that_the_file_lacks_go_along(motion, tmp_path):
    path = BvhExporter().write(Take((motion,), ("a",), ExportOptions()), tmp_path / "a.bvh")
    path.write_text(path.read_text().replace("spine2", "extra").replace("left_collar", "another"))
    again = read_bvh_as_motion(path)
    rest = [J[name] for name in SMPL_JOINTS if name not in ("spine2", "left_collar")]
    lengths = [np.linalg.norm(np.diff(one.joints[:, [J["left_hip"], J["left_knee"]]], axis=1), axis=-1)
               for one in (again, motion)]  # fmt: skip
    assert np.abs(lengths[0] - lengths[1]).max() < 0.01
    assert np.linalg.norm(again.joints - motion.joints, axis=-1)[:, rest].max() < 0.12
    legs = [J[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "ankle")]
    assert np.linalg.norm(again.joints - motion.joints, axis=-1)[:, legs].max() < 0.02


def test_feet_that_stand_are_in_contact(scene_folder, tmp_path):
    take = read_take([scene_folder / "motion.npz"], ExportOptions(), {})
    again = read_bvh_as_motion(BvhExporter().write(take, tmp_path / "a.bvh"))
    assert ((again.foot_contact > 0.5) == (take.motions[0].foot_contact > 0.5)).mean() > 0.85


def test_a_bvh_is_exported_like_a_motion_but_has_no_camera(anylift, body, tmp_path):
    BvhExporter().write(Take((walking(body, 5),), ("a",), ExportOptions()), tmp_path / "walk.bvh")
    done = anylift("export", "walk.bvh", "--to", "fbx,glb,bvh,amass,csv,trc,holosoma", "--out", "out", "--json")
    assert len(json.loads(done.stdout)["files"]) == 7
    take = read_take([tmp_path / "walk.bvh"], ExportOptions(), {})
    assert take.scene.camera is None
    with pytest.raises(AnyliftError, match="has no camera"):
        TumExporter().write(take, tmp_path / "camera.txt")


def test_a_bvh_of_something_else_is_refused(tmp_path):
    (tmp_path / "dog.bvh").write_text(
        "HIERARCHY\nROOT dog\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Yrotation Xrotation\n"
        "End Site\n{\nOFFSET 0 1 0\n}\n}\n"
        "MOTION\nFrames: 1\nFrame Time: 0.1\n0 0 0\n"
    )
    with pytest.raises(AnyliftError, match="no joint is named like the left hip"):
        read_bvh_as_motion(tmp_path / "dog.bvh")

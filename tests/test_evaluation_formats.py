"""Motion files of every accepted kind, written here by their schemas; other tools' real output."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from motion_files import (
    FIXTURES,
    JOBLIB_WHAM,
    MOCAP,
    SMPL_REST,
    Y_UP_FROM_Z_UP,
    needs_fixtures,
    turned_walk,
    wham_track,
    write_amass,
    write_bvh,
    write_glamr,
    write_gvhmr,
    write_pickle,
    write_romp_video,
    write_stageii,
    write_tram,
)
from motions import make_motion

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import J, K
from anylift_cli.body.tracks.posing import Poser, rotations_of
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.evaluation.formats.record import PersonRecord
from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.take import Take
from anylift_cli.foreign.unpickle import load_npz_member, load_pickle
from anylift_cli.geometry.cameras import project


@pytest.fixture(scope="module")
def motion(body: BodyModel) -> MotionArtifact:
    return turned_walk(body)


def only_person(path: Path | str, **options: object) -> PersonRecord:
    (person,) = read_motion(path, **options).people
    return person


def assert_same(person: PersonRecord, motion: MotionArtifact, tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(person.joints, motion.joints, atol=tolerance)
    for side in ("left", "right"):
        np.testing.assert_allclose(
            person.points[:, K[f"{side}_knee"]], motion.joints[:, J[f"{side}_knee"]], atol=tolerance
        )


# ---- each kind, built from its schema


def test_own_motion_comes_back_with_its_own_shape(tmp_path, body, motion):
    tall = make_motion(body, motion.poses[:, :66], motion.trans, betas=body.from_height(1.9)[0].numpy())
    record = read_motion(tall.save(tmp_path / "motion.npz"))
    assert (record.kind, record.world, record.frame_rate) == ("anylift", True, 30.0)
    np.testing.assert_array_equal(record.people[0].joints, tall.joints)
    assert np.isfinite(record.people[0].points).all()
    np.testing.assert_array_equal(record.world_from_camera, tall.world_from_camera)


def test_own_motion_of_a_body_that_is_not_installed_still_has_its_joints(tmp_path, motion):
    foreign = replace(motion, meta={"body": {"name": "not_here"}})
    record = read_motion(foreign.save(tmp_path / "motion.npz"))
    np.testing.assert_array_equal(record.people[0].joints, motion.joints)
    assert np.isnan(record.people[0].points[:, K["nose"]]).all()
    assert record.body == "the file's joints"


@pytest.mark.parametrize("write, rate", [(write_amass, 120.0), (write_stageii, 60.0)])
def test_amass(tmp_path, motion, write, rate):
    record = read_motion(write(tmp_path / "walk.npz", motion))
    assert (record.kind, record.frame_rate, record.body) == ("AMASS", rate, "open body, mean shape")
    assert_same(record.people[0], motion)
    np.testing.assert_allclose(record.people[0].times[-1], 11 / rate)


def test_gvhmr(tmp_path, motion):
    record = read_motion(write_gvhmr(tmp_path / "hmr4d_results.pt", motion))
    assert (record.kind, record.world) == ("GVHMR", True)
    assert_same(record.people[0], motion)
    assert record.K.shape == (12, 3, 3)


def test_frames_per_second_of_files_that_do_not_say(tmp_path, motion):
    path = write_gvhmr(tmp_path / "hmr4d_results.pt", motion)
    assert only_person(path).times[-1] == pytest.approx(11 / 30)
    assert only_person(path, fps=25).times[-1] == pytest.approx(11 / 25)
    with pytest.raises(UsageError):
        read_motion(path, fps=0)


@pytest.mark.parametrize("world", [True, False])
def test_wham(tmp_path, motion, world):
    track = wham_track(motion)
    if not world:
        del track["pose_world"], track["trans_world"]
    record = read_motion(write_pickle(tmp_path / "wham_output.pkl", {4: track}), fps=25)
    assert (record.kind, record.world, record.people[0].id) == ("WHAM", world, "4")
    assert_same(record.people[0], motion)
    assert record.people[0].times[0] == pytest.approx(3 / 25)


@pytest.mark.parametrize("compression", JOBLIB_WHAM)
def test_wham_as_joblib_itself_writes_it(tmp_path, compression):
    path = tmp_path / "wham_output.pkl"
    path.write_bytes(zlib.decompress(base64.b85decode(JOBLIB_WHAM[compression])))
    person = only_person(path)
    assert (person.id, person.frames.tolist()) == ("4", [5, 6, 7])
    np.testing.assert_allclose(person.joints[:, 0, 0], np.arange(3) * 0.1 + SMPL_REST[0], atol=1e-6)
    np.testing.assert_allclose(person.joints[:, 0, 2], 1.25 + SMPL_REST[1], atol=1e-6)
    facing = person.points[0, K["nose"]] - person.joints[0, J["head"]]
    assert facing[0] > 0.05 and abs(facing[1]) < 0.02, "rest faces z; a quarter turn about y faces x"


@pytest.mark.parametrize("upright", [True, False])
def test_tram(tmp_path, motion, upright):
    record = read_motion(write_tram(tmp_path / "seq", motion, upright))
    assert (record.kind, record.world) == ("TRAM", True)
    assert_same(record.people[0], motion)
    assert record.world_from_camera.shape == (12, 4, 4)


def test_tram_without_its_cameras_is_in_an_upright_cameras_frame(tmp_path, motion):
    track = write_tram(tmp_path / "seq", motion, upright=True)
    (tmp_path / "seq" / "camera.npy").unlink()
    record = read_motion(track)
    assert not record.world and record.world_from_camera is None


def test_glamr_people_are_where_they_exist(tmp_path, motion):
    exists = np.arange(12) >= 4
    record = read_motion(write_glamr(tmp_path / "scene.pkl", motion, exists))
    assert (record.kind, record.world, record.people[0].frames.tolist()) == ("GLAMR", True, list(range(4, 12)))
    np.testing.assert_allclose(record.people[0].joints, motion.joints[4:], atol=2e-5)


def test_romp_video_keeps_people_apart(tmp_path, motion):
    record = read_motion(write_romp_video(tmp_path / "video_results.npz", motion))
    assert (record.kind, record.world) == ("ROMP", False)
    first, second = record.people
    assert_same(first, motion, 1e-6)
    assert (second.id, second.frames.tolist()) == ("9", list(range(2, 12)))
    np.testing.assert_allclose(second.joints, motion.joints[2:] + np.array([1, 0, 0]), atol=1e-6)


def test_bvh_of_our_own_exporter(tmp_path, motion):
    record = read_motion(BvhExporter().write(Take((motion,), ("walk",)), tmp_path / "walk.bvh"))
    assert (record.kind, record.frame_rate) == ("BVH", pytest.approx(30, rel=1e-6))
    assert_same(record.people[0], motion, 1e-4)


MIXAMO_NAMES = (
    "Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot", "Spine2",
    "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm", "RightArm",
    "LeftForeArm", "RightForeArm", "LeftHand", "RightHand", "LeftHandMiddle1", "RightHandMiddle1",
)  # fmt: skip
CMU_NAMES = (
    "root", "lfemur", "rfemur", "lowerback", "ltibia", "rtibia", "upperback", "lfoot", "rfoot", "thorax", "ltoes",
    "rtoes", "lowerneck", "lclavicle", "rclavicle", "head", "lhumerus", "rhumerus", "lradius", "rradius", "lwrist",
    "rwrist", "lhand", "rhand",
)  # fmt: skip
SMPL_FBX_NAMES = (
    "Pelvis", "L_Hip", "R_Hip", "Spine1", "L_Knee", "R_Knee", "Spine2", "L_Ankle", "R_Ankle", "Spine3", "L_Foot",
    "R_Foot", "Neck", "L_Collar", "R_Collar", "Head", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist",
    "R_Wrist", "L_Hand", "R_Hand",
)  # fmt: skip


@pytest.mark.parametrize(
    "names, unit, up",
    [
        (tuple(f"mixamorig:{name}" for name in MIXAMO_NAMES), 0.01, "y"),
        (MIXAMO_NAMES, 0.0254, "y"),
        (CMU_NAMES, 0.0254 / 0.45, "y"),
        (SMPL_FBX_NAMES, 1.0, "z"),
    ],
)
def test_bvh_names_units_and_axes(tmp_path, motion, names, unit, up):
    joints = motion.joints @ Y_UP_FROM_Z_UP.T if up == "y" else motion.joints
    record = read_motion(write_bvh(tmp_path / "walk.bvh", names, joints, unit))
    assert record.frame_rate == pytest.approx(25)
    assert_same(record.people[0], motion, 1e-4)


def test_bvh_with_unknown_names_says_which_styles_are_known(tmp_path, motion):
    path = write_bvh(tmp_path / "walk.bvh", tuple(f"bone{index}" for index in range(24)), motion.joints, 1.0)
    with pytest.raises(AnyliftError, match=r"left hip.*bone0") as caught:
        read_motion(path)
    assert "Mixamo" in caught.value.hint


def test_clip_of_a_compact_mocap_file(tmp_path, motion):
    path = tmp_path / "mocap.npz"
    np.savez(
        path, joints=np.concatenate([0 * motion.joints, motion.joints]), clip_start=[0, 12], clip_len=[12, 12],
        clip_name=["still", "walk"], fps=30.0, floor_z=[0.0, 0.05],
    )  # fmt: skip
    person = only_person(f"{path}#walk")
    np.testing.assert_allclose(person.joints, motion.joints - [0, 0, 0.05], atol=1e-6)
    for name in (str(path), f"{path}#jump"):
        with pytest.raises(UsageError) as caught:
            read_motion(name)
        assert f"{path}#still" in caught.value.hint


@pytest.mark.skipif(not MOCAP.is_file(), reason="../shared/data/mocap is absent")
def test_clip_of_the_real_mocap_file_stands_on_the_floor():
    person = only_person(f"{MOCAP}#131_01")
    lowest = person.joints[:, [J["left_foot"], J["right_foot"]], 2].min()
    assert abs(lowest) < 0.05
    assert 0.7 < np.median(person.joints[:, 0, 2]) < 1.1


# ---- the shape of the body


def test_a_users_smpl_file_brings_the_shape_back(tmp_path, body, motion):
    """The open body stands in for a licensed file, under a path, which makes it count as the user's own."""
    betas = body.from_height(1.9)[0].numpy()
    tall = make_motion(body, motion.poses[:, :66], motion.trans, betas=betas)
    path = tmp_path / "mine.npz"
    path.write_bytes(next((Path(__file__).parents[1] / "weights").glob("open_body.npz")).read_bytes())
    shape = np.pad(betas, (0, 16 - len(betas)))
    file = write_amass(tmp_path / "walk.npz", tall, trans=tall.trans.astype(np.float64), betas=shape)
    record = read_motion(file, body=path)
    assert record.body == "mine, each person's shape"
    assert_same(record.people[0], tall)
    assert Poser.load(None).height == pytest.approx(1.70, abs=1e-3)


# ---- real files


@needs_fixtures
def test_real_glamr_file_projects_to_where_glamr_saw_its_own_joints():
    path = FIXTURES / "glamr_output" / "running_seed1.pkl"
    record = read_motion(path)
    (person,) = record.people
    assert (record.kind, record.world, len(person.times)) == ("GLAMR", True, 203)
    pixels = project(person.joints, record.world_from_camera[person.frames], record.K[person.frames])
    seen = load_pickle(path)["person_data"][0]["kp_2d_pred"]
    places = {1: "left_hip", 2: "right_hip", 4: "left_knee", 5: "right_knee", 7: "left_ankle", 8: "right_ankle",
              20: "left_shoulder", 21: "right_shoulder", 22: "left_elbow", 23: "right_elbow"}  # fmt: skip
    errors = np.linalg.norm(pixels[:, [J[name] for name in places.values()]] - seen[:, list(places)], axis=-1)
    height = np.ptp(seen[..., 1], axis=1)
    assert np.median(errors / height[:, None]) < 0.03
    assert abs(person.points[:, K["left_heel"], 2].min()) < 0.15


@needs_fixtures
def test_real_romp_file_and_the_open_body_agree():
    path = FIXTURES / "romp_output" / "romp_output.npz"
    record = read_motion(path)
    (person,) = record.people
    assert (record.kind, record.world, len(person.times)) == ("ROMP", False, 1)
    thetas = load_npz_member(path, "results")["smpl_thetas"]
    joints, points = Poser.load(None).from_pelvis(rotations_of(thetas), np.zeros((1, 3)))
    upright = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    real = person.joints - person.joints[:, :1]
    assert np.linalg.norm(joints @ upright.T - real, axis=-1).mean() < 0.06
    face = [K[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]
    feet = [K[f"{side}_{name}"] for side in ("left", "right") for name in ("big_toe", "small_toe", "heel")]
    apart = points[:, face + feet] @ upright.T - (person.points[:, face + feet] - person.joints[:, :1])
    assert np.linalg.norm(apart, axis=-1).max() < 0.12


# ---- hostile and damaged files

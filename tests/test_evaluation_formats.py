"""Motion files of every accepted kind, written here by their schemas; other tools' real output; hostile files."""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from motions import make_motion, walking
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import SMPL_PARENTS, J, K
from anylift_cli.body.tracks.posing import REST_PELVIS, Poser, rotations_of
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.evaluation.formats.record import PersonRecord
from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.take import Take
from anylift_cli.foreign.unpickle import load_npz_member, load_object_array, load_pickle, load_torch
from anylift_cli.geometry.cameras import project

FIXTURES = Path(__file__).parents[2] / "shared" / "data" / "fixtures"
MOCAP = FIXTURES.parent / "mocap" / "cmu_30fps.npz"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="../shared/data/fixtures is absent")

Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
CAMERA_FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
SMPL_REST = np.array(REST_PELVIS["smpl", "neutral"])
SMPLX_REST = np.array(REST_PELVIS["smplx", "neutral"])

JOBLIB_WHAM = {
    "uncompressed": (
        b"c-rljOH1oO6vq?W_-OB?RZ$U@dzapYU5J7Up9msG3c7I_Cdu^9Tqh5b3DSk23$?=RJl*?sg!&2mFm;k9N^QHj3s?C=GG`tq=j4#{BR9qNoT?-eWy"
        b"@m>Tbz1s2%>D`28tNBsm0+5#H1Nf#%a7&OxNz<9Q5Kftcs%Vg&4%_KhI>;thtfnHw~X!mrSls*W>9y5TNEofP5bZ()Z6T#Ez3;WLgY`@~K+l1!BUrQ"
        b"G7NIs)Ypk81#aEd@pBSU`uDA9!lHhO}Rs=nI%t;H8$X}^&qoa)eA!1hI+kz(v?bXy28N}CB&F_WjGG<p(U1jnI`cJ#OPnw!7ew<CdVP@)yS-L`xO`"
        b"Jt@5&`<Ql2GK6!oqSM9ab5E>7Vgbn%8BL%6D88RzDP`C#&N9M@_Sth?)<agYqQ+@r})BgS_yS<*pD8<+^uDpQRgMp5R1gds(9^~J9UZ3yd!DiO0<%9"
        b">Lnl+(<P>-OmUDc#NUpt+h*Uss#qCD??UPGB<VvdF|r!)iw+85q@b6w7|oTnNAa<D<|!MyLXtQW-?-TM4BA}fPGMj!9>vyX3D8fH8lC(<zrYwuBaDO"
        b"v"
    ),
    "zlib": (
        b"c-jHr0U!Q&UhS4mPunmU#~a%4(hjwN7@A-jM|OY%0*M1Krb!bbs1jUujGV;99?pvrN2muRIKYbJ8&B^0I+MyL;KMLGO(@WINaLDEO8olxasKl2i!Un"
        b"4yjDt0)NG$IY;)>+5r~?DTPSASp*DwG5R+C+8K-KflJ#A|F&LF|SP_-Lk1&Y2pT5PYwdTcc&^7~VpEB7y(^So`VTjs4LKFlzl<R%I1m!px#g@%bBv;"
        b"i_FAx)+gVbCVRF4P>Fc@WH|5~>E(2>qU`zGrSZ_5$V$ZK-;SZf1rI=|$uR*bUHwxQW<9y~}(Uq*?8C8~%q|IBn<6hKET_I8@aGZCXFo{K$hT5XOaFd"
        b"DH{SDsHy33Xrp^Q9+QVZ#(C^!fL>DD)YvPqLbg37v;X!iK!-k%H98ESZxaC|?7aC-2DuSt6f0WLahD)MJMBSKiwjRZrIQ7*&NW^UM#KGZ;t`XCP4H1"
        b"r8nx9=y)L;=C6;c>R<NpOI|lxmrtkFe+J7DhTa6JmZ3v=I33vyK~n)+%1)U%l~%%^y58Yj)gfI!kp?56zC}m{`b4y>X#hlx=gh~<YJRLgZsY90ro+R"
        b"(XIZ~h<qHp7(KFd`WfQ%EX;UTPGn^qt^Ea2cPUz}_URY"
    ),
}
"""Files that joblib 1.6.0 wrote: track 4 of three frames from frame 5, walking along x in a y-up world, pose zero but
for a quarter turn about the vertical."""


@pytest.fixture(scope="module")
def motion(body: BodyModel) -> MotionArtifact:
    """A walk with a turned head, that no left-right or axis mistake leaves as it is."""
    walk = walking(body, 12)
    axis_angle = walk.poses[:, :66].reshape(12, 22, 3).copy()
    axis_angle[:, J["head"]] = (0.1, 0.6, 0.2)
    axis_angle[:, J["left_shoulder"]] += (0.2, 0.7, 0.1)
    return make_motion(body, axis_angle, walk.trans + np.array([0.3, -0.2, 0.0]))


def pelvis(motion: MotionArtifact) -> np.ndarray:
    return motion.joints[:, 0].astype(np.float64)


def orient(motion: MotionArtifact, rotation: np.ndarray) -> np.ndarray:
    """The root's axis-angle in turned axes."""
    return (Rotation.from_matrix(rotation) * Rotation.from_rotvec(motion.root_orient)).as_rotvec()


def smpl_pose(motion: MotionArtifact, rotation: np.ndarray) -> np.ndarray:
    """(T, 72) in turned axes, the two hands unturned."""
    return np.concatenate([orient(motion, rotation), motion.pose_body, np.zeros((len(motion.trans), 6))], -1)


def write_amass(path: Path, motion: MotionArtifact, **changes: object) -> Path:
    """The old kind, with the pickled arrays that real ones hold."""
    poses = np.zeros((len(motion.trans), 156))
    poses[:, :66] = motion.poses[:, :66]
    arrays = {
        "trans": pelvis(motion) - SMPL_REST, "poses": poses, "betas": np.ones(16), "gender": np.array("neutral"),
        "mocap_framerate": np.array(120.0), "dmpls": np.zeros((len(poses), 8)),
        "marker_labels": np.array(["C7", None], object), **changes,
    }  # fmt: skip
    np.savez(path, **arrays)
    return path


def write_stageii(path: Path, motion: MotionArtifact) -> Path:
    poses = np.zeros((len(motion.trans), 165))
    poses[:, :66] = motion.poses[:, :66]
    np.savez(
        path, gender="female", surface_model_type="smplx", mocap_frame_rate=60.0, trans=pelvis(motion) - SMPLX_REST,
        poses=poses, betas=np.zeros(16), num_betas=16, root_orient=poses[:, :3], pose_body=poses[:, 3:66],
    )  # fmt: skip
    return path


def write_gvhmr(path: Path, motion: MotionArtifact, **changes: object) -> Path:
    frames = len(motion.trans)
    parameters = {
        "body_pose": torch.from_numpy(motion.pose_body),
        "betas": torch.ones(frames, 10),
        "global_orient": torch.from_numpy(orient(motion, Y_UP_FROM_Z_UP)).float(),
        "transl": torch.from_numpy(pelvis(motion) @ Y_UP_FROM_Z_UP.T - SMPLX_REST).float(),
    }
    parameters.update(changes)
    in_camera = {name: torch.zeros_like(value) for name, value in parameters.items() if torch.is_tensor(value)}
    stored = {
        "smpl_params_global": parameters, "smpl_params_incam": in_camera,
        "K_fullimg": torch.eye(3).repeat(frames, 1, 1),
        "net_outputs": {"static_conf_logits": torch.zeros(1, frames, 6)},
    }  # fmt: skip
    torch.save(stored, path)
    return path


def wham_track(motion: MotionArtifact) -> dict[str, np.ndarray]:
    frames = len(motion.trans)
    return {
        "pose": smpl_pose(motion, CAMERA_FROM_Z_UP),
        "trans": pelvis(motion) @ CAMERA_FROM_Z_UP.T - SMPL_REST,
        "pose_world": smpl_pose(motion, Y_UP_FROM_Z_UP),
        "trans_world": pelvis(motion) @ Y_UP_FROM_Z_UP.T - SMPL_REST,
        "betas": np.ones((frames, 10)),
        "verts": np.zeros((frames, 4, 3)),
        "frame_ids": np.arange(3, 3 + frames),
    }


def write_pickle(path: Path, stored: object) -> Path:
    path.write_bytes(pickle.dumps(stored))
    return path


def glamr_person(motion: MotionArtifact, exists: np.ndarray) -> dict[str, object]:
    """The keys of the real file that say where someone is; where nobody is, GLAMR writes zeros."""
    frames = len(motion.trans)
    pose = np.concatenate([motion.pose_body, np.zeros((frames, 6))], -1)
    there = exists[:, None]
    return {
        "exist_frames": exists, "frames": np.arange(frames), "fr_start": np.int64(0), "scale": None,
        "smpl_pose": (pose * there).astype(np.float32), "smpl_beta": np.ones((frames, 10), np.float32),
        "smpl_orient_world": (motion.root_orient * there).astype(np.float32),
        "root_trans_world": (pelvis(motion) * there).astype(np.float32),
        "cam_K": np.tile(np.diag([1000.0, 1000.0, 1.0]), (frames, 1, 1)).astype(np.float32),
        "frame2ind": {np.int64(frame): frame for frame in range(frames)},
    }  # fmt: skip


def write_glamr(path: Path, motion: MotionArtifact, exists: np.ndarray | None = None) -> Path:
    frames = len(motion.trans)
    everywhere = np.ones(frames, bool)
    people = {0: glamr_person(motion, everywhere if exists is None else exists)}
    return write_pickle(path, {"person_data": people, "cam_pose_inv": np.tile(np.eye(4, dtype="f4"), (frames, 1, 1))})


def write_tram(folder: Path, motion: MotionArtifact, upright: bool) -> Path:
    """A camera that rolls, pitches and moves; the track is in its frame."""
    frames = len(motion.trans)
    (folder / "hps").mkdir(parents=True)
    turn = Rotation.from_euler("zyx", np.linspace([0.1, 0.2, -0.1], [0.2, -0.3, 0.1], frames)).as_matrix()
    places = np.linspace([0, 0, 0], [1.0, -0.2, 0.5], frames)
    world = motion.joints.astype(np.float64) @ (Y_UP_FROM_Z_UP if upright else CAMERA_FROM_Z_UP).T
    in_camera = np.einsum("tji,tj->ti", turn, world[:, 0] - places)
    root = Rotation.from_matrix(turn).inv() * Rotation.from_rotvec(
        orient(motion, Y_UP_FROM_Z_UP if upright else CAMERA_FROM_Z_UP)
    )
    rotations = rotations_of(smpl_pose(motion, np.eye(3)))
    rotations[:, 0] = root.as_matrix()
    prefix = "world" if upright else "pred"
    cameras = {f"{prefix}_cam_R": turn, f"{prefix}_cam_T": places, "img_focal": np.float64(900.0)}
    np.save(folder / "camera.npy", cameras)
    track = {
        "pred_cam": torch.zeros(frames, 3),
        "pred_rotmat": torch.from_numpy(rotations).float(),
        "pred_shape": torch.ones(frames, 10),
        "pred_trans": torch.from_numpy(in_camera - SMPL_REST).float()[:, None],
        "frame": torch.arange(frames),
    }
    np.save(folder / "hps" / "hps_track_0.npy", track)
    return folder / "hps" / "hps_track_0.npy"


def write_romp_video(path: Path, motion: MotionArtifact) -> Path:
    """Two people, the second from frame 2 on and a metre to the side."""
    results = {}
    for index, joints in enumerate(motion.joints @ CAMERA_FROM_Z_UP.T):
        stored = np.zeros((2, 71, 3), np.float32)
        stored[:, :24] = joints
        people = slice(0, 2 if index >= 2 else 1)
        trans = np.array([[0.0, 0, 0], [1.0, 0, 0]], np.float32)
        results[f"{index:08d}.jpg"] = {
            "joints": stored[people], "cam_trans": trans[people], "track_ids": np.array([7, 9])[people],
        }  # fmt: skip
    np.savez(path, results=results)
    return path


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


def write_bvh(path: Path, names: tuple[str, ...], joints: np.ndarray, unit: float) -> Path:
    """Every joint moved by its own position channels: exact, whatever the rotations."""
    children = {joint: [c for c, parent in enumerate(SMPL_PARENTS) if parent == joint] for joint in range(24)}
    order: list[int] = []

    def lines(joint: int) -> list[str]:
        order.append(joint)
        inner = [line for child in children[joint] for line in lines(child)]
        end = ["End Site", "{", "OFFSET 0 0 0", "}"] if not inner else []
        head = ["ROOT" if joint == 0 else "JOINT", names[joint]]
        channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"
        return [" ".join(head), "{", "OFFSET 0 0 0", channels, *inner, *end, "}"]

    hierarchy = lines(0)
    local = joints.astype(np.float64) / unit
    local[:, 1:] -= local[:, SMPL_PARENTS[1:]]
    rows = [" ".join(f"{x:.6f} {y:.6f} {z:.6f} 0 0 0" for x, y, z in frame[order]) for frame in local]
    path.write_text("\n".join(["HIERARCHY", *hierarchy, "MOTION", f"Frames: {len(rows)}", "Frame Time: 0.04", *rows]))
    return path


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


class Hostile:
    """Would create a file when unpickled by Python's own unpickler."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def write_hostile(kind: str, path: Path, marker: Path) -> None:
    trap = {"person_data": Hostile(marker)}
    if kind == "npy":
        np.save(path, trap)
    elif kind == "npz":
        np.savez(path, results=np.array(trap, object))
    elif kind == "pt":
        torch.save(trap, path)
    else:
        content = pickle.dumps(trap, protocol=int(kind[-1]))
        path.write_bytes(zlib.compress(content) if kind.startswith("zlib") else content)


@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "pickle2", "pickle4", "zlib4"])
def test_hostile_files_do_not_run(tmp_path, kind):
    marker, path = tmp_path / "ran", tmp_path / ("file.npz" if kind == "npz" else "file.npy")
    write_hostile(kind, path, marker)
    with pytest.raises(AnyliftError, match=r"system.*nothing of it was run") as caught:
        read_motion(path)
    assert str(path) in caught.value.message and caught.value.hint
    assert not marker.exists()


def test_the_trap_is_real(tmp_path):
    marker = tmp_path / "ran"
    pickle.loads(pickle.dumps(Hostile(marker)))
    assert marker.exists()


def pickled(text: bytes) -> bytes:
    return b"\x80\x02" + text + b"."


@pytest.mark.parametrize(
    "content",
    [
        pickled(b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R"),
        pickled(b"cbuiltins\ngetattr\n"),
        pickled(b"cnumpy\nload\n"),
        pickled(b"cnumpy.core.multiarray\nfromfile\n"),
        pickled(b"ctorch\nload\n"),
        pickled(b"cjoblib.numpy_pickle\nNumpyUnpickler\n"),
        pickled(b"ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb"),
        pickled(b"cnumpy\nndarray\nK\x01\x85R"),
        pickled(b"cnumpy\ndtype\nX\x05\x00\x00\x00i4,i4\x85R"),
    ],
    ids=["eval", "getattr", "load", "fromfile", "torch", "unpickler", "attributes", "raw memory", "structures"],
)
def test_only_numbers_and_containers_are_unpickled(tmp_path, content):
    path = tmp_path / "file.pkl"
    path.write_bytes(content)
    with pytest.raises(AnyliftError):
        load_pickle(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    stored = {
        "c": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big": np.arange(3, dtype=">f4"),
        "text": np.array(["a", "bc"]), "objects": np.array([{"a": 1}, None], object), "scalar": np.float32(1.5),
        "flag": np.bool_(True), "bytes": b"\xff\x00", "set": {1, 2}, "empty": np.zeros((0, 3)),
    }  # fmt: skip
    path = tmp_path / "file.pkl"
    path.write_bytes(pickle.dumps(stored, protocol=protocol))
    loaded, expected = load_pickle(path), pickle.loads(path.read_bytes())
    for name in ("c", "f", "big", "text", "empty"):
        np.testing.assert_array_equal(loaded[name], stored[name])
        assert loaded[name].dtype == expected[name].dtype and loaded[name].shape == stored[name].shape
    assert loaded["objects"].tolist() == [{"a": 1}, None]
    assert (loaded["scalar"], loaded["flag"], loaded["bytes"], loaded["set"]) == (1.5, True, b"\xff\x00", {1, 2})


def test_object_arrays_hold_torch_tensors(tmp_path):
    stored = {"turned": torch.arange(6.0).reshape(2, 3).T, "part": torch.arange(10)[3:5], "flags": torch.tensor([True])}
    np.save(tmp_path / "file.npy", stored)
    loaded = load_object_array(tmp_path / "file.npy")
    for name, value in stored.items():
        assert torch.equal(loaded[name], value)
    np.save(tmp_path / "numbers.npy", np.asfortranarray(np.arange(6).reshape(2, 3)))
    np.testing.assert_array_equal(load_object_array(tmp_path / "numbers.npy"), np.arange(6).reshape(2, 3))


def files_of_every_kind(folder: Path, motion: MotionArtifact) -> list[Path]:
    return [
        motion.save(folder / "motion.npz"),
        write_amass(folder / "amass.npz", motion),
        write_gvhmr(folder / "hmr4d_results.pt", motion),
        write_pickle(folder / "wham_output.pkl", {0: wham_track(motion)}),
        write_glamr(folder / "scene.pkl", motion),
        write_tram(folder / "seq", motion, upright=True),
        write_romp_video(folder / "video_results.npz", motion),
        BvhExporter().write(Take((motion,), ("walk",)), folder / "walk.bvh"),
    ]


def test_changed_bytes_never_end_in_a_traceback(tmp_path, motion):
    """Every second change falls into the first bytes, where headers and names are."""
    rng = np.random.default_rng(0)
    for path in files_of_every_kind(tmp_path, motion):
        content = path.read_bytes()
        for turn in range(10):
            changed = bytearray(content)
            changed[rng.integers(len(content) if turn % 2 else 500)] = rng.integers(256)
            path.write_bytes(changed)
            with contextlib.suppress(AnyliftError):
                read_motion(path)


def test_cut_off_files_of_every_kind_are_named(tmp_path, motion):
    for path in files_of_every_kind(tmp_path, motion):
        content = path.read_bytes()
        for share in (0.3, 0.8, 0.99):
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(AnyliftError) as caught:
                read_motion(path)
            assert path.name in caught.value.message


@pytest.mark.parametrize("compression", JOBLIB_WHAM)
def test_cut_off_joblib_files_are_named(tmp_path, compression):
    path = tmp_path / "wham_output.pkl"
    content = zlib.decompress(base64.b85decode(JOBLIB_WHAM[compression]))
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(AnyliftError, match="wham_output"):
            read_motion(path)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"transl": torch.zeros(5, 3)}, r"'transl' has shape \(5, 3\)"),
        ({"body_pose": torch.full((12, 63), torch.nan)}, "'body_pose' holds NaN"),
        ({"global_orient": ["a", "b"]}, "'global_orient' is not an array of numbers"),
    ],
)
def test_malformed_arrays_are_named(tmp_path, motion, change, complaint):
    with pytest.raises(AnyliftError, match=complaint):
        read_motion(write_gvhmr(tmp_path / "hmr4d_results.pt", motion, **change))


@pytest.mark.parametrize("write", [
    lambda path: path.write_bytes(b""),
    lambda path: path.write_text("a,b\n1,2\n"),
    lambda path: path.write_bytes(pickle.dumps([1, 2, 3])),
    lambda path: np.savez(path, nothing=np.zeros(3)),
    lambda path: torch.save({"weights": torch.zeros(3)}, path),
])  # fmt: skip
def test_files_of_no_known_kind_list_the_kinds(tmp_path, write):
    path = tmp_path / "file.npz"
    write(path)
    with pytest.raises(AnyliftError) as caught:
        read_motion(path)
    for kind in ("GVHMR", "WHAM", "TRAM", "AMASS", "BVH"):
        assert kind in caught.value.hint


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(AnyliftError, match="does not exist"):
        read_motion(tmp_path / "none.npz")
    with pytest.raises(AnyliftError, match="cannot be read"):
        read_motion(tmp_path)
    with pytest.raises(AnyliftError, match="does not exist"):
        load_torch(tmp_path / "none.pt")

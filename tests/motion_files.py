"""Motion files of other tools, written here by their schemas, and a motion to write."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from motions import make_motion, walking
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import SMPL_PARENTS, J
from anylift_cli.body.tracks.posing import REST_PELVIS, rotations_of

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


def turned_walk(body: BodyModel) -> MotionArtifact:
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

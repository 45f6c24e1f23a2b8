"""Writes people as GVHMR, WHAM, TRAM, GLAMR and ROMP would, by their schemas (../shared/data/fixtures/SCHEMAS.txt)."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import K
from anylift_cli.body.tracks.posing import REST_PELVIS
from anylift_cli.body.tracks.romp import LANDMARK_PLACES
from anylift_cli.geometry.cameras import invert, transform

SMPL_REST = np.array(REST_PELVIS["smpl", "neutral"])
SMPLX_REST = np.array(REST_PELVIS["smplx", "neutral"])


@dataclass(frozen=True)
class Seen:
    """One person in the axes of each frame's camera: rotations (T, 24, 3, 3), pelvis (T, 3), joints and `body24` points
    (T, 24, 3) of the mean shape, in frames (T,) of the video."""

    frames: np.ndarray
    rotations: np.ndarray
    pelvis: np.ndarray
    joints: np.ndarray
    points: np.ndarray

    def at(self, index: slice | np.ndarray) -> Seen:
        return Seen(*(value[index] for value in vars(self).values()))


def seen_by(
    world_from_camera: np.ndarray, body: BodyModel, pose: np.ndarray, transl: np.ndarray, frames: np.ndarray
) -> Seen:
    """The mean-shaped body in poses (T, 24, 3, 3) with translations (T, 3) in the world."""
    at_origin = body.joints(torch.as_tensor(pose).float(), torch.zeros(1, body.num_betas), torch.zeros(len(pose), 3))
    camera = invert(world_from_camera)
    joints, points = (
        transform(camera, part.double().numpy() + np.asarray(transl, np.float64)[:, None]) for part in at_origin
    )
    rotations = np.array(pose, np.float64)
    rotations[:, 0] = camera[:, :3, :3] @ rotations[:, 0]
    return Seen(np.asarray(frames), rotations, joints[:, 0], joints, points)


def axis_angle(rotations: np.ndarray) -> np.ndarray:
    """(T, J, 3, 3) → (T, 3 J)."""
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(len(rotations), -1)


def write_gvhmr(folder: Path, people: Sequence[Seen], intrinsics: np.ndarray) -> Path:
    """The first person alone, which has to be there in all frames."""
    (one,) = people
    frames = len(one.frames)
    in_camera = {
        "body_pose": torch.from_numpy(axis_angle(one.rotations[:, 1:22])).float(),
        "betas": torch.zeros(frames, 10),
        "global_orient": torch.from_numpy(axis_angle(one.rotations[:, :1])).float(),
        "transl": torch.from_numpy(one.pelvis - SMPLX_REST).float(),
    }
    stored = {
        "smpl_params_global": {name: torch.zeros_like(value) for name, value in in_camera.items()},
        "smpl_params_incam": in_camera,
        "K_fullimg": torch.from_numpy(np.tile(intrinsics, (frames, 1, 1))).float(),
        "net_outputs": {"static_conf_logits": torch.zeros(1, frames, 6)},
    }
    torch.save(stored, folder / "hmr4d_results.pt")
    return folder / "hmr4d_results.pt"


def write_wham(folder: Path, people: Sequence[Seen], intrinsics: np.ndarray) -> Path:
    """WHAM does not save its focal length."""
    stored = {
        number: {
            "pose": axis_angle(one.rotations), "trans": one.pelvis - SMPL_REST,
            "pose_world": np.zeros((len(one.frames), 72)), "trans_world": np.zeros((len(one.frames), 3)),
            "betas": np.zeros((len(one.frames), 10)), "verts": np.zeros((len(one.frames), 4, 3)),
            "frame_ids": one.frames,
        }
        for number, one in enumerate(people)
    }  # fmt: skip
    (folder / "wham_output.pkl").write_bytes(pickle.dumps(stored))
    return folder / "wham_output.pkl"


def write_tram(folder: Path, people: Sequence[Seen], intrinsics: np.ndarray) -> Path:
    """A file for each person, and the cameras above them."""
    (folder / "hps").mkdir()
    count = 1 + max(int(one.frames.max()) for one in people)
    cameras = {
        "pred_cam_R": np.tile(np.eye(3), (count, 1, 1)), "pred_cam_T": np.zeros((count, 3)),
        "img_focal": np.float64(intrinsics[0, 0]), "img_center": intrinsics[:2, 2],
    }  # fmt: skip
    np.save(folder / "camera.npy", cameras)
    for number, one in enumerate(people):
        track = {
            "pred_cam": torch.zeros(len(one.frames), 3),
            "pred_rotmat": torch.from_numpy(one.rotations).float(),
            "pred_shape": torch.zeros(len(one.frames), 10),
            "pred_trans": torch.from_numpy(one.pelvis - SMPL_REST).float()[:, None],
            "frame": torch.from_numpy(one.frames),
        }
        np.save(folder / "hps" / f"hps_track_{number}.npy", track)
    return folder


def write_glamr(folder: Path, people: Sequence[Seen], intrinsics: np.ndarray) -> Path:
    """Zeros where someone is not there."""
    count = 1 + max(int(one.frames.max()) for one in people)

    def spread(one: Seen, values: np.ndarray) -> np.ndarray:
        whole = np.zeros((count, *values.shape[1:]), np.float32)
        whole[one.frames] = values
        return whole

    persons = {
        number: {
            "exist_frames": spread(one, np.ones(len(one.frames))) > 0, "frames": np.arange(count), "scale": None,
            "smpl_pose": spread(one, axis_angle(one.rotations[:, 1:])),
            "smpl_beta": np.zeros((count, 10), np.float32),
            "smpl_orient_cam": spread(one, axis_angle(one.rotations[:, :1])),
            "root_trans_cam": spread(one, one.pelvis),
            "cam_K": np.tile(intrinsics, (count, 1, 1)).astype(np.float32),
        }
        for number, one in enumerate(people)
    }  # fmt: skip
    stored = {"person_data": persons, "cam_pose_inv": np.tile(np.eye(4, dtype="f4"), (count, 1, 1))}
    (folder / "scene_seed1.pkl").write_bytes(pickle.dumps(stored))
    return folder / "scene_seed1.pkl"


def write_romp(folder: Path, people: Sequence[Seen], intrinsics: np.ndarray) -> Path:
    """A video's people by frame; ROMP does not save its focal length."""
    count = 1 + max(int(one.frames.max()) for one in people)
    results: dict[str, dict] = {f"{frame:08d}.jpg": {} for frame in range(count)}
    for frame, name in enumerate(results):
        rows = [(number, one, np.flatnonzero(one.frames == frame)) for number, one in enumerate(people)]
        rows = [(number, one, int(row[0])) for number, one, row in rows if len(row)]
        if not rows:
            continue
        joints = np.zeros((len(rows), 71, 3), np.float32)
        trans = np.stack([one.pelvis[row] for _, one, row in rows]).astype(np.float32)
        for place, (_, one, row) in enumerate(rows):
            joints[place, :24] = one.joints[row] - trans[place]
            for landmark, index in LANDMARK_PLACES.items():
                joints[place, index] = one.points[row, K[landmark]] - trans[place]
        numbers = np.array([number for number, _, _ in rows])
        results[name] = {"joints": joints, "cam_trans": trans, "track_ids": numbers}
    np.savez(folder / "video_results.npz", results=results)
    return folder / "video_results.npz"


Writer = Callable[[Path, Sequence[Seen], np.ndarray], Path]
WRITERS: dict[str, Writer] = {
    "GVHMR": write_gvhmr, "WHAM": write_wham, "TRAM": write_tram, "GLAMR": write_glamr, "ROMP": write_romp,
}  # fmt: skip

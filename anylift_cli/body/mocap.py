"""Motion capture as `body24` points: the compact npz files that training and evaluation read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.skeleton import BODY24, BODY24_FROM_SMPL_JOINT, SMPL_JOINTS, SMPL_PARENTS, J, K
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.rotations import matrix_from_quaternion
from anylift_cli.geometry.vectors import dot, unit

MEASURED_POINTS = tuple(K[name] for name in (*BODY24_FROM_SMPL_JOINT, "left_big_toe", "right_big_toe"))
"""Points of `body24` that mocap joints determine; face, small toes and heels are added from a mean body."""

_REST_SHOULDERS = 0.354
_REST_FACE = {
    "nose": (0.0, 0.023, 0.127), "right_eye": (-0.034, 0.057, 0.098), "left_eye": (0.034, 0.057, 0.098),
    "right_ear": (-0.087, 0.048, -0.004), "left_ear": (0.087, 0.048, -0.004),
}  # fmt: skip
"""Offsets from the head joint, m, in the head's axes (left, up, front), of the open body 1.70 m tall."""
_REST_FOOT_LENGTH = 0.137
_REST_HEEL = (0.007, -0.062, -0.030)
_REST_SMALL_TOE = (0.044, 0.009, 0.046)
"""Offsets from ankle and toe base, m, in the foot's axes (outwards, up, from ankle to toe base)."""
AXES_OF = J["head"], J["left_ankle"], J["right_ankle"]
"""Joints whose orientation mocap keeps."""


@dataclass(frozen=True)
class Mocap:
    """Clips one after the other at one frame rate, z up, metres, floor at z = 0.

    Attributes:
        joints: (N, 24, 3) SMPL joints.
        axes: (N, 3, 3, 3) world orientation of head, left foot, right foot; columns left, up, front.
        start, length: (C,) frames of each clip.
        name, subject, action, split: (C,) text.
        fps: frames per second.
    """

    joints: Tensor
    axes: Tensor
    start: np.ndarray
    length: np.ndarray
    name: np.ndarray
    subject: np.ndarray
    action: np.ndarray
    split: np.ndarray
    fps: float


def read_mocap(path: Path) -> Mocap:
    """Read a compact mocap npz (joints, local_quat_wxyz, clip tables; z up).

    Raises:
        AnyliftError: not such a file.
    """
    stored = read_npz(path)
    _check(path, stored)
    joints = torch.from_numpy(stored["joints"].astype(np.float32)).clone()
    rotations = _global_rotations(torch.from_numpy(stored["local_quat_wxyz"].astype(np.float32)))
    axes = rotations[:, list(AXES_OF)] @ _rest_axes(joints, rotations)
    for begin, count, floor in zip(stored["clip_start"], stored["clip_len"], stored["floor_z"], strict=True):
        joints[begin : begin + count, :, 2] -= float(floor)
    return Mocap(
        joints, axes, stored["clip_start"].astype(np.int64), stored["clip_len"].astype(np.int64), stored["clip_name"],
        stored["subject"], stored["action"], stored["split"], float(stored["fps"]),
    )  # fmt: skip


def mocap_points(joints: Tensor, axes: Tensor) -> Tensor:
    """All `body24` points (..., 24, 3) of SMPL joints (..., 24, 3) and axes (..., 3, 3, 3) of head and feet.

    The neck is the mean of the shoulders and the toe base stands for the big toe. Face, heels and small toes are
    those of a mean body, as large as shoulders and feet say: what a detector would see there, not a measurement.
    """
    points = joints.new_empty(*joints.shape[:-2], len(BODY24), 3)
    for name, joint in BODY24_FROM_SMPL_JOINT.items():
        points[..., K[name], :] = joints[..., joint, :]
    shoulders = joints[..., [J["left_shoulder"], J["right_shoulder"]], :]
    points[..., K["neck"], :] = shoulders.mean(-2)
    size = (shoulders[..., 0, :] - shoulders[..., 1, :]).norm(dim=-1) / _REST_SHOULDERS
    for name, offset in _REST_FACE.items():
        turned = axes[..., 0, :, :] @ joints.new_tensor(offset)
        points[..., K[name], :] = joints[..., J["head"], :] + size[..., None] * turned
    for index, (side, outwards) in enumerate((("left", 1.0), ("right", -1.0)), start=1):
        ankle, toe = joints[..., J[f"{side}_ankle"], :], joints[..., J[f"{side}_foot"], :]
        frame = _foot_frame(toe - ankle, axes[..., index, :, 0])
        size = ((toe - ankle).norm(dim=-1) / _REST_FOOT_LENGTH)[..., None]
        mirror = joints.new_tensor([outwards, 1.0, 1.0])
        points[..., K[f"{side}_big_toe"], :] = toe
        points[..., K[f"{side}_small_toe"], :] = toe + size * (frame @ (mirror * joints.new_tensor(_REST_SMALL_TOE)))
        points[..., K[f"{side}_heel"], :] = ankle + size * (frame @ (mirror * joints.new_tensor(_REST_HEEL)))
    return points


def _check(path: Path, stored: dict[str, np.ndarray]) -> None:
    tables = ("clip_start", "clip_len", "clip_name", "subject", "action", "split", "floor_z")
    missing = {"joints", "local_quat_wxyz", "joint_names", "fps", *tables} - set(stored)
    if missing:
        raise AnyliftError(
            f"{path} is not a compact mocap file: {', '.join(sorted(missing))} missing",
            "docs/evaluation.md says what such a file holds",
        )
    if stored["joint_names"].shape != (24,) or tuple(stored["joint_names"]) != SMPL_JOINTS:
        raise AnyliftError(f"{path} does not hold SMPL's 24 joints in their order")
    if str(stored.get("up", "z")) != "z":
        raise AnyliftError(f"{path} has {stored['up']} up; compact mocap files have z up")
    frames = stored["joints"].shape[:1]
    clips = stored["clip_len"].shape[:1]
    kinds = {"fps": (), "joints": (*frames, 24, 3), "local_quat_wxyz": (*frames, 24, 4), "floor_z": clips}
    for name, shape in kinds.items():
        if stored[name].shape != shape or stored[name].dtype.kind not in "fiu" or not np.isfinite(stored[name]).all():
            raise AnyliftError(f"{path}: '{name}' is not {shape} finite numbers", "was it written completely?")
    if any(stored[name].shape != clips or stored[name].ndim != 1 for name in tables):
        raise AnyliftError(f"{path}: the clip tables ({', '.join(tables)}) differ in length")
    start, length = stored["clip_start"], stored["clip_len"]
    whole = start.dtype.kind in "iu" and length.dtype.kind in "iu"
    if (
        not whole
        or (start < 0).any()
        or (length < 1).any()
        or (length > frames[0] - np.minimum(start, frames[0])).any()
    ):
        raise AnyliftError(f"{path}: a clip lies outside its {frames[0]} frames")
    if not stored["fps"] > 0:
        raise AnyliftError(f"{path}: fps is {stored['fps']}")


def _global_rotations(local_wxyz: Tensor) -> Tensor:
    local = matrix_from_quaternion(local_wxyz)
    rotations: list[Tensor] = []
    for joint, parent in enumerate(SMPL_PARENTS):
        rotations.append(local[:, joint] if parent < 0 else rotations[parent] @ local[:, joint])
    return torch.stack(rotations, 1)


def _rest_axes(joints: Tensor, rotations: Tensor) -> Tensor:
    """Left, up and front (columns) in the source's rest pose: the signed permutation nearest to the chest's mean."""
    chest = unit(joints[:, J["left_shoulder"]] - joints[:, J["right_shoulder"]])
    upward = joints[:, J["neck"]] - joints[:, J["pelvis"]]
    upward = unit(upward - dot(upward, chest)[:, None] * chest)
    body = torch.stack([chest, upward, torch.linalg.cross(chest, upward)], -1)
    mean = (rotations[:, J["spine3"]].transpose(-1, -2) @ body).mean(0)
    largest = mean.abs().argmax(0)
    axes = torch.zeros(3, 3)
    axes[largest, torch.arange(3)] = mean[largest, torch.arange(3)].sign()
    return axes


def _foot_frame(along: Tensor, left: Tensor) -> Tensor:
    """Columns left, up (normal to the sole) and front (ankle to toe base)."""
    front = unit(along)
    side = unit(left - dot(left, front)[..., None] * front)
    return torch.stack([side, torch.linalg.cross(front, side), front], -1)

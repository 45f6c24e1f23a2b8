"""Files of 3D clips that are `body24` points and no skeleton: what synthesis leaves and stage C trains from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts.base import read_npz
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, K
from anylift_cli.errors import AnyliftError
from anylift_cli.synthetic.draw import Draw

_FEET = [K[f"{side}_{part}"] for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")]
_FLOOR_SHARE = 0.05
_TEST_SHARE = 10
"""One clip in so many is for testing where no whole video is."""
_TABLES = ("clip_start", "clip_len", "clip_name", "source", "split", "floor_z")


@dataclass(frozen=True)
class PointClip:
    """One clip to write: points (T, 24, 3) m, z up; its name, its video, "train" or "test"."""

    points: np.ndarray
    name: str
    source: str
    split: str


@dataclass(frozen=True)
class PointClips:
    """Clips one after the other at one frame rate, z up, metres, floor at z = 0.

    Attributes:
        points: (N, 24, 3) `body24`.
        seen: (24,) share of the frames in which the videos showed a point.
        start, length: (C,) frames of each clip.
        action, split: (C,) text; the action is the video's name.
        fps: frames per second.
    """

    points: Tensor
    seen: Tensor
    start: np.ndarray
    length: np.ndarray
    action: np.ndarray
    split: np.ndarray
    fps: float


def write_point_clips(path: Path, clips: list[PointClip], seen: np.ndarray, fps: float, about: dict[str, Any]) -> None:
    """Write clips; `about` says how they were made, `seen` (24,) as in `PointClips`."""
    length = np.array([len(clip.points) for clip in clips])
    split = np.array([clip.split for clip in clips])
    if len(split) > 1 and "test" not in split:
        split = np.array([*split[: -max(1, len(split) // _TEST_SHARE)], *["test"] * max(1, len(split) // _TEST_SHARE)])
    floor = [np.quantile(clip.points[:, _FEET, 2].min(1), _FLOOR_SHARE) for clip in clips]
    arrays = {
        "points": np.concatenate([clip.points for clip in clips]).astype(np.float32),
        "seen": seen.astype(np.float32),
        "keypoint_names": np.array(BODY24),
        "fps": np.float32(fps),
        "up": np.array("z"),
        "clip_start": np.cumsum([0, *length[:-1]]),
        "clip_len": length,
        "clip_name": np.array([clip.name for clip in clips]),
        "source": np.array([clip.source for clip in clips]),
        "split": split,
        "floor_z": np.array(floor, np.float32),
        "meta": np.array(json.dumps(about)),
    }
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_point_clips(path: Path) -> PointClips:
    """Read a file of `write_point_clips`.

    Raises:
        AnyliftError: not such a file.
    """
    stored = read_npz(path)
    missing = {"points", "seen", "keypoint_names", "fps", *_TABLES} - set(stored)
    if missing:
        raise AnyliftError(
            f"{path} is no file of synthesised clips: {', '.join(sorted(missing))} missing",
            "`anylift train synthesize` makes them",
        )
    points = stored["points"].astype(np.float32)
    if tuple(stored["keypoint_names"]) != BODY24 or points.shape[1:] != (len(BODY24), 3):
        raise AnyliftError(f"{path} does not hold the 24 points of body24 in their order")
    if len({len(stored[name]) for name in _TABLES}) > 1:
        raise AnyliftError(f"{path}: the clip tables ({', '.join(_TABLES)}) differ in length")
    start, length = stored["clip_start"].astype(np.int64), stored["clip_len"].astype(np.int64)
    if (start < 0).any() or (length < 1).any() or (start + length > len(points)).any():
        raise AnyliftError(f"{path}: a clip lies outside its {len(points)} frames")
    if not np.isfinite(points).all() or not stored["fps"] > 0:
        raise AnyliftError(f"{path}: points or fps are not finite numbers")
    for begin, count, floor in zip(start, length, stored["floor_z"], strict=True):
        points[begin : begin + count, :, 2] -= float(floor)
    return PointClips(
        torch.from_numpy(points), torch.from_numpy(stored["seen"].astype(np.float32)), start, length,
        stored["source"], stored["split"], float(stored["fps"]),
    )  # fmt: skip


def holds_points(path: Path) -> bool:
    """Whether a file holds clips of points, and not of SMPL joints."""
    return "keypoint_names" in read_npz(path, only={"keypoint_names"})


def varied_points(points: Tensor, draw: Draw) -> Tensor:
    """Clips (B, T, 24, 3) mirrored half of the time, turned anywhere, of taller and smaller people."""
    batch = len(points)
    mirror = points[:, :, list(BODY24_MIRROR)] * points.new_tensor([-1.0, 1.0, 1.0])
    points = torch.where(draw.chance((batch, 1, 1, 1), 0.5), mirror, points)
    angle = draw.uniform((batch,), 0, 2 * math.pi)
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rotation = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], -1).reshape(-1, 1, 3, 3)
    return points @ rotation.transpose(-1, -2) * draw.uniform((batch, 1, 1, 1), 0.86, 1.14)

"""Recordings of people and the objects they handle, which the joint network trains from instead of made ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.skeleton import BODY24_MIRROR
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.boxes import box_around
from anylift_cli.geometry.cameras import transform
from anylift_cli.lifting.joint import category_index, category_name
from anylift_cli.synthetic.draw import Draw

if TYPE_CHECKING:
    from anylift_cli.training.interact import RecordedClip

_RATE = 30.0
_TEST_SHARE = 10
"""One clip in so many is for testing where a data set has no split."""
_MIRROR = (-1.0, 1.0, 1.0)
_CORNER_MIRROR = [4, 5, 6, 7, 0, 1, 2, 3]
"""Corners of a box seen in a mirror, named such that its axes stay right-handed."""
_LONGEST = 10**6


@dataclass(frozen=True)
class Recordings:
    """Clips one after the other at one frame rate, z up, metres, floor at z = 0.

    Attributes:
        points: (N, 24, 3) `body24`.
        corners: (N, 8, 3) of the box around the object's mesh.
        category: (N,) of `CATEGORIES`; -1 is none of them.
        start, length: (C,) frames of each clip.
        action, split: (C,) text; the action is the object's name.
        fps: frames per second.
    """

    points: Tensor
    corners: Tensor
    category: Tensor
    start: np.ndarray
    length: np.ndarray
    action: np.ndarray
    split: np.ndarray
    fps: float


def is_recording(path: Path) -> bool:
    """Whether a path holds motion of people and objects: OMOMO's compact file, or a folder."""
    return path.is_dir() or "obj_pos" in read_npz(path, only={"obj_pos"})


def files_of(path: Path) -> list[Path]:
    """The files that tell a recording's motion."""
    if path.is_file():
        return [path]
    return sorted(file for suffix in ("*.npz", "*.json") for file in path.rglob(suffix))


def read_recordings(path: Path) -> Recordings:
    """Read a compact file of OMOMO with the objects' meshes beside it, BEHAVE's folder, or one of InterAct's layout.

    People are posed as the open body of mean height, whose hands may be centimetres from where the recording's are.

    Raises:
        AnyliftError: none of them, or none of its clips can be used.
    """
    clips = [clip for clip in _clips(path) if np.isfinite(clip.points).all() and len(clip.points) > 1]
    if not clips:
        raise AnyliftError(f"{path} holds no clip of people and objects", "docs/hoi.md says what can be trained from")
    corners = [torch.from_numpy(transform(clip.poses, box_around(clip.vertices))) for clip in clips]
    length = np.array([len(clip.points) for clip in clips])
    split = [clip.split or ("test" if number % _TEST_SHARE == 0 else "train") for number, clip in enumerate(clips)]
    category = [torch.full((len(clip.points),), category_index(category_name(clip.thing))) for clip in clips]
    return Recordings(
        torch.from_numpy(np.concatenate([clip.points for clip in clips])).float(), torch.cat(corners).float(),
        torch.cat(category), np.cumsum([0, *length[:-1]]), length, np.array([clip.thing for clip in clips]),
        np.array(split), _RATE,
    )  # fmt: skip


def varied_recordings(points: Tensor, corners: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """People (B, T, 24, 3) and corners (B, T, 8, 3) mirrored half of the time, turned anywhere, larger or smaller."""
    batch = len(points)
    sign = points.new_tensor(_MIRROR)
    which = draw.chance((batch, 1, 1, 1), 0.5)
    points = torch.where(which, points[:, :, list(BODY24_MIRROR)] * sign, points)
    corners = torch.where(which, corners[:, :, _CORNER_MIRROR] * sign, corners)
    angle, size = draw.uniform((batch,), 0, 2 * math.pi), draw.uniform((batch, 1, 1, 1), 0.88, 1.12)
    cosine, sine, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    turn = torch.stack([cosine, sine, zero, -sine, cosine, zero, zero, zero, one], -1).reshape(-1, 1, 3, 3)
    return points @ turn * size, corners @ turn * size


def _clips(path: Path) -> Iterator[RecordedClip]:
    """The clips; their readers need packages that training from motion capture does without."""
    from anylift_cli.evaluation.behave import read_behave
    from anylift_cli.evaluation.hoi import recorded_motions
    from anylift_cli.training.interact import INTERACT, RecordedClip, read_interact

    if path.is_file():
        for motion, thing in recorded_motions(path):
            yield RecordedClip(motion.points, thing.vertices, thing.world_from_object, thing.name)
        return
    if (path / INTERACT).is_dir():
        yield from read_interact(path)
        return
    for split in ("train", "test"):
        for clip in read_behave(path, split, length=_LONGEST):
            thing = clip.object
            yield RecordedClip(clip.person.points, thing.vertices, thing.world_from_object, thing.name, split)

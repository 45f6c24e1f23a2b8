"""Folders of InterAct's layout (Xu et al., CVPR 2025), to which its scripts bring BEHAVE, InterCap, OMOMO and others.

    intercap/
      sequences_canonical/NAME/human.npz    poses (T, …) axis-angle, trans (T, 3), betas, gender
      sequences_canonical/NAME/object.npz   angles (T, 3) axis-angle, trans (T, 3), name
      objects/NAME/NAME.obj

Metres, 30 frames a second, y up. Poses are SMPL-H's in BEHAVE, NeuralDome and IMHD, SMPL-X's in the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.tracks.posing import Poser, rotations_of
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.floor import height_under_feet
from anylift_cli.evaluation.formats.record import Z_UP_FROM_Y_UP, poses_of
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.meshes.reading import read_object

INTERACT = "sequences_canonical"
_OF_SMPL_X = ("intercap", "omomo", "chairs", "grab")
_BODY_NUMBERS = 66


@dataclass(frozen=True)
class RecordedClip:
    """A person's `points` (T, 24, 3) `body24`, and the object `thing` of `vertices` (V, 3) at `poses` (T, 4, 4); m,
    z up, floor z = 0. `split` is "train", "test", or "" where the data set has none."""

    points: np.ndarray
    vertices: np.ndarray
    poses: np.ndarray
    thing: str
    split: str = ""


def read_interact(folder: Path) -> Iterator[RecordedClip]:
    """The clips of a folder of one data set; its name says which.

    Raises:
        AnyliftError: a damaged file, or an object without its mesh.
    """
    poser = Poser.load(None)
    family = "smplx" if any(name in folder.name.lower() for name in _OF_SMPL_X) else "smpl"
    upright = np.eye(4)
    upright[:3, :3] = Z_UP_FROM_Y_UP
    meshes: dict[str, np.ndarray] = {}
    for sequence in sorted((folder / INTERACT).iterdir()):
        if not (sequence / "human.npz").is_file():
            continue
        human, thing = read_npz(sequence / "human.npz"), read_npz(sequence / "object.npz")
        poses, trans = arrays_of(sequence / "human.npz", "InterAct person", human, {"poses": "T P", "trans": "T 3"})
        angles, place = arrays_of(sequence / "object.npz", "InterAct object", thing, {"angles": "T 3", "trans": "T 3"})
        if len(poses) != len(angles) or poses.shape[1] < _BODY_NUMBERS or "name" not in thing:
            raise AnyliftError(f"{sequence}: person and object do not go together", "make it again with InterAct")
        name = str(thing["name"])
        if name not in meshes:
            meshes[name] = read_object(folder / "objects" / name / f"{name}.obj").vertices
        _, points = poser.from_translation(rotations_of(poses[:, :_BODY_NUMBERS]), trans, family=family)
        points = points @ Z_UP_FROM_Y_UP.T
        turn = matrix_from_axis_angle(torch.from_numpy(angles)).numpy()
        floor = np.eye(4)
        floor[2, 3] = -height_under_feet(points)
        yield RecordedClip(points + floor[:3, 3], meshes[name], floor @ upright @ poses_of(turn, place), name)

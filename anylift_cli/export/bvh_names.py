"""People in BVH files: which joint is which, by the names of SMPL, Mixamo and LAFAN, CMU or Unreal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anylift_cli.body.skeleton import SMPL_JOINTS, J
from anylift_cli.errors import AnyliftError
from anylift_cli.export.bvh_reader import BvhMotion, read_bvh
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.scene import Y_UP_FROM_Z_UP

UNITS = {"m": 1.0, "cm": 0.01, "inch": 0.0254, "CMU unit": 0.0254 / 0.45}
"""BVH names no unit; the one is taken that gives the legs a human length."""
LEG = 0.85
"""Hip to ankle of an adult, m."""

_SMPL = {name: (name.replace("_", ""), re.sub("^(l|r)[a-z]*_", r"\1", name)) for name in SMPL_JOINTS}
_MIXAMO = {
    "pelvis": ("hips",), "spine1": ("lowerback", "spine"), "spine2": ("spine1", "spine"),
    "spine3": ("spine2", "chest", "spine1"), "neck": ("neck", "neck1"), "head": ("head",),
    **{
        f"{side}_{joint}": tuple(side + name for name in names)
        for side in ("left", "right")
        for joint, names in {
            "hip": ("upleg",), "knee": ("leg",), "ankle": ("foot",), "foot": ("toebase", "toe"),
            "collar": ("shoulder",), "shoulder": ("arm",), "elbow": ("forearm",), "wrist": ("hand",),
            "hand": ("handmiddle1", "handindex1"),
        }.items()
    },
}  # fmt: skip
_CMU = {
    "pelvis": ("root", "hips"), "spine1": ("lowerback",), "spine2": ("upperback",), "spine3": ("thorax",),
    "neck": ("lowerneck",), "head": ("head",),
    **{
        f"{side}_{joint}": tuple(side[0] + name for name in names)
        for side in ("left", "right")
        for joint, names in {
            "hip": ("femur",), "knee": ("tibia",), "ankle": ("foot",), "foot": ("toes",), "collar": ("clavicle",),
            "shoulder": ("humerus",), "elbow": ("radius",), "wrist": ("wrist",), "hand": ("hand",),
        }.items()
    },
}  # fmt: skip
_UNREAL = {ours: (theirs.replace("_", ""),) for ours, theirs in zip(SMPL_JOINTS, JOINT_NAMES["unreal"], strict=True)}
STYLES = {"SMPL": _SMPL, "Mixamo": _MIXAMO, "CMU": _CMU, "Unreal": _UNREAL}
"""SMPL joint → names in the file, the likeliest first; lower case, without separators."""

REQUIRED = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)


@dataclass(frozen=True)
class BvhHuman:
    """A BVH file whose joints are known.

    Attributes:
        places: {SMPL joint: joint of the file}, as far as the file has them.
        metres: per unit of the file.
        z_up_from_file: (3, 3) rotation of its axes.
    """

    motion: BvhMotion
    places: dict[int, int]
    metres: float
    z_up_from_file: np.ndarray

    @property
    def fps(self) -> float:
        """Frames per second."""
        return 1 / self.motion.frame_time

    def world(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions (T, J, 3) m and rotations (T, J, 3, 3) from the rest pose, of the file's joints, z up."""
        positions, rotations = self.motion.pose()
        turn = self.z_up_from_file
        return positions @ turn.T * self.metres, turn @ rotations @ turn.T

    def rest(self) -> np.ndarray:
        """Places (J, 3) of the file's joints with all channels zero, m, z up."""
        return self.motion.rest()[: len(self.motion.names)] @ self.z_up_from_file.T * self.metres


def read_human(path: Path) -> BvhHuman:
    """Read a BVH file of a person.

    The unit is the one that gives the legs a human length; the vertical is y, or z where the shoulders stay above the
    ankles along z rather than along y.

    Raises:
        AnyliftError: not a BVH file, no frames, or its names belong to no known style.
    """
    motion = read_bvh(path)
    if not len(motion.frames):
        raise AnyliftError(f"{path} holds no frames")
    places = _places(path, motion)
    positions, _ = motion.pose()
    joints = {name: positions[:, place] for name, place in places.items()}
    above = sum(joints[f"{side}_shoulder"] - joints[f"{side}_ankle"] for side in ("left", "right")).mean(0)
    turn = Y_UP_FROM_Z_UP.T if abs(above[1]) >= abs(above[2]) else np.eye(3)
    numbers = {J[name]: place for name, place in places.items()}
    return BvhHuman(motion, numbers, _metres_per_unit(path, joints), turn)


def _places(path: Path, motion: BvhMotion) -> dict[str, int]:
    """SMPL joint → joint of the file, by the style that knows most of the names."""
    names = [re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].lower()) for name in motion.names]
    found = [_matched(style, names) for style in STYLES.values()]
    best = max(found, key=lambda places: sum(name in places for name in REQUIRED))
    if missing := [name for name in REQUIRED if name not in best]:
        raise AnyliftError(
            f"{path}: no joint is named like the {missing[0].replace('_', ' ')}; it has {', '.join(motion.names[:8])}…",
            f"rename its joints as {', '.join(STYLES)} do",
        )
    return best


def _matched(style: dict[str, tuple[str, ...]], names: list[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for joint, candidates in style.items():
        place = next((names.index(name) for name in candidates if name in names), None)
        if place is not None and place not in places.values():
            places[joint] = place
    return places


def _metres_per_unit(path: Path, joints: dict[str, np.ndarray]) -> float:
    chain = [joints[f"left_{name}"][0] for name in ("hip", "knee", "ankle")]
    leg = float(np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum())
    if not leg > 0:
        raise AnyliftError(f"{path}: its left leg has no length")
    return min(UNITS.values(), key=lambda unit: abs(np.log(leg * unit / LEG)))

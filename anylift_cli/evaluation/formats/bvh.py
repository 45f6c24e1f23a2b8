"""BVH with the joint names of SMPL, Mixamo, MotionBuilder and LAFAN, or CMU."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from anylift_cli.body.skeleton import SMPL_JOINTS, J
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.record import Z_UP_FROM_Y_UP, MotionRecord, PersonRecord, points_of_joints
from anylift_cli.export.bvh_reader import BvhMotion, read_bvh

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
STYLES = {"SMPL": _SMPL, "Mixamo": _MIXAMO, "CMU": _CMU}
"""SMPL joint → names in the file, the likeliest first; lower case, without separators."""

REQUIRED = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)


def read_bvh_motion(path: Path) -> MotionRecord:
    """Joints by name, in metres with z up. Face, toes and heels are not known.

    The unit is the one that gives the legs a human length; the vertical is y, or z where the head stays above the
    ankles along z rather than along y.

    Raises:
        AnyliftError: not a BVH file, or its names belong to no known style.
    """
    motion = read_bvh(path)
    if not len(motion.frames):
        raise AnyliftError(f"{path} holds no frames")
    places = _places(path, motion)
    positions, _ = motion.pose()
    joints = np.full((len(positions), len(SMPL_JOINTS), 3), np.nan)
    for name, place in places.items():
        joints[:, J[name]] = positions[:, place]
    joints = joints * _metres_per_unit(path, joints)
    above = joints[:, [J["left_shoulder"], J["right_shoulder"]]].mean(1) - joints[
        :, [J["left_ankle"], J["right_ankle"]]
    ].mean(1)
    if abs(above.mean(0)[1]) >= abs(above.mean(0)[2]):
        joints = joints @ Z_UP_FROM_Y_UP.T
    rate = 1 / motion.frame_time
    frames = np.arange(len(joints))
    person = PersonRecord("0", frames * motion.frame_time, frames, joints, points_of_joints(joints))
    return MotionRecord(path.name, "BVH", (person,), True, "the file's joints", rate)


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


def _metres_per_unit(path: Path, joints: np.ndarray) -> float:
    chain = [joints[0, J[f"left_{name}"]] for name in ("hip", "knee", "ankle")]
    leg = float(np.linalg.norm(np.diff(chain, axis=0), axis=-1).sum())
    if not leg > 0:
        raise AnyliftError(f"{path}: its left leg has no length")
    return min(UNITS.values(), key=lambda unit: abs(np.log(leg * unit / LEG)))

"""Body files of the SMPL family, all brought to SMPL's 24 joints.

SMPL (`.pkl` with chumpy objects, `.npz`), SMPL-H (52 joints) and SMPL-X (55): their first 22 joints are SMPL's. Fingers
become one hand that moves with the wrist, jaw and eyes move with the head; what they alone would bend is left out.
Source: Loper et al. 2015 (SMPL), Romero et al. 2017 (SMPL-H), Pavlakos et al. 2019 (SMPL-X); orders of the joints from
smplx, joint_names.py.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.artifacts.files import DAMAGED
from anylift_cli.body.skeleton import SMPL_PARENTS
from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.foreign.unpickle import load_npz_member, load_pickle
from anylift_cli.weights_store import find_weights
from anylift_cli.weights_store.manifest import external_weights

SUFFIXES = (".npz", ".pkl")
NUMBERS = {
    "v_template": "V 3", "shapedirs": "V 3 S", "posedirs": "V 3 P", "J_regressor": "J V", "weights": "V J",
    "kintree_table": "2 J", "f": "F 3",
}  # fmt: skip
EXTRAS = ("landmark_names", "landmark_vertices", "vertex_colors")
BODY_JOINTS = 22
PELVIS_TO_WRISTS = SMPL_PARENTS[1:BODY_JOINTS]
HEAD, LEFT_HAND, RIGHT_HAND = 15, 22, 23


@dataclass(frozen=True)
class Layout:
    """A member of the family.

    Attributes:
        family: its name in motion files.
        left_hand, right_hand: joints of the fingers.
        head: joints that move with the head.
        palm: which of the fingers' joints stands for the hand, the root of the middle finger.
    """

    family: str
    left_hand: range
    right_hand: range
    head: range
    palm: int = 3


LAYOUTS = {
    24: Layout("smpl", range(22, 23), range(23, 24), range(0), palm=0),
    52: Layout("smplh", range(22, 37), range(37, 52), range(0)),
    55: Layout("smplx", range(25, 40), range(40, 55), range(22, 25)),
}
"""By number of joints."""


@dataclass(frozen=True)
class BodyFile:
    """What a body file holds, with SMPL's 24 joints.

    Attributes:
        arrays: v_template (V, 3), shapedirs (V, 3, S), posedirs (V, 3, 207), J_regressor (24, V), weights (V, 24),
            kintree_table (2, 24), f (F, 3), and landmarks where the file names them.
        family: "open", "smpl", "smplh" or "smplx".
        gender: "neutral", "male" or "female", as the file or its name says.
    """

    arrays: dict[str, np.ndarray]
    family: str
    gender: str


def find_body(name_or_path: str | Path) -> Path:
    """The file that is meant: a path, "open", a name of `anylift weights list`, or a stem in the weights folders.

    Raises:
        MissingDependencyError: no such weights.
        UsageError: no such file.
    """
    path = Path(name_or_path)
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise UsageError(f"the body file {path} does not exist", "give the path of an SMPL file, or 'open'")
        return path
    name = str(name_or_path)
    entry = external_weights().get(name)
    if name == "open" or entry is not None:
        return find_weights("open_body.npz" if entry is None else entry.files[0].file)
    try:
        return find_weights(f"{name}.npz")
    except MissingDependencyError:
        return find_weights(f"{name}.pkl")


def read_body(path: Path) -> BodyFile:
    """Read a body file; nothing in it is run.

    Raises:
        AnyliftError: damaged, hostile, or not a body of the SMPL family.
    """
    stored = _stored(path)
    values = dict(zip(NUMBERS, arrays_of(path, "SMPL body", stored, NUMBERS), strict=True))
    extras = {name: np.asarray(stored[name]) for name in EXTRAS if name in stored}
    count = values["kintree_table"].shape[1]
    parents = values["kintree_table"][0]
    if count not in LAYOUTS or tuple(parents[1:BODY_JOINTS].astype(int)) != PELVIS_TO_WRISTS:
        raise AnyliftError(
            f"{path} is not an SMPL body model: its joint tree is another", "use a file of SMPL, SMPL-H or SMPL-X"
        )
    layout = LAYOUTS[count]
    family = "open" if "landmark_names" in extras else layout.family
    return BodyFile({**_with_24_joints(values, layout), **extras}, family, _gender(path, stored))


def _stored(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".pkl":
        stored = load_pickle(path)
        if not isinstance(stored, Mapping):
            raise AnyliftError(f"{path} is not an SMPL body model: it holds a {type(stored).__name__}")
        return stored
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except DAMAGED as error:
        raise AnyliftError(f"{path} is damaged or not an npz file: {error}", "copy or download it again") from error
    return {name: load_npz_member(path, name) for name in names & {*NUMBERS, *EXTRAS, "gender"}}


def _with_24_joints(values: dict[str, np.ndarray], layout: Layout) -> dict[str, np.ndarray]:
    hands = layout.left_hand, layout.right_hand
    regressor, weights, posedirs = values["J_regressor"], values["weights"], values["posedirs"]
    palms = [hand[layout.palm] for hand in hands]
    skin = np.concatenate(
        [weights[:, :BODY_JOINTS], *(weights[:, list(hand)].sum(1, keepdims=True) for hand in hands)], 1
    )
    skin[:, HEAD] += weights[:, list(layout.head)].sum(1)
    bent = np.zeros((*posedirs.shape[:2], 9 * (len(SMPL_PARENTS) - 1)))
    kept = bent.shape[2] if layout.family == "smpl" else 9 * (BODY_JOINTS - 1)
    bent[..., :kept] = posedirs[..., :kept]
    return {
        **values,
        "J_regressor": np.concatenate([regressor[:BODY_JOINTS], regressor[palms]]),
        "weights": skin,
        "posedirs": bent,
        "kintree_table": np.array([SMPL_PARENTS, range(len(SMPL_PARENTS))]),
    }


def _gender(path: Path, stored: Mapping[str, Any]) -> str:
    said = str(np.asarray(stored["gender"])[()]) if "gender" in stored else ""
    for text in (said, path.stem, path.parent.name):
        words = set(re.split(r"[^a-z]+", text.lower()))
        for gender, short in (("female", "f"), ("male", "m"), ("neutral", "n")):
            if {gender, short} & words:
                return gender
    return "neutral"

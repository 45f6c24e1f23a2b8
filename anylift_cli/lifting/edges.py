"""Distances between `body24` points that a person keeps, and how firmly."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, K
from anylift_cli.geometry.vectors import combined, length

_LIMB, _TRUNK, _NECK = 0.02, 0.06, 0.12
"""Relative standard deviations: bones, spans across the bending trunk, spans across the bending neck."""


def _edges() -> list[tuple[int, int, float]]:
    limbs = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))]  # fmt: skip
    limbs += [("left_hip", "right_hip")]
    head = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
    rigid = list(combinations(head, 2))
    for side in ("left", "right"):
        rigid += combinations([f"{side}_{part}" for part in ("ankle", "big_toe", "small_toe", "heel")], 2)
    trunk = [("left_shoulder", "right_shoulder"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
             ("left_shoulder", "right_hip"), ("right_shoulder", "left_hip")]  # fmt: skip
    neck = [("neck", name) for name in head]
    edges = []
    for pairs, deviation in ((limbs, _LIMB), (rigid, _LIMB), (trunk, _TRUNK), (neck, _NECK)):
        edges += [(K[a], K[b], deviation) for a, b in pairs]
    return edges


EDGES = _edges()
START = torch.tensor([a for a, _, _ in EDGES])
END = torch.tensor([b for _, b, _ in EDGES])
_DIFFERENCE = torch.zeros(len(EDGES), len(BODY24))
_DIFFERENCE[torch.arange(len(EDGES)), END] = 1
_DIFFERENCE[torch.arange(len(EDGES)), START] = -1
DEVIATION = torch.tensor([s for _, _, s in EDGES])


def _twin_index() -> Tensor:
    """Left and right edges of the same kind share one index: their lengths are one unknown."""
    groups: dict[frozenset[int], int] = {}
    index = []
    for a, b, _ in EDGES:
        pair, twin = frozenset((a, b)), frozenset((BODY24_MIRROR[a], BODY24_MIRROR[b]))
        index.append(groups.setdefault(pair, groups.get(twin, len(set(groups.values())))))
    return torch.tensor(index)


TWIN = _twin_index()

_HEAD_AND_FEET = {K[name] for name in BODY24 if name.split("_")[-1] in ("nose", "eye", "ear", "toe", "heel")}
SIZE = torch.tensor([not _HEAD_AND_FEET & {a, b} for a, b, _ in EDGES])
"""Edges (E,) that tell a person's size: limbs and trunk, not the small shapes of head and feet."""


def edge_lengths(points: Tensor) -> Tensor:
    """Lengths of all edges, points (..., 24, 3) → (..., E)."""
    return length(combined(_DIFFERENCE.to(points), points))

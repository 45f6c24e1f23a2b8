"""The orders in which other tools list a person's points, and the way from there to `body24`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.errors import AnyliftError


@dataclass(frozen=True)
class Detection:
    """One person that another tool saw in one frame.

    Attributes:
        points: (24, 2) px of the displayed image, `body24`; NaN where unobserved.
        confidence: (24,) 0..1; 0 where unobserved.
        local_joints: (24, 3) m, see `KeypointsArtifact`; None where the tool has none.
    """

    points: np.ndarray
    confidence: np.ndarray
    local_joints: np.ndarray | None = None


Detections = dict[int, list[Detection]]
"""People by frame, as the file numbers frames."""


def _sides(*parts: str, first: str = "left") -> tuple[str, ...]:
    second = "right" if first == "left" else "left"
    return tuple(f"{side}_{part}" for part in parts for side in (first, second))


def _limb(side: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for part in parts)


_TOES_AND_HEEL = ("big_toe", "small_toe", "heel")
_LEFT_FOOT, _RIGHT_FOOT = _limb("left", *_TOES_AND_HEEL), _limb("right", *_TOES_AND_HEEL)
COCO17 = ("nose", *_sides("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
COCO18 = BODY24[:18]
BODY25 = (
    *BODY24[:8], "hip", *BODY24[8:18], *_LEFT_FOOT, *_RIGHT_FOOT,
)  # fmt: skip
HALPE26 = (*COCO17, "head", "halpe_neck", "hip", *_sides(*_TOES_AND_HEEL))
WHOLEBODY = (*COCO17, *_LEFT_FOOT, *_RIGHT_FOOT)
MPII16 = (
    *_limb("right", "ankle", "knee", "hip"), *_limb("left", "hip", "knee", "ankle"), "pelvis", "thorax", "upper_neck",
    "head_top", *_limb("right", "wrist", "elbow", "shoulder"), *_limb("left", "shoulder", "elbow", "wrist"),
)  # fmt: skip
MPII15 = (
    "head_top", "upper_neck", *_limb("right", "shoulder", "elbow", "wrist"),
    *_limb("left", "shoulder", "elbow", "wrist"), *_limb("right", "hip", "knee", "ankle"),
    *_limb("left", "hip", "knee", "ankle"), "thorax",
)  # fmt: skip

LAYOUTS = {
    15: MPII15, 16: MPII16, 17: COCO17, 18: COCO18, 23: WHOLEBODY, 25: BODY25, 26: HALPE26,
    68: HALPE26, 133: WHOLEBODY, 135: (*COCO17, "upper_neck", "head_top", *_LEFT_FOOT, *_RIGHT_FOOT), 136: HALPE26,
}  # fmt: skip
"""By number of points: MPII of OpenPose and of mmpose; COCO; OpenPose's COCO and BODY_25; COCO-WholeBody with feet
only and whole; Halpe's 26 points alone, with hands, with hands and face; OpenPose's BODY_135. Hands and faces follow
the names that stand here."""


def layout_of(count: int, what: str) -> tuple[str, ...]:
    """Names of the points of a person with `count` points.

    Raises:
        AnyliftError: no layout has so many; `what` names the file.
    """
    if count not in LAYOUTS:
        known = ", ".join(map(str, LAYOUTS))
        raise AnyliftError(f"{what}: people with {count} points", f"layouts with so many points are known: {known}")
    return LAYOUTS[count]


def to_body24(points: np.ndarray, confidence: np.ndarray, names: Sequence[str]) -> Detection:
    """A person whose points are called `names` as a `Detection`; the neck is the shoulders' mean.

    Args:
        points: (N, 2) px, at least as many as there are names; not finite or of confidence 0 where unobserved.
        confidence: (N,); values above 1, which some tools give, count as 1.
        names: those that `body24` does not have are left out.
    """
    placed, sure = np.full((len(BODY24), 2), np.nan, np.float32), np.zeros(len(BODY24), np.float32)
    pairs = [(K[name], index) for index, name in enumerate(names) if name in K and name != "neck"]
    target, source = [place for place, _ in pairs], [index for _, index in pairs]
    placed[target], sure[target] = points[source], np.nan_to_num(np.clip(confidence[source], 0, 1))
    shoulders = [K["left_shoulder"], K["right_shoulder"]]
    placed[K["neck"]], sure[K["neck"]] = placed[shoulders].mean(0), sure[shoulders].min()
    sure[~np.isfinite(placed).all(1)] = 0
    placed[sure == 0] = np.nan
    return Detection(placed, sure)


def from_flat(values: Sequence[float], what: str) -> Detection:
    """A person given as x, y, confidence of one point after the other."""
    try:
        rows = np.asarray(values, np.float64).reshape(-1, 3)
    except (TypeError, ValueError) as error:
        raise AnyliftError(f"{what}: a person's points are not numbers in threes") from error
    return to_body24(rows[:, :2], rows[:, 2], layout_of(len(rows), what))

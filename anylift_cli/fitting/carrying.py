"""Where an object is while it is hidden: in the hand that held it before and holds it afterwards."""

from __future__ import annotations

import numpy as np

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.fitting.holding import NEAR, Grips, deviations, hands_in_camera
from anylift_cli.fitting.things import Thing
from anylift_cli.geometry.cameras import transform
from anylift_cli.geometry.pose_path import Places
from anylift_cli.geometry.runs import runs

_AROUND = 0.3
"""Seconds before and after a gap in which a hand must touch the object."""
_LOOSE = 0.04
"""Metres by which the object may move in the hand, beside what is unsure of the hand itself."""


def carried_frames(thing: Thing, grips: Grips, times: np.ndarray) -> np.ndarray:
    """Which hands carry an object through frames in which it is hidden, (P, T, 2).

    They touch it before and after, and hold it on one side of the gap at least: an object that is taken or put down
    while nobody sees it was hardly moved before.
    """
    touched, carried = grips.gap.min(-1) < NEAR, np.zeros_like(grips.held)
    for start, stop in runs(~thing.known):
        before = (times < times[start]) & (times >= times[start] - _AROUND)
        after = (times > times[stop - 1]) & (times <= times[stop - 1] + _AROUND)
        holds = touched[:, before].any(1) & touched[:, after].any(1) & grips.held[:, before | after].any(1)
        carried[:, start:stop] = holds[:, None]
    return carried


def carried_places(thing: Thing, poses: np.ndarray, grips: Grips, lifted: LiftedArtifact) -> Places | None:
    """The wish that hidden objects move along with the hands that carry them; None where none does.

    From the last sight to the next, an object's middle keeps its place beside a hand, or changes it evenly.

    Args:
        poses: (T, 4, 4) `world_from_object`, right where the object is seen.
    """
    times = lifted.timestamps
    carried = carried_frames(thing, grips, times) & lifted.present[..., None]
    if not carried.any():
        return None
    hands = transform(lifted.world_from_camera, hands_in_camera(lifted))
    spread = deviations(lifted)
    middle = transform(poses, thing.middle[None])[:, 0]
    weight, total = np.zeros(len(times)), np.zeros((len(times), 3))
    for person, side in np.argwhere(carried.any(1)):
        beside = middle - hands[person, :, side]
        for start, stop in runs(carried[person, :, side]):
            rows = slice(start, stop)
            ends = [row for row in (start - 1, stop) if 0 <= row < len(times)]
            offset = np.stack([np.interp(times[rows], times[ends], beside[ends, axis]) for axis in range(3)], -1)
            precision = 1 / (_LOOSE**2 + spread[person, rows, side] ** 2)
            weight[rows] += precision
            total[rows] += precision[:, None] * (hands[person, rows, side] + offset)
    targets = total / np.maximum(weight, 1e-12)[:, None]
    points = np.broadcast_to(thing.middle, (len(times), 1, 3))
    return Places(points, targets[:, None], np.repeat(weight[:, None, None], 3, -1))

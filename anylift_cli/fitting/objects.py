"""Objects in the world of the fitted person: their paths, the floor they rest on, the hands that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from anylift_cli.artifacts import LiftedArtifact, MotionArtifact
from anylift_cli.fitting.carrying import carried_frames, carried_places
from anylift_cli.fitting.holding import PALM, SIDES, Grips
from anylift_cli.fitting.joint_path import object_path
from anylift_cli.fitting.object_scale import Scales
from anylift_cli.fitting.objective import HANDS, Anchors
from anylift_cli.fitting.things import Thing, resting_places
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.pose_path import Places
from anylift_cli.geometry.runs import runs

_ON_FLOOR = 0.08
"""Metres from the floor within which a resting object stands on it."""
_REACH = 0.25
"""Metres that a hand is brought to what it holds at most."""


@dataclass(frozen=True)
class PlacedThing:
    """An object with its path in the lifted world: `poses` (T, 4, 4), its hands, and figures for people."""

    thing: Thing
    poses: np.ndarray
    grips: Grips
    figures: dict[str, Any]

    def frames(self, span: slice) -> PlacedThing:
        """The object in some frames."""
        return replace(self, thing=self.thing.frames(span), poses=self.poses[span], grips=self.grips.frames(span))


def place_thing(
    thing: Thing, number: int, grips: Grips, lifted: LiftedArtifact, floor: float | None, *, contacts: bool
) -> PlacedThing:
    """Smooth the `number`th object's path; with `contacts`, it rests on the floor, and hands carry it while hidden."""
    poses = object_path(thing, lifted, number)
    before = _height_above(thing, poses, grips.rests, floor)
    if contacts:
        wishes = [carried_places(thing, poses, grips, lifted)]
        if floor is not None:
            wishes.append(resting_places(thing, poses, grips.rests, floor, _ON_FLOOR))
        known = [wish for wish in wishes if wish is not None]
        poses = object_path(thing, lifted, number, reduce(Places.along, known)) if known else poses
    figures = {
        "frames_seen": int(thing.known.sum()),
        "frames_carried": int(carried_frames(thing, grips, lifted.timestamps).any((0, 2)).sum()) if contacts else 0,
        "rests_above_floor_mm_before": before,
        "rests_above_floor_mm": _height_above(thing, poses, grips.rests, floor),
    }
    return PlacedThing(thing, poses, grips, figures)


def grasps(placed: Sequence[PlacedThing], person: int, hands: np.ndarray) -> Anchors | None:
    """Where the hands of a person should be to touch what they hold; None where they hold nothing.

    A hand keeps its place on an object as long as it holds it: the surface point nearest to its middle place while it
    is seen.

    Args:
        hands: (T, 2, 3) as fitted, left and right, m.
    """
    position, probability = hands.copy(), np.zeros(hands.shape[:2])
    for one in placed:
        local = _local(one.poses, hands)
        for side in range(len(SIDES)):
            for start, stop in runs(one.grips.holds[person, :, side]):
                rows = slice(start, stop)
                middle = np.median(local[rows, side][one.grips.held[person, rows, side]], axis=0)
                surface, distance = (value[0] for value in one.thing.surface.nearest(middle[None]))
                if abs(distance - PALM) > _REACH:
                    continue
                outward = middle - surface if distance > 0 else surface - middle
                length = np.linalg.norm(outward)
                outward = outward / length if length > 1e-6 else np.zeros(3)
                place = transform(one.poses[rows], (surface + PALM * outward)[None])[:, 0]
                position[rows, side], probability[rows, side] = place, 1.0
    if not probability.any():
        return None
    eased = gaussian_filter1d(probability, 1.0, axis=0, mode="nearest") * (probability > 0)
    return Anchors(torch.from_numpy(position).float(), torch.from_numpy(eased).float())


def hand_gap(one: PlacedThing, person: int, hands: np.ndarray) -> float | None:
    """How far from touching a person's hands (T, 2, 3) m are while they hold an object: the median, mm."""
    held = one.grips.held[person]
    if not held.any():
        return None
    distance = one.thing.surface.nearest(_local(one.poses, hands)[held])[1]
    return round(1000 * float(np.median(np.abs(distance - PALM))), 1)


def hands_of(joints: Tensor) -> np.ndarray:
    """Left and right hands (T, 2, 3) of SMPL joints (T, 24, 3)."""
    return joints[:, list(HANDS)].double().cpu().numpy()


def held_seconds(one: PlacedThing, person: int, times: np.ndarray) -> dict[str, float]:
    """How long each hand of a person holds an object."""
    interval = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return {
        side: round(float(one.grips.holds[person, :, column].sum() * interval), 2) for column, side in enumerate(SIDES)
    }


def with_objects(
    motion: MotionArtifact,
    placed: Sequence[PlacedThing],
    scales: Scales,
    units: Mapping[str, float],
    person: int,
    before: tuple[np.ndarray, np.ndarray],
) -> MotionArtifact:
    """A motion with objects in its world.

    Args:
        motion: of the person, whose world has an origin of its own.
        placed: in the lifted world, over the motion's frames.
        units: metres per unit of each mesh file, by the objects' names.
        before: hands (T, 2, 3) in the lifted world before they were brought to what they hold, and how far (3,) the
            motion's world is from that one.
    """
    poses = np.stack([one.poses for one in placed])
    hands, shift = before
    poses[..., :3, 3] += shift
    after = motion.joints[:, list(HANDS)].astype(np.float64) - shift
    figures = {
        one.thing.name: {
            "scale": round(factor, 4),
            "size_known": one.thing.size_known,
            "held_seconds": held_seconds(one, person, motion.timestamps),
            "hand_gap_mm_before": hand_gap(one, person, hands),
            "hand_gap_mm": hand_gap(one, person, after),
            **one.figures,
        }
        for one, factor in zip(placed, scales.things, strict=True)
    }
    world = {
        "people": round(scales.people, 4),
        "path": round(scales.path, 4),
        "distance": round(float(scales.people * np.median(scales.depth[person])), 4),
    }
    return replace(
        motion,
        object_names=np.array([one.thing.name for one in placed]),
        world_from_object=poses,
        object_confidence=np.stack([one.thing.confidence for one in placed]),
        object_scale=[factor * units[one.thing.name] for one, factor in zip(placed, scales.things, strict=True)],
        meta={**motion.meta, "objects": figures, "object_scales": world},
    )


def _local(poses: np.ndarray, points: np.ndarray) -> np.ndarray:
    return transform(invert(poses), points)


def _height_above(thing: Thing, poses: np.ndarray, resting: np.ndarray, floor: float | None) -> float | None:
    """Median height of the lowest vertex above the floor while an object rests, mm."""
    if floor is None or not resting.any():
        return None
    lowest = transform(poses[resting], thing.vertices)[..., 2].min(1)
    return round(1000 * float(np.median(lowest - floor)), 1)

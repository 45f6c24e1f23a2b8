"""Objects in the world of the fitted person: their paths, the floor they rest on, the hands that hold them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from anylift_cli.artifacts import LiftedArtifact, MotionArtifact
from anylift_cli.body.skeleton import J
from anylift_cli.fitting.base import BODY, FLOOR
from anylift_cli.fitting.base import HANDS as HOLD
from anylift_cli.fitting.carrying import carried_frames, carried_places
from anylift_cli.fitting.holding import PALM, SIDES, Grips
from anylift_cli.fitting.inside import inside
from anylift_cli.fitting.joint_path import object_path
from anylift_cli.fitting.object_scale import Scales
from anylift_cli.fitting.objective import HANDS, Anchors
from anylift_cli.fitting.things import Thing, resting_places
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.pose_path import Places
from anylift_cli.geometry.runs import runs

_ON_FLOOR = 0.08
"""Metres from the floor within which a resting object stands on it."""
_PUSH = 0.2
"""How much less than hands that hold it counts that the body is outside: what is around joints is known roughly."""
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
    thing: Thing, number: int, grips: Grips, lifted: LiftedArtifact, floor: float | None, contacts: Collection[str]
) -> PlacedThing:
    """Smooth the `number`th object's path; with contacts, it rests on the floor, and hands carry it while hidden."""
    poses = object_path(thing, lifted, number)
    before = _height_above(thing, poses, grips.rests, floor)
    wishes = [carried_places(thing, poses, grips, lifted)] if HOLD in contacts else []
    if FLOOR in contacts and floor is not None:
        wishes.append(resting_places(thing, poses, grips.rests, floor, _ON_FLOOR))
    known = [wish for wish in wishes if wish is not None]
    poses = object_path(thing, lifted, number, reduce(Places.along, known)) if known else poses
    carried = carried_frames(thing, grips, lifted.timestamps) & (HOLD in contacts)
    figures = {
        "frames_seen": int(thing.known.sum()),
        "frames_carried": int(carried.any((0, 2)).sum()),
        "rests_above_floor_mm_before": before,
        "rests_above_floor_mm": _height_above(thing, poses, grips.rests, floor),
    }
    return PlacedThing(thing, poses, grips, figures)


def touches(
    placed: Sequence[PlacedThing], person: int, joints: np.ndarray, contacts: Collection[str]
) -> Anchors | None:
    """Where joints should be: hands on what they hold, the body outside of it; None where all may stay.

    Args:
        joints: (T, 24, 3) as fitted, m.
    """
    position, probability = joints.copy(), np.zeros(joints.shape[:2])
    if BODY in contacts:
        for one in placed:
            depth, out = inside(one.thing, one.poses, joints)
            position = np.where(depth[..., None] > 0, out, position)
            probability = np.where(depth > 0, _PUSH, probability)
    if HOLD in contacts:
        hands = list(HANDS)
        position[:, hands], probability[:, hands] = _grasps(placed, person, joints)
    if not probability.any():
        return None
    return Anchors(torch.from_numpy(position).float(), torch.from_numpy(probability).float())


def _grasps(placed: Sequence[PlacedThing], person: int, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where hands (T, 2, 3) of a person with these joints (T, 24, 3) should be to touch what they hold, and how much
    that counts (T, 2).

    A hand keeps its place on an object as long as it holds it: the surface point nearest to its middle place while it
    is seen, or opposite to the other hand if it never is.
    """
    hands = joints[:, list(HANDS)]
    position, probability = hands.copy(), np.zeros(hands.shape[:2])
    for one in placed:
        local, held = _local(one.poses, hands), one.grips.held[person]
        for side in range(len(SIDES)):
            for start, stop in runs(one.grips.holds[person, :, side]):
                rows = slice(start, stop)
                if held[rows, side].any():
                    middle = np.median(local[rows, side][held[rows, side]], axis=0)
                else:
                    middle = _opposite(one, rows, joints, local[:, 1 - side], held[:, 1 - side])
                surface, distance = (value[0] for value in one.thing.surface.nearest(middle[None]))
                if abs(distance - PALM) > _REACH:
                    continue
                outward = middle - surface if distance > 0 else surface - middle
                length = np.linalg.norm(outward)
                outward = outward / length if length > 1e-6 else np.zeros(3)
                place = transform(one.poses[rows], (surface + PALM * outward)[None])[:, 0]
                position[rows, side], probability[rows, side] = place, 1.0
    return position, gaussian_filter1d(probability, 1.0, axis=0, mode="nearest") * (probability > 0)


def _opposite(one: PlacedThing, rows: slice, joints: np.ndarray, other: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The place (3,) on an object across its middle, as the person's shoulders lie, from where the other hand holds it.

    Args:
        rows: frames of one grip, in some of which the other hand holds.
        other: (T, 3) where the other hand is on the object.
        held: (T,) where it holds.
    """
    place = np.median(other[rows][held[rows]], axis=0)
    shoulders = joints[rows, J["left_shoulder"]] - joints[rows, J["right_shoulder"]]
    across = np.einsum("tij,ti->j", one.poses[rows, :3, :3], shoulders)
    across /= np.linalg.norm(across)
    return place - 2 * across * ((place - one.thing.middle) @ across)


def hand_gap(one: PlacedThing, person: int, hands: np.ndarray) -> float | None:
    """How far from touching a person's hands (T, 2, 3) m are while they hold an object: the median, mm."""
    held = one.grips.held[person]
    if not held.any():
        return None
    distance = one.thing.surface.nearest(_local(one.poses, hands)[held])[1]
    return round(1000 * float(np.median(np.abs(distance - PALM))), 1)


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
        before: joints (T, 24, 3) in the lifted world before they touched anything, and how far (3,) the motion's
            world is from that one.
    """
    poses = np.stack([one.poses for one in placed])
    joints, shift = before
    poses[..., :3, 3] += shift
    after = motion.joints.astype(np.float64) - shift
    figures = {
        one.thing.name: {
            "scale": round(factor, 4),
            "size_known": one.thing.size_known,
            "held_seconds": held_seconds(one, person, motion.timestamps),
            "hand_gap_mm_before": hand_gap(one, person, joints[:, list(HANDS)]),
            "hand_gap_mm": hand_gap(one, person, after[:, list(HANDS)]),
            "body_inside_mm_before": _deepest(one, joints),
            "body_inside_mm": _deepest(one, after),
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


def _deepest(one: PlacedThing, joints: np.ndarray) -> float:
    """How deep the deepest part of a body is inside of an object, in all but 5 % of the frames, mm."""
    depth = inside(one.thing, one.poses, joints)[0].max(1)
    return round(1000 * float(np.quantile(depth, 0.95)), 1)


def _local(poses: np.ndarray, points: np.ndarray) -> np.ndarray:
    return transform(invert(poses), points)


def _height_above(thing: Thing, poses: np.ndarray, resting: np.ndarray, floor: float | None) -> float | None:
    """Median height of the lowest vertex above the floor while an object rests, mm."""
    if floor is None or not resting.any():
        return None
    lowest = transform(poses[resting], thing.vertices)[..., 2].min(1)
    return round(1000 * float(np.median(lowest - floor)), 1)

"""One scale for people, the camera's path and objects.

A person's size is a guess unless it is given, and the scale of a moving camera's path comes from feet that stand still.
An object of known size is a ruler: hands that hold it are as far away as it is, and while nobody is near it, it rests.
An object of unknown size is measured by the same hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.special import softmax

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.body.contacts import CONTACT_POINTS
from anylift_cli.body.path_scale import PathScale, path_scale
from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP, K
from anylift_cli.fitting.holding import COARSE, FINE, Grips, find_grips, slips
from anylift_cli.fitting.inside import bulk_inside
from anylift_cli.fitting.things import Thing, in_world
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.flips import cheapest_path
from anylift_cli.geometry.runs import runs

_TOUCH, _TOUCH_OUTLIER = 0.03, 0.12
_INDEPENDENT = 0.5
"""Seconds between grips that say something new."""
_HEIGHT_KNOWN, _HEIGHT_GUESSED = 0.01, 0.05
"""Relative deviation of a person's size."""
_DISTANCE = 0.04
"""Relative deviation of a person's distance at the right size: detectors make people lastingly too large or small."""
_SLIP = 0.025
"""Metres by which a hand seems to move on what it holds: the lifter's errors, which last for `_INDEPENDENT` seconds."""
_SUNK, _SAMPLED = 0.05, 0.2
"""Metres that a body may be inside of an object; seconds between frames that are tried."""
_OBJECT_NOISE = 0.02
"""Metres by which an object's distance is off, lasting for `_INDEPENDENT` seconds."""
_STILL = 0.04
"""Metres that a resting object may seem to move."""
_FOOT, _SOLE, _TILT, _LEVELS_OFF = 0.03, 0.018, 0.03, 3.0
"""Metres by which the lower foot is off the floor, and its middle point is above the sole; radians by which the
vertical is off; deviations at which a foot is in the air."""
_LIFTED_FEET, _OFFSETS = 0.04, np.linspace(-0.09, 0.09, 19)
"""Metres by which an estimator's feet are lastingly too high or low: the deviation, and what is tried."""
_REACH_OFF = 0.1
"""Metres by which a hand is nearer to or farther from the camera than its person."""
_OTHER_LEVEL = 0.2
"""Metres between feet and an object beyond which the object rests on something else than the floor."""
FEET = tuple(K[f"{side}_{point}"] for side in ("left", "right") for point in ("heel", "big_toe", "small_toe"))
_STEP = 0.1
"""Seconds between feet that say something new."""
_DEPTH, _DEPTH_CHANGE = 0.05, 0.2
"""Relative deviations of a person's distance in one frame, and of its change within a second."""


@dataclass(frozen=True)
class Scales:
    """Factors on what was lifted.

    Attributes:
        people: on the size of people and their distance from the camera.
        path: on the camera's path.
        depth: (P, T) further, on each person's distance in each frame, but not on the size.
        things: on each object of unknown size.
    """

    people: float
    path: float
    depth: np.ndarray
    things: tuple[float, ...]


def find_scales(
    lifted: LiftedArtifact, things: Sequence[Thing], height: float | None, *, contacts: bool
) -> tuple[Scales, list[Thing], list[Grips]]:
    """The scales, the objects in metres, and who holds them.

    Args:
        height: of the person, where it is given.
        contacts: whether hands that hold something also say how far away a person is in each frame.
    """
    factors = [1.0 if thing.size_known else _size(lifted, thing) for thing in things]
    sized = [thing.scaled(factor) for thing, factor in zip(things, factors, strict=True)]
    rulers = [thing for thing in sized if thing.size_known]
    size = _HEIGHT_GUESSED if height is None else _HEIGHT_KNOWN
    total, offset = _common_distance(lifted, rulers, float(np.hypot(size, _DISTANCE))) if rulers else (1.0, 0.0)
    people = total ** (size**2 / (size**2 + _DISTANCE**2))
    rough = Scales(people, total, np.full(lifted.present.shape, total / people), ())
    path = _path_scale(lifted, rough, rulers)
    grown = rescaled(lifted, replace(rough, path=path))
    grips = [find_grips(thing, grown, FINE) for thing in sized]
    depth = rough.depth
    if contacts:
        cost = _evidence(grown, list(zip(sized, grips, strict=True))).cost(offset)
        depth = depth * np.stack([_depths(one, lifted.timestamps) for one in cost])
        path = _path_scale(lifted, replace(rough, depth=depth), rulers)
    return Scales(people, path, depth, tuple(factors)), sized, grips


def _size(lifted: LiftedArtifact, thing: Thing) -> float:
    """The factor on an object of unknown size; palms are as thick as they are, so roughly first."""
    rough = 1 / _from_grips(lifted, thing, COARSE)
    return rough / _from_grips(lifted, thing.scaled(rough), FINE)


def rescaled(lifted: LiftedArtifact, scales: Scales) -> LiftedArtifact:
    """What was lifted, in another scale, as the same camera sees it."""
    camera = transform(invert(lifted.world_from_camera), lifted.joints.astype(np.float64))
    root = camera[:, :, [LEFT_HIP, RIGHT_HIP]].mean(2, keepdims=True)
    camera = scales.people * (camera + (scales.depth[..., None, None] - 1) * root)
    poses = lifted.world_from_camera.copy()
    poses[:, :3, 3] = poses[0, :3, 3] + scales.path * (poses[:, :3, 3] - poses[0, :3, 3])
    corners = lifted.object_corners
    return replace(
        lifted,
        joints=transform(poses, camera),
        joint_std=lifted.joint_std * scales.people,
        world_from_camera=poses,
        object_corners=corners if corners is None else transform(poses @ invert(lifted.world_from_camera), corners),
    )


def _from_grips(lifted: LiftedArtifact, thing: Thing, grid: np.ndarray) -> float:
    """The factor on hands' distance at which those that hold a thing touch it; 1 where nobody holds it."""
    grips = find_grips(thing, lifted, grid)
    return float(np.exp(_lowest(grid, _touching(grips.gap[grips.held]).sum(0)))) if grips.held.any() else 1.0


@dataclass(frozen=True)
class _Feet:
    """Lower feet at each factor of `FINE` on people's distance.

    Attributes:
        above: (P, T, G) m above the floor on which an object rests.
        deviation: (P, T, 1) m of that.
        share: (P, T, 1) of a frame that says something new.
    """

    above: np.ndarray
    deviation: np.ndarray
    share: np.ndarray

    def cost(self, offset: float) -> np.ndarray:
        """Cost (P, T, G) of feet that are not `offset` above the floor; far off it, someone jumps."""
        square = ((self.above - offset) / self.deviation) ** 2
        return self.share * square / (1 + square / _LEVELS_OFF**2)


@dataclass(frozen=True)
class _Evidence:
    """What objects say against each factor of `FINE` on people's distance.

    Attributes:
        hands: (P, T, G) cost of hands that do not touch what they hold.
        feet: what each resting object says of feet.
    """

    hands: np.ndarray
    feet: Sequence[_Feet]

    def cost(self, offset: float) -> np.ndarray:
        """(P, T, G), with feet that were lifted `offset` too high."""
        return self.hands + sum(feet.cost(offset) for feet in self.feet)


def _common_distance(lifted: LiftedArtifact, rulers: Sequence[Thing], deviation: float) -> tuple[float, float]:
    """The factor on the distance of all people that objects of known size speak for, and how much too high feet are.

    Both are means over all that is possible: hands seldom say it so sharply that the most probable is the nearest.

    Args:
        deviation: of the factor's logarithm, of which nothing else is known.
    """
    held = [(thing, find_grips(thing, lifted, FINE)) for thing in rulers]
    evidence, lasting = _evidence(lifted, held), sum(_lasting(lifted, *one) for one in held)
    costs = lasting + [evidence.cost(offset).sum((0, 1)) + (offset / _LIFTED_FEET) ** 2 for offset in _OFFSETS]
    share = softmax(-0.5 * (costs + (FINE / deviation) ** 2))
    return float(np.exp(share.sum(0) @ FINE)), float(share.sum(1) @ _OFFSETS)


def _lasting(lifted: LiftedArtifact, thing: Thing, grips: Grips) -> np.ndarray:
    """Cost (G,) of each factor of `FINE` if it is the whole clip's: hands slip on what they hold, bodies are inside."""
    slipping = np.square(slips(thing, lifted, grips, FINE) / _SLIP).sum((0, 1, 2)) * _interval(lifted.timestamps)
    return (slipping + _SAMPLED * np.square(_sunk(lifted, thing) / _SUNK).sum((0, 2))) / _INDEPENDENT


def _sunk(lifted: LiftedArtifact, thing: Thing) -> np.ndarray:
    """How deep bodies are inside of an object at each factor of `FINE`, every `_SAMPLED` seconds, (N, G, 5) m."""
    step = max(1, round(_SAMPLED / _interval(lifted.timestamps)))
    person, frame = np.nonzero((lifted.present & thing.known)[:, ::step])
    poses = lifted.world_from_camera[frame * step]
    camera = transform(invert(poses), lifted.joints[person, frame * step].astype(np.float64))
    root = camera[:, [LEFT_HIP, RIGHT_HIP]].mean(1)
    tried = camera[:, None] + ((np.exp(FINE) - 1)[:, None] * root[:, None])[:, :, None]
    return bulk_inside(thing, tried, frame * step)


def _evidence(lifted: LiftedArtifact, held: Sequence[tuple[Thing, Grips]]) -> _Evidence:
    """What objects say, in each frame."""
    hands = np.zeros((*lifted.present.shape, len(FINE)))
    frames = max(_INDEPENDENT / _interval(lifted.timestamps), 1.0)
    for thing, grips in held:
        depth = transform(np.nan_to_num(thing.camera_from_object), thing.middle[None])[:, 0, 2]
        for person, frame, side in np.argwhere(grips.held):
            reach = np.square((FINE[:, None] - FINE) * depth[frame] / _REACH_OFF)
            hands[person, frame] += (_touching(grips.gap[person, frame, side]) + reach).min(1) / frames
    feet = [_feet_above(lifted, thing, grips) for thing, grips in held]
    return _Evidence(hands, [one for one in feet if one is not None])


def _feet_above(lifted: LiftedArtifact, thing: Thing, grips: Grips) -> _Feet | None:
    """How far feet are above the floor on which an object rests; None where it never does, or on something else.

    One foot at a time is taken to stand on it. The vertical is not known well, so the farther from the object the less
    is said.
    """
    if not grips.rests.any():
        return None
    world = transform(in_world(thing, lifted)[grips.rests], thing.vertices)
    floor, place = float(np.median(world[..., 2].min(1))), np.median(world.mean(1), axis=0)
    feet = lifted.joints[:, :, list(FEET)].astype(np.float64)
    root = lifted.joints[:, :, [LEFT_HIP, RIGHT_HIP]].astype(np.float64).mean(2)
    sight = root - lifted.world_from_camera[:, :3, 3]
    soles = np.median(feet[..., 2].reshape(*feet.shape[:2], 2, 3), axis=-1).min(-1)
    above = soles[..., None] + (np.exp(FINE) - 1) * sight[..., 2:] - floor - _SOLE
    if np.median(np.abs(above[lifted.present][:, len(FINE) // 2])) > _OTHER_LEVEL:
        return None
    away = np.linalg.norm((root - place)[..., :2], axis=-1)[..., None]
    share = lifted.present[..., None] / max(_STEP / _interval(lifted.timestamps), 1.0)
    return _Feet(above, np.hypot(_FOOT, _TILT * away), share)


def _lowest(grid: np.ndarray, cost: np.ndarray) -> float:
    """Where a parabola through the least value of a grid and its neighbours is lowest."""
    best = int(cost.argmin())
    if not 0 < best < len(grid) - 1:
        return float(grid[best])
    before, at, after = cost[best - 1 : best + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(grid[best] + shift * (grid[1] - grid[0]))


def _touching(gap: np.ndarray) -> np.ndarray:
    square = np.square(np.minimum(gap, 10.0))
    return square / _TOUCH**2 / (1 + square / _TOUCH_OUTLIER**2)


def _path_scale(lifted: LiftedArtifact, scales: Scales, rulers: Sequence[Thing]) -> float:
    """The factor on a moving camera's path with which objects that nobody touches stay where they are.

    The other witness are feet on the ground, at the people's new distance; both are weighed by how sure they are.
    """
    if lifted.meta.get("motion") != "moving":
        return scales.path
    by_feet = _scale_by_feet(lifted, scales)
    precision = 1 / max(by_feet.value * by_feet.uncertainty, 1e-3) ** 2
    total = precision * by_feet.value
    poses, interval = lifted.world_from_camera, _interval(lifted.timestamps)
    for thing in rulers:
        grips = find_grips(thing, lifted, FINE)
        for first, last in runs(grips.free | grips.rests):
            rows = slice(first, last)
            offset = transform(thing.camera_from_object[rows], thing.middle[None])[:, 0]
            seen = (poses[rows, :3, :3] @ offset[..., None])[..., 0]
            seen, centre = seen - seen.mean(0), poses[rows, :3, 3] - poses[rows, :3, 3].mean(0)
            spread = float((centre**2).sum())
            if spread <= 0:
                continue
            factor = -float((centre * seen).sum()) / spread
            left = np.sqrt(((factor * centre + seen) ** 2).sum(-1).mean())
            if left > _STILL or not 0.3 < factor / scales.path < 3:
                continue
            frames = max(_INDEPENDENT / interval, 1.0)
            trust = spread / frames / _OBJECT_NOISE**2
            precision, total = precision + trust, total + trust * factor
    return total / precision


def _scale_by_feet(lifted: LiftedArtifact, scales: Scales) -> PathScale:
    """The factor on the camera's path at which one foot of the first person at a time stands still."""
    grown = rescaled(lifted, scales)
    rows = np.flatnonzero(lifted.present[0])
    camera = transform(invert(grown.world_from_camera[rows]), grown.joints[0, rows].astype(np.float64))
    values = (
        camera[:, list(CONTACT_POINTS)],
        np.ones((len(rows), len(CONTACT_POINTS))),
        lifted.world_from_camera[rows, :3, :3],
        lifted.world_from_camera[rows, :3, 3],
        lifted.timestamps[rows],
    )
    return path_scale(*(torch.as_tensor(value, dtype=torch.float32) for value in values))


def _depths(evidence: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Smooth factors (T,) on a person's distance that `evidence` (T, G) speaks for; 1 where it says nothing."""
    if not evidence.any():
        return np.ones(len(times))
    interval = _interval(times)
    change = np.square((FINE[:, None] - FINE) / _DEPTH_CHANGE) / interval
    frames = max(_STEP / interval, 1.0)
    chosen = FINE[cheapest_path((FINE / _DEPTH) ** 2 / frames + evidence, change)]
    return np.exp(gaussian_filter1d(chosen, 0.1 / interval, mode="nearest"))


def _interval(times: np.ndarray) -> float:
    return max(float(np.median(np.diff(times))), 1e-3) if len(times) > 1 else 1.0

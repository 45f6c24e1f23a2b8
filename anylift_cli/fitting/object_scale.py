"""One scale for people, the camera's path and objects.

A person's size is a guess unless it is given, and the scale of a moving camera's path comes from feet that stand still.
An object of known size is a ruler: hands that hold it are as far away as it is, and while nobody is near it, it rests.
An object of unknown size is measured by the same hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP
from anylift_cli.fitting.holding import COARSE, FINE, Grips, find_grips
from anylift_cli.fitting.things import Thing
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.flips import cheapest_path

_TOUCH, _TOUCH_OUTLIER = 0.03, 0.12
_INDEPENDENT = 0.5
"""Seconds between grips that say something new."""
_HEIGHT_KNOWN, _HEIGHT_GUESSED = 0.01, 0.05
"""Relative deviation of a person's size."""
_DISTANCE = 0.04
"""Relative deviation of a person's distance at the right size: detectors make people lastingly too large or small."""
_OBJECT_NOISE = 0.02
"""Metres by which an object's distance is off, lasting for `_INDEPENDENT` seconds."""
_STILL = 0.04
_FEET = 0.1
"""Relative deviation of the path's scale where the lift does not say how sure it is."""
_DEPTH, _DEPTH_SPEED = 0.08, 0.25
"""Relative deviations of a person's distance in one frame, and of its change in a second."""


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
    factors = [1.0 if thing.size_known else 1 / _from_grips(lifted, [thing], COARSE, None) for thing in things]
    sized = [thing.scaled(factor) for thing, factor in zip(things, factors, strict=True)]
    rulers = [thing for thing in sized if thing.size_known]
    size = _HEIGHT_GUESSED if height is None else _HEIGHT_KNOWN
    total = _from_grips(lifted, rulers, FINE, float(np.hypot(size, _DISTANCE))) if rulers else 1.0
    people = total ** (size**2 / (size**2 + _DISTANCE**2))
    path = _path_scale(lifted, rulers, total)
    depth = np.full(lifted.present.shape, total / people)
    grown = rescaled(lifted, Scales(people, path, depth, ()))
    grips = [find_grips(thing, grown, FINE) for thing in sized]
    if contacts:
        depth = depth * np.stack([_depths(grips, person, lifted.timestamps) for person in range(len(depth))])
    return Scales(people, path, depth, tuple(factors)), sized, grips


def rescaled(lifted: LiftedArtifact, scales: Scales) -> LiftedArtifact:
    """What was lifted, in another scale, as the same camera sees it."""
    camera = transform(invert(lifted.world_from_camera), lifted.joints.astype(np.float64))
    root = camera[:, :, [LEFT_HIP, RIGHT_HIP]].mean(2, keepdims=True)
    camera = scales.people * (camera + (scales.depth[..., None, None] - 1) * root)
    poses = lifted.world_from_camera.copy()
    poses[:, :3, 3] = poses[0, :3, 3] + scales.path * (poses[:, :3, 3] - poses[0, :3, 3])
    return replace(
        lifted,
        joints=transform(poses, camera),
        joint_std=lifted.joint_std * scales.people,
        world_from_camera=poses,
    )


def _from_grips(lifted: LiftedArtifact, things: Sequence[Thing], grid: np.ndarray, deviation: float | None) -> float:
    """The factor on hands' distance at which those that hold something touch it; 1 where nobody holds anything.

    Args:
        deviation: of the factor's logarithm; None where nothing is known.
    """
    cost = np.zeros(len(grid))
    frames = max(_INDEPENDENT / _interval(lifted.timestamps), 1.0)
    for thing in things:
        grips = find_grips(thing, lifted, grid)
        cost += _touching(grips.gap[grips.held]).sum(0) / frames
    if not cost.any():
        return 1.0
    if deviation is not None:
        cost = cost + (grid / deviation) ** 2
    return float(np.exp(_lowest(grid, cost)))


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


def _path_scale(lifted: LiftedArtifact, rulers: Sequence[Thing], distance: float) -> float:
    """The factor on a moving camera's path with which objects that nobody touches stay where they are.

    Feet on the ground have said that it is the factor on people's distance; both are weighed by how sure they are.
    """
    if lifted.meta.get("motion") != "moving":
        return distance
    stated = lifted.meta.get("scale")
    unsure = float(stated.get("uncertainty", _FEET)) if isinstance(stated, dict) else _FEET
    precision = 1 / max(distance * unsure, 1e-3) ** 2
    total = precision * distance
    poses, interval = lifted.world_from_camera, _interval(lifted.timestamps)
    for thing in rulers:
        grips = find_grips(thing, lifted, FINE)
        for first, last in runs(grips.free):
            rows = slice(first, last)
            offset = transform(thing.camera_from_object[rows], thing.middle[None])[:, 0]
            seen = (poses[rows, :3, :3] @ offset[..., None])[..., 0]
            seen, centre = seen - seen.mean(0), poses[rows, :3, 3] - poses[rows, :3, 3].mean(0)
            spread = float((centre**2).sum())
            if spread <= 0:
                continue
            factor = -float((centre * seen).sum()) / spread
            left = np.sqrt(((factor * centre + seen) ** 2).sum(-1).mean())
            if left > _STILL or not 0.3 * distance < factor < 3 * distance:
                continue
            frames = max(_INDEPENDENT / interval, 1.0)
            trust = spread / frames / _OBJECT_NOISE**2
            precision, total = precision + trust, total + trust * factor
    return total / precision


def _depths(grips: Sequence[Grips], person: int, times: np.ndarray) -> np.ndarray:
    """Factors (T,) on a person's distance with which hands touch what they hold; 1 where they hold nothing."""
    cost = np.repeat((FINE / _DEPTH)[None] ** 2, len(times), 0)
    held = np.zeros(len(times), bool)
    for one in grips:
        for side in range(2):
            rows = one.held[person, :, side]
            cost[rows] += _touching(one.gap[person, rows, side])
            held |= rows
    if not held.any():
        return np.ones(len(times))
    interval = _interval(times)
    change = np.square((FINE[:, None] - FINE) / _DEPTH_SPEED) / interval
    chosen = FINE[cheapest_path(cost, change)]
    return np.exp(gaussian_filter1d(chosen, 0.1 / interval, mode="nearest"))


def runs(active: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.pad(active.astype(int), 1)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _interval(times: np.ndarray) -> float:
    return max(float(np.median(np.diff(times))), 1e-3) if len(times) > 1 else 1.0

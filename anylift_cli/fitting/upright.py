"""Which way is up, told by objects that rest: they lie on a side on which they can lie, on something level.

The vertical of what was lifted rests on cameras held level and on people who stand, which is a few degrees at best; it
decides how far away people are whose feet are known to be on a floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.fitting.holding import FINE, find_grips
from anylift_cli.fitting.things import Thing, in_world
from anylift_cli.geometry.cameras import transform
from anylift_cli.geometry.rotations import rotation_between

_LIFTED = 2.5
"""Degrees by which a lifted vertical is off whose lifter does not say it."""
_UNEVEN = 0.006
"""Metres by which a mesh, or where it is taken to be, is off from one edge of its base to the other."""
_NEAREST = 8.0
"""Degrees from the lifted vertical beyond which an object leans on something, or lies on something that slopes."""
_LEAST_BASE = 0.2
"""Share of an object's outline from above that its base covers: round things roll."""
_LEAST_REST = 0.2
"""Seconds."""
_FLAT = 0.01
"""Share of an object's size by which its base may be uneven."""


def upright(lifted: LiftedArtifact, things: Sequence[Thing]) -> LiftedArtifact:
    """What was lifted, in a world whose z is up by objects that rest as well; unchanged where none does."""
    told = [found for thing in things if (found := _told_by(thing, lifted)) is not None]
    if not told:
        return lifted
    vertical = np.array([0, 0, 1.0])
    told.append((vertical, lifted.meta.get("gravity_deviation_deg", _LIFTED)))
    up = sum(one / deviation**2 for one, deviation in told)
    up = up / np.linalg.norm(up)
    left = sum(1 / deviation**2 for _, deviation in told) ** -0.5
    turn = np.eye(4)
    turn[:3, :3] = rotation_between(torch.from_numpy(up), torch.from_numpy(vertical)).numpy()
    corners = lifted.object_corners
    return replace(
        lifted,
        joints=transform(turn, lifted.joints.astype(np.float64)),
        world_from_camera=turn @ lifted.world_from_camera,
        object_corners=corners if corners is None else transform(turn, corners),
        meta={
            **lifted.meta,
            "gravity_source": f"{lifted.meta.get('gravity_source', 'lifted')} + objects at rest",
            "gravity_deviation_deg": round(left, 2),
        },
    )


def _told_by(thing: Thing, lifted: LiftedArtifact) -> tuple[np.ndarray, float] | None:
    """The vertical (3,) in the lifted world by an object while it rests, and by how many degrees that may be off; None
    where it does not rest, or does not tell."""
    poses = in_world(thing, lifted)
    rows = find_grips(thing, lifted, FINE).rests
    interval = np.median(np.diff(lifted.timestamps)) if len(rows) > 1 else 0.0
    if rows.sum() * interval < _LEAST_REST:
        return None
    turns = poses[rows, :3, :3]
    base = base_below(thing.vertices, np.median(turns[:, 2], axis=0))
    if base is None:
        return None
    up = (turns @ base.normal).mean(0)
    up = up / np.linalg.norm(up)
    return (up, np.degrees(_UNEVEN / base.width)) if up[2] > np.cos(np.radians(_NEAREST)) else None


class Base(NamedTuple):
    """What a mesh stands on: its upward normal (3,), and how wide it is at least, m."""

    normal: np.ndarray
    width: float


def base_below(vertices: np.ndarray, up: np.ndarray) -> Base | None:
    """The flat base on which a mesh stands; None where it has none near.

    Args:
        vertices: (V, 3).
        up: (3,) about the vertical, in the mesh's axes.
    """
    try:
        hull = ConvexHull(vertices)
    except QhullError:
        return None
    up = up / np.linalg.norm(up)
    corners = vertices[hull.vertices]
    middle = (corners.min(0) + corners.max(0)) / 2
    least = _LEAST_BASE * _area(corners, up)
    best, base = least, None
    for normal in np.unique(-hull.equations[:, :3].round(3), axis=0):
        height = corners @ normal
        touching = corners[height < height.min() + _FLAT * np.ptp(corners, axis=0).max()]
        if normal @ up < np.cos(np.radians(2 * _NEAREST)) or len(touching) < 3:
            continue
        area = _area(touching, normal, middle)
        if area > best:
            normal = normal / np.linalg.norm(normal)
            best, base = area, Base(normal, _width(touching, normal))
    return base


def _width(points: np.ndarray, normal: np.ndarray) -> float:
    """The least width of the outline of points (N, 3) along `normal`, m."""
    flat = points @ _plane(normal)
    edges = ConvexHull(flat).equations
    return float((-edges[:, :2] @ flat.T - edges[:, 2:]).max(1).min())


def _area(points: np.ndarray, normal: np.ndarray, above: np.ndarray | None = None) -> float:
    """Area of the outline of points (N, 3) along `normal`; 0 where it has none, or is not below the point `above`."""
    plane = _plane(normal)
    try:
        outline = ConvexHull(points @ plane)
    except QhullError:
        return 0.0
    if above is not None and (outline.equations[:, :2] @ (above @ plane) + outline.equations[:, 2] > 0).any():
        return 0.0
    return float(outline.volume)


def _plane(normal: np.ndarray) -> np.ndarray:
    """Two axes (3, 2) across `normal`, m."""
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    axes = np.stack([first, np.cross(normal, first)], -1)
    return axes / np.linalg.norm(axes, axis=0)

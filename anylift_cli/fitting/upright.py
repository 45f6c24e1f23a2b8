"""Which way is up, told by objects that rest: they lie on a side on which they can lie, on something level.

The vertical of what was lifted rests on cameras held level and on people who stand, which is a few degrees at best; it
decides how far away people are whose feet are known to be on a floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial import ConvexHull, QhullError

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.fitting.holding import FINE, find_grips
from anylift_cli.fitting.things import Thing, in_world
from anylift_cli.geometry.cameras import transform
from anylift_cli.geometry.rotations import rotation_between

_LIFTED, _RESTED = 2.5, 1.0
"""Degrees by which the vertical is off that was lifted, and the one that a resting object tells."""
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
    told = [up for thing in things if (up := _told_by(thing, lifted)) is not None]
    if not told:
        return lifted
    deviation = _RESTED / np.sqrt(len(told))
    share = _LIFTED**2 / (_LIFTED**2 + deviation**2)
    vertical = np.array([0, 0, 1.0])
    up = (1 - share) * vertical + share * np.mean(told, axis=0)
    turn = np.eye(4)
    turn[:3, :3] = rotation_between(torch.from_numpy(up), torch.from_numpy(vertical)).numpy()
    corners = lifted.object_corners
    return replace(
        lifted,
        joints=transform(turn, lifted.joints.astype(np.float64)),
        world_from_camera=turn @ lifted.world_from_camera,
        object_corners=corners if corners is None else transform(turn, corners),
        meta={**lifted.meta, "gravity_source": f"{lifted.meta.get('gravity_source', 'lifted')} + objects at rest"},
    )


def _told_by(thing: Thing, lifted: LiftedArtifact) -> np.ndarray | None:
    """The vertical (3,) in the lifted world by an object while it rests; None where it does not, or does not tell."""
    poses = in_world(thing, lifted)
    rows = find_grips(thing, lifted, FINE).rests
    interval = np.median(np.diff(lifted.timestamps)) if len(rows) > 1 else 0.0
    if rows.sum() * interval < _LEAST_REST:
        return None
    turns = poses[rows, :3, :3]
    base = base_below(thing.vertices, np.median(turns[:, 2], axis=0))
    if base is None:
        return None
    up = (turns @ base).mean(0)
    up = up / np.linalg.norm(up)
    return up if up[2] > np.cos(np.radians(_NEAREST)) else None


def base_below(vertices: np.ndarray, up: np.ndarray) -> np.ndarray | None:
    """The upward normal (3,) of the flat base on which a mesh stands; None where it has none near.

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
            best, base = area, normal / np.linalg.norm(normal)
    return base


def _area(points: np.ndarray, normal: np.ndarray, above: np.ndarray | None = None) -> float:
    """Area of the outline of points (N, 3) along `normal`; 0 where it has none, or is not below the point `above`."""
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    plane = np.stack([first, np.cross(normal, first)], -1)
    try:
        outline = ConvexHull(points @ plane)
    except QhullError:
        return 0.0
    if above is not None and (outline.equations[:, :2] @ (above @ plane) + outline.equations[:, 2] > 0).any():
        return 0.0
    return float(outline.volume)

"""Parts of a body that are inside of an object, and where they would be just outside of it."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import J, K
from anylift_cli.fitting.things import Thing
from anylift_cli.geometry.cameras import invert, transform

_RADIUS = np.zeros(len(J))
for _names, _metres in {
    ("pelvis", "spine1", "spine2", "spine3"): 0.10,
    ("left_hip", "right_hip", "left_collar", "right_collar", "head"): 0.08,
    ("left_shoulder", "right_shoulder", "neck"): 0.06,
    ("left_knee", "right_knee"): 0.05,
    ("left_elbow", "right_elbow", "left_ankle", "right_ankle"): 0.04,
    ("left_foot", "right_foot"): 0.025,
}.items():
    for _name in _names:
        _RADIUS[J[_name]] = _metres
"""Metres of flesh around joints; hands hold, and wrists go where they do."""
_BULKY = ("left_hip", "right_hip", "left_knee", "right_knee", "neck")
"""Joints, and points of `body24`, that seldom rest against anything; arms and feet do."""
_DEEPEST = 0.15
"""Metres inside beyond which it is not clear which way out is."""


def bulk_inside(thing: Thing, camera: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """How deep trunk and knees with what is around them are inside of an object, (F, N, 5) m, at most `_DEEPEST`.

    Args:
        camera: (F, N, 24, 3) m, N guesses of where the points of `body24` are before the camera.
        frames: (F,) which frames these are; the object's pose is known there.
    """
    local = transform(invert(thing.camera_from_object[frames])[:, None], camera[:, :, [K[name] for name in _BULKY]])
    radius = _RADIUS[[J[name] for name in _BULKY]]
    near = np.linalg.norm(local - thing.middle, axis=-1) < thing.radius + radius
    depth = np.zeros(near.shape)
    if near.any():
        distance = thing.surface.nearest(local[near])[1]
        depth[near] = np.clip(np.broadcast_to(radius, near.shape)[near] - distance, 0, _DEEPEST)
    return depth


def inside(thing: Thing, poses: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How deep joints with what is around them are inside of an object.

    Args:
        poses: (T, 4, 4) `world_from_object`.
        joints: (T, 24, 3) m, in that world.

    Returns:
        depth (T, 24) m, 0 outside; where they would touch it from outside (T, 24, 3) m, the joints where they are
        not inside.
    """
    local = transform(invert(poses), joints)
    near = np.linalg.norm(local - thing.middle, axis=-1) < thing.radius + _RADIUS
    depth, places = np.zeros(joints.shape[:2]), joints.copy()
    if not near.any():
        return depth, places
    points, radius = local[near], np.broadcast_to(_RADIUS, near.shape)[near]
    surface, distance = thing.surface.nearest(points)
    deep = (radius > 0) & (distance < radius) & (distance > -_DEEPEST)
    way = np.where(distance[:, None] > 0, points - surface, surface - points)
    way = way / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
    out = np.zeros_like(local)
    out[near] = surface + radius[:, None] * way
    depth[near] = np.where(deep, radius - distance, 0.0)
    return depth, np.where(depth[..., None] > 0, transform(poses, out), joints)

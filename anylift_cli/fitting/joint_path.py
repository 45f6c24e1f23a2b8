"""An object's path from where a joint lifter sees it and where its own points are seen."""

from __future__ import annotations

import numpy as np

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.fitting.things import EASE, Thing, sightings, smooth_path
from anylift_cli.geometry.boxes import box_around
from anylift_cli.geometry.pose_path import Places, fit_pose_path
from anylift_cli.geometry.view_poses import poses_from_points, refine_poses

_LASTING = 0.5
"""Seconds for which a network errs alike."""
_LEAST = 0.03
"""Metres that imagined corners are off at least."""


def object_path(thing: Thing, lifted: LiftedArtifact, number: int, places: Places | None = None) -> np.ndarray:
    """`world_from_object` (T, 4, 4) by `joint_path` where a joint lifter saw the object, otherwise by `smooth_path`."""
    if lifted.object_corners is None or not np.isfinite(lifted.object_corners[number]).all():
        return smooth_path(thing, lifted, places)
    return joint_path(thing, lifted, number, places)


def joint_path(thing: Thing, lifted: LiftedArtifact, number: int, places: Places | None = None) -> np.ndarray:
    """`world_from_object` (T, 4, 4) that agrees with sightings, imagined corners and smoothness.

    Where the object was not followed, the path starts from the rigid motion of the imagined corners (S1-S5).

    Args:
        number: of the object in `lifted.object_corners`, which holds it.
        places: further wishes, one place in each frame.
    """
    corners, box = lifted.object_corners[number], box_around(thing.vertices)
    deviation = np.maximum(lifted.object_std[number].astype(np.float64), _LEAST)
    weight = (_LEAST / deviation) ** 2
    rigid = refine_poses(
        poses_from_points(box, corners, weight, lifted.timestamps, scale=1.0), box, corners, weight, with_scale=False
    )
    found = lifted.world_from_camera @ np.where(thing.known[:, None, None], thing.camera_from_object, np.eye(4))
    start = np.where(thing.known[:, None, None], found, rigid.poses)
    interval = float(np.median(np.diff(lifted.timestamps))) if len(corners) > 1 else _LASTING
    alike = len(box) * max(_LASTING / interval, 1.0)
    wish = Places(
        np.broadcast_to(box, corners.shape).copy(), corners,
        np.broadcast_to((1 / (alike * deviation**2))[..., None], corners.shape).copy(),
    )  # fmt: skip
    if places is not None:
        wish = Places(*(np.concatenate([getattr(one, name) for one in (wish, places)], 1)
                        for name in ("points", "targets", "precision")))  # fmt: skip
    return fit_pose_path(start, sightings(thing, lifted), lifted.timestamps, EASE, wish)

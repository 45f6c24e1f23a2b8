"""`lifted.npz`: 3D points of each person in the metric, gravity-aligned world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anylift_cli.artifacts.base import Artifact, array


@dataclass(kw_only=True)
class LiftedArtifact(Artifact):
    """3D `body24` points and the cameras that see them, metres, z up. The floor is placed by the fit stage.

    `meta["gravity_source"]` says where the vertical comes from, `meta["scale"]` how the metric scale was found
    (with its relative uncertainty), `meta["lifter"]` which lifter ran; `motion` and `focal_source` are the cameras'.

    A joint lifter also says where it sees the boxes around the meshes of O objects (`geometry/boxes.py`): their corners
    in the same world, NaN for an object that it was not given.
    """

    schema: ClassVar[str] = "anylift.lifted"
    version: ClassVar[int] = 1

    joints: np.ndarray = array("P T K 3", "f4", "m")
    joint_std: np.ndarray = array("P T K", "f4", "m")
    present: np.ndarray = array("P T", "?")
    world_from_camera: np.ndarray = array("T 4 4", "f8", "m")
    K: np.ndarray = array("T 3 3", "f8", "px")
    timestamps: np.ndarray = array("T", "f8", "s")
    views2d: np.ndarray | None = array("P V T K 2", "f4", "px", finite=False, optional=True)
    object_corners: np.ndarray | None = array("O T C 3", "f8", "m", finite=False, optional=True)
    object_std: np.ndarray | None = array("O T C", "f4", "m", finite=False, optional=True)
    view_cameras: np.ndarray | None = array("P V T 4 4", "f8", "m", optional=True)

"""GVHMR's `hmr4d_results.pt`: one person in all frames of the video (zju3dv/GVHMR, tools/demo/demo.py)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.body.tracks.posing import rotations_of
from anylift_cli.body.tracks.track import SmplTrack
from anylift_cli.foreign.fields import arrays_of

KIND = "GVHMR"


def is_gvhmr(stored: Any) -> bool:
    """Whether `stored` is what GVHMR saves."""
    return isinstance(stored, Mapping) and "smpl_params_global" in stored


def gvhmr_in_world(path: Path, stored: Mapping[str, Any]) -> SmplTrack:
    """SMPL-X in a world with gravity along -y.

    Raises:
        AnyliftError: a missing or malformed array.
    """
    return _track(path, stored["smpl_params_global"])


def gvhmr_in_camera(path: Path, stored: Mapping[str, Any]) -> SmplTrack:
    """SMPL-X in each frame's camera; raises as `gvhmr_in_world`."""
    return _track(path, stored.get("smpl_params_incam"))


def gvhmr_intrinsics(path: Path, stored: Mapping[str, Any]) -> np.ndarray | None:
    """K (T, 3, 3) in pixels of the video, where the file has them."""
    return arrays_of(path, KIND, stored, {"K_fullimg": "T 3 3"})[0] if "K_fullimg" in stored else None


def _track(path: Path, parameters: Any) -> SmplTrack:
    wanted = {"global_orient": "T 3", "body_pose": "T 63", "transl": "T 3", "betas": "T 10"}
    orient, body, transl, betas = arrays_of(path, KIND, parameters, wanted)
    rotations = rotations_of(np.concatenate([orient, body], -1))
    return SmplTrack("0", np.arange(len(transl)), rotations, transl, betas, family="smplx")

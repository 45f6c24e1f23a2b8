"""What a camera estimator makes of a true camera path."""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.synthetic.draw import Draw

_TURN = 0.004
"""Radians of slow drift at most, of cameras that stay in one place; three times that of moving ones."""
_SHAKE = 0.01
"""Metres of slow drift at most."""


def estimated_cameras(true: Tensor, times: Tensor, moving: Tensor, draw: Draw) -> Tensor:
    """Camera poses (B, T, 4, 4) with the drift of structure from motion, in the world and unit of the true ones.

    Args:
        true: (B, T, 4, 4) `world_from_camera`, m.
        times: (T,) seconds.
        moving: (B,) cameras that leave their place; the others only turn.
    """
    batch = len(true)
    drift = draw.wander((batch, 3), times, 0.02, 0.3) * (_TURN * draw.uniform((batch, 1, 1)))
    shake = draw.wander((batch, 3), times, 0.05, 0.5) * (_SHAKE * draw.uniform((batch, 1, 1)))
    pose = true.clone()
    pose[..., :3, :3] = pose[..., :3, :3] @ matrix_from_axis_angle(drift * (2 * moving[:, None, None] + 1))
    pose[..., :3, 3] = pose[..., :3, 3] + shake * moving[:, None, None]
    return pose


def estimated_up(tilt: Tensor, draw: Draw) -> Tensor:
    """World's up (B, 3), off by about `tilt` (B,) radians about each axis."""
    return matrix_from_axis_angle(draw.normal((len(tilt), 3)) * tilt[:, None])[..., 2]


def rescaled(poses: Tensor, factor: Tensor) -> Tensor:
    """The path (B, T, 4, 4) grown by `factor` (B,) about its first camera."""
    grown = poses.clone()
    first = poses[:, :1, :3, 3]
    grown[..., :3, 3] = first + factor[:, None, None] * (poses[..., :3, 3] - first)
    return torch.where((factor == 1)[:, None, None, None], poses, grown)

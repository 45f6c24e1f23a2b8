"""Lines to train with where only one view exists: a source camera stood in for by its epipole (ALGORITHM 1.6)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.vectors import unit
from anylift_cli.lifting.epipolar import along_ring, epipole, network_epipole, pencil
from anylift_cli.synthetic.draw import Draw

_AZIMUTH = math.radians(30), math.radians(330)
_ELEVATION = math.radians(10)
_RING_SHARE = 0.5
_REACH = 5.0
"""Constant epipoles lie anywhere within this of the middle, network units: MVLift's ±3 of its own."""
_NULL, _DROPPED = 0.1, 0.15
_DROPPED_FRAMES = 5, 40
_JITTER = 0.01
"""Standard deviation of points before lines are drawn through them, network units."""


def draw_epipoles(up: Tensor, root: Tensor, draw: Draw) -> Tensor:
    """Epipoles (B, T, 3), homogeneous network coordinates: of a ring that follows the clip's camera, or one for all T.

    Args:
        up: (B, T, 3) unit; root: (B, T, 3) size root; both in the view that the lines are for.
    """
    batch = len(up)
    across = unit(torch.linalg.cross(up, root))
    azimuth = draw.uniform((batch, 1, 1), *_AZIMUTH)
    elevation = draw.normal((batch, 1, 1), _ELEVATION)
    turn = matrix_from_axis_angle(elevation * across) @ matrix_from_axis_angle(azimuth * up)
    ring = network_epipole(epipole(along_ring(root, turn[:, :, None])[:, :, 0]), root)
    anywhere = torch.cat([draw.uniform((batch, 1, 2), -_REACH, _REACH), torch.ones(batch, 1, 1, device=up.device)], -1)
    return torch.where(draw.chance((batch, 1, 1), _RING_SHARE), ring, anywhere)


def draw_lines(points: Tensor, known: Tensor, through: Tensor, draw: Draw) -> Tensor:
    """Lines (B, T, 24, 3) that a view is told: through jittered points, some left out, of some clips all.

    Args:
        points: (B, T, 24, 2) network coordinates; known: (B, T, 24) bool; through: (B, T, 3) of `draw_epipoles`.
    """
    batch, frames, count = known.shape
    lines = pencil(points + draw.normal(points.shape, _JITTER), through)
    dropped = draw.spans((batch, count), frames, _DROPPED, *_DROPPED_FRAMES).transpose(1, 2)
    left = known & ~dropped & ~draw.chance((batch, 1, 1), _NULL)
    return torch.where(left[..., None], lines, 0.0)

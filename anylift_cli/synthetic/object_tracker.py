"""What a tracker with PnP makes of a thing: poses with trembling, drifting and lasting errors, gaps, drawn at random.

The errors of PnP on about a dozen points that are off by p pixels, of a box whose half diagonal is s pixels long, were
measured on boxes at random: 0.6 p/s of the distance, 1.1 p/s rad about each axis, 0.4 p pixels to each side.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.virtual_cameras import ASPECT

_POINT = math.log(1.4 / 540), 0.5
"""Logarithm of a point's error in half image heights, and its deviation from clip to clip."""
_DEPTH, _TURN, _SIDE = 0.6, 1.1, 0.4
_TREMBLING, _DRIFTING = 0.4, 0.9
_RULER = 0.012
"""Relative deviation of a mesh's size."""
_LOST, _LOST_AGAIN = (0.5, 8, 60), (0.25, 3, 25)
"""Chance of a span without a pose, its least and most frames."""
_NEVER, _MISSED = 0.04, 0.02
_NEAREST = 0.3


def follow(corners: Tensor, focal: Tensor, times: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Corners (B, T, 8, 3) where a tracker's poses put them, and its confidence (B, T), 0 where it has lost the thing.

    Args:
        corners: (B, T, 8, 3) true ones before the camera, m.
        focal: (B,) in half image heights.
        times: (T,) seconds.
    """
    batch, frames = corners.shape[:2]
    middle = corners.mean(-2)
    depth = middle[..., 2].clamp_min(_NEAREST)
    size = (corners - middle[..., None, :]).norm(dim=-1).mean(-1)
    error = torch.exp(_POINT[0] + draw.normal((batch, 1), _POINT[1]))
    share = (error * depth / (size * focal[:, None])).clamp_max(0.15)
    off = _TREMBLING * draw.normal((batch, frames, 6)) + _DRIFTING * draw.wander((batch, 6), times, 0.05, 0.6)
    turn = matrix_from_axis_angle(_TURN * share[..., None] * off[..., :3])
    aside = _SIDE * (error / focal[:, None])[..., None] * off[..., 3:5]
    farther = torch.exp(_DEPTH * share * off[..., 5] + draw.normal((batch, 1), _RULER))
    gaze = middle[..., :2] / depth[..., None]
    place = torch.cat([gaze + aside, torch.ones_like(depth[..., None])], -1) * (depth * farther)[..., None]
    found = (corners - middle[..., None, :]) @ turn.transpose(-1, -2) + place[..., None, :]

    inside = ((gaze * focal[:, None, None]).abs() < gaze.new_tensor([ASPECT, 1.0])).all(-1)
    lost = draw.spans((batch,), frames, *_LOST) | draw.spans((batch,), frames, *_LOST_AGAIN)
    lost = lost | draw.chance((batch, frames), _MISSED) | draw.chance((batch, 1), _NEVER)
    seen = inside & (middle[..., 2] > _NEAREST) & ~lost
    return found, torch.where(seen, 0.6 + 0.4 * draw.uniform((batch, frames)), 0.0)

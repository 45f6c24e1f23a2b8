"""What an object of known size says of a person's distance: where hands would be at it, and feet on its floor.

Both follow from corners and 2D points; told outright, a joint network has only to learn what they are worth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.skeleton import K
from anylift_cli.geometry.vectors import unit
from anylift_cli.lifting.canonical import Canonical

_HANDS = K["left_wrist"], K["right_wrist"]
_FEET = K["left_heel"], K["right_heel"]
HINTS = 2 * len(_HANDS) + 2 * len(_FEET)
_MAGNIFIED, _FARTHEST = 5.0, 1.5
"""Factor on logarithms of distances and on distances in canonical units, and where the result ends: at 35 %."""
_STEEP, _FLATTEST = 0.25, 0.02
"""Slope of a ray to the floor from which on it tells a distance in full, and the least one that is used."""


def distance_hints(seen: Canonical, corners: Tensor, weight: Tensor) -> Tensor:
    """Hints (B, T, HINTS) of each frame.

    For each wrist how much farther away than the size root its ray passes the object's middle (0 of an unseen one), and
    how far from it; for each foot how much farther away its ray meets the level of the object's lowest corner (0 of an
    unseen one), and how well a ray of that slope tells it.

    Args:
        corners: (B, T, 8, 3) of the object's box relative to the size root, camera axes, canonical units.
        weight: (B, T), 0 in frames whose corners say nothing of the floor.
    """
    corners = corners + seen.root[..., None, :]
    direction = unit(torch.cat([seen.rays, torch.ones_like(seen.rays[..., :1])], -1))
    shown = (seen.weight > 0).float()
    middle = corners.mean(-2, keepdim=True)
    hands = direction[..., list(_HANDS), :]
    along = (hands * middle).sum(-1)
    aside = (middle - along[..., None] * hands).norm(dim=-1)
    slope = -(direction[..., list(_FEET), :] * seen.up[..., None, :]).sum(-1)
    floor = _above_lowest(seen, corners, weight)[..., None] / slope.clamp_min(_FLATTEST)
    sure = (slope / _STEEP).clamp(0, 1)
    parts = [
        _farther(along, seen) * shown[..., list(_HANDS)],
        (aside * _MAGNIFIED).clamp_max(_FARTHEST),
        _farther(floor, seen) * sure * shown[..., list(_FEET)],
        sure,
    ]
    return torch.cat(parts, -1)


def _above_lowest(seen: Canonical, corners: Tensor, weight: Tensor) -> Tensor:
    """How far each camera is above the lowest corner of the clip, (B, T)."""
    rotation, translation = seen.camera_from_first[..., :3, :3], seen.camera_from_first[..., None, :3, 3]
    up = (seen.up[:, :1] @ rotation[:, 0])[..., None, :]
    heights = (((corners - translation) @ rotation) * up).sum(-1)
    lowest = torch.where(weight[..., None] > 0, heights, torch.inf).flatten(1).amin(1)
    camera = (-(translation @ rotation) * up).sum(-1)[..., 0]
    return camera - torch.where(lowest.isfinite(), lowest, 0.0)[:, None]


def _farther(distance: Tensor, seen: Canonical) -> Tensor:
    ratio = distance.clamp_min(1e-3) / seen.root.norm(dim=-1, keepdim=True)
    return (ratio.log() * _MAGNIFIED).clamp(-_FARTHEST, _FARTHEST)

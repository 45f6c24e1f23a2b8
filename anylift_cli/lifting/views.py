"""The virtual views: the input camera carried around the person, their 2D points, and 3D from all of them.

View v is the input camera of the same frame turned by its azimuth about the vertical through the size root. The size
root is where the input camera sees it in every view, at the same distance: no view loses or overtakes the person, and
what remains to be told of a view is small (ALGORITHM 8.2, 8.6, with a ring that goes along).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.lifting.canonical import DISTANCE, FOCAL

_NEAR = 0.2
"""Share of the root's depth that a point is kept in front of a camera."""


def view_rotations(up: Tensor, views: int) -> Tensor:
    """Rotations (B, T, V - 1, 3, 3), camera axes, that bring a person before virtual view 1 … V - 1.

    Args:
        up: (B, T, 3) unit vectors in the camera.
        views: V, with the input view; evenly spread over the circle.
    """
    azimuth = torch.arange(1, views, device=up.device) * (2 * math.pi / views)
    return matrix_from_axis_angle(-azimuth[:, None] * up[..., None, :])


def to_views(local: Tensor, root: Tensor, rotations: Tensor) -> Tensor:
    """2D points of each view relative to the size root, network coordinates, (B, T, V - 1, N, 2).

    Args:
        local: (B, T, N, 3) relative to the size root, camera axes, canonical units.
        root: (B, T, 3) size root in the camera.
        rotations: (B, T, V - 1, 3, 3) of `view_rotations`.
    """
    turned = local[:, :, None] @ rotations.transpose(-1, -2) + root[:, :, None, None, :]
    depth = root[..., None, None, 2:]
    seen = turned[..., :2] / turned[..., 2:].maximum(_NEAR * depth)
    return (seen - (root[..., :2] / root[..., 2:])[:, :, None, None]) * depth * (FOCAL / DISTANCE)


def input_view(rays: Tensor, weight: Tensor, root: Tensor) -> Tensor:
    """The input's 2D points in the same coordinates, 0 where unobserved, (B, T, 24, 2)."""
    seen = (rays - (root[..., :2] / root[..., 2:])[:, :, None]) * root[..., None, 2:] * (FOCAL / DISTANCE)
    return torch.where((weight > 0)[..., None], seen, 0.0)


def triangulate(observed: Tensor, trust: Tensor, root: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
    """Points that agree best with all views: linear least squares per point and frame (ALGORITHM 3.3, 4.5).

    Args:
        observed: (B, T, V, N, 2) network coordinates relative to the size root, the input view first.
        trust: (B, T, V, N) weights.
        root: (B, T, 3) size root in the camera.
        rotations: (B, T, V - 1, 3, 3) of the virtual views.

    Returns:
        Points (B, T, N, 3) relative to the size root, camera axes, canonical units, and the weighted mean distance
        (B, T, N) at which the views' rays miss them, canonical units.
    """
    depth = root[..., 2]
    offset = observed * (DISTANCE / FOCAL / depth)[..., None, None, None]
    rays = offset + (root[..., :2] / root[..., 2:])[:, :, None, None]
    identity = torch.eye(3, device=root.device).expand(*rotations.shape[:2], 1, 3, 3)
    turns = torch.cat([identity, rotations], 2)
    rows = turns[..., None, :2, :] - rays[..., None] * turns[..., None, 2:, :]
    values = offset * depth[..., None, None, None]
    share = trust / trust.sum(2, keepdim=True).clamp_min(1e-9)
    weighted = rows * share[..., None, None]
    normal = torch.einsum("btvnri,btvnrj->btnij", weighted, rows)
    right = torch.einsum("btvnri,btvnr->btni", weighted, values)
    normal = normal + 1e-6 * torch.eye(3, device=root.device)
    points = torch.linalg.solve(normal, right)
    miss = (torch.einsum("btvnri,btni->btvnr", rows, points) - values).square().sum(-1)
    return points, (share * miss).sum(2).clamp_min(1e-12).sqrt()

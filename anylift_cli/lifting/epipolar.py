"""Where a point of one view can be in another: epipolar lines and epipoles of moving cameras, rings of virtual views.

Two rings of virtual cameras carry the input camera around a person (ALGORITHM 1.5, 3.1). The rigid ring turns the whole
input path about the vertical through the root of the first frame: all its views share one trajectory C, the paper's
ring, but people who walk leave the middle of the views or come into the cameras. The ring of `views.py` goes along: at
each frame it turns the input camera about that frame's size root, which every view then sees where the input does, at
the same distance. Its views differ in how the camera's centre moves, by the person's path turned (`single_view.py`
tells each view its own), so nothing is lost, and lines, points and triangulation of stages A, B and C share one set of
coordinates. Synthesis and training use the ring that goes along.

Network coordinates are a scale and a shift of a view's image plane at each frame, the same for all views of the ring:
lines stay lines. Lines are (a, b, c) with a² + b² = 1 and a ≥ 0; zeros stand for no line.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anylift_cli.geometry.cameras import invert
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.vectors import dot, unit
from anylift_cli.lifting.canonical import DISTANCE, FOCAL

_BLUNT = 0.1
"""Within this distance of the epipole, network units, a line says less the nearer the point is (ALGORITHM 1.6)."""


def rigid_ring(camera_from_world: Tensor, pivot: Tensor, up: Tensor, views: int) -> Tensor:
    """Input path and its copies turned rigidly about a vertical, `camera_from_world` (B, T, V, 4, 4), the input first.

    Args:
        camera_from_world: (B, T, 4, 4); pivot: (B, 3) root of the first frame; up: (B, 3) unit; all in one world.
        views: V, evenly spread over the circle.
    """
    azimuth = torch.arange(views, device=up.device) * (2 * math.pi / views)
    turn = matrix_from_axis_angle(-azimuth[:, None] * up[:, None])
    about = torch.zeros(*turn.shape[:2], 4, 4, dtype=turn.dtype, device=turn.device)
    about[..., :3, :3], about[..., 3, 3] = turn, 1
    about[..., :3, 3] = pivot[:, None] - (turn @ pivot[:, None, :, None])[..., 0]
    return camera_from_world[:, :, None] @ about[:, None]


def along_ring(root: Tensor, rotations: Tensor) -> Tensor:
    """`view_from_camera` (B, T, V - 1, 4, 4) of the virtual views that go along.

    Args:
        root: (B, T, 3) size root in the input camera.
        rotations: (B, T, V - 1, 3, 3) of `views.view_rotations`.
    """
    pose = torch.zeros(*rotations.shape[:3], 4, 4, dtype=rotations.dtype, device=rotations.device)
    pose[..., :3, :3], pose[..., 3, 3] = rotations, 1
    pose[..., :3, 3] = root[:, :, None] - (rotations @ root[:, :, None, :, None])[..., 0]
    return pose


def relative(camera_from_world: Tensor, other_from_world: Tensor) -> Tensor:
    """`other_from_camera` (..., 4, 4)."""
    return other_from_world @ invert(camera_from_world)


def epipolar_lines(rays: Tensor, target_from_source: Tensor) -> Tensor:
    """Lines (..., N, 3) in the target's plane z = 1 on which points of the source lie: E = [t]× R on bearing vectors.

    Args:
        rays: (..., N, 2) x/z and y/z in the source.
        target_from_source: (..., 4, 4), its translation in any unit; leading axes broadcast.
    """
    rotation, translation = target_from_source[..., :3, :3], target_from_source[..., None, :3, 3]
    bearing = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ rotation.transpose(-1, -2)
    return normalised(torch.linalg.cross(*torch.broadcast_tensors(translation, bearing)))


def epipole(target_from_source: Tensor) -> Tensor:
    """Where the target sees the source's centre: (..., 3) homogeneous in the plane z = 1; last number 0 at infinity."""
    return unit(target_from_source[..., :3, 3])


def network_lines(lines: Tensor, root: Tensor) -> Tensor:
    """Lines (..., N, 3) of the plane z = 1 in network coordinates relative to the size root (..., 3)."""
    gaze, scale = _plane(root)
    offset = dot(lines[..., :2], gaze[..., None, :].expand_as(lines[..., :2])) + lines[..., 2]
    return normalised(torch.cat([lines[..., :2] * scale[..., None, None], offset[..., None]], -1))


def network_epipole(point: Tensor, root: Tensor) -> Tensor:
    """Homogeneous points (..., 3) of the plane z = 1 in network coordinates relative to the size root (..., 3)."""
    gaze, scale = _plane(root)
    return unit(torch.cat([point[..., :2] - gaze * point[..., 2:], point[..., 2:] * scale[..., None]], -1))


def network_rays(points: Tensor, root: Tensor) -> Tensor:
    """x/z and y/z (..., N, 2) of network points relative to the size root (..., 3)."""
    gaze, scale = _plane(root)
    return points * scale[..., None, None] + gaze[..., None, :]


def view_lines(points: Tensor, root: Tensor, target_from_source: Tensor) -> Tensor:
    """Lines (..., N, 3) in the target for network points (..., N, 2) of the source, both in network coordinates.

    Args:
        root: (..., 3) the size root, which all views of the ring that goes along see at the same place.
        target_from_source: (..., 4, 4).
    """
    return network_lines(epipolar_lines(network_rays(points, root), target_from_source), root)


def pencil(points: Tensor, through: Tensor) -> Tensor:
    """Lines (..., N, 3) through points (..., N, 2) and an epipole (..., 3), homogeneous, in the same plane."""
    bearing = torch.cat([points, torch.ones_like(points[..., :1])], -1)
    return normalised(torch.linalg.cross(*torch.broadcast_tensors(through[..., None, :], bearing)))


def line_distance(points: Tensor, lines: Tensor) -> Tensor:
    """|a x + b y + c| of points (..., 2) and lines (..., 3); 0 where there is no line."""
    return (dot(points, lines[..., :2]) + lines[..., 2]).abs()


def trust_of_lines(points: Tensor, through: Tensor) -> Tensor:
    """Weights (..., N) 0 … 1 of lines at points (..., N, 2) by how far the epipole (..., 3), homogeneous, is."""
    last = through[..., None, 2:]
    away = (points * last - through[..., None, :2]).norm(dim=-1)
    return (away / (_BLUNT * last[..., 0].abs()).clamp_min(1e-9)).clamp_max(1.0)


def normalised(lines: Tensor) -> Tensor:
    """The same lines (..., 3) with a unit normal and a ≥ 0; what has no direction becomes zeros."""
    size = lines[..., :2].norm(dim=-1, keepdim=True)
    backward = (lines[..., :1] < 0) | ((lines[..., :1] == 0) & (lines[..., 1:2] < 0))
    known = size > 1e-12
    scaled = lines / torch.where(known, torch.where(backward, -size, size), 1.0)
    return torch.where(known, scaled, 0.0)


def _plane(root: Tensor) -> tuple[Tensor, Tensor]:
    """Gaze (..., 2) and size of a network unit (...,) in the plane z = 1."""
    depth = root[..., 2]
    return root[..., :2] / depth[..., None], DISTANCE / (FOCAL * depth)

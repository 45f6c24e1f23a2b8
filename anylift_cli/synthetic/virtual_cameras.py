"""Camera paths around moving people, drawn at random for training and evaluation (ALGORITHM 2.5, 8.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.vectors import unit
from anylift_cli.synthetic.draw import Draw

MODES = ("still", "pan", "zoom_in", "zoom_out", "left", "right", "orbit_cw", "orbit_ccw", "walk")
"""`still` and `pan` (a tripod that follows the person) stay in one place."""
STILL, PAN, ZOOM_IN, ZOOM_OUT, LEFT, RIGHT, CLOCKWISE, ANTICLOCKWISE, WALK = range(len(MODES))

ASPECT = 16 / 9
_NEAREST = 1.3
_PERSON = 1.75
_BASE_SECONDS = 4.0
"""Amplitudes of moves are given for this duration."""
_LAG_FRAMES = 10
_STEPS_BACK = 4
"""How often a camera that people come too close to makes way; nearly all need one step, CMU's fastest runners four."""


@dataclass(frozen=True)
class CameraPaths:
    """Cameras of B clips over T frames.

    Attributes:
        world_from_camera: (B, T, 4, 4), m.
        focal: (B,) in half image heights; the image is `ASPECT` times as wide as high.
    """

    world_from_camera: Tensor
    focal: Tensor


def draw_cameras(root: Tensor, times: Tensor, mode: Tensor, draw: Draw) -> CameraPaths:
    """Cameras that film people whose roots follow `root` (B, T, 3) at `times` (T,) s in the given modes (B,).

    The first-frame person is 35 to 75 % of the image high where the camera can keep them in the picture at that size.
    """
    batch = len(root)
    still, turning = mode == STILL, mode == PAN
    moving = ~(still | turning)
    focal = torch.exp(draw.uniform((batch,), math.log(1.2), math.log(3.0)))
    distance = _PERSON * focal / (2 * draw.uniform((batch,), 0.35, 0.75))
    travel = (root - root[:, :1]).norm(dim=-1).amax(1)

    follow = torch.where(draw.chance((batch,), 0.5) | turning, draw.uniform((batch,), 0.5, 1.0), 0.0)
    follow = torch.maximum(follow, 1 - 0.4 * distance / travel.clamp_min(1e-3)) * ~still
    lagged = _lagged(root, draw.integers((batch,), _LAG_FRAMES + 1))
    middle = 0.5 * (root.amin(1) + root.amax(1))
    anchor = torch.where(still[:, None], middle, root[:, 0])
    aim = anchor[:, None] + follow[:, None, None] * (lagged - lagged[:, :1])
    span = (root - anchor[:, None]).norm(dim=-1).amax(1)
    distance = torch.where(still, torch.maximum(distance, _PERSON * 0.5 * focal + span * focal), distance)

    progress = _progress(times, batch, draw) * (times[-1] - times[0]) / _BASE_SECONDS
    azimuth = draw.uniform((batch, 1), 0, 2 * math.pi)
    turn = draw.uniform((batch,), math.radians(10), math.radians(70))
    azimuth = azimuth + _when(mode, {CLOCKWISE: -turn, ANTICLOCKWISE: turn})[:, None] * progress
    elevation = draw.uniform((batch, 1), math.radians(-10), math.radians(30))
    outward = torch.stack(
        [azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin().expand_as(azimuth)], -1
    )
    grow = _when(
        mode, {ZOOM_IN: draw.uniform((batch,), 0.6, 0.95) - 1, ZOOM_OUT: draw.uniform((batch,), 1.05, 1.6) - 1}
    )
    reach = distance[:, None] * (1 + grow[:, None] * progress)
    sideways = torch.stack([-azimuth.sin(), azimuth.cos(), torch.zeros_like(azimuth)], -1)
    slide = draw.uniform((batch,), 0.2, 1.5)
    offset = sideways * (_when(mode, {LEFT: -slide, RIGHT: slide})[:, None] * progress)[..., None]
    stroll = draw.wander((batch, 3), times, 0.05, 0.3)
    stroll = stroll - stroll[:, :1]
    offset = offset + stroll * _when(mode, {WALK: draw.uniform((batch,), 0.1, 0.5)})[:, None, None]
    carried = torch.where(moving & draw.chance((batch,), 0.5), 1.0, 0.0)
    carried = torch.maximum(carried, (follow > 0.5) * moving)
    base = anchor[:, None] + carried[:, None, None] * (aim - anchor[:, None])

    hand = draw.chance((batch,), 0.7) & moving
    shake = draw.uniform((batch,), 0.0, 0.05) * hand
    centre = base + reach[..., None] * outward + offset
    centre = centre + draw.wander((batch, 3), times, 0.2, 1.5) * shake[:, None, None]
    for _ in range(_STEPS_BACK):
        short = (_NEAREST - (centre - root).norm(dim=-1).amin(1)).clamp_min(0)
        back = outward.mean(1) * (1.5 * short)[:, None]
        centre = centre + back[:, None]

    tremble = draw.uniform((batch,), 0.0, math.radians(1.5)) * (hand | turning)
    wobble = draw.wander((batch, 3), times, 0.2, 1.5) * tremble[:, None, None]
    roll = torch.zeros(batch, 1, 3, device=root.device)
    roll[..., 2] = draw.normal((batch, 1), math.radians(2.0))
    pose = _facing(centre, aim)
    pose[..., :3, :3] = pose[..., :3, :3] @ matrix_from_axis_angle(wobble + roll)
    return CameraPaths(pose, focal)


def _lagged(path: Tensor, lag: Tensor) -> Tensor:
    """`path` (B, T, 3) averaged over a third of a second and late by `lag` (B,) frames."""
    frames = path.shape[1]
    padded = torch.cat([path[:, :1].expand(-1, 5, -1), path, path[:, -1:].expand(-1, 5, -1)], 1)
    smooth = padded.unfold(1, 11, 1).mean(-1)
    index = (torch.arange(frames, device=path.device) - lag[:, None]).clamp_min(0)
    return smooth.gather(1, index[..., None].expand(-1, -1, 3))


def _progress(times: Tensor, batch: int, draw: Draw) -> Tensor:
    """How far a move has come, (B, T) from 0 towards 1: steady, eased, or out and back."""
    share = ((times - times[0]) / (times[-1] - times[0]).clamp_min(1e-6)).expand(batch, -1)
    kind = draw.integers((batch, 1), 5)
    eased = share * share * (3 - 2 * share)
    peak = draw.uniform((batch, 1), 0.4, 0.8)
    returning = torch.where(share < peak, share / peak, (1 - share) / (1 - peak))
    returning = returning * returning * (3 - 2 * returning)
    return torch.where(kind < 2, share, torch.where(kind == 2, eased, returning))


def _when(mode: Tensor, values: dict[int, Tensor]) -> Tensor:
    """Per clip the value of its mode, else 0."""
    total = torch.zeros(len(mode), device=mode.device)
    for index, value in values.items():
        total = torch.where(mode == index, value, total)
    return total


def _facing(centre: Tensor, target: Tensor) -> Tensor:
    """`world_from_camera` (..., 4, 4) of cameras at `centre` that look at `target`, both (..., 3), upright."""
    forward = unit(target - centre)
    upward = torch.zeros_like(forward)
    upward[..., 2] = 1
    right = unit(torch.linalg.cross(forward, upward))
    pose = torch.zeros(*centre.shape[:-1], 4, 4, device=centre.device)
    pose[..., :3, 0], pose[..., :3, 1], pose[..., :3, 2] = right, torch.linalg.cross(forward, right), forward
    pose[..., :3, 3], pose[..., 3, 3] = centre, 1
    return pose

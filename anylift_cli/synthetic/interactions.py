"""People of motion capture who handle things that were not there: the things' paths, and arms and knees to match.

A thing follows a way of its own that the body's makes likely: it rests, is taken up, goes along in front of the body,
flies between two hands and is put down, or it is pushed over the floor, hangs from one hand, is sat on or stands by.
Then hands are brought to their grips on it, and hips lowered as far as hands need to get there. What cannot be
reached comes nearer. So hands that hold are on the surface whatever the motion, and nothing jumps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anylift_cli.body.skeleton import K
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.vectors import unit
from anylift_cli.lifting.observation import root_of
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.limbs import SIDES, arm_lengths, hands, lowered, reaching
from anylift_cli.synthetic.shapes import BOX, Shapes, draw_shapes, handle, two_hand_grips

MODES = ("carry", "one hand", "push", "throw", "sit", "stand by")
CARRY, ONE_HAND, PUSH, THROW, SIT, STAND_BY = range(len(MODES))
_SHARES = (
    (0.52, 0.18, 0.08, 0.12, 0.04, 0.06),
    (0.48, 0.05, 0.20, 0.00, 0.17, 0.10),
    (0.48, 0.00, 0.35, 0.00, 0.05, 0.12),
)
"""Of the modes, for each category."""
_STARTS_HELD, _STAYS_HELD = 0.3, 0.3
_FROM_FLOOR = 0.6
_THROWN_EDGE = 0.45
"""Metres: longest edge of what is thrown."""
_LONGEST_TRAVEL = 0.35
"""Metres that someone who sits may wander meanwhile."""
_LONG_ENOUGH = 0.9
"""Seconds for which a thing must be held to be thrown meanwhile."""
_GRAVITY = 9.81
_ROUNDS = 4
_TIPPED = (0.8, 0.3, 0.3)
"""Radians about right, ahead and up by which some things are tipped over."""
_TOUCHING = 0.015
"""Metres between a hand and its grip up to which it counts as in contact."""


@dataclass(frozen=True)
class Handling:
    """B people and things over T frames.

    Attributes:
        points: (B, T, 24, 3) `body24`, m, z up.
        shapes: of the things.
        world_from_object: (B, T, 4, 4); the origin is the middle of a thing's box, its z axis up when it stands.
        contact: (B, T, 2) whether left and right hand touch.
        mode: (B,) of `MODES`.
    """

    points: Tensor
    shapes: Shapes
    world_from_object: Tensor
    contact: Tensor
    mode: Tensor


@dataclass(frozen=True)
class _Times:
    """Shares 0 … 1 in each frame (B, T): how far a thing is away from its rest, and how firmly hands are at it; `taken`
    and `put` (B,) frames; `later` (B, T) whether the second rest is the one that counts."""

    held: Tensor
    hands: Tensor
    taken: Tensor
    put: Tensor
    later: Tensor


def handle_things(points: Tensor, rate: float, draw: Draw) -> Handling:
    """Give each person of `points` (B, T, 24, 3), m, floor at z = 0, something to handle.

    Args:
        rate: frames per second.
    """
    batch, frames = points.shape[:2]
    shapes = draw_shapes(batch, draw)
    mode = _modes(points, shapes, draw)
    times = _times(batch, frames, rate, mode, draw)
    ahead, heading = _ahead(points, rate)
    grips = _grips(shapes, mode, draw)
    points = _seated(points, shapes, mode, ahead, rate, draw)
    held = _held_place(points, shapes, mode, ahead, grips, rate, draw)
    turn = _held_turn(batch, frames, rate, mode, draw)
    floored = draw.chance((batch,), _FROM_FLOOR) | (shapes.category != BOX) | (mode == PUSH)
    flight = _flight(times, mode, rate)
    for _ in range(_ROUNDS):
        poses = _path(held, turn, heading, times, shapes, floored)
        poses = _thrown(poses, times, rate, flight)
        targets = (poses[..., None, :3, :3] @ grips[:, None, ..., None])[..., 0] + poses[..., None, :3, 3]
        firm = times.hands[..., None] * _used(mode, flight)
        bent = _bent(points, targets, firm, ahead, rate)
        short = _out_of_reach(bent, targets) * (firm[..., None] > 0.5)
        pull = short.sum(2) / (short.norm(dim=-1) > 1e-6).sum(2).clamp_min(1)[..., None]
        pull = torch.cat([pull[..., :2], pull[..., 2:] * (mode != PUSH)[:, None, None]], -1)
        held = held - 1.2 * smoothed(pull, 0.1 * rate)
    poses = _beside(poses, points, shapes, mode, ahead, heading, draw)
    natural = hands(bent)
    wanted = natural + firm[..., None] * (targets - natural)
    moved = torch.where((mode < SIT)[:, None, None, None], reaching(bent, wanted, _elbows(bent, ahead, firm)), points)
    touching = (hands(moved) - targets).norm(dim=-1) < _TOUCHING
    contact = touching & (firm > 0.95) & ((mode < SIT)[:, None] & (flight == 0))[..., None]
    return Handling(moved, shapes, poses, contact, mode)


def smoothed(values: Tensor, frames: float) -> Tensor:
    """Values (B, T, ...) averaged over time by a Gaussian of `frames`, held at the ends."""
    reach = min(int(3 * frames) + 1, values.shape[1] - 1)
    window = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=values.device) / frames) ** 2)
    flat = values.flatten(2).transpose(1, 2) if values.dim() > 2 else values[:, None]
    padded = functional.pad(flat, (reach, reach), mode="replicate")
    kernel = (window / window.sum()).expand(flat.shape[1], 1, -1)
    even = functional.conv1d(padded, kernel, groups=flat.shape[1])
    return even.transpose(1, 2).reshape(values.shape)


def _modes(points: Tensor, shapes: Shapes, draw: Draw) -> Tensor:
    shares = torch.tensor(_SHARES, device=draw.device)[shapes.category]
    mode = torch.multinomial(shares, 1, generator=draw.generator)[:, 0]
    mode = torch.where((mode == THROW) & (2 * shapes.half.amax(-1) > _THROWN_EDGE), CARRY, mode)
    root = root_of(points)
    wanders = (root - root[:, :1]).norm(dim=-1).amax(1) > _LONGEST_TRAVEL
    return torch.where((mode == SIT) & wanders, STAND_BY, mode)


def _times(batch: int, frames: int, rate: float, mode: Tensor, draw: Draw) -> _Times:
    index = torch.arange(frames, device=draw.device) / rate
    taken = torch.where(draw.chance((batch,), _STARTS_HELD), -2.0, draw.uniform((batch,), 0.4, 0.6 * frames / rate))
    put = taken.clamp_min(0) + draw.uniform((batch,), 1.2, 0.9 * frames / rate + 1.2)
    put = torch.where(draw.chance((batch,), _STAYS_HELD), 2 * frames / rate, put)
    rise, reach = draw.uniform((batch, 1), 0.4, 1.0), draw.uniform((batch, 1), 0.3, 0.6)
    taken, put = taken[:, None], put[:, None]
    held = _step((index - taken) / rise) * (1 - _step((index - put) / rise))
    at_it = _step((index - taken + reach) / reach) * (1 - _step((index - put - rise) / reach))
    frame_of = [(moment[:, 0] * rate).clamp(0, frames - 1).long() for moment in (taken, put)]
    never = (mode >= SIT)[:, None]
    return _Times(torch.where(never, 0.0, held), torch.where(never, 0.0, at_it), *frame_of, index > 0.5 * (taken + put))


def _step(share: Tensor) -> Tensor:
    share = share.clamp(0, 1)
    return share**3 * (share * (6 * share - 15) + 10)


def _ahead(points: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """Smooth level direction (B, T, 3) that bodies face, and its angle (B, T)."""
    left = sum(points[:, :, K[f"left_{part}"]] - points[:, :, K[f"right_{part}"]] for part in ("hip", "shoulder"))
    across = unit(smoothed(left * left.new_tensor([1.0, 1.0, 0.0]), 0.25 * rate))
    ahead = torch.stack([across[..., 1], -across[..., 0], torch.zeros_like(across[..., 0])], -1)
    return ahead, torch.atan2(-ahead[..., 0], ahead[..., 1])


def _grips(shapes: Shapes, mode: Tensor, draw: Draw) -> Tensor:
    """(B, 2, 3) of both hands in the thing's axes."""
    both = two_hand_grips(shapes, draw)
    alone = handle(shapes)[:, None].expand(-1, 2, -1)
    return torch.where((mode == ONE_HAND)[:, None, None], alone, both)


def _used(mode: Tensor, flight: Tensor) -> Tensor:
    """(B, T, 2) how far each hand is at work: one alone carries with the right, and none holds what flies."""
    right_only = (mode == ONE_HAND)[:, None, None] * torch.tensor([1.0, 0.0], device=mode.device)
    return (1 - right_only) * (1 - flight[..., None])


def _held_place(
    points: Tensor, shapes: Shapes, mode: Tensor, ahead: Tensor, grips: Tensor, rate: float, draw: Draw
) -> Tensor:
    """Where the middles of things would be (B, T, 3) if they were held all the time."""
    batch, frames = points.shape[:2]
    clock = torch.arange(frames, device=draw.device) / rate
    root = smoothed(root_of(points), 0.15 * rate)
    distance = shapes.half[:, 1] + draw.uniform((batch,), 0.18, 0.35)
    distance = distance[:, None] + 0.04 * draw.wander((batch,), clock, 0.1, 0.8)
    height = draw.uniform((batch, 1), -0.15, 0.4) + 0.1 * draw.wander((batch,), clock, 0.1, 0.7)
    before = root + distance[..., None] * ahead
    before[..., 2] = torch.maximum(before[..., 2] + height, 0.05 + shapes.half[:, None, 2])
    before[..., 2] = torch.where((mode == PUSH)[:, None], shapes.half[:, None, 2], before[..., 2])
    below = smoothed(hands(points)[:, :, 1], 0.1 * rate) - grips[:, None, 1]
    below[..., 2] = torch.maximum(below[..., 2], shapes.half[:, None, 2] + 0.02)
    return torch.where((mode == ONE_HAND)[:, None, None], below, before)


def _held_turn(batch: int, frames: int, rate: float, mode: Tensor, draw: Draw) -> Tensor:
    """Turns (B, T, 3) rad about right, ahead and up that things make in the body's axes while they are held."""
    clock = torch.arange(frames, device=draw.device) / rate
    lasting, slow = (draw.normal((batch, 1, 3)) * 0.12, 0.1 * draw.wander((batch, 3), clock, 0.1, 0.8))
    tipped = draw.chance((batch, 1, 1), 0.2) * draw.normal((batch, 1, 3)) * torch.tensor(_TIPPED, device=draw.device)
    turn = lasting + slow + tipped
    upright = ((mode == PUSH) | (mode >= SIT))[:, None, None] * torch.tensor([1.0, 1.0, 0.0], device=mode.device)
    return turn * (1 - upright)


def _path(held: Tensor, turn: Tensor, heading: Tensor, times: _Times, shapes: Shapes, floored: Tensor) -> Tensor:
    """Poses (B, T, 4, 4): at rest where it is taken and where it is put, on its held way in between."""
    rows = torch.arange(len(held), device=held.device)
    share = times.held[..., None]
    yaw = heading + turn[..., 2]
    rests, yaws = [], []
    for frame in (times.taken, times.put):
        place = held[rows, frame].clone()
        place[:, 2] = torch.where(floored, shapes.half[:, 2], torch.maximum(place[:, 2], shapes.half[:, 2]))
        rests.append(place[:, None])
        yaws.append(yaw[rows, frame][:, None])
    rest = torch.where(times.later[..., None], rests[1], rests[0])
    still = torch.where(times.later, yaws[1], yaws[0])
    around = still + times.held * _wrapped(yaw - still)
    zero = torch.zeros_like(around)
    level = matrix_from_axis_angle(torch.stack([zero, zero, around], -1))
    tilt = matrix_from_axis_angle(share * turn * turn.new_tensor([1.0, 1.0, 0.0]))
    poses = torch.eye(4, device=held.device).repeat(*held.shape[:2], 1, 1)
    poses[..., :3, :3] = level @ tilt
    poses[..., :3, 3] = rest + share * (held - rest)
    return _above_floor(poses, shapes.half)


def _wrapped(angle: Tensor) -> Tensor:
    return torch.atan2(angle.sin(), angle.cos())


def _above_floor(poses: Tensor, half: Tensor) -> Tensor:
    lowest = poses[..., 2, 3] - (poses[..., 2, :3].abs() * half[:, None]).sum(-1)
    poses = poses.clone()
    poses[..., 2, 3] -= lowest.clamp_max(0)
    return poses


def _flight(times: _Times, mode: Tensor, rate: float) -> Tensor:
    """(B, T) 0 … 1: how far hands have let go of what is thrown; it flies while they are not at 0."""
    begin, length = _flight_frames(times, rate)
    index = torch.arange(times.held.shape[1], device=mode.device)
    share = (index - begin[:, None]) / length.clamp_min(1e-3)[:, None]
    bump = _step(4 * share) * (1 - _step(4 * share - 3))
    return bump * ((mode == THROW) & (length > 0))[:, None]


def _flight_frames(times: _Times, rate: float) -> tuple[Tensor, Tensor]:
    """First frame and number of frames (B,) of a flight: in the middle of the time in which the thing is held."""
    full = times.held > 0.999
    frames = full.shape[1]
    index = torch.arange(frames, device=full.device)
    first = torch.where(full, index, frames).amin(1)
    last = torch.where(full, index, -1).amax(1)
    length = (0.35 * (last - first)).clamp(2, 0.8 * rate).float()
    length = torch.where(last - first > _LONG_ENOUGH * rate, length, 0.0)
    return first + 0.3 * (last - first).clamp_min(0), length


def _thrown(poses: Tensor, times: _Times, rate: float, flight: Tensor) -> Tensor:
    """Poses of which those that fly follow a parabola between where they leave the hands and where they are caught."""
    frames = poses.shape[1]
    rows = torch.arange(len(poses), device=poses.device)
    begin, length = _flight_frames(times, rate)
    first, last = begin.ceil().long().clamp(0, frames - 1), (begin + length).floor().long().clamp(0, frames - 1)
    index = torch.arange(frames, device=poses.device)
    span = (last - first).clamp_min(1)[:, None]
    share = ((index - first[:, None]) / span).clamp(0, 1)
    start, end = poses[rows, first, :3, 3], poses[rows, last, :3, 3]
    line = start[:, None] + share[..., None] * (end - start)[:, None]
    line[..., 2] += 0.5 * _GRAVITY * (span / rate) ** 2 * share * (1 - share)
    flies = (flight > 0) & (index >= first[:, None]) & (index <= last[:, None])
    thrown = poses.clone()
    thrown[..., :3, 3] = torch.where(flies[..., None], line, poses[..., :3, 3])
    spin = torch.zeros_like(line)
    spin[..., 0] = 2 * math.pi * share * flies * (rows % 2)[:, None]
    thrown[..., :3, :3] = poses[..., :3, :3] @ matrix_from_axis_angle(spin)
    return thrown


def _bent(points: Tensor, targets: Tensor, firm: Tensor, ahead: Tensor, rate: float) -> Tensor:
    """People lowered until their hands reach `targets` (B, T, 2, 3) as far down as these are."""
    upper, lower = arm_lengths(points)
    shoulders = points[:, :, [K[f"{side}_shoulder"] for side in SIDES]]
    beside = (targets - shoulders)[..., :2].norm(dim=-1)
    drop = (0.92 * (upper + lower)).square() - beside.square()
    lack = (shoulders[..., 2] - targets[..., 2] - drop.clamp_min(0.01).sqrt()).clamp_min(0) * firm
    lack = smoothed(lack.amax(-1), 0.15 * rate)
    height = points[:, :, K["neck"], 2] - root_of(points)[..., 2]
    legs = root_of(points)[..., 2].clamp_min(0.3)
    squat = torch.minimum(0.45 * lack, 0.42 * legs)
    lean = torch.acos((1 - (lack - squat) / height.clamp_min(0.3)).clamp(0.1, 1))
    shift = -squat[..., None] * torch.tensor([0.0, 0.0, 1.0], device=points.device) - 0.15 * lean[..., None] * ahead
    return lowered(points, shift, lean, ahead)


def _out_of_reach(points: Tensor, targets: Tensor) -> Tensor:
    """(B, T, 2, 3) from where stretched arms end to `targets`; zero for those in reach."""
    upper, lower = arm_lengths(points)
    away = targets - points[:, :, [K[f"{side}_shoulder"] for side in SIDES]]
    distance = away.norm(dim=-1)
    return away * ((distance - 0.99 * (upper + lower)).clamp_min(0) / distance.clamp_min(1e-6))[..., None]


def _elbows(points: Tensor, ahead: Tensor, firm: Tensor) -> Tensor:
    """Where elbows tend to (B, T, 2, 3): where they are, and with work to do down and out."""
    up = torch.tensor([0.0, 0.0, 1.0], device=points.device)
    right = torch.linalg.cross(ahead, up.expand_as(ahead))
    side = torch.stack([-right, right], 2)
    at_work = side - 1.2 * up - 0.5 * ahead[:, :, None]
    own = torch.stack(
        [2 * points[:, :, K[f"{side}_elbow"]] - points[:, :, K[f"{side}_shoulder"]] - points[:, :, K[f"{side}_wrist"]]
         for side in SIDES], 2)  # fmt: skip
    return unit(own) * (1 - 0.7 * firm[..., None]) + unit(at_work) * firm[..., None]


def _seated(points: Tensor, shapes: Shapes, mode: Tensor, ahead: Tensor, rate: float, draw: Draw) -> Tensor:
    """People of whom those who sit go down to the seat, and up again or not."""
    batch, frames = points.shape[:2]
    index = torch.arange(frames, device=points.device) / rate
    begin = draw.uniform((batch, 1), -0.5, 0.4 * frames / rate)
    stay = draw.uniform((batch, 1), 1.0, frames / rate)
    down = _step((index - begin) / 0.9) * (1 - _step((index - begin - 0.9 - stay) / 0.9))
    seat = _seat(shapes) + 0.1
    root = root_of(points)
    lower = (root[..., 2] - seat[:, None]).clamp(0, 0.5) * down
    back = 0.35 * down * (lower > 0)
    shift = -lower[..., None] * torch.tensor([0.0, 0.0, 1.0], device=points.device) - back[..., None] * ahead
    lean = 0.4 * torch.sin(math.pi * down).clamp_min(0)
    return torch.where((mode == SIT)[:, None, None, None], lowered(points, shift, lean, ahead), points)


def _seat(shapes: Shapes) -> Tensor:
    """Heights (B,) on which one sits: halfway up a chair, on top of the others."""
    return torch.where(shapes.category == 1, shapes.half[:, 2], (2 * shapes.half[:, 2]).clamp(0.3, 0.7))


def _beside(
    poses: Tensor, points: Tensor, shapes: Shapes, mode: Tensor, ahead: Tensor, heading: Tensor, draw: Draw
) -> Tensor:
    """Poses of which those that are sat on stand under their person, and those that stand by somewhere near."""
    batch, frames = poses.shape[:2]
    root = root_of(points)
    lowest = root[..., 2].argmin(1)
    rows = torch.arange(batch, device=poses.device)
    under = root[rows, lowest] - 0.05 * ahead[rows, lowest]
    away = draw.uniform((batch,), 0, 2 * math.pi)
    reach = draw.uniform((batch,), 0.4, 1.6) + shapes.half[:, :2].norm(dim=-1)
    frame = draw.integers((batch,), frames)
    near = root[rows, frame] + reach[:, None] * torch.stack([away.cos(), away.sin(), torch.zeros_like(away)], -1)
    place = torch.where((mode == SIT)[:, None], under, near)
    place[:, 2] = shapes.half[:, 2]
    yaw = torch.where(mode == SIT, heading[rows, lowest] + math.pi, away)
    still = torch.eye(4, device=poses.device).repeat(batch, 1, 1)
    zero = torch.zeros_like(yaw)
    still[:, :3, :3] = matrix_from_axis_angle(torch.stack([zero, zero, yaw], -1))
    still[:, :3, 3] = place
    return torch.where((mode >= SIT)[:, None, None, None], still[:, None], poses)

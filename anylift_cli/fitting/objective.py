"""What the body must agree with: lifted points, the real view, habit, smoothness, the ground."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anylift_cli.body.contacts import CONTACT_POINTS
from anylift_cli.body.model import BodyPoints
from anylift_cli.body.priors import BodyPrior
from anylift_cli.body.skeleton import J
from anylift_cli.geometry.cameras import transform
from anylift_cli.geometry.vectors import squared_length

_PIXEL, _PIXEL_OUTLIER = 0.015, 0.10
"""Metres at the person's depth."""
_POSE, _SPEED = 0.15, 6.0
_ACCELERATION = 15.0
_ANCHOR, _ANCHOR_OUTLIER = 0.002, 0.08
_SINK = 0.01
_HOLD, _HOLD_OUTLIER = 0.008, 0.3
HANDS = J["left_hand"], J["right_hand"]
_STIFFNESS = torch.full((24,), 0.35)
for _name, _value in {
    "pelvis": torch.inf, "spine1": 0.2, "spine2": 0.15, "spine3": 0.2, "neck": 0.25, "head": 0.3,
    "left_collar": 0.15, "right_collar": 0.15, "left_wrist": 0.15, "right_wrist": 0.15, "left_hand": 0.02,
    "right_hand": 0.02, "left_foot": 0.12, "right_foot": 0.12, "left_ankle": 0.35, "right_ankle": 0.35,
    "left_hip": 1.0, "right_hip": 1.0, "left_knee": 1.0, "right_knee": 1.0, "left_shoulder": 1.0,
    "right_shoulder": 1.0, "left_elbow": 1.0, "right_elbow": 1.0,
}.items():  # fmt: skip
    _STIFFNESS[J[_name]] = _value
"""Radians by which each joint leaves its rest pose without a reason in the data."""


@dataclass(frozen=True)
class Anchors:
    """Where parts of the body stay: positions (T, N, 3) and probabilities (T, N).

    Of feet, columns are as in `foot_contact`; otherwise they are SMPL's joints.
    """

    position: Tensor
    probability: Tensor

    def frames(self, index: slice) -> Anchors:
        return Anchors(self.position[index], self.probability[index])

    def to(self, device: str) -> Anchors:
        return Anchors(self.position.to(device), self.probability.to(device))


@dataclass(frozen=True)
class Target:
    """Evidence for T frames of one person.

    Attributes:
        points: (T, 24, 3) lifted points in the world, m.
        deviation: (T, 24) their standard deviation, m.
        rays: (T, 24, 2) x/z and y/z of the 2D points.
        weight: (T, 24) confidence of the 2D points.
        camera_from_world: (T, 4, 4).
        times: (T,) s.
    """

    points: Tensor
    deviation: Tensor
    rays: Tensor
    weight: Tensor
    camera_from_world: Tensor
    times: Tensor

    def frames(self, index: slice | Tensor) -> Target:
        return Target(*(value[index] for value in vars(self).values()))


def energy(
    output: BodyPoints,
    pose: Tensor,
    target: Target,
    prior: BodyPrior,
    anchors: Anchors | None,
    ground: Tensor | None,
    joints: Anchors | None = None,
) -> Tensor:
    """Mean energy per frame of a posed body; every term in standard deviations.

    Args:
        pose: (T, 24, 3, 3) the rotations that gave `output`.
        anchors: where feet in contact stand, once known.
        ground: (T,) height below which no foot may be, once known; -inf where there is none.
        joints: where joints that touch an object are, a column for each of the 24.
    """
    points = output.keypoints
    camera = transform(target.camera_from_world, points)
    depth = camera[..., 2:].clamp_min(0.2)
    miss = squared_length((camera[..., :2] / depth - target.rays) * depth.detach())
    total = (target.weight * _robust(miss, _PIXEL, _PIXEL_OUTLIER)).sum(-1)
    offset = squared_length(points - target.points)
    total = total + (_robust(offset, 1.0, 0.3) / target.deviation.square()).sum(-1)
    total = total + _POSE * prior.body_energy(points, pose).clamp_max(200.0)
    turn = 2 * (3 - pose.diagonal(dim1=-2, dim2=-1).sum(-1)).clamp_min(0)
    total = total + 0.25 * (turn / _STIFFNESS.to(turn).square()).sum(-1)
    if ground is not None:
        sunk = (ground[:, None] - points[:, list(CONTACT_POINTS), 2]).clamp_min(0)
        total = total + (sunk / _SINK).square().sum(-1)
    if anchors is not None:
        slip = squared_length(points[:, list(CONTACT_POINTS)] - anchors.position)
        total = total + (anchors.probability * _robust(slip, _ANCHOR, _ANCHOR_OUTLIER)).sum(-1)
    if joints is not None:
        off = squared_length(output.joints - joints.position)
        total = total + (joints.probability * _robust(off, _HOLD, _HOLD_OUTLIER)).sum(-1)
    return total.mean() + _smoothness(output.joints, pose, target.times)


def _smoothness(joints: Tensor, pose: Tensor, times: Tensor) -> Tensor:
    if len(joints) < 3:
        return joints.new_zeros(())
    interval = times.diff().clamp_min(1e-3)
    velocity = joints.diff(dim=0) / interval[:, None, None]
    acceleration = 2 * velocity.diff(dim=0) / (interval[1:] + interval[:-1])[:, None, None]
    bumps = (squared_length(acceleration / _ACCELERATION) + 0.25).sqrt() - 0.5
    spin = squared_length(pose.diff(dim=0).flatten(-2)) / interval[:, None].square()
    return bumps.sum(-1).mean() + 0.02 * (spin / _SPEED**2).sum(-1).mean()


def _robust(square: Tensor, deviation: float, outlier: float) -> Tensor:
    """Geman-McClure on squared lengths."""
    return square / deviation**2 / (1 + square / outlier**2)

"""Which way is up: the cameras' own estimate, people who stand, and the floor that feet stand on (ALGORITHM 4.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from anylift_cli.body.contacts import CONTACT_POINTS
from anylift_cli.body.skeleton import K
from anylift_cli.geometry.rotations import matrix_from_axis_angle, rotation_between

_CAMERA_DEVIATION = {"assumed": (10.0, 3.0), "pan axis": (1.5, 1.5), "camera x axes": (4.0, 3.0)}
"""Degrees of pitch and roll that each source of the cameras' up vector may be off."""
_STANDING_DEVIATION = 6.0
_HEIGHT_DEVIATION = 0.04
"""Metres by which the points of a foot on one level floor differ in height."""
_SAMPLE_SECONDS = 1.0
"""Frames closer than this are not independent evidence."""
_RANGE = 24


@dataclass(frozen=True)
class Gravity:
    """Rotation (3, 3) of the given world into one whose z is up, and where the evidence came from."""

    upright_from_world: Tensor
    source: str


def find_gravity(
    points: Tensor, weight: Tensor, standing_feet: Tensor, gaze: Tensor, times: Tensor, camera_source: str
) -> Gravity:
    """The most probable vertical near the world's z axis.

    Args:
        points: (T, 24, 3) world points, z roughly up.
        weight: (T, 24) confidence.
        standing_feet: (T, F) probability that the foot points `CONTACT_POINTS` stand still.
        gaze: (3,) mean viewing direction in the world.
        times: (T,) seconds.
        camera_source: `meta["up_source"]` of the cameras.
    """
    step = max(1, len(points) // 600)
    points, weight, standing_feet = points[::step], weight[::step], standing_feet[::step]
    independent = max(float(times[-1] - times[0]) / _SAMPLE_SECONDS, 1.0) / len(points)
    flat = gaze * gaze.new_tensor([1.0, 1.0, 0.0])
    forward = normalize(flat, dim=-1) if flat.norm() > 1e-3 else gaze.new_tensor([0.0, 1.0, 0.0])
    right = torch.linalg.cross(forward, gaze.new_tensor([0.0, 0.0, 1.0]))

    pitch_deviation, roll_deviation = _CAMERA_DEVIATION.get(camera_source, _CAMERA_DEVIATION["assumed"])
    trunk, straight = _standing(points, weight)
    feet = points[:, list(CONTACT_POINTS)]
    share = standing_feet / standing_feet.sum().clamp_min(1e-6)

    def energy(tilt: Tensor) -> Tensor:
        up = _tilted_up(tilt, right, forward)
        camera_term = (tilt / tilt.new_tensor([pitch_deviation, roll_deviation])).square().sum(-1)
        lean = torch.rad2deg(torch.acos((trunk @ up.T).clamp(-1, 1)))
        standing_term = (straight[:, None] * (lean / _STANDING_DEVIATION).square().clamp_max(16.0)).sum(0)
        height = (feet @ up.T).flatten(0, 1)
        centred = height - _weighted_median(height, share.flatten())
        floor_term = (standing_feet.flatten()[:, None] * _capped(centred / _HEIGHT_DEVIATION)).sum(0)
        return camera_term + independent * (standing_term + 0.5 * floor_term)

    tilt = points.new_zeros(2)
    for size, count in ((_RANGE, 25), (3.0, 25), (0.4, 9)):
        axis = torch.linspace(-size, size, count, device=points.device)
        grid = tilt + torch.cartesian_prod(axis, axis)
        tilt = grid[energy(grid).argmin()]
    up = _tilted_up(tilt[None], right, forward)[0]
    used = [f"camera ({camera_source})"]
    used += ["standing body"] if float(straight.sum()) * independent > 0.5 else []
    used += ["feet on the floor"] if float(standing_feet.sum()) * independent > 1 else []
    vertical = points.new_tensor([0.0, 0.0, 1.0])
    return Gravity(rotation_between(up, vertical), " + ".join(used))


def _standing(points: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Direction from the ankles to the neck (T, 3), and how far the person stands straight on both legs (T,)."""
    ankles = 0.5 * (points[:, K["left_ankle"]] + points[:, K["right_ankle"]])
    hips = 0.5 * (points[:, K["left_hip"]] + points[:, K["right_hip"]])
    neck = points[:, K["neck"]]
    whole = (neck - hips).norm(dim=-1)
    for side in ("left", "right"):
        thigh = points[:, K[f"{side}_knee"]] - points[:, K[f"{side}_hip"]]
        shin = points[:, K[f"{side}_ankle"]] - points[:, K[f"{side}_knee"]]
        whole = whole + 0.5 * (thigh.norm(dim=-1) + shin.norm(dim=-1))
    stretched = (neck - ankles).norm(dim=-1) / whole
    seen = weight[:, [K["neck"], K["left_ankle"], K["right_ankle"]]].amin(-1) > 0.3
    return normalize(neck - ankles, dim=-1), ((stretched - 0.88) / 0.08).clamp(0, 1) * seen


def _tilted_up(tilt: Tensor, right: Tensor, forward: Tensor) -> Tensor:
    """World z turned by pitch and roll degrees (N, 2) about the axes `right` and `forward` → (N, 3)."""
    vector = tilt[:, :1] * math.pi / 180 * right + tilt[:, 1:] * math.pi / 180 * forward
    return matrix_from_axis_angle(vector)[..., 2]


def _weighted_median(values: Tensor, share: Tensor) -> Tensor:
    """Median over the first axis of (N, G) values with shares (N,) that sum to one → (G,)."""
    ordered, order = values.sort(0)
    position = (share[order].cumsum(0) >= 0.5 * share.sum()).float().argmax(0)
    return ordered.gather(0, position[None])[0]


def _capped(deviation: Tensor) -> Tensor:
    square = deviation.square()
    return square / (1 + square / 25)

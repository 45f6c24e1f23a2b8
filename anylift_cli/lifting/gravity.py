"""Which way is up: the cameras' own estimate, people who stand, and the floor that feet stand on (ALGORITHM 4.5)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from anylift_cli.body.contacts import CONTACT_POINTS
from anylift_cli.body.skeleton import K
from anylift_cli.geometry.rotations import matrix_from_axis_angle, rotation_between

_CAMERA_DEVIATION = {
    "assumed": (10.0, 3.5),
    "pan axis": (1.5, 1.5),
    "upright edges": (1.0, 1.0),
    "camera x axes": (4.0, 3.0),
    "given": (1.5, 1.5),
    "the imported file": (4.0, 3.0),
}
"""Degrees of pitch and roll that each source of the cameras' up vector may be off. Of upright edges, by which what
stands in real rooms is not plumb: on rendered scenes they are right to 0.2 and 0.03, in a calibrated video to 1.2 and
1.0."""
_BY_ASSUMED_FOCAL = 1.2
"""Degrees of pitch by which an assumed focal length misplaces where upright edges meet (on rendered scenes)."""
_BALANCE_DEVIATION = 6.0
"""Degrees by which the way from the standing feet to the centre of mass leans."""
_HEIGHT_DEVIATION = 0.04
"""Metres by which feet that rest on one level floor differ in height."""
_DEPTH_NOISE = 0.25
"""Metres; feet that spread less than this along the view only show the noise of their depth, not the floor."""
_STEPPING = 0.35
"""Weight of a stretched leg's lean while no foot rests; while people walk it averages out."""
_SAMPLE_SECONDS = 0.5
"""Frames closer than this are not independent evidence."""
_RANGE, _POSSIBLE = 24, 12.0
"""Degrees from the given vertical up to which another is looked for, and from the one found up to which it may be."""


@dataclass(frozen=True)
class Gravity:
    """Which way is up.

    Attributes:
        upright_from_world: rotation (3, 3) of the given world into one whose z is up.
        source: where the evidence came from.
        deviation: degrees about each axis by which it may be off.
        lean: radians about the camera's x axis by which people were lifted too far.
    """

    upright_from_world: Tensor
    source: str
    deviation: float
    lean: float


def find_gravity(
    points: Tensor, standing_feet: Tensor, gaze: Tensor, times: Tensor, cameras: Mapping[str, Any], leaning: float = 0.0
) -> Gravity:
    """The most probable vertical near the world's z axis, and by how much people lean before the camera.

    People who are out of balance say that the vertical is wrong or that they were lifted leaning; what they say in
    pitch is divided between the two by their variances. How they lean to the side is seen.

    Args:
        points: (T, 24, 3) world points, z roughly up.
        standing_feet: (T, F) probability that the foot points `CONTACT_POINTS` stand still.
        gaze: (3,) mean viewing direction in the world.
        times: (T,) seconds.
        cameras: their `meta`, of which `up_source`, `focal_source` and `figures` count.
        leaning: degrees by which people may have been lifted leaning towards the camera or away from it.
    """
    step = max(1, len(points) // 600)
    points, standing_feet = points[::step], standing_feet[::step]
    independent = max(float(times[-1] - times[0]) / _SAMPLE_SECONDS, 1.0) / len(points)
    flat = gaze * gaze.new_tensor([1.0, 1.0, 0.0])
    forward = normalize(flat, dim=-1) if flat.norm() > 1e-3 else gaze.new_tensor([0.0, 1.0, 0.0])
    right = torch.linalg.cross(forward, gaze.new_tensor([0.0, 0.0, 1.0]))

    source = cameras.get("up_source", "assumed")
    pitch, roll = _camera_deviation(source, cameras)
    of_camera = pitch**2 / (pitch**2 + leaning**2)
    prior = points.new_tensor([math.hypot(pitch, leaning), roll])
    lean_direction, balanced = _balance(points, standing_feet)
    feet = points[:, list(CONTACT_POINTS)].unflatten(1, (2, 2)).mean(2)
    on_foot = standing_feet.unflatten(1, (2, 2)).amin(2)
    share = on_foot / on_foot.sum().clamp_min(1e-6)
    reach = _spread(feet @ forward, share)
    on_foot = on_foot * reach**2 / (reach**2 + _DEPTH_NOISE**2)

    def energy(tilt: Tensor) -> Tensor:
        up = _tilted_up(tilt, right, forward)
        prior_term = (tilt / prior).square().sum(-1)
        lean = torch.rad2deg(torch.acos((lean_direction @ up.T).clamp(-1, 1)))
        balance_term = (balanced[:, None] * _capped(lean / _BALANCE_DEVIATION, 2.5)).sum(0)
        height = (feet @ up.T).flatten(0, 1)
        centred = height - _weighted_median(height, share.flatten())
        floor_term = (on_foot.flatten()[:, None] * _capped(centred / _HEIGHT_DEVIATION, 5.0)).sum(0)
        return prior_term + independent * (balance_term + floor_term)

    tilt = points.new_zeros(2)
    for size, count in ((_RANGE, 25), (3.0, 25), (0.4, 9)):
        grid = tilt + _around(size, count, points)
        tilt = grid[energy(grid).argmin()]
    possible = _around(_POSSIBLE, 31, points)
    share = (-0.5 * energy(tilt + possible)).softmax(0)
    mean = share @ possible
    own = tilt.new_tensor([of_camera, 1.0])
    variance = own.square() * (share @ (possible - mean).square()) + tilt.new_tensor([of_camera * leaning**2, 0.0])
    deviation = float(variance.mean().sqrt())
    up = _tilted_up((own * tilt)[None], right, forward)[0]
    lean = math.radians((1 - of_camera) * float(tilt[0]))
    used = [f"camera ({source})"]
    used += ["balance over the feet"] if float(balanced.sum()) * independent > 0.5 else []
    used += ["feet on the floor"] if float(on_foot.sum()) * independent > 1 else []
    vertical = points.new_tensor([0.0, 0.0, 1.0])
    return Gravity(rotation_between(up, vertical), " + ".join(used), deviation, lean)


def _camera_deviation(source: str, cameras: Mapping[str, Any]) -> tuple[float, float]:
    """Degrees of pitch and roll by which the cameras' own vertical may be off."""
    pitch, roll = _CAMERA_DEVIATION.get(source, _CAMERA_DEVIATION["assumed"])
    if source == "upright edges":
        focal = _BY_ASSUMED_FOCAL if cameras.get("focal_source") == "assumed" else 0.0
        pitch = math.hypot(pitch, focal, cameras.get("figures", {}).get("pitch_deviation_deg", 0.0))
    return pitch, roll


def _balance(points: Tensor, standing_feet: Tensor) -> tuple[Tensor, Tensor]:
    """Direction from the standing feet to the centre of mass (T, 3), and how far the person stands on them (T,).

    Someone who sits or lies has resting feet too, but the hips are then nearer to them than a leg's length.
    """
    share = standing_feet + 1e-3
    share = share / share.sum(-1, keepdim=True)
    support = (share[..., None] * points[:, list(CONTACT_POINTS)]).sum(1)
    hips = 0.5 * (points[:, K["left_hip"]] + points[:, K["right_hip"]])
    knees = 0.5 * (points[:, K["left_knee"]] + points[:, K["right_knee"]])
    mass = 0.45 * hips + 0.4 * points[:, K["neck"]] + 0.15 * knees
    leg = sum(
        (points[:, K[f"left_{a}"]] - points[:, K[f"left_{b}"]]).norm(dim=-1)
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    )
    stretched = (((hips - support).norm(dim=-1) / leg - 0.78) / 0.14).clamp(0, 1)
    return normalize(mass - support, dim=-1), stretched * standing_feet.amax(-1).clamp_min(_STEPPING)


def _around(size: float, count: int, like: Tensor) -> Tensor:
    """Pairs (count², 2) from -size to size degrees."""
    axis = torch.linspace(-size, size, count, device=like.device)
    return torch.cartesian_prod(axis, axis)


def _tilted_up(tilt: Tensor, right: Tensor, forward: Tensor) -> Tensor:
    """World z turned by pitch and roll degrees (N, 2) about the axes `right` and `forward` → (N, 3)."""
    vector = tilt[:, :1] * math.pi / 180 * right + tilt[:, 1:] * math.pi / 180 * forward
    return matrix_from_axis_angle(vector)[..., 2]


def _weighted_median(values: Tensor, share: Tensor) -> Tensor:
    """Median over the first axis of (N, G) values with shares (N,) that sum to one → (G,)."""
    ordered, order = values.sort(0)
    position = (share[order].cumsum(0) >= 0.5 * share.sum()).float().argmax(0)
    return ordered.gather(0, position[None])[0]


def _spread(values: Tensor, share: Tensor) -> Tensor:
    """Standard deviation of all values, weighted by shares that sum to one."""
    mean = (share * values).sum()
    return (share * (values - mean) ** 2).sum().sqrt()


def _capped(deviation: Tensor, limit: float) -> Tensor:
    """Squared deviation that levels off at `limit` standard deviations (Geman-McClure)."""
    square = deviation.square()
    return square / (1 + square / limit**2)

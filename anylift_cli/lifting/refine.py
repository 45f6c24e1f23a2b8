"""What lifters share: what is known of people; scale, gravity and contacts from a first solution; the last solve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact
from anylift_cli.body.contacts import CONTACT_POINTS, contact_probability, floor_height, still_probability
from anylift_cli.body.model import BodyModel
from anylift_cli.body.path_scale import PathScale, path_scale
from anylift_cli.body.prior import PosePrior
from anylift_cli.geometry.cameras import invert
from anylift_cli.geometry.rotations import matrix_from_axis_angle, rotation_between
from anylift_cli.geometry.windows import Window, equal_windows
from anylift_cli.lifting.base import LiftedPerson, LiftOptions
from anylift_cli.lifting.edges import edge_lengths
from anylift_cli.lifting.gravity import Gravity, find_gravity
from anylift_cli.lifting.objective import Contacts, Objective, Weights
from anylift_cli.lifting.observation import Observation, root_of
from anylift_cli.lifting.size import MEAN_HEIGHT
from anylift_cli.lifting.solve import polish
from anylift_cli.lifting.steady import steadied
from anylift_cli.progress import Task

_ROUNDS, _EVALUATIONS = 2, 100
_TOGETHER = 4
"""Windows that are solved at once: quicker than one by one, and memory does not grow with the clip."""
_DRIFT = {"still": 0.0, "rotating": 0.02}
"""m/s by which the estimated cameras of each motion drift, seen from the person,"""
_DRIFT_MOVING = 0.04
"""and of those that move, whose error of direction is the larger part;"""
_DRIFT_PER_PIXEL = 0.06
"""less where a solver says by how many pixels the background is off: 0.07 on rendered scenes, up to 0.4 on videos."""
_SURER, _STRETCH = 0.5, 0.4
"""Feet tell a path's length twice as well as they say (measured on moving cameras before motion capture: 0.46); and the
relative error beyond which contacts that were found with one length say nothing of another."""
_STILL_SPEED, _STILL_WIDTH = 0.35, 0.08
_SHOWN = 0.3
"""Confidence from which a foot is a full witness of what it stands on: guessed ones must not move the camera."""
_PLANTED = 0.2, 0.04, 0.12
"""Speed, width and share of depth by which a foot is taken to be planted while depth itself is in question."""
_UNSEEN = 1.0
"""Standard deviation, m, given to frames before a person comes or after they have gone."""


@dataclass(frozen=True)
class Models:
    """What is known of people: pose prior, rest points (24, 3) and edge lengths (E,) of the body, term weights."""

    prior: PosePrior
    rest: Tensor
    lengths: Tensor
    weights: Weights


@dataclass(frozen=True)
class Solved:
    """Points (1, T, 24, 3) in a metric world with z up, and the evidence seen from the cameras of that world.

    These are without the drift that was found in them.
    """

    points: Tensor
    seen: Observation
    scale: PathScale
    gravity: Gravity


def models_for(options: LiftOptions) -> Models:
    """The open body of the given or a mean height, the shipped pose prior."""
    body = BodyModel.load("open", options.device)
    betas = body.from_height(options.height or MEAN_HEIGHT)
    identity = torch.eye(3, device=options.device).expand(1, 24, 3, 3)
    rest = body.joints(identity, betas, torch.zeros(1, 3, device=options.device)).keypoints[0]
    weights = Weights(length=0.03) if options.height else Weights()
    return Models(PosePrior.load(device=options.device), rest, edge_lengths(rest), weights)


def is_arbitrary(cameras: CamerasArtifact) -> bool:
    """Whether the unit of the camera path is to be found."""
    return cameras.meta.get("scale") == "arbitrary"


def upright(seen: Observation, cameras: CamerasArtifact) -> Observation:
    """The evidence in a world whose z axis is the cameras' own idea of up."""
    up = torch.as_tensor(cameras.up, dtype=torch.float32, device=seen.times.device)
    return turned(seen, rotation_between(up, up.new_tensor([0.0, 0.0, 1.0])))


def turned(seen: Observation, rotation: Tensor) -> Observation:
    """The evidence in a world turned by (3, 3)."""
    pose = torch.eye(4, device=rotation.device)
    pose[:3, :3] = rotation
    return replace(seen, world_from_camera=pose @ seen.world_from_camera)


def scaled(seen: Observation, factor: float) -> Observation:
    """The evidence with a camera path `factor` times as long; 0 leaves a camera that turns in one place."""
    poses = seen.world_from_camera.clone()
    poses[..., :3, 3] *= factor
    return replace(seen, world_from_camera=poses)


def carried(points: Tensor, before: Observation, after: Observation) -> Tensor:
    """Points (1, T, K, 3) that stay where they are relative to cameras that are put elsewhere."""
    return points + (after.world_from_camera - before.world_from_camera)[..., None, :3, 3]


def in_windows(seen: Observation, solve: Callable[[Observation, slice], Tensor]) -> Tensor:
    """Solve each window of frames on its own and cross-fade the overlaps, (1, T, K, 3)."""
    spans = list(equal_windows(seen.times.shape[1]))
    return _cross_faded(spans, [solve(seen.select(span.frames, 1), span.frames) for span in spans])


def scale_of(points: Tensor, seen: Observation) -> PathScale:
    """Scale of the camera path, from points (1, T, 24, 3) in the world's axes about each camera's centre."""
    poses = seen.world_from_camera[0]
    feet = points[0][:, list(CONTACT_POINTS)] @ poses[:, :3, :3]
    weight = seen.weight[0].amax(-1, keepdim=True).expand(-1, len(CONTACT_POINTS))
    return path_scale(feet, weight, poses[:, :3, :3], poses[:, :3, 3], seen.times[0])


def with_planted_feet(points: Tensor, seen: Observation) -> Tensor:
    """Points (1, T, 24, 3) with the drift in depth taken out that planted feet disagree with."""
    feet, centre, times = points[0][:, list(CONTACT_POINTS)], seen.world_from_camera[0, :, :3, 3], seen.times[0]
    planted = still_probability(feet, centre, times, *_PLANTED)
    return steadied(points[0], feet, planted, centre, times)[None]


def refined(
    points: Tensor, seen: Observation, scale: PathScale, cameras: CamerasArtifact, models: Models, task: Task
) -> Solved:
    """Gravity, leaning and contacts from points (1, T, 24, 3), then all terms once more with feet on the ground.

    Then scale of the camera path and contacts from these points, and all terms again.
    """
    gravity = _gravity(points, seen, cameras)
    points, seen = _straightened(points, seen, gravity.lean)
    points = points @ gravity.upright_from_world.T
    seen = turned(seen, gravity.upright_from_world)
    models = replace(models, weights=replace(models.weights, drift=_drift(cameras)))
    for round_ in range(_ROUNDS):
        if round_ and is_arbitrary(cameras):
            again = scale_of(points - seen.world_from_camera[..., None, :3, 3], seen)
            before, seen = seen, scaled(seen, again.value)
            points = carried(points, before, seen)
            scale = PathScale(scale.value * again.value, again.uncertainty)
        stretch = min(_SURER * scale.uncertainty, _STRETCH)
        models = replace(models, weights=replace(models.weights, stretch=stretch))
        points, moved = _solved(points, seen, _contacts(points, seen, models), models, task)
    return Solved(points, moved, scale, gravity)


def _drift(cameras: CamerasArtifact) -> float:
    """m/s by which the camera path is taken to drift."""
    residual = cameras.meta.get("figures", {}).get("moving_residual_px", math.inf)
    moving = min(_DRIFT_MOVING, _DRIFT_PER_PIXEL * residual)
    return _DRIFT.get(cameras.meta.get("motion", ""), moving)


def _solved(
    points: Tensor, seen: Observation, contacts: Contacts | None, models: Models, task: Task
) -> tuple[Tensor, Observation]:
    """Points (1, T, 24, 3) that all terms agree on, and the evidence from cameras without their drift."""

    spans = list(equal_windows(points.shape[1]))
    parts: list[Tensor] = []
    for first in range(0, len(spans), _TOGETHER):
        some = spans[first : first + _TOGETHER]
        part = Observation.stacked([seen.select(span.frames, 1) for span in some])
        touching = contacts and replace(
            contacts, probability=torch.cat([contacts.probability[:, span.frames] for span in some])
        )
        objective = Objective(part, models.lengths, models.prior, models.weights, touching)
        start = torch.cat([points[:, span.frames] for span in some])
        solution = polish(objective, start, evaluations=_EVALUATIONS)
        parts += torch.cat([solution.points, solution.moved[:, :, None]], 2).split(1)
        task.advance(part.times.numel() / _ROUNDS)
    found, drift = _cross_faded(spans, parts).split([points.shape[2], 1], 2)
    poses = seen.world_from_camera.clone()
    poses[..., :3, 3] += drift[:, :, 0]
    return found, replace(seen, world_from_camera=poses)


def _cross_faded(spans: Sequence[Window], parts: Sequence[Tensor]) -> Tensor:
    """Values (1, T, ...) of windows, their overlaps blended."""
    total = parts[0].new_zeros(1, spans[-1].stop, *parts[0].shape[2:])
    for span, part in zip(spans, parts, strict=True):
        total[:, span.frames] += part * span.weight.to(part)[:, None, None]
    return total


def as_person(
    whole: Observation, span: slice, solved: Solved, deviation: Tensor, cameras: CamerasArtifact
) -> LiftedPerson:
    """A lifter's result for all frames of `whole`, from what was solved over `span` of them.

    Args:
        deviation: (1, T of the span, 24) standard deviation of the points, m.
    """
    path = scaled(whole, solved.scale.value).world_from_camera[0].double()
    found = solved.seen.world_from_camera[0].double()
    earlier = found[0] @ invert(path[span.start]) @ path[: span.start]
    later = found[-1] @ invert(path[span.stop - 1]) @ path[span.stop :]
    before, after = len(earlier), len(later)
    return LiftedPerson(
        joints=_held(solved.points[0], before, after).cpu().numpy(),
        joint_std=_held(deviation[0], before, after, _UNSEEN).cpu().numpy(),
        world_from_camera=torch.cat([earlier, found, later]).cpu().numpy(),
        meta={
            "gravity_source": solved.gravity.source,
            "gravity_deviation_deg": round(solved.gravity.deviation, 2),
            "scale": {
                "source": "feet on the ground" if is_arbitrary(cameras) else "body height",
                "metres_per_unit": solved.scale.value,
                "uncertainty": solved.scale.uncertainty,
            },
        },
    )


def seen_deviation(seen: Observation) -> Tensor:
    """Standard deviation (B, T, 24) per axis, m, by how well each point is seen (measured on the synthetic scenes)."""
    absent = (seen.weight.amax(-1, keepdim=True) == 0).float()
    return 0.05 + 0.06 * (1 - seen.weight.clamp(0, 1)) + 0.15 * absent


def _still(points: Tensor, seen: Observation) -> Tensor:
    centre = seen.world_from_camera[0, :, :3, 3]
    return still_probability(points[0][:, list(CONTACT_POINTS)], centre, seen.times[0], _STILL_SPEED, _STILL_WIDTH)


def _gravity(points: Tensor, seen: Observation, cameras: CamerasArtifact) -> Gravity:
    gaze = seen.world_from_camera[0, :, :3, 2].mean(0)
    leaning = 0.0 if seen.local_lean is None else float(seen.local_lean.mean())
    return find_gravity(points[0], _still(points, seen), gaze, seen.times[0], cameras.meta, leaning)


def _straightened(points: Tensor, seen: Observation, lean: float) -> tuple[Tensor, Observation]:
    """Points (1, T, 24, 3) turned back about their root and the camera's x axis, and what tells poses with them."""
    turn = matrix_from_axis_angle(points.new_tensor([-lean, 0.0, 0.0]))
    axes, root = seen.world_from_camera[..., :3, :3], root_of(points)[..., None, :]
    told = {name: getattr(seen, name) for name in ("local", "imagined")}
    turned_back = {name: values @ turn.mT for name, values in told.items() if values is not None}
    return root + (points - root) @ (axes @ turn @ axes.mT).mT, replace(seen, **turned_back)


def _contacts(points: Tensor, seen: Observation, models: Models) -> Contacts | None:
    feet = points[0][:, list(CONTACT_POINTS)]
    still = _still(points, seen)
    clearance = models.rest[list(CONTACT_POINTS), 1] - models.rest[:, 1].min()
    floor = floor_height(feet[..., 2] - clearance, still)
    if floor is None:
        return None
    shown = (seen.weight[0][:, list(CONTACT_POINTS)] / _SHOWN).clamp_max(1.0)
    probability = shown * contact_probability(feet, still, floor, clearance, seen.times[0])
    return Contacts(CONTACT_POINTS, probability[None], clearance + floor)


def _held(values: Tensor, before: int, after: int, outside: float | None = None) -> Tensor:
    """`values` (T, ...) with their first and last frame, or the number `outside`, held over frames around them."""
    ends = [values[:1], values[-1:]]
    if outside is not None:
        ends = [torch.full_like(end, outside) for end in ends]
    repeats = [end.repeat(count, *[1] * (values.dim() - 1)) for end, count in zip(ends, (before, after), strict=True)]
    return torch.cat([repeats[0], values, repeats[1]])

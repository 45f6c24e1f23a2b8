"""Find the body parameters of one person: shape from the bones, then pose in windows, then feet on the ground."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anylift_cli.body.contacts import (
    CONTACT_POINTS,
    contact_probability,
    floor_height,
    foot_clearance,
    still_probability,
)
from anylift_cli.body.model import BodyModel, BodyPoints
from anylift_cli.body.priors import BodyPrior
from anylift_cli.fitting.initial import initial_pose
from anylift_cli.fitting.objective import Anchors, Target, energy
from anylift_cli.geometry.cameras import invert
from anylift_cli.geometry.rotations import matrix_from_6d, six_d_from_matrix
from anylift_cli.geometry.runs import runs
from anylift_cli.geometry.windows import Window, equal_windows
from anylift_cli.progress import Task

_FREE, _GROUNDED, _HELD = 80, 100, 100
_SHAPE_FRAMES, _SHAPE_ITERATIONS = 60, 80
_CHUNK = 500
"""Frames posed at once, so that memory does not grow with the clip."""
_STILL_SPEED, _STILL_WIDTH = 0.30, 0.06
_PLANTED_SPEED, _PLANTED_WIDTH = 0.30, 0.05
"""m/s: a foot that still moves faster after grounding is not called planted."""
_SNAP = 0.10
"""A foot that rests within this height of the floor stands on it."""
_LEFT_THE_FLOOR = 0.3
"""Someone whose feet are this far below the floor has jumped off it, and may go where they are seen."""


@dataclass(frozen=True)
class Parameters:
    """Pose matrices (T, 24, 3, 3) and translation (T, 3)."""

    pose: Tensor
    transl: Tensor


@dataclass(frozen=True)
class Fit:
    """The fitted person in the lifted world.

    `floor`, and with it where feet stand and the `ground` (T,) under them, is None where nobody stands on anything.
    """

    parameters: Parameters
    betas: Tensor
    contact: Tensor
    floor: float | None = None
    feet: Anchors | None = None
    ground: Tensor | None = None


def fit_person(target: Target, body: BodyModel, prior: BodyPrior, height: float | None, task: Task) -> Fit:
    """Fit shape, pose, translation and contacts to one person's evidence.

    Args:
        height: standing height in metres when it is known; the shape then keeps it.
        task: advanced once per frame and pass.
    """
    betas = fit_shape(target, body, height)

    def solve_all(start: Parameters, iterations: int, anchors: Anchors | None, ground: Tensor | None) -> Parameters:
        return _solve_windows(start, target, body, betas, prior, (anchors, ground, None), iterations, task)

    starts = [initial_pose(points, body, betas) for points in target.points.split(_CHUNK)]
    start = Parameters(*(torch.cat(parts) for parts in zip(*starts, strict=True)))
    free = solve_all(start, _FREE, None, None)
    feet = _feet(free, body, betas)
    clearance = foot_clearance(body, betas)
    centre = invert(target.camera_from_world)[:, :3, 3]
    still = still_probability(feet, centre, target.times, _STILL_SPEED, _STILL_WIDTH)
    floor = floor_height(feet[..., 2] - clearance, still)
    if floor is None:
        return Fit(free, betas, torch.zeros_like(still))
    contact = contact_probability(feet, still, floor, clearance, target.times)
    lowest = feet[..., 2].amin(1)
    ground = torch.where(lowest > floor - _LEFT_THE_FLOOR, floor, -torch.inf)
    anchors = Anchors(_anchors(feet, contact, floor + clearance), contact)
    grounded = solve_all(free, _GROUNDED, anchors, ground)
    planted = still_probability(_feet(grounded, body, betas), centre, target.times, _PLANTED_SPEED, _PLANTED_WIDTH)
    return Fit(grounded, betas, torch.minimum(contact, planted), floor, anchors, ground)


def hold_on(fit: Fit, joints: Anchors, target: Target, body: BodyModel, prior: BodyPrior, task: Task) -> Fit:
    """The same fit with joints where they touch something; feet stay where they stand.

    Args:
        joints: a column for each of the 24.
        task: advanced once per frame.
    """
    constraints = fit.feet, fit.ground, joints
    held = _solve_windows(fit.parameters, target, body, fit.betas, prior, constraints, _HELD, task)
    return replace(fit, parameters=held)


def _solve_windows(
    start: Parameters,
    target: Target,
    body: BodyModel,
    betas: Tensor,
    prior: BodyPrior,
    constraints: tuple[Anchors | None, Tensor | None, Anchors | None],
    iterations: int,
    task: Task,
) -> Parameters:
    """Minimise in windows. Constraints: feet in contact, the ground, joints that touch something."""
    spans, parts = list(equal_windows(len(target.times))), []
    for span in spans:
        feet, ground, joints = constraints
        parts.append(
            _minimise(
                Parameters(start.pose[span.frames], start.transl[span.frames]),
                target.frames(span.frames),
                body,
                betas,
                prior,
                None if feet is None else feet.frames(span.frames),
                None if ground is None else ground[span.frames],
                None if joints is None else joints.frames(span.frames),
                iterations,
            )
        )
        task.advance(span.stop - span.start)
    return _join(spans, parts, len(target.times))


def joints_of(fit: Fit, body: BodyModel) -> Tensor:
    """The 24 SMPL joints of a fit, (T, 24, 3) m in the lifted world."""
    return _posed(fit.parameters, body, fit.betas).joints


def fit_shape(target: Target, body: BodyModel, height: float | None) -> Tensor:
    """Betas (1, S) whose bones agree with the lifted points over evenly chosen frames."""
    step = max(1, len(target.times) // _SHAPE_FRAMES)
    some = target.frames(slice(None, None, step))
    start = body.from_height(height) if height else torch.zeros(1, body.num_betas, device=target.points.device)
    betas = start.clone().requires_grad_()
    pose, transl = initial_pose(some.points, body, start)
    six, transl = six_d_from_matrix(pose).requires_grad_(), transl.clone().requires_grad_()
    optimiser = torch.optim.Adam([{"params": [six, transl], "lr": 0.02}, {"params": [betas], "lr": 0.05}])
    for _ in range(_SHAPE_ITERATIONS):
        optimiser.zero_grad()
        points = body.joints(matrix_from_6d(six), betas, transl).keypoints
        miss = ((points - some.points).square().sum(-1) + 1e-4).sqrt() / some.deviation
        cost = miss.sum(-1).mean() + 0.5 * (betas - start).square().sum()
        if height:
            cost = cost + ((body.standing_height(betas) - height) / 0.005).square().sum()
        cost.backward()
        optimiser.step()
    return betas.detach().clamp(-4, 4)


def _minimise(
    start: Parameters, target: Target, body: BodyModel, betas: Tensor, prior: BodyPrior, anchors: Anchors | None,
    ground: Tensor | None, joints: Anchors | None, iterations: int,
) -> Parameters:  # fmt: skip
    six = six_d_from_matrix(start.pose).requires_grad_()
    transl = start.transl.clone().requires_grad_()
    optimiser = torch.optim.Adam([{"params": [six], "lr": 0.02}, {"params": [transl], "lr": 0.01}])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: max(1 - i / iterations, 0.02))
    for _ in range(iterations):
        optimiser.zero_grad()
        pose = matrix_from_6d(six)
        energy(body.joints(pose, betas, transl), pose, target, prior, anchors, ground, joints).backward()
        optimiser.step()
        schedule.step()
    return Parameters(matrix_from_6d(six.detach()), transl.detach())


def _feet(parameters: Parameters, body: BodyModel, betas: Tensor) -> Tensor:
    return _posed(parameters, body, betas).keypoints[:, list(CONTACT_POINTS)]


def _posed(parameters: Parameters, body: BodyModel, betas: Tensor) -> BodyPoints:
    with torch.no_grad():
        parts = [
            body.joints(pose, betas, transl)
            for pose, transl in zip(parameters.pose.split(_CHUNK), parameters.transl.split(_CHUNK), strict=True)
        ]
    return BodyPoints(*(torch.cat(points) for points in zip(*parts, strict=True)))


def _anchors(feet: Tensor, contact: Tensor, resting: Tensor) -> Tensor:
    """Mean position of each point over each stretch of contact, at its resting height when near the floor."""
    position = feet.clone()
    for column in range(feet.shape[1]):
        for start, stop in runs((contact[:, column] > 0.5).cpu().numpy()):
            weight = contact[start:stop, column, None]
            mean = (weight * feet[start:stop, column]).sum(0) / weight.sum()
            if (mean[2] - resting[column]).abs() < _SNAP:
                mean[2] = resting[column]
            position[start:stop, column] = mean
    return position


def _join(spans: list[Window], parts: list[Parameters], count: int) -> Parameters:
    """Cross-fade overlapping windows; rotations are averaged as matrices and made orthonormal again."""
    pose = parts[0].pose.new_zeros(count, 24, 3, 3)
    transl = parts[0].transl.new_zeros(count, 3)
    for span, part in zip(spans, parts, strict=True):
        weight = span.weight.to(pose)
        pose[span.frames] += weight[:, None, None, None] * part.pose
        transl[span.frames] += weight[:, None] * part.transl
    return Parameters(matrix_from_6d(six_d_from_matrix(pose)), transl)

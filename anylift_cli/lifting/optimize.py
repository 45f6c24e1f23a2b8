"""The lifter that needs no checkpoint: size-based depth, a pose dictionary, priors, optimisation (ALGORITHM 8.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.body.contacts import CONTACT_POINTS, contact_probability, floor_height, still_probability
from anylift_cli.body.model import BodyModel
from anylift_cli.body.prior import PosePrior
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.rotations import rotation_between
from anylift_cli.geometry.windows import windows
from anylift_cli.lifting.base import LiftedPerson, LiftOptions
from anylift_cli.lifting.edges import edge_lengths
from anylift_cli.lifting.gravity import Gravity, find_gravity
from anylift_cli.lifting.initial import completed, local_scale, matched_poses, place
from anylift_cli.lifting.objective import Contacts, Objective, Weights
from anylift_cli.lifting.observation import Observation, observe
from anylift_cli.lifting.scale import PathScale, path_scale
from anylift_cli.lifting.solve import minimise
from anylift_cli.progress import Progress

MEAN_HEIGHT = 1.70
_FIRST_PASS, _SECOND_PASS = 120, 100
_HYPOTHESES = 2
_STILL_SPEED, _STILL_WIDTH = 0.35, 0.08


@dataclass(frozen=True)
class _Models:
    prior: PosePrior
    rest: Tensor
    lengths: Tensor
    weights: Weights


class OptimizeLifter:
    """Lift by optimisation of world points; nothing is learned but the pose prior."""

    name = "optimize"
    version = 1

    def lift(
        self,
        keypoints: KeypointsArtifact,
        cameras: CamerasArtifact,
        person: int,
        options: LiftOptions,
        progress: Progress,
    ) -> LiftedPerson:
        """Lift one person. The result's cameras are metric and its world has z up."""
        torch.manual_seed(options.seed)
        models = _models(options)
        seen = observe(keypoints, cameras, person, options.device)
        up = torch.as_tensor(cameras.up, dtype=torch.float32, device=options.device)
        seen = _turned(seen, rotation_between(up, up.new_tensor([0.0, 0.0, 1.0])))
        if seen.local is not None:
            factor = local_scale(seen.local, seen.local_weight, models.lengths)
            seen = replace(seen, local=seen.local * factor[:, None, None, None])

        spans = list(windows(seen.times.shape[1]))
        with progress.task("lift: poses", total=2 * seen.times.shape[1]) as task:
            scale = PathScale(1.0, 0.0)
            arbitrary = cameras.meta.get("scale") == "arbitrary"
            if arbitrary:
                starts = _blend(spans, seen, lambda part: _start(part, models)[:1])
                scale = _scale(starts, seen)
                seen = _scaled(seen, scale.value)

            def first(part: Observation) -> Tensor:
                task.advance(part.times.shape[1])
                start = _start(part, models)
                objective = Objective(part.repeat(len(start)), models.lengths, models.prior, models.weights)
                solution = minimise(objective, start, iterations=_FIRST_PASS)
                return solution.points[solution.energy.argmin()][None]

            points = _blend(spans, seen, first)
            if arbitrary:
                again = _scale(points, seen)
                seen_rescaled = _scaled(seen, again.value)
                points = points + (seen_rescaled.world_from_camera - seen.world_from_camera)[..., None, :3, 3]
                seen, scale = seen_rescaled, PathScale(scale.value * again.value, again.uncertainty)
            gravity = _gravity(points, seen, cameras)
            points = points @ gravity.upright_from_world.T
            seen = _turned(seen, gravity.upright_from_world)
            contacts = _contacts(points, seen, models)

            def second(part: Observation, start: Tensor, touching: Contacts | None) -> Tensor:
                task.advance(part.times.shape[1])
                objective = Objective(part, models.lengths, models.prior, models.weights, touching)
                return minimise(objective, start, iterations=_SECOND_PASS, step=0.01).points

            refined = torch.zeros_like(points)
            for span in spans:
                touching = (
                    None if contacts is None else replace(contacts, probability=contacts.probability[:, span.frames])
                )
                part = second(seen.select(span.frames, 1), points[:, span.frames], touching)
                refined[:, span.frames] += part * span.weight.to(part)[:, None, None]

        return LiftedPerson(
            joints=refined[0].cpu().numpy(),
            joint_std=_deviation(seen)[0].cpu().numpy(),
            world_from_camera=seen.world_from_camera[0].double().cpu().numpy(),
            meta={
                "gravity_source": gravity.source,
                "scale": {
                    "source": "feet on the ground" if arbitrary else "body height",
                    "metres_per_unit": scale.value,
                    "uncertainty": scale.uncertainty,
                },
            },
        )


def _models(options: LiftOptions) -> _Models:
    body = BodyModel.load("open", options.device)
    betas = body.from_height(options.height or MEAN_HEIGHT)
    identity = torch.eye(3, device=options.device).expand(1, 24, 3, 3)
    rest = body.joints(identity, betas, torch.zeros(1, 3, device=options.device)).keypoints[0]
    weights = Weights(length=0.03) if options.height else Weights()
    return _Models(PosePrior.load(device=options.device), rest, edge_lengths(rest), weights)


def _start(part: Observation, models: _Models) -> Tensor:
    """Starting points of each hypothesis, (H, T, 24, 3)."""
    if part.local is not None:
        return place(completed(part.local, part.local_weight, part.times, models.rest), part)
    poses = matched_poses(part, models.prior, models.rest, _HYPOTHESES)[0]
    return place(poses, part.repeat(_HYPOTHESES))


def _blend(spans: list, seen: Observation, solve) -> Tensor:
    """Solve each window on its own and cross-fade the overlaps, (1, T, 24, 3)."""
    total = torch.zeros(1, seen.times.shape[1], 24, 3, device=seen.times.device)
    for span in spans:
        part = solve(seen.select(span.frames, 1))
        total[:, span.frames] += part * span.weight.to(part)[:, None, None]
    return total


def _turned(seen: Observation, rotation: Tensor) -> Observation:
    pose = torch.eye(4, device=rotation.device)
    pose[:3, :3] = rotation
    return replace(seen, world_from_camera=pose @ seen.world_from_camera)


def _scaled(seen: Observation, factor: float) -> Observation:
    poses = seen.world_from_camera.clone()
    poses[..., :3, 3] *= factor
    return replace(seen, world_from_camera=poses)


def _scale(points: Tensor, seen: Observation) -> PathScale:
    feet = transform(invert(seen.world_from_camera), points)[0][:, list(CONTACT_POINTS)]
    weight = seen.weight[0].amax(-1, keepdim=True).expand(-1, len(CONTACT_POINTS))
    poses = seen.world_from_camera[0]
    return path_scale(feet, weight, poses[:, :3, :3], poses[:, :3, 3], seen.times[0])


def _still(points: Tensor, seen: Observation) -> Tensor:
    centre = seen.world_from_camera[0, :, :3, 3]
    return still_probability(points[0][:, list(CONTACT_POINTS)], centre, seen.times[0], _STILL_SPEED, _STILL_WIDTH)


def _gravity(points: Tensor, seen: Observation, cameras: CamerasArtifact) -> Gravity:
    gaze = seen.world_from_camera[0, :, :3, 2].mean(0)
    source = cameras.meta.get("up_source", "assumed")
    return find_gravity(points[0], _still(points, seen), gaze, seen.times[0], source)


def _contacts(points: Tensor, seen: Observation, models: _Models) -> Contacts | None:
    feet = points[0][:, list(CONTACT_POINTS)]
    still = _still(points, seen)
    clearance = models.rest[list(CONTACT_POINTS), 1] - models.rest[:, 1].min()
    floor = floor_height(feet[..., 2] - clearance, still)
    if floor is None:
        return None
    probability = contact_probability(feet, still, floor, clearance, seen.times[0])
    return Contacts(CONTACT_POINTS, probability[None], clearance + floor)


def _deviation(seen: Observation) -> Tensor:
    """Standard deviation (B, T, 24) in metres, from how well each point is seen around its frame."""
    gap = 1 - seen.weight.clamp(0, 1)
    return 0.05 + 0.15 * gap

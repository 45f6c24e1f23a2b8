"""The lifter that needs no checkpoint: size-based depth, a pose dictionary, priors, optimisation (ALGORITHM 8.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.artifacts.presence import present_span
from anylift_cli.body.path_scale import PathScale
from anylift_cli.lifting.base import LiftedPerson, LiftOptions
from anylift_cli.lifting.flips import unflipped
from anylift_cli.lifting.initial import completed, local_scale, matched_poses, place
from anylift_cli.lifting.objective import Objective
from anylift_cli.lifting.observation import Observation, observe
from anylift_cli.lifting.refine import (
    Models,
    Solved,
    as_person,
    in_windows,
    is_arbitrary,
    models_for,
    refined,
    scale_of,
    scaled,
    seen_deviation,
    upright,
    with_planted_feet,
)
from anylift_cli.lifting.solve import minimise
from anylift_cli.progress import Progress, Task

_ITERATIONS = 120
_HYPOTHESES = 2

Start = Callable[[Observation, Models], Tensor]
"""Evidence of one person (B = 1) → world points of H hypotheses to start from, (H, T, 24, 3)."""


def start_from_size(part: Observation, models: Models) -> Tensor:
    """The estimator's own poses, or those of a dictionary, where apparent size puts them; a `Start`."""
    if part.local is not None:
        return place(completed(part.local, part.local_weight, part.times, models.rest), part)
    poses = matched_poses(part, models.prior, models.rest, _HYPOTHESES)[0]
    return place(poses, part.repeat(_HYPOTHESES), models.lengths)


class OptimizeLifter:
    """Lift by optimisation of world points; nothing is learned but the pose prior."""

    name = "optimize"

    def __init__(self, start: Start = start_from_size) -> None:
        self.start = start

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
        whole = observe(keypoints, cameras, person, options.device)
        span = present_span(keypoints.present[person])
        with progress.task("lift: poses", total=2 * (span.stop - span.start)) as task:
            solved = _solve(whole.select(span, 1), cameras, models_for(options), self.start, task)
        return as_person(whole, span, solved, seen_deviation(solved.seen), cameras)


def _solve(seen: Observation, cameras: CamerasArtifact, models: Models, starting: Start, task: Task) -> Solved:
    """Poses first, then scale, gravity and contacts from them, then poses again with feet on the ground."""
    seen = upright(seen, cameras)
    if seen.local is not None:
        factor = local_scale(seen.local, seen.local_weight, models.lengths)
        seen = replace(seen, local=seen.local * factor[:, None, None, None])

    def first(part: Observation, _: slice) -> Tensor:
        task.advance(part.times.shape[1])
        start = starting(part, models)
        objective = Objective(part.repeat(len(start)), models.lengths, models.prior, models.weights)
        solution = minimise(objective, start, iterations=_ITERATIONS)
        best = solution.points[solution.energy.argmin()][None]
        return unflipped(best, part, models.prior, models.weights)

    scale = PathScale(1.0, 0.0)
    if is_arbitrary(cameras):
        points = in_windows(scaled(seen, 0.0), first)
        scale = scale_of(points, seen)
        seen = scaled(seen, scale.value)
        points = points + seen.world_from_camera[..., None, :3, 3]
    else:
        points = in_windows(seen, first)
    return refined(with_planted_feet(points, seen), seen, scale, cameras, models, task)

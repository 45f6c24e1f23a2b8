"""The learned lifter: imagine the other views, triangulate, refine with all evidence (ALGORITHM 4, 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.artifacts.presence import present_span
from anylift_cli.body.path_scale import PathScale
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.lifting.base import CHECKPOINT, LiftedPerson, LiftOptions
from anylift_cli.lifting.imagination import DOUBTFUL, Imagination
from anylift_cli.lifting.initial import local_scale, place
from anylift_cli.lifting.observation import Observation, observe, root_of
from anylift_cli.lifting.refine import (
    Models,
    Solved,
    as_person,
    is_arbitrary,
    models_for,
    refined,
    scale_of,
    scaled,
    seen_deviation,
    upright,
    with_planted_feet,
)
from anylift_cli.lifting.size import averaged, running_median
from anylift_cli.progress import Progress, Task
from anylift_cli.warm import model
from anylift_cli.weights_store import find_weights

_QUALITY = {"fast": (1, 1), "balanced": (2, 2), "best": (10, 4)}
"""Passes and seeds."""
_SCALE_ROUNDS = 2
_HIDDEN = 1.0
"""Deviation, m, of what is imagined where nothing of a person is seen."""
_LUNGE = 2.0
"""Seconds: a change of depth that is over sooner must show in the image."""
_SMOOTH_WINDOW = 0.06
"""Seconds over which the last solve's start is averaged, sure frames before others."""


class DiffusionLifter:
    """Lift with a multi-view 2D diffusion network."""

    name = "diffusion"

    def __init__(self, checkpoint: Path | None = None) -> None:
        self.checkpoint = checkpoint

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
        checkpoint = self.checkpoint or find_weights(CHECKPOINT)
        name = str(checkpoint), checkpoint.stat().st_mtime_ns, options.device
        whole = observe(keypoints, cameras, person, options.device)
        span = present_span(keypoints.present[person])
        with (
            model("imagination", name, partial(Imagination.load, checkpoint, options.device)) as imagination,
            progress.task("lift: poses", total=span.stop - span.start) as task,
        ):
            solved, deviation = _solve(whole.select(span, 1), cameras, models_for(options), imagination, options, task)
        return as_person(whole, span, solved, deviation, cameras)


def _solve(
    seen: Observation,
    cameras: CamerasArtifact,
    models: Models,
    imagination: Imagination,
    options: LiftOptions,
    task: Task,
) -> tuple[Solved, Tensor]:
    """Imagined points, the path's scale from them and once more, then all evidence together."""
    passes, seeds = passes_and_seeds(options)
    seen, scale = in_metres(seen, cameras, models, lambda path: imagination(path, models.lengths, 1, seeds[:1])[0])
    points, spread = from_all_sides(seen, lambda one: imagination(one, models.lengths, passes, seeds))
    return solved_with(points, spread, seen, scale, cameras, models, task)


def passes_and_seeds(options: LiftOptions) -> tuple[int, list[int]]:
    """Evaluations of the network for each seed, and the seeds."""
    passes, count = _QUALITY[options.quality]
    return passes, [options.seed + index for index in range(count)]


def in_metres(
    seen: Observation, cameras: CamerasArtifact, models: Models, points_of: Callable[[Observation], Tensor]
) -> tuple[Observation, PathScale]:
    """The evidence upright, its local points and the camera's path in metres.

    Args:
        points_of: imagined points (1, T, 24, 3) for evidence with some scale of the path.
    """
    seen = upright(seen, cameras)
    if seen.local is not None:
        factor = local_scale(seen.local, seen.local_weight, models.lengths)
        seen = replace(seen, local=seen.local * factor[:, None, None, None])
    if not is_arbitrary(cameras):
        return seen, PathScale(1.0, 0.0)
    path, factor = seen, 0.0
    for _ in range(_SCALE_ROUNDS):
        seen = scaled(path, factor)
        points = points_of(_without_local(seen))
        scale = scale_of(points - seen.world_from_camera[..., None, :3, 3], path)
        factor = scale.value
    return scaled(path, factor), scale


def from_all_sides(seen: Observation, look: Callable[[Observation], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Imagined points (1, T, 24, 3) and their spread (1, T, 24): places from 2D points, poses with local ones too."""
    points, spread = look(_without_local(seen))
    if seen.local is None:
        return points, spread
    told, spread = look(seen)
    return without_lunges(told + (root_of(points) - root_of(told))[..., None, :], seen), spread


def without_lunges(points: Tensor, seen: Observation) -> Tensor:
    """Points (1, T, 24, 3) whose depth changes for a moment only as far as their size in the image does.

    2D points alone now and then make someone leap who bends, or of whom a limb is misplaced. At which depth a pose fits
    the image does not; over longer times it is the less certain of the two.
    """
    from_world = invert(seen.world_from_camera)
    camera = transform(from_world, points)
    root = root_of(camera)
    depth = root[..., 2].clamp_min(0.2)
    fitted = root_of(transform(from_world, place(camera - root[..., None, :], seen)))[..., 2].clamp_min(0.2)
    wanted = fitted * running_median((depth / fitted).log(), seen.times, _LUNGE).exp()
    shift = root * (wanted / depth - 1)[..., None]
    return points + shift[..., None, :] @ seen.world_from_camera[..., :3, :3].mT


def solved_with(
    points: Tensor,
    spread: Tensor,
    seen: Observation,
    scale: PathScale,
    cameras: CamerasArtifact,
    models: Models,
    task: Task,
) -> tuple[Solved, Tensor]:
    """All evidence together with imagined points (1, T, 24, 3); the solution and the points' deviation (1, T, 24)."""
    points = with_planted_feet(points, seen)
    hidden = _HIDDEN * (seen.weight < DOUBTFUL).float().mean(-1, keepdim=True)
    deviation = (seen_deviation(seen).square() + spread.square() + hidden.square()).sqrt()
    camera = transform(invert(seen.world_from_camera), points)
    root = root_of(camera)
    seen = replace(
        seen,
        imagined=camera - root[..., None, :],
        imagined_deviation=deviation,
        imagined_depth=root[..., 2].clamp_min(0.2),
    )
    start = _bridged(points, deviation, seen.times)
    return refined(start, seen, scale, cameras, models, task), deviation


def _bridged(points: Tensor, deviation: Tensor, times: Tensor) -> Tensor:
    """Points (1, T, 24, 3) without the leaps of frames in which little is seen."""
    trust = 1 / deviation.square().mean(-1)
    root = root_of(points)
    local = (points - root[..., None, :]).flatten(2)
    root, local = (averaged(part, trust, times, _SMOOTH_WINDOW) for part in (root, local))
    return root[..., None, :] + local.unflatten(2, (-1, 3))


def _without_local(seen: Observation) -> Observation:
    """Evidence for where people are: their pose is clearer with an estimator's points, their distance is not."""
    return replace(seen, local=None, local_weight=None)

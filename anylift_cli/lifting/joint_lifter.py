"""The joint lifter: a person and the objects near them, imagined together (ALGORITHM 5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, ObjectsArtifact
from anylift_cli.artifacts.presence import present_span
from anylift_cli.geometry.boxes import box_around
from anylift_cli.geometry.cameras import transform
from anylift_cli.lifting.base import CHECKPOINT, LiftedPerson, LiftOptions
from anylift_cli.lifting.diffusion_lifter import from_all_sides, in_metres, passes_and_seeds, solved_with
from anylift_cli.lifting.imagination import Imagination
from anylift_cli.lifting.joint import CATEGORIES
from anylift_cli.lifting.joint_imagination import Followed, JointImagination
from anylift_cli.lifting.observation import Observation, observe
from anylift_cli.lifting.refine import as_person, carried, models_for, turned
from anylift_cli.progress import Progress
from anylift_cli.weights_store import find_weights


@dataclass(frozen=True)
class Thing:
    """An object of known size: `vertices` (V, 3) m; `camera_from_object` (T, 4, 4) m, NaN where it was not found;
    `confidence` (T,); `category`, one of `joint.CATEGORIES` or another word."""

    vertices: np.ndarray
    camera_from_object: np.ndarray
    confidence: np.ndarray
    category: str


@dataclass(frozen=True)
class LiftedTogether:
    """A person; corners (O, T, 8, 3) of each object's box in the same world, m, and their deviation (O, T, 8)."""

    person: LiftedPerson
    corners: np.ndarray
    deviation: np.ndarray


def things_of(objects: ObjectsArtifact, categories: tuple[str, ...]) -> dict[int, Thing]:
    """Objects of an artifact by their number: those of known size and of one of `joint.CATEGORIES`.

    Args:
        categories: in the order of the objects; the last one counts for all that follow.
    """
    named = [categories[min(number, len(categories) - 1)] for number in range(len(objects.names)) if categories]
    return {
        number: Thing(objects.mesh(number)[0], objects.camera_from_object[number], objects.confidence[number], category)
        for number, category in enumerate(named)
        if category in CATEGORIES and objects.size_known[number]
    }


def lift_together(
    keypoints: KeypointsArtifact,
    cameras: CamerasArtifact,
    things: list[Thing],
    checkpoint: Path,
    options: LiftOptions,
    progress: Progress,
) -> LiftedTogether:
    """The first person together with each object; the first object is the one that places the person.

    The person is halfway between where the joint network and the shipped network of people see them: the first knows
    what objects say of distances, the second has seen more people, and their errors are not the same.

    Raises:
        AnyliftError: see `load_checkpoint`.
    """
    torch.manual_seed(options.seed)
    network = JointImagination.load(checkpoint, options.device)
    people = Imagination.load(find_weights(CHECKPOINT), options.device)
    whole = observe(keypoints, cameras, 0, options.device)
    span = present_span(keypoints.present[0])
    models, measured = models_for(options), options.height is not None
    passes, seeds = passes_and_seeds(options)
    followed = [_followed(thing, span, options.device) for thing in things]

    def look(seen: Observation, passes: int, seeds: list[int]) -> tuple[Tensor, Tensor]:
        found = network.together(seen, followed[0], models.lengths, measured, passes, seeds)
        points, _ = people(seen, models.lengths, passes, seeds)
        return 0.5 * (found.points + points), found.deviation

    with progress.task("lift: poses", total=span.stop - span.start) as task:
        seen, scale = in_metres(whole.select(span, 1), cameras, models, lambda path: look(path, 1, seeds[:1])[0])
        points, spread = from_all_sides(seen, lambda one: look(one, passes, seeds))
        flat = replace(seen, local=None, local_weight=None)
        placed = [network.together(flat, one, models.lengths, measured, passes, seeds) for one in followed]
        solved, deviation = solved_with(points, spread, seen, scale, cameras, models, task)
    turn = solved.gravity.upright_from_world
    upright = turned(seen, turn)
    before, after = span.start, len(keypoints.timestamps) - span.stop
    places = [carried((one.corners @ turn.T)[None], upright, solved.seen)[0] for one in placed]
    corners = [_held(place.double().cpu().numpy(), before, after) for place in places]
    spreads = [_held(one.corner_deviation.cpu().numpy(), before, after) for one in placed]
    return LiftedTogether(as_person(whole, span, solved, deviation, cameras), np.stack(corners), np.stack(spreads))


def _followed(thing: Thing, span: slice, device: str) -> Followed:
    poses = thing.camera_from_object[span]
    known = np.isfinite(poses).all((1, 2))
    corners = transform(np.where(known[:, None, None], poses, np.eye(4)), box_around(thing.vertices))
    return Followed(
        torch.as_tensor(corners, dtype=torch.float32, device=device),
        torch.as_tensor(np.where(known, thing.confidence[span], 0.0), dtype=torch.float32, device=device),
        thing.category,
    )


def _held(values: np.ndarray, before: int, after: int) -> np.ndarray:
    return np.concatenate([values[:1].repeat(before, 0), values, values[-1:].repeat(after, 0)])

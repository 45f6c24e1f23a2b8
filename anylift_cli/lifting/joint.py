"""Person and object in one network: what it is told of the object, and where it sees it (ALGORITHM 5).

An object's points are the corners of its mesh's box, wherever a tracker's pose puts them: metric, because the mesh is.
In frames without a pose they go along with the person, bridged between those with one. The network tells how far off
these told corners are in each view, where a wrong distance is a shift to the side: a small one, so that it is told in
fifths of the coordinates of `views.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from anylift_cli.body.skeleton import BODY24
from anylift_cli.lifting.canonical import Canonical
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.distance_hints import HINTS, distance_hints
from anylift_cli.lifting.multi_view import INPUT_TRUST
from anylift_cli.lifting.views import input_view, to_views, triangulate, view_rotations

CATEGORIES = ("box", "chair", "table")
CORNERS = 8
POINTS = len(BODY24) + CORNERS
OBJECT_WIDTH = 3 * CORNERS + 1 + len(CATEGORIES) + 1 + HINTS
JOINT_WIDTH = WIDTH + OBJECT_WIDTH
_OFFSETS = 0.2
"""Unit of how far corners are off, in the coordinates of `views.py`: about what is usual, as with people's points."""
_ALIKE = {"suitcase": "box", "trashbin": "box", "toolbox": "box", "stool": "chair", "sofa": "chair", "desk": "table"}


@dataclass(frozen=True)
class Told:
    """What is known of B objects over T frames.

    Attributes:
        corners: (B, T, 8, 3) relative to the size root, camera axes, canonical units, bridged where not followed.
        weight: (B, T) confidence of the tracker's pose, 0 where it has none.
        category: (B,) of `CATEGORIES`; -1 is none of them.
        measured: (B,) whether the person's size is known.
    """

    corners: Tensor
    weight: Tensor
    category: Tensor
    measured: Tensor


def category_name(thing: str) -> str:
    """One of `CATEGORIES` for an object by its name, such as "woodchair" or "boxlong"; "" where none fits."""
    named = next((kind for kind in CATEGORIES if kind in thing), "")
    return named or next((kind for name, kind in _ALIKE.items() if name in thing), "")


def category_index(category: str) -> int:
    """Index in `CATEGORIES`; -1 of another word."""
    return CATEGORIES.index(category) if category in CATEGORIES else -1


def told_of(seen: Canonical, corners: Tensor, weight: Tensor, category: Tensor, measured: Tensor) -> Told:
    """What a network is told of objects with `corners` (B, T, 8, 3) of `Canonical.from_camera`; see `Told`.

    Corners may be anything where `weight` (B, T) is 0.
    """
    rotation = seen.camera_from_first[..., :3, :3]
    bridged = _bridged(corners @ rotation, weight > 0) @ rotation.transpose(-1, -2)
    return Told(bridged, weight, category, measured)


def object_conditions(seen: Canonical, told: Told) -> Tensor:
    """(B, T, OBJECT_WIDTH): corners, weight, category, whether the person's size is known, `distance_hints`; to follow
    `conditions`."""
    known = told.weight.amax(1) > 0
    kinds = functional.one_hot(told.category + 1, len(CATEGORIES) + 1)[:, 1:]
    about = torch.cat([kinds, told.measured[:, None]], -1).to(told.corners)
    parts = [told.corners.flatten(2), told.weight[..., None], about[:, None].expand(-1, told.weight.shape[1], -1)]
    parts.append(distance_hints(seen, told.corners, told.weight))
    return torch.cat(parts, -1) * known[:, None, None]


def object_views(seen: Canonical, told: Told, corners: Tensor, views: int) -> Tensor:
    """How far off the told corners are in each virtual view of true `corners` (B, T, 8, 3), (B, T, V - 1, 8, 2)."""
    rotations = view_rotations(seen.up, views)
    return (to_views(corners, seen.root, rotations) - to_views(told.corners, seen.root, rotations)) / _OFFSETS


def triangulated_object(seen: Canonical, told: Told, views: Tensor) -> tuple[Tensor, Tensor]:
    """Corners (B, T, 8, 3) from the told ones and imagined views, and how far the views disagree (B, T, 8).

    Args:
        views: (B, T, V - 1, 32, 2) of a joint network; see `multi_view.imagine`.
    """
    rotations = view_rotations(seen.up, views.shape[2] + 1)
    imagined = _OFFSETS * views[..., len(BODY24) :, :] + to_views(told.corners, seen.root, rotations)
    camera = told.corners + seen.root[..., None, :]
    weight = told.weight[..., None].expand(camera.shape[:-1])
    observed = input_view(camera[..., :2] / camera[..., 2:].clamp_min(1e-3), weight, seen.root)
    trust = torch.cat([INPUT_TRUST * weight[:, :, None], torch.ones_like(imagined[..., 0])], 2)
    return triangulate(torch.cat([observed[:, :, None], imagined], 2), trust, seen.root, rotations)


def _bridged(values: Tensor, known: Tensor) -> Tensor:
    """Values (B, T, ...) on straight lines between `known` (B, T) frames, held at the ends; 0 where none is known."""
    frames = torch.arange(known.shape[1], device=known.device)
    before = torch.where(known, frames, -1).cummax(1).values
    after = torch.where(known, frames, len(frames)).flip(1).cummin(1).values.flip(1)
    low = torch.where(before < 0, after, before).clamp_max(len(frames) - 1)
    high = torch.where(after == len(frames), low, after)
    share = (frames - low).clamp_min(0) / (high - low).clamp_min(1)
    shape = (*known.shape, *[1] * (values.dim() - 2))
    first, last = (values.gather(1, index.reshape(shape).expand_as(values)) for index in (low, high))
    line = first + share.reshape(shape) * (last - first)
    return torch.where(known.any(1).reshape(-1, *[1] * (values.dim() - 1)), line, 0.0)

"""Stage A's terms: root and local parts of one view's points, what a view is told, and one network for all views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from anylift_cli.body.skeleton import BODY24
from anylift_cli.geometry.cameras import invert
from anylift_cli.geometry.rotations import rotation_between
from anylift_cli.lifting.canonical import DISTANCE, Canonical
from anylift_cli.lifting.conditions import CAMERA, PATH, conditions
from anylift_cli.lifting.epipolar import along_ring
from anylift_cli.lifting.observation import ROOT, root_of

CAMERA_WIDTH = PATH.stop - CAMERA.start
SINGLE_WIDTH = CAMERA_WIDTH + 3 * len(BODY24)
"""What a view is told of each frame: its camera, up and size root, and a line for each point."""
_PATH_START = PATH.start - CAMERA.start
PARTS = {
    "camera": (slice(0, CAMERA.stop - CAMERA.start), slice(_PATH_START, CAMERA_WIDTH)),
    "lines": (slice(CAMERA_WIDTH, SINGLE_WIDTH),),
}
"""What a network can be trained without, to see what it is worth."""

ViewDenoiser = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(noisy parts (B, T, V - 1, 24, 2), step (B,), lines (B, T, V - 1, 24, 3)) → clean parts (B, T, V - 1, 24, 2)."""


def decoupled(points: Tensor) -> Tensor:
    """Root and local parts (ALGORITHM 2.3): hips as they are, all other points relative to the hips' mean.

    Args:
        points: (..., 24, D).
    """
    return torch.where(_hips(points), points, points - root_of(points)[..., None, :])


def coupled(parts: Tensor) -> Tensor:
    """The points (..., 24, D) whose parts these are."""
    return torch.where(_hips(parts), parts, parts + root_of(parts)[..., None, :])


def camera_conditions(seen: Canonical) -> Tensor:
    """(B, T, CAMERA_WIDTH): C, up, the size root's gaze, depth and path."""
    return conditions(seen)[..., CAMERA.start : PATH.stop]


def seen_from(seen: Canonical, rotations: Tensor) -> Canonical:
    """Canonical form of the virtual views, view after view of each clip (B · (V - 1)); nothing is observed there.

    Args:
        rotations: (B, T, V - 1, 3, 3) of `views.view_rotations`.
    """
    views = rotations.shape[2]
    view_from_camera = along_ring(seen.root, rotations).transpose(1, 2)
    first = invert(view_from_camera[:, :, :1])
    trajectory = view_from_camera @ seen.camera_from_first[:, None] @ first
    metric = first[:, :, 0].clone()
    metric[..., :3, 3] *= seen.unit[:, None, None]
    batch, frames, count = seen.weight.shape
    unseen = torch.zeros(batch * views, frames, count, device=seen.weight.device)
    return Canonical(
        rays=unseen[..., None].expand(-1, -1, -1, 2),
        weight=unseen,
        camera_from_first=trajectory.flatten(0, 1),
        up=seen.up.repeat_interleave(views, 0),
        root=seen.root.repeat_interleave(views, 0),
        local=unseen[..., None].expand(-1, -1, -1, 3),
        local_weight=unseen,
        unit=seen.unit.repeat_interleave(views, 0),
        world_from_first=(seen.world_from_first[:, None] @ metric).flatten(0, 1),
    )


def reframed(seen: Canonical, root: Tensor) -> Canonical:
    """The same evidence about another size root (B, T, 3) in the present cameras: turned to it, in units of it."""
    turn = rotation_between(root[:, 0], torch.tensor([0.0, 0.0, 1.0], device=root.device).expand_as(root[:, 0]))
    factor = root[:, 0].norm(dim=-1) / DISTANCE
    direction = torch.cat([seen.rays, torch.ones_like(seen.rays[..., :1])], -1) @ turn[:, None].transpose(-1, -2)
    rays = direction[..., :2] / direction[..., 2:].clamp_min(0.05)
    turning = torch.zeros(len(root), 4, 4, dtype=root.dtype, device=root.device)
    turning[:, :3, :3], turning[:, 3, 3] = turn, 1
    trajectory = turning[:, None] @ seen.camera_from_first @ invert(turning)[:, None]
    trajectory[..., :3, 3] /= factor[:, None, None]
    return replace(
        seen,
        rays=torch.where((seen.weight > 0)[..., None], rays, 0.0),
        camera_from_first=trajectory,
        up=seen.up @ turn.transpose(-1, -2),
        root=root @ turn.transpose(-1, -2) / factor[:, None, None],
        local=seen.local @ turn[:, None].transpose(-1, -2) / factor[:, None, None, None],
        unit=seen.unit * factor,
        world_from_first=seen.world_from_first @ invert(turning),
    )


def view_denoiser(model: nn.Module, seen: Canonical, rotations: Tensor, valid: Tensor) -> ViewDenoiser:
    """The single-view network at work on all virtual views of the clips at once.

    Args:
        model: `networks.SingleView`.
        rotations: (B, T, V - 1, 3, 3); valid: (B, T) frames that exist.
    """
    views = rotations.shape[2]
    camera = camera_conditions(seen_from(seen, rotations))
    exists = valid.repeat_interleave(views, 0)

    def denoise(noisy: Tensor, step: Tensor, lines: Tensor) -> Tensor:
        condition = torch.cat([camera, lines.transpose(1, 2).flatten(0, 1).flatten(2)], -1)
        clean = model(noisy.transpose(1, 2).flatten(0, 1), step.repeat_interleave(views), condition, exists)
        return clean.unflatten(0, (-1, views)).transpose(1, 2)

    return denoise


def _hips(points: Tensor) -> Tensor:
    mask = torch.zeros(len(BODY24), 1, dtype=torch.bool, device=points.device)
    mask[list(ROOT)] = True
    return mask

"""Stage B: the other views of a clip from the single-view prior, made consistent in 3D (ALGORITHM 3, 8.4).

`ancestral` keeps one 3D sequence: each step of sampling sees all views, triangulates, and goes on from the projections.
`distilled` is the paper's score distillation: 2D points of all views are moved by the prior and onto epipolar lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anylift_cli.lifting.canonical import DISTANCE, FOCAL, Canonical
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.edges import SIZE, edge_lengths
from anylift_cli.lifting.epipolar import (
    along_ring,
    epipole,
    line_distance,
    network_epipole,
    relative,
    trust_of_lines,
    view_lines,
)
from anylift_cli.lifting.multi_view import triangulated
from anylift_cli.lifting.observation import root_of
from anylift_cli.lifting.single_view import ViewDenoiser, coupled, decoupled
from anylift_cli.lifting.views import input_view, to_views

_SEEN = 0.05
_OFF_INPUT, _OFF_LINES = 0.08, 0.05
"""Largest mean distance from the input view's points and median distance from its lines, m at the person."""
_SPEED, _ACCELERATION = 8.0, 60.0
"""Of the root, m/s and m/s²."""
_STRETCH = 0.08
"""Largest relative standard deviation of limb and trunk lengths over time."""
_SHORTEST = 0.5
"""Share of a window that must exist."""
_SMOOTH = 5


@dataclass(frozen=True)
class Distillation:
    """How `distilled` goes.

    Attributes:
        iterations: steps of Adam, at `rate`.
        noise: range of noise levels, share of the schedule.
        snr_limit: the pull of the prior is the root of the signal-to-noise ratio, limited to this.
        lines: weight of all line terms against the prior; raised from a tenth over the first `ramp` iterations.
    """

    iterations: int = 300
    rate: float = 2e-3
    noise: tuple[float, float] = (0.02, 0.7)
    snr_limit: float = 5.0
    lines: float = 1000.0
    ramp: int = 100


PAPER = Distillation(iterations=5000, rate=1e-3, noise=(0.001, 1.0), snr_limit=math.inf, ramp=0)
"""The schedule of the paper and its predecessor (ALGORITHM 3.2)."""


def ancestral(
    denoise: ViewDenoiser,
    schedule: Schedule,
    seen: Canonical,
    rotations: Tensor,
    passes: int,
    generator: torch.Generator,
) -> Tensor:
    """Consistent 2D points (B, T, V - 1, 24, 2) of the virtual views, network coordinates.

    Args:
        rotations: (B, T, V - 1, 3, 3) of `views.view_rotations`.
        passes: evaluations of the prior, from pure noise down.
        generator: of the noise, on the device of the clips.
    """
    steps = torch.linspace(schedule.steps - 1, 0, passes + 1)[:-1].round().long().tolist()
    noisy = _common_noise(rotations, generator)
    local = None
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        index = torch.full((len(noisy),), step, device=noisy.device)
        found = coupled(denoise(noisy, index, input_lines(seen, local, rotations)))
        local, _ = triangulated(seen, found)
        views = to_views(local, seen.root, rotations)
        if following is not None:
            index = torch.full_like(index, following)
            noisy = schedule.noised(decoupled(views), _common_noise(rotations, generator), index)
    return views


def distilled(
    denoise: ViewDenoiser,
    schedule: Schedule,
    seen: Canonical,
    rotations: Tensor,
    start: Tensor,
    config: Distillation,
    generator: torch.Generator,
) -> Tensor:
    """2D points (B, T, V - 1, 24, 2) from points `start` by score distillation with line losses (ALGORITHM 3.2)."""
    parts = decoupled(start).detach().clone().requires_grad_(True)
    optimiser = torch.optim.Adam([parts], lr=config.rate)
    lines = input_lines(seen, None, rotations)
    low, high = (min(round(share * schedule.steps), schedule.steps - 1) for share in config.noise)
    for iteration in range(config.iterations):
        step = int(torch.randint(low, high + 1, (1,), generator=generator, device=parts.device))
        index = torch.full((len(parts),), step, device=parts.device)
        noise = torch.randn(parts.shape, generator=generator, device=parts.device)
        with torch.no_grad():
            clean = denoise(schedule.noised(parts, noise, index), index, lines)
        signal = schedule.signal[step]
        pull = (signal / (1 - signal)).clamp_max(config.snr_limit).sqrt() * (parts.detach() - clean)
        prior = (pull * parts).sum() / (len(parts) * parts.shape[2])
        ramp = min(1.0, 0.1 + 0.9 * iteration / config.ramp) if config.ramp else 1.0
        loss = prior + config.lines * ramp * line_terms(seen, rotations, coupled(parts), lines)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return coupled(parts.detach())


def input_lines(seen: Canonical, local: Tensor | None, rotations: Tensor) -> Tensor:
    """Lines (B, T, V - 1, 24, 3) of the input view's points in the virtual views.

    Args:
        local: (B, T, 24, 3) present 3D points, which stand in for points that were not observed; without them those
            have no line.
    """
    points = input_view(seen.rays, seen.weight, seen.root)
    known = (seen.weight > _SEEN)[..., None]
    if local is not None:
        identity = torch.eye(3, device=local.device).expand(*rotations.shape[:2], 1, 3, 3)
        points = torch.where(known, points, to_views(local, seen.root, identity)[:, :, 0])
    lines = view_lines(points[:, :, None], seen.root[:, :, None], along_ring(seen.root, rotations))
    return lines if local is not None else torch.where(known[:, :, None], lines, 0.0)


def line_terms(seen: Canonical, rotations: Tensor, points: Tensor, lines: Tensor) -> Tensor:
    """Mean distances from lines: neighbouring virtual views both ways, and the input's in both of each such pair.

    Args:
        points: (B, T, V - 1, 24, 2); lines: (B, T, V - 1, 24, 3) of `input_lines`.
    """
    poses = along_ring(seen.root, rotations)
    root = seen.root[:, :, None]
    from_input = _distance(points, lines, network_epipole(epipole(poses), root))
    pairs = max(points.shape[2] - 1, 1)
    if points.shape[2] == 1:
        return from_input.sum()
    total = from_input[:-1].sum() + from_input[1:].sum()
    for source, target in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
        pose = relative(poses[:, :, source], poses[:, :, target])
        across = view_lines(points[:, :, source].detach(), root, pose)
        total = total + _distance(points[:, :, target], across, network_epipole(epipole(pose), root)).sum()
    return total / pairs


def faults(seen: Canonical, valid: Tensor, local: Tensor, views: Tensor, rotations: Tensor, fps: float) -> list[str]:
    """Why each clip's 3D points are no good to train with, "" if they are (ALGORITHM 3.5).

    Args:
        valid: (B, T) frames that exist; local: (B, T, 24, 3) triangulated points; views: (B, T, V - 1, 24, 2) that they
            were triangulated from.
    """
    metres = seen.unit * DISTANCE / FOCAL
    identity = torch.eye(3, device=local.device).expand(*rotations.shape[:2], 1, 3, 3)
    projected = to_views(local, seen.root, identity)[:, :, 0]
    known = (seen.weight > _SEEN) & valid[..., None]
    miss = (projected - input_view(seen.rays, seen.weight, seen.root)).norm(dim=-1)
    off_input = (miss * known).sum((1, 2)) / known.sum((1, 2)).clamp_min(1)
    far = line_distance(views, input_lines(seen, None, rotations))
    off_lines = torch.where(known[:, :, None], far, torch.nan).flatten(1).nanmedian(-1).values
    world = seen.to_world(local)
    root = root_of(world).transpose(1, 2)
    root = torch.nn.functional.avg_pool1d(root, _SMOOTH, 1).transpose(1, 2)
    moving = (valid[:, _SMOOTH:] * valid[:, :-_SMOOTH]).float()
    speed = (root.diff(dim=1).norm(dim=-1) * fps * moving).amax(1)
    acceleration = (root.diff(n=2, dim=1).norm(dim=-1) * fps**2 * moving[:, 1:]).amax(1)
    lengths = edge_lengths(world)[..., SIZE.to(world.device)]
    share = valid[..., None].float()
    mean = (lengths * share).sum(1) / share.sum(1)
    deviation = (((lengths - mean[:, None]).square() * share).sum(1) / share.sum(1)).sqrt()
    rules: list[tuple[str, Tensor]] = [
        ("too short", valid.float().mean(1) < _SHORTEST),
        ("not what the input view shows", off_input * metres > _OFF_INPUT),
        ("off the lines", off_lines * metres > _OFF_LINES),
        ("too fast", (speed > _SPEED) | (acceleration > _ACCELERATION)),
        ("limbs change length", (deviation / mean).mean(-1) > _STRETCH),
    ]
    found = [""] * len(local)
    for reason, broken in reversed(rules):
        found = [reason if bad else old for bad, old in zip(broken.tolist(), found, strict=True)]
    return found


def refined(
    denoise: ViewDenoiser,
    schedule: Schedule,
    seen: Canonical,
    rotations: Tensor,
    passes: int,
    generator: torch.Generator,
) -> Tensor:
    """`ancestral`, then `distilled` from there in `passes` iterations."""
    start = ancestral(denoise, schedule, seen, rotations, METHODS["ancestral"].passes, generator)
    config = replace(Distillation(), iterations=passes)
    return distilled(denoise, schedule, seen, rotations, start, config, generator)


def paper(
    denoise: ViewDenoiser,
    schedule: Schedule,
    seen: Canonical,
    rotations: Tensor,
    passes: int,
    generator: torch.Generator,
) -> Tensor:
    """`distilled` as the paper does it, from all points in the middle, in `passes` iterations."""
    start = torch.zeros(*rotations.shape[:3], seen.weight.shape[-1], 2, device=rotations.device)
    return distilled(denoise, schedule, seen, rotations, start, replace(PAPER, iterations=passes), generator)


@dataclass(frozen=True)
class Method:
    """(denoiser, schedule, clips, rotations, passes, generator) → 2D points of the virtual views; its usual passes."""

    function: Callable[[ViewDenoiser, Schedule, Canonical, Tensor, int, torch.Generator], Tensor]
    passes: int


METHODS = {
    "ancestral": Method(ancestral, 10),
    "sds": Method(refined, Distillation().iterations),
    "sds-paper": Method(paper, PAPER.iterations),
}


def _common_noise(rotations: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of all views that is the projection of one 3D noise (MAS), (B, T, V - 1, 24, 2)."""
    noise = torch.randn(*rotations.shape[:2], 24, 3, generator=generator, device=rotations.device)
    return (noise[:, :, None] @ rotations.transpose(-1, -2))[..., :2]


def _distance(points: Tensor, lines: Tensor, through: Tensor) -> Tensor:
    """Mean distance of each view, (V,), where there are lines, less near the epipole."""
    share = trust_of_lines(points.detach(), through) * (lines != 0).any(-1)
    distance = line_distance(points, lines) * share
    return distance.sum((0, 1, 3)) / share.sum((0, 1, 3)).clamp_min(1e-6)

"""Stage C: imagine the other views of a window with a trained network, and see the points in 3D."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anylift_cli.body.skeleton import BODY24
from anylift_cli.lifting.canonical import Canonical
from anylift_cli.lifting.diffusion import Schedule, ddim
from anylift_cli.lifting.views import input_view, triangulate, view_rotations

INPUT_TRUST = 4.0
"""Weight of the observed view against each imagined one (ALGORITHM 3.3)."""


def imagine(model: nn.Module, schedule: Schedule, condition: Tensor, valid: Tensor, passes: int, seed: int) -> Tensor:
    """2D points of the virtual views, (B, T, V - 1, N, 2), network coordinates.

    Args:
        condition: (B, T, C) of `conditions`; valid: (B, T) frames that exist.
        passes: evaluations of the network.
        seed: of the noise; the same for each entry, whatever the batch.
    """
    shape = (condition.shape[1], model.config.views - 1, model.config.points, 2)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(condition)
    return ddim(
        lambda noisy, step: model(noisy, step, condition, valid), schedule, noise.expand(len(condition), *shape), passes
    )


def triangulated(seen: Canonical, views: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, T, 24, 3) from the input view and imagined ones, and how far the views disagree (B, T, 24).

    Both in canonical units, relative to the size root, camera axes. Of views of a joint network, the person's points.
    """
    views = views[..., : len(BODY24), :]
    rotations = view_rotations(seen.up, views.shape[2] + 1)
    observed = torch.cat([input_view(seen.rays, seen.weight, seen.root)[:, :, None], views], 2)
    trust = torch.cat([INPUT_TRUST * seen.weight[:, :, None], torch.ones_like(views[..., 0])], 2)
    return triangulate(observed, trust, seen.root, rotations)

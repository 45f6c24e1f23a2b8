"""Minimise the objective over world points, all frames and all people of a batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from anylift_cli.lifting.objective import Objective, PathError
from anylift_cli.lifting.observation import root_of

_SETTLED = 1e-5
"""Metres: a shorter step is the last one."""
_KNOTS = 0.5
"""Seconds between the values that the drift of the camera path is interpolated from."""


@dataclass(frozen=True)
class Solution:
    """World points (B, T, 24, 3), edge-length deviations (B, pairs), final energies (B,), and by how much cameras are
    elsewhere than estimated (B, T, 3), m."""

    points: Tensor
    log_lengths: Tensor
    energy: Tensor
    moved: Tensor


def minimise(
    objective: Objective,
    points: Tensor,
    log_lengths: Tensor | None = None,
    *,
    iterations: int,
    step: float = 0.02,
) -> Solution:
    """Adam with a falling step (metres), from `points` (B, T, 24, 3); the cameras are where they were estimated.

    Roots and root-relative points are separate variables, so that a person moves as one.
    """
    if log_lengths is None:
        log_lengths = points.new_zeros(len(points), int(objective.twin.max()) + 1)
    root = root_of(points).clone().requires_grad_()
    local = (points - root_of(points)[..., None, :]).clone().requires_grad_()
    scales = log_lengths.clone().requires_grad_()
    optimiser = torch.optim.Adam([{"params": [root, local]}, {"params": [scales], "lr": step * 0.2}], lr=step)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: max(1 - i / iterations, 0.03))
    for _ in range(iterations):
        optimiser.zero_grad()
        objective(root[..., None, :] + local, scales).sum().backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        solved = root[..., None, :] + local
        return Solution(solved, scales.detach(), objective(solved, scales), torch.zeros_like(root))


def polish(objective: Objective, points: Tensor, *, evaluations: int) -> Solution:
    """L-BFGS from `points` (B, T, 24, 3): nearer to the minimum than Adam, for points that move smoothly already.

    Where cameras drift (`weights.drift`) or their path's length is in doubt (`weights.stretch`), what is known of the
    person, feet on the ground above all, corrects them.

    Args:
        evaluations: of the objective.
    """
    (count, frames), times = points.shape[:2], objective.observation.times[0]
    root = root_of(points).clone().requires_grad_()
    local = (points - root_of(points)[..., None, :]).clone().requires_grad_()
    scales = points.new_zeros(count, int(objective.twin.max()) + 1).requires_grad_()
    knots = points.new_zeros(count, 3, 1 + max(1, round(float(times[-1] - times[0]) / _KNOTS)))
    stretch = points.new_zeros(count)
    doubts = (knots, objective.weights.drift), (stretch, objective.weights.stretch)
    optimiser = torch.optim.LBFGS(
        [root, local, scales, *(values.requires_grad_() for values, doubt in doubts if doubt)],
        max_iter=evaluations,
        max_eval=evaluations,
        history_size=10,
        tolerance_grad=0.0,
        tolerance_change=_SETTLED,
        line_search_fn="strong_wolfe",
    )

    def found() -> tuple[Tensor, Tensor, Tensor]:
        """World points, by how much cameras are elsewhere, and the energy; people go along with their cameras."""
        path = PathError(interpolate(knots, frames, mode="linear", align_corners=True).mT, stretch)
        moved = objective.moved(path)
        solved = (root + moved)[..., None, :] + local
        return solved, moved, objective(solved, scales, path)

    def energy() -> Tensor:
        optimiser.zero_grad()
        total = found()[2].sum() * frames
        total.backward()
        return total

    optimiser.step(energy)
    with torch.no_grad():
        solved, moved, final = found()
        return Solution(solved, scales.detach(), final, moved)

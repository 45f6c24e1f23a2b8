"""Boxes, chairs and tables of random size, and where hands take them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anylift_cli.lifting.joint import CATEGORIES
from anylift_cli.synthetic.draw import Draw

BOX, CHAIR, TABLE = range(len(CATEGORIES))
_SHARES = (0.45, 0.25, 0.3)
_SMALLEST = ((0.14, 0.10, 0.08), (0.36, 0.36, 0.65), (0.40, 0.40, 0.35))
_LARGEST = ((0.62, 0.55, 0.55), (0.65, 0.62, 1.10), (1.40, 0.90, 0.80))
"""Edges along right, ahead and up, m."""
_ELONGATED = 0.12
"""Share of the boxes that are flat or long: suitcases, boards, sticks."""
PALM = 0.03
"""Metres from the surface to the middle of the hand that holds it."""
_ARMSPAN = 0.7
"""Metres between two hands that carry something by its sides at most."""


@dataclass(frozen=True)
class Shapes:
    """Boxes around B things: `category` (B,) of `CATEGORIES`, `half` (B, 3) edges along right, ahead and up, m."""

    category: Tensor
    half: Tensor


def draw_shapes(count: int, draw: Draw) -> Shapes:
    """Things of all categories."""
    shares = torch.tensor(_SHARES, device=draw.device)
    category = torch.multinomial(shares, count, replacement=True, generator=draw.generator)
    low, high = (torch.tensor(values, device=draw.device)[category] for values in (_SMALLEST, _LARGEST))
    edges = low + (high - low) * draw.uniform((count, 3))
    thin = torch.nn.functional.one_hot(draw.integers((count,), 3), 3)
    elongated = draw.chance((count,), _ELONGATED) & (category == BOX)
    edges = torch.where(elongated[:, None], edges * torch.where(thin > 0, 0.4, 1.3), edges)
    return Shapes(category, edges / 2)


def two_hand_grips(shapes: Shapes, draw: Draw) -> Tensor:
    """Where left and right hand are on each thing, (B, 2, 3) m about its middle; the person stands behind it.

    Narrow things are held by their sides, wide ones by the edge that is near.
    """
    count, half = len(shapes.half), shapes.half
    sides = 2 * half[:, 0] < _ARMSPAN
    along = draw.uniform((count,), -0.8, 0.3) * half[:, 1]
    height = draw.uniform((count,), -0.9, 0.6) * half[:, 2]
    apart = torch.where(sides, half[:, 0] + PALM, draw.uniform((count,), 0.15, 0.32))
    ahead = torch.where(sides, along, -half[:, 1] - PALM)
    upward = torch.where(sides, height, draw.uniform((count,), 0.0, 1.0) * half[:, 2])
    left = torch.stack([-apart, ahead, upward], -1)
    return torch.stack([left, left * left.new_tensor([-1.0, 1.0, 1.0])], 1)


def handle(shapes: Shapes) -> Tensor:
    """Where one hand carries each thing from above, (B, 3) m about its middle."""
    above = torch.zeros_like(shapes.half)
    above[:, 2] = shapes.half[:, 2] + PALM
    return above

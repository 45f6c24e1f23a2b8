"""Corners of boxes, always in the same order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_SIGNS = torch.tensor([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])


def box_corners(half: Tensor) -> Tensor:
    """(..., 8, 3) corners of boxes with half edges (..., 3) about their middles."""
    return half[..., None, :] * _SIGNS.to(half)


def box_around(vertices: np.ndarray) -> np.ndarray:
    """(8, 3) corners of the box around vertices (V, 3), along their axes."""
    low, high = vertices.min(0), vertices.max(0)
    return box_corners(torch.from_numpy((high - low) / 2)).numpy() + (low + high) / 2

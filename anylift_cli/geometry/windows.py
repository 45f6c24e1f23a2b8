"""Long clips in overlapping windows, so that memory does not grow with their length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

LENGTH = 240
OVERLAP = 40


@dataclass(frozen=True)
class Window:
    """Frames [start, stop) and their blending weights (stop - start,), which sum to one over all windows."""

    start: int
    stop: int
    weight: Tensor

    @property
    def frames(self) -> slice:
        return slice(self.start, self.stop)


def windows(count: int, length: int = LENGTH, overlap: int = OVERLAP) -> Iterator[Window]:
    """Windows of at most `length` frames over `count` frames, neighbours sharing `overlap` frames or more."""
    if count <= length:
        yield Window(0, count, torch.ones(count))
        return
    number = _number(count, length, overlap)
    starts = [round(i * (count - length) / (number - 1)) for i in range(number)]
    for index, start in enumerate(starts):
        weight = torch.ones(length)
        if index > 0:
            shared = starts[index - 1] + length - start
            weight[:shared] = (torch.arange(shared) + 0.5) / shared
        if index < number - 1:
            shared = start + length - starts[index + 1]
            weight[-shared:] = 1 - (torch.arange(shared) + 0.5) / shared
        yield Window(start, start + length, weight)


def equal_windows(count: int) -> Iterator[Window]:
    """As few windows as `windows` makes, none longer than it must be."""
    number = 1 if count <= LENGTH else _number(count, LENGTH, OVERLAP)
    return windows(count, -(-(count + (number - 1) * OVERLAP) // number))


def _number(count: int, length: int, overlap: int) -> int:
    return -(-(count - overlap) // (length - overlap))

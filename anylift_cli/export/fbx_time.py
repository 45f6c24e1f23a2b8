"""FBX's clock: ticks, and the frame rates that it has names for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

TICKS = 46_186_158_000
"""Per second; all common frame rates divide it."""
MODES = {
    1: 120.0, 2: 100.0, 3: 60.0, 4: 50.0, 5: 48.0, 6: 30.0, 9: 30 / 1.001, 10: 25.0, 11: 24.0, 13: 24 / 1.001,
    15: 96.0, 16: 72.0, 17: 60 / 1.001, 18: 120 / 1.001,
}  # fmt: skip
"""Frames per second of FbxTime::EMode."""
_CUSTOM = 14
_SAME = 1e-4
"""Relative difference below which a measured or rounded rate is the named one: 6 ms in a minute."""


@dataclass(frozen=True)
class Clock:
    """The moments of frames 0 … `frames` - 1 at about `fps` frames per second."""

    fps: float
    frames: int

    @cached_property
    def mode(self) -> int:
        """FbxTime::EMode."""
        return next((mode for mode, rate in MODES.items() if abs(self.fps - rate) < _SAME * rate), _CUSTOM)

    @property
    def rate(self) -> float:
        """Frames per second, exactly those of the mode, so that keys lie on the frames of programs."""
        return MODES.get(self.mode, self.fps)

    @cached_property
    def ticks(self) -> np.ndarray:
        """(T,) int64 time of each frame."""
        return np.round(np.arange(self.frames) * (TICKS / self.rate)).astype(np.int64)

    @property
    def start(self) -> np.int64:
        """Time of the first frame."""
        return self.ticks[0]

    @property
    def stop(self) -> np.int64:
        """Time of the last frame."""
        return self.ticks[-1]

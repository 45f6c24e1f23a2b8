"""How much a pixel's colour is an object's rather than that of what surrounds it."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

_BINS = (16, 32, 32)
"""Of lightness and the two axes of colour (CIE L*a*b*)."""
_BLUR = (1.5, 1.0, 1.0)
"""Bins by which light and shade change a colour."""
_FAINT = 0.02
"""Of the mean density: colours rarer than this in both say nothing."""


class Colours:
    """Histograms of an object and of its surroundings, learned from frames in which its place is known."""

    def __init__(self) -> None:
        self._own = np.zeros(_BINS)
        self._other = np.zeros(_BINS)

    def learn(self, image: np.ndarray, own: np.ndarray, near: np.ndarray) -> None:
        """Take in a frame.

        Args:
            image: (height, width, 3) RGB uint8.
            own: (height, width) bool, the object.
            near: (height, width) bool, what surrounds it, which counts as much as all the rest of the frame.
        """
        bins = _bins_of(image)
        self._own += _density(bins[own])
        rest = ~(own | near)
        self._other += (_density(bins[near]) + _density(bins[rest])) / 2

    def likeness(self, image: np.ndarray) -> np.ndarray:
        """Map (height, width) float32 of an RGB image: 1 where colours are the object's own, 0 where the others'."""
        own, other = (gaussian_filter(density, _BLUR) for density in (self._own, self._other))
        faint = _FAINT * own.mean()
        table = (own / (own + other + faint)).astype(np.float32).ravel()
        return table[_bins_of(image)]


def _bins_of(image: np.ndarray) -> np.ndarray:
    """Number of each pixel's bin."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    parts = [lab[..., i].astype(np.int32) * count // 256 for i, count in enumerate(_BINS)]
    return (parts[0] * _BINS[1] + parts[1]) * _BINS[2] + parts[2]


def _density(bins: np.ndarray) -> np.ndarray:
    counts = np.bincount(bins, minlength=int(np.prod(_BINS))).reshape(_BINS)
    return counts / max(len(bins), 1)

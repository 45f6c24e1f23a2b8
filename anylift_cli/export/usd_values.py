"""Values as USD attributes take them: over time, and as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pxr import Usd, Vt


def animate(attribute: Usd.Attribute, values: Iterable[object]) -> None:
    """One value per frame, the first at time code 0."""
    for frame, value in enumerate(values):
        attribute.Set(value, frame)


def animate_numbers(attribute: Usd.Attribute, values: np.ndarray) -> None:
    """`values` (T,) frame by frame, or once where float32 tells none from the first."""
    if np.allclose(values, values[0], rtol=1e-7, atol=0):
        attribute.Set(float(values[0]))
    else:
        animate(attribute, values.astype(float).tolist())


def vectors(points: np.ndarray) -> Vt.Vec3fArray:
    """Points (N, 3) as USD holds them."""
    return Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(points, np.float32))


def extent(low: Sequence[float], high: Sequence[float]) -> Vt.Vec3fArray:
    """The box between two corners (3,)."""
    return vectors(np.stack([low, high]))

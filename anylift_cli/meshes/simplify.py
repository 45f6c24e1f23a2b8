"""Coarser meshes, for drawing."""

from __future__ import annotations

import numpy as np


def simplified(vertices: np.ndarray, faces: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """A mesh of at most `most` faces: vertices in one cell of a grid become their mean (Rossignac and Borrel 1993).

    A mesh that is small enough stays as it is.

    Args:
        vertices, faces: (V, 3), (F, 3).
    """
    cells = max(int(np.sqrt(most)), 2)
    coarse = vertices, faces
    while len(coarse[1]) > most and cells > 1:
        coarse = _clustered(vertices, faces, cells)
        cells = int(cells / 1.25)
    return coarse


def _clustered(vertices: np.ndarray, faces: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `cells` along the longest side."""
    low, size = vertices.min(0), max(float(np.ptp(vertices, axis=0).max()), 1e-12)
    key = np.minimum((vertices - low) / size * cells, cells - 1).astype(int) @ [1, cells, cells * cells]
    _, owner, count = np.unique(key, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(owner, column) for column in vertices.T], -1) / count[:, None]
    merged = owner[faces]
    kept = (merged != np.roll(merged, 1, 1)).all(1)
    return means, np.unique(merged[kept], axis=0)

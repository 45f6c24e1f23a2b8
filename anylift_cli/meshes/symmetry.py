"""Turns of a mesh onto itself."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.meshes.balls import ball_of
from anylift_cli.meshes.surface import Surface, sampled

_SAMPLES = 500
_TOLERANCE = 0.02
"""Of the longest side: how far a turned surface may be from itself."""
_ROUND = 12
"""Turns that stand for all those about an axis of a round object."""


def symmetries(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Rotations (S, 3, 3) about the middle of the mesh's box that leave its shape as it is, the identity first.

    Looked for are quarter and half turns about the mesh's own axes and, for round objects, twelfths of a turn. What is
    printed on an object does not count: shape alone cannot tell these poses apart. Of a ball, which any turn leaves as
    it is, those of a cube stand for all.
    """
    middle = (vertices.min(0) + vertices.max(0)) / 2
    size = float(np.ptp(vertices, axis=0).max())
    surface = Surface(vertices - middle, faces)
    probe = sampled(vertices - middle, faces, _SAMPLES)

    def stays(turn: np.ndarray) -> bool:
        return float(np.quantile(np.abs(surface.nearest(probe @ turn.T)[1]), 0.98)) < _TOLERANCE * size

    cubes = Rotation.create_group("O").as_matrix()
    is_ball = ball_of(vertices, faces) is not None
    found = [turn for turn in cubes if is_ball or stays(turn)]
    for axis in np.eye(3)[: 0 if is_ball else 3]:
        steps = Rotation.from_rotvec(2 * np.pi / _ROUND * np.arange(1, _ROUND)[:, None] * axis).as_matrix()
        if stays(steps[0]):
            found += [turn @ step for turn in list(found) for step in steps]
    found.sort(key=lambda turn: -np.trace(turn))
    kept: list[np.ndarray] = []
    for turn in found:
        if all(np.abs(turn - other).max() > 1e-6 for other in kept):
            kept.append(turn)
    return np.stack(kept)

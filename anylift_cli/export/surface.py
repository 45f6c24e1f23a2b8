"""How a mesh is lit and coloured: unit normals and linear colours."""

from __future__ import annotations

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.parameters import body_of
from anylift_cli.rendering.mesh import vertex_normals

CLAY = (0.45, 0.43, 0.41)
"""Linear colour of what has none of its own."""


def unit_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Normals (V, 3) of length 1 everywhere; vertices of no face or only of faces without area get +y."""
    normals = vertex_normals(vertices, faces)
    return np.where(np.linalg.norm(normals, axis=-1, keepdims=True) > 0.5, normals, (0.0, 1.0, 0.0))


def body_colours(motion: MotionArtifact) -> np.ndarray | None:
    """Linear colours (V, 3), 0 … 1, of the vertices of a motion's body; None where the body has none.

    The body's own are sRGB (IEC 61966-2-1).
    """
    coded = body_of(motion).vertex_colors
    if coded is None:
        return None
    coded = coded / 255
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)

"""Mesh files of any format that trimesh reads, and how large they are in metres."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anylift_cli.errors import AnyliftError, UsageError

MAX_MESH_BYTES = 1 << 28
LIKELY_SIZES = (0.03, 4.0)
"""Metres: the longest side of things that people handle. A mesh outside of it is not in metres."""


@dataclass(frozen=True)
class Mesh:
    """Triangles of one object.

    Attributes:
        vertices: (V, 3) in the object's own axes, m.
        faces: (F, 3) vertex indices, in any winding; the mesh need not be closed.
        size_known: whether the vertices are truly metres; otherwise only their proportions count.
        unit: metres per unit of the file.
    """

    vertices: np.ndarray
    faces: np.ndarray
    size_known: bool = True
    unit: float = 1.0


def read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and triangles (F, 3) of a mesh file of any format that trimesh reads.

    Raises:
        AnyliftError: missing, too large, damaged, or without triangles.
    """
    import trimesh

    if not path.is_file():
        raise AnyliftError(f"{path} does not exist", "check the path")
    if path.stat().st_size > MAX_MESH_BYTES:
        raise AnyliftError(f"{path} is larger than {MAX_MESH_BYTES >> 20} MiB", "simplify the mesh first")
    try:
        mesh = trimesh.load_mesh(path, process=False, skip_materials=True)
        vertices, faces = np.array(mesh.vertices, np.float64), np.array(mesh.faces, np.int64)
    except Exception as error:
        raise AnyliftError(
            f"{path} cannot be read as a mesh: {error}", "give an .obj, .ply, .stl or .glb file"
        ) from error
    if not len(faces) or not np.isfinite(vertices).all():
        raise AnyliftError(f"{path} holds no triangles, or vertices that are not numbers", "export the mesh again")
    if vertices.shape[1:] != (3,) or faces.shape[1:] != (3,) or faces.min() < 0 or faces.max() >= len(vertices):
        raise AnyliftError(f"{path}: its triangles name vertices that it does not have", "export the mesh again")
    return vertices, faces


def read_object(path: Path, size: float | None = None) -> Mesh:
    """The mesh of an object, in metres, without the vertices that no triangle uses.

    Args:
        size: longest side of the mesh's box in metres; 0 where nobody knows it; None takes the file to be in metres,
            which it must look like.

    Raises:
        UsageError: an impossible `size`, or a mesh without one that is not in metres.
        AnyliftError: see `read_mesh`; a mesh without extent.
    """
    if size is not None and not 0 <= size < 100:
        raise UsageError(f"an object of {size:g} m is out of range", "give its longest side in metres, 0 if unknown")
    vertices, faces = read_mesh(path)
    used, faces = np.unique(faces, return_inverse=True)
    vertices, faces = vertices[used], faces.reshape(-1, 3)
    longest = float(np.ptp(vertices, axis=0).max())
    if longest <= 0:
        raise AnyliftError(f"{path} has no extent: all of its vertices are in one place")
    least, most = LIKELY_SIZES
    if size is None and not least <= longest <= most:
        raise UsageError(
            f"{path} is {longest:.3g} units long, which are not metres",
            "give its longest side in metres with --object-size, or --object-size 0 if nobody knows it",
        )
    unit = 1.0 if size is None or (size == 0 and least <= longest <= most) else (size or 0.5) / longest
    return Mesh(vertices * unit, faces, size != 0, unit)

"""Values of USD attributes: over time, and of meshes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pxr import Gf, Usd, UsdGeom, Vt

from anylift_cli.export.surface import CLAY, unit_normals


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


def fill_mesh(
    mesh: UsdGeom.Mesh, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray | None, double_sided: bool
) -> None:
    """Give `mesh` triangles (F, 3) of vertices (V, 3), normals, an extent and linear colours (V, 3)."""
    mesh.CreatePointsAttr(vectors(vertices))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray(len(faces), 3))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.ravel().astype(np.int32)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateNormalsAttr(vectors(unit_normals(vertices, faces)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateExtentAttr(extent(vertices.min(0), vertices.max(0)))
    mesh.CreateDoubleSidedAttr(double_sided)
    if colours is None:
        mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.constant).Set([Gf.Vec3f(*CLAY)])
    else:
        mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(vectors(colours))


def extent(low: Sequence[float], high: Sequence[float]) -> Vt.Vec3fArray:
    """The box between two corners (3,)."""
    return vectors(np.stack([low, high]))

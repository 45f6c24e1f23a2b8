"""Marching tetrahedra (Doi & Koide 1991) on a regular grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Kuhn's six tetrahedra around the main diagonal of a cube; corners are numbered by bits x, y, z.
_TETRAHEDRA = np.array([[0, 1, 3, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 6, 4, 7], [0, 4, 5, 7], [0, 5, 1, 7]])
_CORNERS = np.array([[n & 1, n >> 1 & 1, n >> 2 & 1] for n in range(8)])

COARSENING = 4


def polygonise(
    distance: Callable[[np.ndarray], np.ndarray], lower: np.ndarray, upper: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of the zero set of `distance` inside a box.

    Args:
        distance: signed distance of points (N, 3) → (N,), negative inside.
        lower, upper: corners of the box (3,); the surface is cut open where it leaves the box, exactly on its faces.
        spacing: edge of a grid cell, metres.

    Returns:
        vertices (V, 3), faces (F, 3) int64 with outward normals.
    """
    counts = np.ceil((np.asarray(upper) - lower) / spacing).astype(int) + 1
    axes = [start + spacing * np.arange(count) for start, count in zip(lower, counts, strict=True)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    values = _values_near_surface(distance, nodes, spacing).ravel()
    nodes = nodes.reshape(-1, 3)

    strides = np.array([counts[1] * counts[2], counts[2], 1])
    cells = (np.stack(np.meshgrid(*(np.arange(n - 1) for n in counts), indexing="ij"), -1) @ strides).ravel()
    corners = cells[:, None] + _CORNERS @ strides
    inside = values[corners] < 0
    corners = corners[inside.any(1) & ~inside.all(1)]
    tetrahedra = corners[:, _TETRAHEDRA].reshape(-1, 4)

    edges = _crossed_edges(tetrahedra, values < 0)
    unique, faces = np.unique(np.sort(edges.reshape(-1, 2), 1), axis=0, return_inverse=True)
    faces = faces.reshape(-1, 3)
    first, second = values[unique[:, 0]], values[unique[:, 1]]
    fraction = np.clip(first / (first - second), 0.02, 0.98)[:, None]
    vertices = nodes[unique[:, 0]] * (1 - fraction) + nodes[unique[:, 1]] * fraction
    return vertices, _outward(faces, edges, vertices, nodes, values)


def _values_near_surface(distance: Callable[[np.ndarray], np.ndarray], nodes: np.ndarray, spacing: float) -> np.ndarray:
    """Distances on the grid nodes (X, Y, Z, 3); away from the surface, those of a coarser grid."""
    coarse = nodes[::COARSENING, ::COARSENING, ::COARSENING]
    values = distance(coarse.reshape(-1, 3)).reshape(coarse.shape[:3])
    for axis, count in enumerate(nodes.shape[:3]):
        values = np.repeat(values, COARSENING, axis).take(np.arange(count), axis)
    near = np.abs(values) < 2.5 * COARSENING * spacing
    values[near] = distance(nodes[near])
    values[values == 0] = -1e-9
    return values


def _crossed_edges(tetrahedra: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Triangles (F, 3, 2) as triples of grid edges that the surface crosses."""
    order = np.argsort(~inside[tetrahedra], axis=1, kind="stable")
    a, b, c, d = np.take_along_axis(tetrahedra, order, 1).T
    count = inside[tetrahedra].sum(1)

    def triangles(where: np.ndarray, *edges: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return np.stack([np.stack([p[where], q[where]], -1) for p, q in edges], 1)

    one, two, three = count == 1, count == 2, count == 3
    return np.concatenate(
        [
            triangles(one, (a, b), (a, c), (a, d)),
            triangles(two, (a, c), (a, d), (b, d)),
            triangles(two, (a, c), (b, d), (b, c)),
            triangles(three, (a, d), (b, d), (c, d)),
        ]
    )


def _outward(
    faces: np.ndarray, edges: np.ndarray, vertices: np.ndarray, nodes: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Turn faces so that their normals point from the inner to the outer end of the edges they cross."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    ends = nodes[edges] * np.sign(values[edges])[..., None]
    outward = ends.sum((1, 2))
    flipped = (np.cross(b - a, c - a) * outward).sum(-1) < 0
    faces[flipped] = faces[flipped][:, ::-1]
    return faces

"""Isotropic remeshing with a size field (Botsch & Kobbelt, "A remeshing approach ...", SGP 2004)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

PASSES = 5
LONGEST, SHORTEST = 4 / 3, 4 / 5
"""Edges outside these multiples of the wanted length are split or collapsed."""

Field = Callable[[np.ndarray], np.ndarray]
Vector = tuple[float, float, float]


def remesh(
    vertices: np.ndarray, faces: np.ndarray, distance: Field, wanted_length: Field
) -> tuple[np.ndarray, np.ndarray]:
    """An even triangulation of the zero set of `distance`.

    Args:
        vertices: (V, 3) metres; an open border, if any, lies in the plane x = 0 and stays there.
        faces: (F, 3).
        distance: signed distance, (N, 3) → (N,).
        wanted_length: edge length at a place, (N, 3) → (N,) metres.

    Returns:
        vertices, faces.
    """
    for _ in range(PASSES):
        mesh = _Mesh(vertices, faces, wanted_length)
        mesh.split_long_edges()
        mesh.collapse_short_edges()
        mesh.flip_to_even_valence()
        vertices, faces = mesh.arrays()
        for _ in range(2):
            vertices = _relax(vertices, faces)
            vertices = _project(vertices, faces, distance)
    return vertices, faces


class _Mesh:
    """Triangles that can be edited one edge at a time."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, wanted_length: Field) -> None:
        self.places: list[Vector] = [tuple(place) for place in vertices.tolist()]
        self.wanted = wanted_length(vertices).tolist()
        self.faces: list[tuple[int, int, int] | None] = [tuple(face) for face in faces.tolist()]
        self.around: list[set[int]] = [set() for _ in self.places]
        for index, face in enumerate(self.faces):
            for vertex in face:
                self.around[vertex].add(index)
        self.border = [False] * len(self.places)
        for vertex in np.unique(_border_edges(faces)):
            self.border[vertex] = True

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        faces = np.array([face for face in self.faces if face is not None])
        used, faces = np.unique(faces, return_inverse=True)
        return np.array(self.places)[used], faces.reshape(-1, 3)

    def split_long_edges(self) -> None:
        for length, a, b in sorted(self._edges(), reverse=True):
            if length <= LONGEST:
                break
            shared = self.around[a] & self.around[b]
            middle = len(self.places)
            self.places.append(_middle(self.places[a], self.places[b]))
            self.wanted.append((self.wanted[a] + self.wanted[b]) / 2)
            self.border.append(len(shared) == 1)
            self.around.append(set())
            for index in shared:
                face = self.faces[index]
                self._remove(index)
                self._add(tuple(middle if vertex == a else vertex for vertex in face))
                self._add(tuple(middle if vertex == b else vertex for vertex in face))

    def collapse_short_edges(self) -> None:
        for length, a, b in sorted(self._edges()):
            if length >= SHORTEST:
                break
            shared = self.around[a] & self.around[b]
            if shared and self._length(a, b) < SHORTEST:
                self._collapse(a, b, shared)

    def flip_to_even_valence(self) -> None:
        for _, a, b in self._edges():
            shared = self.around[a] & self.around[b]
            if len(shared) != 2:
                continue
            first, second = shared
            c, d = self._third(first, a, b), self._third(second, a, b)
            if self.around[c] & self.around[d]:
                continue
            before = sum(abs(self._excess(vertex)) for vertex in (a, b, c, d))
            after = sum(abs(self._excess(vertex) + by) for vertex, by in ((a, -1), (b, -1), (c, 1), (d, 1)))
            if after >= before:
                continue
            one, two = (tuple({x: y}.get(v, v) for v in self.faces[face]) for face, x, y in (
                (first, b, d), (second, a, c),
            ))  # fmt: skip
            normal = _middle(self._normal(self.faces[first]), self._normal(self.faces[second]))
            if all(_cosine(self._normal(face), normal) > 0.7 for face in (one, two)):
                self._remove(first)
                self._remove(second)
                self._add(one)
                self._add(two)

    def _collapse(self, a: int, b: int, shared: set[int]) -> None:
        if self.border[b] and not self.border[a]:
            a, b = b, a
        if self.border[a] and self.border[b] and len(shared) != 1:
            return
        if len(self._neighbours(a) & self._neighbours(b)) != len(shared):
            return
        goal = self.places[a]
        if self.border[a] == self.border[b]:
            goal = _middle(goal, self.places[b])
        for vertex in (self._neighbours(a) | self._neighbours(b)) - {a, b}:
            if math.dist(self.places[vertex], goal) > LONGEST * self.wanted[vertex]:
                return
        changed = []
        for index in (self.around[a] | self.around[b]) - shared:
            face = self.faces[index]
            corners = [goal if vertex in (a, b) else self.places[vertex] for vertex in face]
            if _cosine(_normal(*corners), self._normal(face)) < 0.6:
                return
            changed.append((index, tuple(a if vertex == b else vertex for vertex in face)))
        for index in shared:
            self._remove(index)
        for index, face in changed:
            self._remove(index)
            self._add(face)
        self.places[a] = goal

    def _edges(self) -> list[tuple[float, int, int]]:
        """(length over wanted length, a, b) of every edge, a < b."""
        faces = np.array([face for face in self.faces if face is not None])
        pairs = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
        places, wanted = np.array(self.places), np.array(self.wanted)
        lengths = np.linalg.norm(places[pairs[:, 0]] - places[pairs[:, 1]], axis=1) / wanted[pairs].mean(1)
        return list(zip(lengths.tolist(), *pairs.T.tolist(), strict=True))

    def _length(self, a: int, b: int) -> float:
        return 2 * math.dist(self.places[a], self.places[b]) / (self.wanted[a] + self.wanted[b])

    def _neighbours(self, vertex: int) -> set[int]:
        return {other for index in self.around[vertex] for other in self.faces[index]} - {vertex}

    def _excess(self, vertex: int) -> int:
        return len(self.around[vertex]) - (3 if self.border[vertex] else 6)

    def _third(self, index: int, a: int, b: int) -> int:
        return next(vertex for vertex in self.faces[index] if vertex not in (a, b))

    def _normal(self, face: tuple[int, int, int]) -> Vector:
        return _normal(*(self.places[vertex] for vertex in face))

    def _remove(self, index: int) -> None:
        for vertex in self.faces[index]:
            self.around[vertex].discard(index)
        self.faces[index] = None

    def _add(self, face: tuple[int, int, int]) -> None:
        for vertex in face:
            self.around[vertex].add(len(self.faces))
        self.faces.append(face)


def _relax(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Move vertices within their tangent planes towards the area-weighted middle of their faces."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    pull, weight, normal = np.zeros_like(vertices), np.zeros(len(vertices)), np.zeros_like(vertices)
    for turn in range(3):
        np.add.at(pull, faces[:, turn], corners.mean(1) * areas[:, None])
        np.add.at(weight, faces[:, turn], areas)
        np.add.at(normal, faces[:, turn], normals)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    step = pull / weight[:, None] - vertices
    step -= normal * (step * normal).sum(1, keepdims=True)
    step[np.unique(_border_edges(faces)), 0] = 0
    return vertices + 0.8 * step


def _project(vertices: np.ndarray, faces: np.ndarray, distance: Field) -> np.ndarray:
    """Newton steps onto the zero set, at most 4 mm each."""
    border, reach = np.unique(_border_edges(faces)), 5e-4
    for _ in range(2):
        shifts = np.eye(3) * reach
        gradient = np.stack([distance(vertices + s) - distance(vertices - s) for s in shifts], -1) / (2 * reach)
        gradient[border, 0] = 0
        step = distance(vertices)[:, None] * gradient / np.maximum((gradient**2).sum(1, keepdims=True), 0.1)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        vertices = vertices - step * np.minimum(1, 0.004 / np.maximum(length, 1e-12))
    return vertices


def _border_edges(faces: np.ndarray) -> np.ndarray:
    """Edges of one face only, (E, 2)."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    return unique[count == 1]


def _middle(first: Vector, second: Vector) -> Vector:
    return tuple((x + y) / 2 for x, y in zip(first, second, strict=True))


def _normal(a: Vector, b: Vector, c: Vector) -> Vector:
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


def _cosine(first: Vector, second: Vector) -> float:
    dot = first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
    return dot / (math.hypot(*first) * math.hypot(*second) + 1e-18)

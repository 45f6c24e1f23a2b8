"""What of a mesh a camera sees, points spread over it, and how far away it is."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from anylift_cli.geometry.cameras import project_camera, transform
from anylift_cli.rendering.mesh import NEAR

_CHUNK = 32


def cast(
    vertices: np.ndarray, faces: np.ndarray, camera_from_object: np.ndarray, K: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest surface behind each pixel, whatever side of a triangle is seen.

    Args:
        vertices, faces: (V, 3) m, (F, 3).
        camera_from_object: (4, 4).
        K: (3, 3) px.
        pixels: (N, 2).

    Returns:
        points (N, 3) m in the object's axes, NaN where the ray misses; faces (N,), -1 where it misses.
    """
    corners = transform(camera_from_object, vertices)[faces]
    ahead = np.flatnonzero((corners[..., 2] > NEAR).all(1))
    corners = corners[ahead]
    flat = project_camera(corners, K)
    low, high = flat.min(1), flat.max(1)
    points, hit = np.full((len(pixels), 3), np.nan), np.full(len(pixels), -1)
    rays = np.concatenate([(pixels - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(pixels), 1))], 1)
    for start in range(0, len(pixels), _CHUNK):
        part = pixels[start : start + _CHUNK]
        ray, face = np.nonzero(
            (part[:, None, 0] >= low[:, 0]) & (part[:, None, 0] <= high[:, 0])
            & (part[:, None, 1] >= low[:, 1]) & (part[:, None, 1] <= high[:, 1])
        )  # fmt: skip
        inside = _inside(flat[face], part[ray])
        ray, face = ray[inside] + start, face[inside]
        normal = np.cross(corners[face, 1] - corners[face, 0], corners[face, 2] - corners[face, 0])
        slope = (normal * rays[ray]).sum(-1)
        level = np.abs(slope) > 1e-15
        ray, face, normal, slope = ray[level], face[level], normal[level], slope[level]
        depth = (normal * corners[face, 0]).sum(-1) / slope
        order = np.argsort(depth, kind="stable")
        first, chosen = np.unique(ray[order], return_index=True)
        points[first] = rays[first] * depth[order[chosen], None]
        hit[first] = ahead[face[order[chosen]]]
    return (points - camera_from_object[:3, 3]) @ camera_from_object[:3, :3], hit


def spread(points: np.ndarray, count: int) -> np.ndarray:
    """Indices of at most `count` of the points (N, 3), each farthest from those before, the first from the middle."""
    if not len(points):
        return np.zeros(0, int)
    chosen = [int(np.linalg.norm(points - points.mean(0), axis=-1).argmax())]
    distance = np.full(len(points), np.inf)
    while len(chosen) < min(count, len(points)):
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=-1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)


def sampled(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Points (count, 3) evenly distributed over the surface."""
    rng = np.random.default_rng(seed)
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=-1)
    chosen = corners[rng.choice(len(faces), count, p=area / area.sum())]
    first, second = rng.random((2, count, 1))
    beyond = first + second > 1
    first, second = np.where(beyond, 1 - first, first), np.where(beyond, 1 - second, second)
    return chosen[:, 0] + first * (chosen[:, 1] - chosen[:, 0]) + second * (chosen[:, 2] - chosen[:, 0])


class Surface:
    """Distances to a mesh, exact for triangles near the query.

    Outside is where the surface's middle is not: what is beyond the nearest triangle, as seen from the middle of the
    mesh. That needs no closed mesh, and is true for boxes, chairs' seats and balls.
    """

    _NEAREST = 24

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """Take a mesh, (V, 3) m and (F, 3)."""
        self._corners = vertices[faces]
        self._middle = (vertices.min(0) + vertices.max(0)) / 2
        samples = sampled(vertices, faces, 4000)
        self._tree = cKDTree(samples)
        owners = cKDTree(self._corners.mean(1)).query(samples, min(self._NEAREST, len(faces)))[1].reshape(4000, -1)
        self._owners = owners

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest surface points (N, 3) of points (N, 3), and signed distances (N,) m, negative inside."""
        around = self._tree.query(points, 3)[1]
        candidates = self._owners[around].reshape(len(points), -1)
        places = closest_on_triangles(points[:, None], self._corners[candidates])
        distance = np.linalg.norm(places - points[:, None], axis=-1)
        best = distance.argmin(1)
        place = places[np.arange(len(points)), best]
        outward = ((points - place) * (place - self._middle)).sum(-1)
        return place, np.where(outward < 0, -1, 1) * distance.min(1)


def closest_on_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The points of triangles (..., 3, 3) that are nearest to points (..., 3); leading axes broadcast."""
    a, b, c = (corners[..., i, :] for i in range(3))
    points = np.broadcast_to(points, a.shape)
    edges = [_closest_on_segment(points, first, second) for first, second in ((a, b), (b, c), (c, a))]
    normal = np.cross(b - a, c - a)
    normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-15)
    foot = points - ((points - a) * normal).sum(-1, keepdims=True) * normal
    inside = np.ones(foot.shape[:-1], bool)
    for first, second in ((a, b), (b, c), (c, a)):
        inside &= (np.cross(second - first, foot - first) * normal).sum(-1) >= 0
    best = np.stack(edges, -2)
    nearest = np.linalg.norm(best - points[..., None, :], axis=-1).argmin(-1)
    edge = np.take_along_axis(best, nearest[..., None, None], -2)[..., 0, :]
    return np.where(inside[..., None], foot, edge)


def _closest_on_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    along = end - start
    share = ((points - start) * along).sum(-1, keepdims=True) / np.maximum((along**2).sum(-1, keepdims=True), 1e-18)
    return start + share.clip(0, 1) * along


def _inside(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether image points (N, 2) lie in triangles (N, 3, 2) of either winding."""
    sides = []
    for first, second in ((0, 1), (1, 2), (2, 0)):
        edge, to_point = triangles[:, second] - triangles[:, first], points - triangles[:, first]
        sides.append(edge[:, 0] * to_point[:, 1] - edge[:, 1] * to_point[:, 0])
    sides = np.stack(sides)
    return (sides >= -1e-9).all(0) | (sides <= 1e-9).all(0)

"""Draws lit triangle meshes into RGB images with OpenCV's polygon filler (painter's algorithm)."""

from __future__ import annotations

import cv2
import numpy as np

from anylift_cli.geometry.cameras import invert, transform

NEAR = 0.05
"""Metres; what lies nearer to the camera plane is clipped."""

_SAMPLES = 2
"""Samples per pixel and axis; silhouettes are smoothed by their coverage."""
_SHIFT = 4
_AMBIENT = 0.38


def draw_mesh(
    image: np.ndarray,
    vertices: np.ndarray,
    faces: np.ndarray,
    world_from_camera: np.ndarray,
    K: np.ndarray,
    color: tuple[float, float, float] = (198, 204, 214),
    vertex_colors: np.ndarray | None = None,
    opacity: float = 1.0,
    light: np.ndarray | None = None,
    inverse_depth: np.ndarray | None = None,
) -> np.ndarray:
    """Draw a closed mesh whose faces are counter-clockwise seen from outside; back faces are not drawn.

    Within the mesh, faces are painted from far to near; what is in the image already is hidden or kept by an exact
    depth test where `inverse_depth` is given.

    Args:
        image: (H, W, 3) RGB uint8, changed in place.
        vertices: (V, 3) world, metres.
        faces: (F, 3) vertex indices.
        world_from_camera: (4, 4), OpenCV axes.
        K: (3, 3) pixels.
        color: RGB 0..255 of the whole mesh, where `vertex_colors` is None.
        vertex_colors: (V, 3) RGB 0..255.
        opacity: 0..1.
        light: (3,) world direction towards the light; None is above the camera's left shoulder.
        inverse_depth: (H, W) float32, 1/z in 1/metres of what is in the image (0 = nothing); the mesh is entered.

    Returns:
        `image`.
    """
    points = transform(invert(world_from_camera), np.asarray(vertices, np.float64))
    faces = np.asarray(faces, np.int64)
    base = np.broadcast_to(np.asarray(color, np.float64), points.shape) if vertex_colors is None else vertex_colors
    to_light = np.array([-0.45, -0.75, -0.6]) if light is None else np.asarray(light) @ world_from_camera[:3, :3]
    lit = base * _brightness(points, faces, to_light)[:, None]
    corners, colors = _clip_near(points[faces], lit[faces].mean(1))
    inverse = 1 / corners[..., 2]
    pixels = corners[..., :2] * inverse[..., None] * K[[0, 1], [0, 1]] + K[:2, 2]
    shown = np.flatnonzero(_doubled_area(pixels) < -1e-9)
    shown = shown[inverse[shown].mean(1).argsort(kind="stable")]
    pixels, inverse, colors = pixels[shown], inverse[shown], colors[shown]

    limit = image.shape[1::-1]
    low = np.clip(np.floor(pixels.min((0, 1), initial=np.inf)), 0, limit).astype(int)
    high = np.clip(np.ceil(pixels.max((0, 1), initial=-np.inf)) + 1, 0, limit).astype(int)
    if (high <= low).any():
        return image
    crop = np.s_[low[1] : high[1], low[0] : high[0]]
    size = tuple(int(side) for side in high - low)
    pixels = (pixels - low) * _SAMPLES
    face = _face_image(pixels, _SAMPLES * size[0], _SAMPLES * size[1])
    if inverse_depth is not None:
        behind = inverse_depth[crop].repeat(_SAMPLES, 0).repeat(_SAMPLES, 1)
        nearness = _nearness(face, pixels, inverse)
        face[nearness <= behind] = 0
        nearest = np.maximum(nearness, behind)
        inverse_depth[crop] = nearest.reshape(size[1], _SAMPLES, size[0], _SAMPLES).max((1, 3))
    palette = np.zeros((len(colors) + 1, 4), np.float32)
    palette[1:, :3], palette[1:, 3] = colors, 1
    drawn = cv2.resize(palette[face], size, interpolation=cv2.INTER_AREA)
    image[crop] = image[crop] * (1 - opacity * drawn[..., 3:]) + opacity * drawn[..., :3] + 0.5
    return image


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), mean of the adjacent faces weighted by area."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    face_normals = np.cross(b - a, c - a)
    corner = faces.T.ravel()
    summed = np.stack([np.bincount(corner, np.tile(face_normals[:, i], 3), len(vertices)) for i in range(3)], -1)
    return summed / np.maximum(np.linalg.norm(summed, axis=-1, keepdims=True), 1e-12)


def _brightness(points: np.ndarray, faces: np.ndarray, to_light: np.ndarray) -> np.ndarray:
    """Half-Lambert light (V,) on an ambient floor: smooth, and never black on the far side."""
    cosine = vertex_normals(points, faces) @ (to_light / np.linalg.norm(to_light))
    return _AMBIENT + (1 - _AMBIENT) * (0.5 + 0.5 * cosine) ** 1.5


def _clip_near(corners: np.ndarray, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (F, 3, 3) cut at z = NEAR, and the colours (F, 3) of the pieces."""
    ahead = (corners[..., 2] > NEAR).sum(1)
    pieces, owners = [corners[ahead == 3]], [np.flatnonzero(ahead == 3)]
    for index in np.flatnonzero((ahead > 0) & (ahead < 3)):
        polygon = []
        for p, q in zip(corners[index], np.roll(corners[index], -1, 0), strict=True):
            if p[2] > NEAR:
                polygon.append(p)
            if (p[2] > NEAR) != (q[2] > NEAR):
                polygon.append(p + (q - p) * (NEAR - p[2]) / (q[2] - p[2]))
        pieces.append(np.stack([[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]))
        owners.append(np.full(len(pieces[-1]), index))
    return np.concatenate(pieces), colors[np.concatenate(owners)]


def _doubled_area(triangles: np.ndarray) -> np.ndarray:
    """Twice the signed area of (F, 3, 2) triangles; negative for counter-clockwise in an image (y down)."""
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def _face_image(triangles: np.ndarray, width: int, height: int) -> np.ndarray:
    """1-based number of the last triangle (F, 3, 2) that covers each pixel, (H, W) int32; 0 = none."""
    face = np.zeros((height, width), np.int32)
    fixed = np.round((triangles - 0.5) * (1 << _SHIFT)).clip(-(1 << 28), 1 << 28).astype(np.int32)
    for number, triangle in enumerate(fixed, 1):
        cv2.fillConvexPoly(face, triangle, number, shift=_SHIFT)
    return face


def _nearness(face: np.ndarray, triangles: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """1/z (H, W) of the triangles in a face image, from their corner values (F, 3): 1/z is linear in the image."""
    (ux, uy), (vx, vy) = ((triangles[:, i] - triangles[:, 0]).T for i in (1, 2))
    du, dv = inverse[:, 1] - inverse[:, 0], inverse[:, 2] - inverse[:, 0]
    area = _doubled_area(triangles)
    plane = np.zeros((len(triangles) + 1, 3), np.float32)
    plane[1:, 0], plane[1:, 1] = (du * vy - dv * uy) / area, (dv * ux - du * vx) / area
    plane[1:, 2] = inverse[:, 0] - (plane[1:, :2] * triangles[:, 0]).sum(1)
    x, y = np.arange(face.shape[1], dtype=np.float32) + 0.5, np.arange(face.shape[0], dtype=np.float32)[:, None] + 0.5
    slope_x, slope_y, offset = (plane[:, i][face] for i in range(3))
    return slope_x * x + slope_y * y + offset

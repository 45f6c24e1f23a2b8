"""A textured hall with furniture: planar surfaces drawn with exact perspective and depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.rendering.mesh import NEAR
from anylift_cli.synthetic import textures

HALF_SIZE = 8.0
HEIGHT = 3.8
"""Metres; the floor spans ±HALF_SIZE around the origin."""

_TONES = ((176, 132, 86), (92, 116, 128), (150, 88, 70), (118, 128, 88), (160, 140, 116), (110, 92, 124))
_SHIFT = 4
_LEVELS = 4
_SHARPNESS = 1.6


@dataclass(frozen=True)
class Surface:
    """A textured parallelogram, seen only from the side from which `right` and `down` turn clockwise.

    Attributes:
        corner: (3,) metres, where texel (0, 0) is.
        right, down: (3,) edges along the texture's columns and rows, metres.
        levels: the texture (h, w, 3) RGB uint8, and its halvings for what is far away.
    """

    corner: np.ndarray
    right: np.ndarray
    down: np.ndarray
    levels: tuple[np.ndarray, ...]

    @classmethod
    def textured(cls, corner: np.ndarray, right: np.ndarray, down: np.ndarray, texture: np.ndarray) -> Surface:
        """A surface whose halvings are made here."""
        levels = [np.ascontiguousarray(texture)]
        while len(levels) < _LEVELS and min(levels[-1].shape[:2]) >= 16:
            rows, columns = levels[-1].shape[:2]
            levels.append(cv2.resize(levels[-1], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA))
        return cls(corner, right, down, tuple(levels))

    def moved(self, world_from_object: np.ndarray) -> Surface:
        """The surface of an object in the world."""
        rotation = world_from_object[:3, :3]
        corner = rotation @ self.corner + world_from_object[:3, 3]
        return Surface(corner, rotation @ self.right, rotation @ self.down, self.levels)


def draw_surface(
    image: np.ndarray, inverse_depth: np.ndarray, surface: Surface, world_from_camera: np.ndarray, K: np.ndarray
) -> None:
    """Draw into `image` (H, W, 3) what is nearer than `inverse_depth` (H, W; 1/z), and enter it there."""
    camera_from_world = invert(world_from_camera)
    turn = camera_from_world[:3, :3]
    corner, right, down = (
        transform(camera_from_world, surface.corner[None])[0],
        turn @ surface.right,
        turn @ surface.down,
    )
    normal = np.cross(right, down)
    if normal @ corner <= 1e-9:
        return
    polygon = _ahead(np.stack([corner, corner + right, corner + right + down, corner + down]))
    if polygon is None:
        return
    pixels = polygon[:, :2] / polygon[:, 2:] * K[[0, 1], [0, 1]] + K[:2, 2]
    limit = image.shape[1::-1]
    low = np.clip(np.floor(pixels.min(0)), 0, limit).astype(int)
    high = np.clip(np.ceil(pixels.max(0)), 0, limit).astype(int)
    if (high <= low).any():
        return
    crop, size = np.s_[low[1] : high[1], low[0] : high[0]], tuple(int(side) for side in high - low)
    mask = np.zeros(size[::-1], np.uint8)
    fixed = np.round((pixels - low - 0.5) * (1 << _SHIFT)).clip(-(1 << 28), 1 << 28).astype(np.int32)
    cv2.fillConvexPoly(mask, fixed, 255, cv2.LINE_AA, _SHIFT)
    nearness = _plane(normal, corner, K, low, high)
    mask = cv2.bitwise_and(mask, cv2.compare(nearness, inverse_depth[crop], cv2.CMP_GT))
    if not mask.any():
        return
    axes = np.stack([right, down, corner], -1)
    for texture, (least, most) in zip(surface.levels, _level_ranges(surface, K @ axes, K[0, 0]), strict=True):
        chosen = cv2.bitwise_and(mask, cv2.inRange(nearness, least, most))
        if chosen.any():
            _paste(image[crop], chosen, _warp(texture, K @ axes, low, size))
    cv2.copyTo(nearness, cv2.compare(mask, 127, cv2.CMP_GT), inverse_depth[crop])


def _level_ranges(surface: Surface, image_from_unit: np.ndarray, focal: float) -> list[tuple[float, float]]:
    """For each level of the texture, the least and the most 1/z at which a pixel is about as large as its texels.

    One pixel covers 1/(det H n³) texels, for a homography H from texels to pixels and n = 1/z; across the line of
    sight it is density/(focal n) texels wide, so along it, focal/(det H density n²).
    """
    rows, columns = surface.levels[0].shape[:2]
    density = columns / np.linalg.norm(surface.right)
    scale = focal * rows * columns / (abs(np.linalg.det(image_from_unit)) * density)
    bounds = [np.sqrt(scale / (_SHARPNESS * 2**level)) for level in range(len(surface.levels) - 1)]
    return list(zip([*bounds, 0.0], [np.inf, *bounds], strict=True))


def _warp(texture: np.ndarray, image_from_unit: np.ndarray, low: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = texture.shape[:2]
    texel_centres = np.array([[1 / columns, 0, 0.5 / columns], [0, 1 / rows, 0.5 / rows], [0, 0, 1]])
    homography = _shift(-0.5 - low[0], -0.5 - low[1]) @ image_from_unit @ texel_centres
    return cv2.warpPerspective(texture, homography, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _paste(image: np.ndarray, mask: np.ndarray, patch: np.ndarray) -> None:
    """Copy `patch` where the mask is 255, mix it in where it is between."""
    cv2.copyTo(patch, cv2.compare(mask, 255, cv2.CMP_EQ), image)
    edge = cv2.inRange(mask, 1, 254).nonzero()
    share = mask[edge][:, None] / np.float32(255)
    image[edge] = image[edge] * (1 - share) + patch[edge] * share


def draw_shadow(
    image: np.ndarray,
    inverse_depth: np.ndarray,
    centre: np.ndarray,
    radius: float,
    strength: float,
    world_from_camera: np.ndarray,
    K: np.ndarray,
) -> None:
    """Darken a soft disc of the visible floor (z = 0) around `centre` (2,), metres."""
    camera_from_world = invert(world_from_camera)
    middle = transform(camera_from_world, np.array([[*centre, 0.0]]))[0]
    if middle[2] < 3 * radius:
        return
    half = _DISC.shape[0] / 2
    axes = camera_from_world[:3, [0, 1]] * radius / half
    image_from_texel = K @ np.column_stack([axes, middle]) @ _shift(-half)
    corners = image_from_texel @ np.array([[0, 2 * half, 2 * half, 0], [0, 0, 2 * half, 2 * half], [1, 1, 1, 1]])
    pixels = corners[:2] / corners[2]
    low = np.clip(np.floor(pixels.min(1)), 0, image.shape[1::-1]).astype(int)
    high = np.clip(np.ceil(pixels.max(1)), 0, image.shape[1::-1]).astype(int)
    if (high <= low).any():
        return
    disc = cv2.warpPerspective(_DISC, _shift(-low[0], -low[1]) @ image_from_texel, tuple(int(s) for s in high - low))
    crop = np.s_[low[1] : high[1], low[0] : high[0]]
    disc[np.abs(inverse_depth[crop] - _plane(camera_from_world[:3, 2], middle, K, low, high)) > 1e-4] = 0
    image[crop] = image[crop] * (1 - strength * disc[..., None])


def hall(rng: np.random.Generator) -> list[Surface]:
    """Floor, four walls and a ceiling around the origin."""
    side, tone = 2 * HALF_SIZE, _TONES
    floor_tone = [(170, 128, 88), (150, 140, 130), (132, 96, 70)][rng.integers(3)]
    wall_tone = [(204, 198, 184), (188, 200, 204), (206, 192, 178), (194, 204, 186)][rng.integers(4)]
    corners = [np.array([x, y, HEIGHT]) * [HALF_SIZE, HALF_SIZE, 1] for x, y in ((-1, 1), (1, 1), (1, -1), (-1, -1))]
    down = np.array([0, 0, -HEIGHT])
    brick = int(rng.integers(4))
    walls = []
    for index, corner in enumerate(corners):
        texture = (
            textures.bricks(rng, side, HEIGHT, (156, 98, 78))
            if index == brick
            else textures.painted_wall(rng, side, HEIGHT, wall_tone, tone[int(rng.integers(len(tone)))])
        )
        walls.append(Surface.textured(corner, corners[(index + 1) % 4] - corner, down, texture))
    bottom = corners[0] * [1, 1, 0]
    floor = Surface.textured(
        bottom, np.array([side, 0, 0]), np.array([0, -side, 0]), textures.planks(rng, side, side, floor_tone)
    )
    top = Surface.textured(
        corners[3], np.array([side, 0, 0]), np.array([0, side, 0]), textures.ceiling(rng, side, side)
    )
    return [floor, *walls, top]


def box(
    rng: np.random.Generator, size: tuple[float, float, float], tone: tuple[int, int, int] | None = None
) -> list[Surface]:
    """Five or six textured sides of a box, (x, y, z) metres, standing at the origin of its own axes."""
    x, y, z = size
    tone = tone or _TONES[int(rng.integers(len(_TONES)))]
    sides = []
    for corner, right, down in (
        ((-x / 2, -y / 2, z), (x, 0, 0), (0, 0, -z)),
        ((x / 2, -y / 2, z), (0, y, 0), (0, 0, -z)),
        ((x / 2, y / 2, z), (-x, 0, 0), (0, 0, -z)),
        ((-x / 2, y / 2, z), (0, -y, 0), (0, 0, -z)),
        ((-x / 2, y / 2, z), (x, 0, 0), (0, -y, 0)),
        ((-x / 2, -y / 2, 0), (x, 0, 0), (0, y, 0)),
    ):
        right, down = np.array(right, float), np.array(down, float)
        facing = np.cross(right, down) / (np.linalg.norm(right) * np.linalg.norm(down))
        light = 0.8 - 0.25 * facing[2] + 0.12 * facing[0]
        texture = textures.crate(rng, np.linalg.norm(right), np.linalg.norm(down), tuple(light * c for c in tone))
        sides.append(Surface.textured(np.array(corner, float), right, down, texture))
    return sides


def pillar(rng: np.random.Generator, radius: float, height: float = HEIGHT, facets: int = 14) -> list[Surface]:
    """A round pillar of `facets` textured sides, without lids, standing at the origin."""
    turns = -2 * np.pi * np.arange(facets + 1) / facets
    rim = np.stack([radius * np.cos(turns), radius * np.sin(turns), np.full(facets + 1, height)], -1)[::-1]
    sheet = textures.poster(rng, 2 * np.pi * radius, height)
    strips = np.array_split(sheet, facets, axis=1)
    down = np.array([0, 0, -height])
    return [Surface.textured(a, b - a, down, strip) for a, b, strip in zip(rim, rim[1:], strips, strict=False)]


def _ahead(polygon: np.ndarray) -> np.ndarray | None:
    """The part of a convex polygon (N, 3) beyond the near plane."""
    ahead = polygon[:, 2] > NEAR
    if ahead.all():
        return polygon
    kept = []
    for p, q in zip(polygon, np.roll(polygon, -1, 0), strict=True):
        if p[2] > NEAR:
            kept.append(p)
        if (p[2] > NEAR) != (q[2] > NEAR):
            kept.append(p + (q - p) * (NEAR - p[2]) / (q[2] - p[2]))
    return np.array(kept) if kept else None


def _plane(normal: np.ndarray, point: np.ndarray, K: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """1/z of a plane of the camera frame at the pixel centres from `low` to `high`; it is linear in the image."""
    slope = (normal @ np.linalg.inv(K) / (normal @ point)).astype(np.float32)
    x, y = (np.arange(low[i], high[i], dtype=np.float32) + np.float32(0.5) for i in (0, 1))
    return slope[0] * x + (slope[1] * y + slope[2])[:, None]


def _shift(x: float, y: float | None = None) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, x if y is None else y], [0, 0, 1]], float)


def _disc(size: int = 65) -> np.ndarray:
    axis = np.linspace(-1, 1, size)
    return np.clip(1 - axis**2 - axis[:, None] ** 2, 0, 1).astype(np.float32) ** 1.5


_DISC = _disc()

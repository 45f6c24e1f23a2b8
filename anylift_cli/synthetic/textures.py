"""Procedural surfaces with corners everywhere and no repetition, so that cameras can be solved from them."""

from __future__ import annotations

import cv2
import numpy as np

TEXELS_PER_METRE = 150


def noise(rng: np.random.Generator, height: int, width: int, cell: tuple[float, float]) -> np.ndarray:
    """Smooth noise (height, width) of unit deviation whose blobs are `cell` (rows, columns) texels in size."""
    rows, columns = (max(2, round(side / size)) for side, size in zip((height, width), cell, strict=True))
    values = rng.standard_normal((rows, columns)).astype(np.float32)
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC)


def planks(rng: np.random.Generator, width: float, depth: float, tone: tuple[int, int, int]) -> np.ndarray:
    """A wooden floor of `width` x `depth` metres, RGB uint8."""
    columns, rows = round(width * TEXELS_PER_METRE), round(depth * TEXELS_PER_METRE)
    shade = np.ones((rows, columns), np.float32)
    board = round(0.16 * TEXELS_PER_METRE)
    for top in range(0, rows, board):
        left = -int(rng.integers(0, TEXELS_PER_METRE))
        while left < columns:
            right = left + int(rng.uniform(0.7, 2.0) * TEXELS_PER_METRE)
            shade[top : top + board, max(left, 0) : right] = rng.uniform(0.74, 1.12)
            shade[top : top + board, max(right - 1, 0) : right + 1] = 0.5
            left = right
        shade[top : top + 1] *= 0.6
    shade += 0.04 * noise(rng, rows, columns, (3, 40)) + 0.015 * noise(rng, rows, columns, (4, 4))
    return _tint(shade, tone)


def painted_wall(
    rng: np.random.Generator, width: float, height: float, tone: tuple[int, int, int], trim: tuple[int, int, int]
) -> np.ndarray:
    """Plaster over a panelled base, with posters, a shelf of books and scuffs; row 0 is the top."""
    columns, rows = round(width * TEXELS_PER_METRE), round(height * TEXELS_PER_METRE)
    shade = 1 + 0.03 * noise(rng, rows, columns, (90, 140)) + 0.02 * noise(rng, rows, columns, (6, 6))
    wall = _tint(shade * np.linspace(1.05, 0.93, rows, dtype=np.float32)[:, None], tone)
    base = rows - round(0.9 * TEXELS_PER_METRE)
    left = 0
    while left < columns:
        right = left + int(rng.uniform(0.35, 0.8) * TEXELS_PER_METRE)
        panel = _tint(0.95 + 0.05 * noise(rng, rows - base, max(right - left, 2), (40, 3)), _jitter(rng, trim, 14))
        wall[base:, left:right] = panel[:, : columns - left]
        cv2.rectangle(wall, (left, base), (right, rows), _jitter(rng, tuple(0.6 * c for c in trim), 6), 2)
        left = right
    place = 0.3
    while place < width - 0.4:
        size = rng.uniform(0.4, 1.0), rng.uniform(0.4, 1.0)
        bottom = rng.uniform(1.1, max(1.15, height - size[1] - 0.3))
        _paste(wall, poster(rng, *size), place, height - bottom - size[1])
        if rng.random() < 0.35:
            shelf = rng.uniform(0.6, 1.1)
            _paste(wall, books(rng, shelf, 0.34), place + 0.1, height - 0.95 if rng.random() < 0.5 else 0.3)
        place += size[0] + rng.uniform(0.25, 0.9)
    return wall


def bricks(rng: np.random.Generator, width: float, height: float, tone: tuple[int, int, int]) -> np.ndarray:
    """A brick wall, RGB uint8."""
    columns, rows = round(width * TEXELS_PER_METRE), round(height * TEXELS_PER_METRE)
    wall = np.full((rows, columns, 3), [165, 158, 148], np.uint8)
    brick_height, brick_width = round(0.13 * TEXELS_PER_METRE), round(0.34 * TEXELS_PER_METRE)
    for course, top in enumerate(range(0, rows, brick_height)):
        for left in range(-(course % 2) * brick_width // 2, columns, brick_width):
            jitter = rng.integers(-2, 3, 4)
            cv2.rectangle(
                wall,
                (left + 2 + int(jitter[0]), top + 2 + int(jitter[1]) // 2),
                (left + brick_width - 2 + int(jitter[2]), top + brick_height - 2),
                _jitter(rng, tone, 16),
                cv2.FILLED,
            )
    grain = 1 + 0.05 * noise(rng, rows, columns, (3, 3)) + 0.05 * noise(rng, rows, columns, (200, 200))
    return (wall * grain[..., None]).clip(0, 255).astype(np.uint8)


def ceiling(rng: np.random.Generator, width: float, depth: float) -> np.ndarray:
    """Tiles with lamps, RGB uint8."""
    columns, rows = round(width * TEXELS_PER_METRE), round(depth * TEXELS_PER_METRE)
    image = _tint(0.97 + 0.02 * noise(rng, rows, columns, (4, 4)), (206, 205, 200))
    tile = round(0.6 * TEXELS_PER_METRE)
    for top in range(0, rows, tile):
        for left in range(0, columns, tile):
            lamp = rng.random() < 0.1
            color = (250, 250, 242) if lamp else _jitter(rng, (200, 199, 194), 9)
            cv2.rectangle(image, (left + 2, top + 2), (left + tile - 2, top + tile - 2), color, cv2.FILLED)
    return image


def poster(rng: np.random.Generator, width: float, height: float) -> np.ndarray:
    """Shapes and letters on a coloured sheet."""
    columns, rows = round(width * TEXELS_PER_METRE), round(height * TEXELS_PER_METRE)
    image = np.full((rows, columns, 3), _color(rng), np.uint8)
    for _ in range(int(rng.integers(6, 14))):
        corners = (rng.random((int(rng.integers(3, 6)), 2)) * [columns, rows]).astype(np.int32)
        cv2.fillConvexPoly(image, cv2.convexHull(corners), _color(rng), cv2.LINE_AA)
    for line in range(int(rng.integers(1, 4))):
        text = "".join(rng.choice(list("ABCDEFGHJKLMNPRSTUVWXYZ24679"), 7))
        at = (int(rng.integers(2, max(3, columns // 4))), int((line + 1) * rows / 4))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.4, 0.9), _color(rng), 2, cv2.LINE_AA)
    cv2.rectangle(image, (0, 0), (columns - 1, rows - 1), (45, 42, 40), 3)
    return image


def books(rng: np.random.Generator, width: float, height: float) -> np.ndarray:
    """A shelf of book spines."""
    columns, rows = round(width * TEXELS_PER_METRE), round(height * TEXELS_PER_METRE)
    image = np.full((rows, columns, 3), (58, 44, 34), np.uint8)
    left = 3
    while left < columns - 8:
        right = left + int(rng.integers(4, 10))
        top = int(rng.uniform(0.05, 0.35) * rows)
        cv2.rectangle(image, (left, top), (right, rows - 4), _color(rng), cv2.FILLED)
        left = right + 1
    return image


def crate(rng: np.random.Generator, width: float, height: float, tone: tuple[int, int, int]) -> np.ndarray:
    """The side of a box: boards, a label and stains."""
    columns, rows = max(8, round(width * TEXELS_PER_METRE)), max(8, round(height * TEXELS_PER_METRE))
    shade = 0.98 + 0.05 * noise(rng, rows, columns, (12, 12)) + 0.05 * noise(rng, rows, columns, (2, 14))
    image = _tint(shade, _jitter(rng, tone, 8))
    for left in range(0, columns, max(8, columns // 4)):
        cv2.line(image, (left, 0), (left, rows), _jitter(rng, tuple(0.7 * c for c in tone), 8), 1)
    cv2.rectangle(image, (0, 0), (columns - 1, rows - 1), _jitter(rng, tuple(0.55 * c for c in tone), 4), 2)
    if min(width, height) > 0.2:
        label = poster(rng, 0.45 * width, 0.4 * height)
        _paste(image, label, rng.uniform(0.1, 0.45) * width, rng.uniform(0.1, 0.5) * height)
    return image


def _tint(shade: np.ndarray, tone: tuple[int, int, int]) -> np.ndarray:
    return (shade[..., None] * np.asarray(tone, np.float32)).clip(0, 255).astype(np.uint8)


def _jitter(rng: np.random.Generator, tone: tuple[float, ...], amount: float) -> tuple[int, int, int]:
    moved = np.asarray(tone) + rng.normal(0, amount) + rng.normal(0, amount / 3, 3)
    return tuple(int(c) for c in moved.clip(0, 255))


def _color(rng: np.random.Generator) -> tuple[int, int, int]:
    """Muted, of any hue."""
    grey = rng.uniform(55, 205)
    return tuple(int(c) for c in (grey + rng.uniform(-38, 38, 3)).clip(0, 255))


def _paste(image: np.ndarray, patch: np.ndarray, x: float, y: float) -> None:
    left, top = max(0, round(x * TEXELS_PER_METRE)), max(0, round(y * TEXELS_PER_METRE))
    space = image[top : top + patch.shape[0], left : left + patch.shape[1]]
    space[:] = patch[: space.shape[0], : space.shape[1]]

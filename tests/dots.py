"""People of dots: a point of the body is a soft dot of its own colour, which `vitpose_networks.dot_network` finds."""

from __future__ import annotations

import numpy as np

GREY, CONTRAST = 128, 100


def colours_of(points: int) -> np.ndarray:
    """(N, 3) directions from grey, far apart; none towards black, which is what lies beyond the image."""
    place = np.arange(points)
    height = 0.95 - 1.05 * (place + 0.5) / points
    turn = place * np.pi * (3 - 5**0.5)
    across = np.sqrt(1 - height**2)
    local = np.stack([across * np.cos(turn), across * np.sin(turn), height], axis=1)
    axes = np.array([[1, -1, 0], [1, 1, -2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])
    return local @ axes


def draw_dots(points: np.ndarray, width: int, height: int, spread: float) -> np.ndarray:
    """An RGB image with a soft dot for each of the points (N, 2), px, later ones on top; NaN are left out."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    image = np.full((height, width, 3), float(GREY))
    for point, colour in zip(points, colours_of(len(points)), strict=True):
        if np.isfinite(point).all():
            near = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * spread**2))
            image += near[..., None] * (GREY + CONTRAST * colour - image)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def seen_at(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Where `dot_network` and exact decoding put dots that are at `points` (N, 2), in the crop of `box` xyxy."""
    middle, size = (box[:2] + box[2:]) / 2, 1.25 * max((box[2:] - box[:2]) / (192, 256)) * np.array([192, 256])
    corner, step = middle - size / 2, size / (191, 255)
    place = ((points - corner) / step + 0.5) / 4
    return corner + place * (191 / 47, 255 / 63) * step

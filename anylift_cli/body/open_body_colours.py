"""Colours of the open body: skin, hair, a shirt, trousers and shoes, by place in the T-pose."""

from __future__ import annotations

import numpy as np

SKIN, HAIR, BROW, EYE, IRIS, LIP = (205, 158, 130), (62, 44, 34), (84, 58, 44), (236, 232, 226), (48, 36, 30), (168, 96, 86)
SHIRT, TROUSERS, SHOE = (70, 104, 150), (62, 64, 74), (38, 36, 38)


def vertex_colours(vertices: np.ndarray) -> np.ndarray:
    """RGB (V, 3) uint8 of T-pose vertices (V, 3) metres."""
    side, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    colours = np.tile(np.array(SKIN, np.uint8), (len(vertices), 1))

    def paint(colour: tuple[int, int, int], where: np.ndarray) -> None:
        colours[where] = colour

    body = side < 0.36
    paint(SHIRT, body & (y < 1.437 + 0.12 * np.minimum(-z - 0.03, 0)) & (y > 0.93))
    paint(TROUSERS, body & (y <= 0.97))
    paint(SHOE, (y < 0.075))
    head = (y > 1.45) & (side < 0.12)
    paint(HAIR, head & (y > 1.640 - 0.9 * np.minimum(0.045 - z, 0.125)) & ((z < 0.05) | (y > 1.640)))
    paint(SKIN, head & (np.hypot(y - 1.572, z + 0.012) < 0.032) & (side > 0.07))
    front = head & (z > 0.05)
    paint(BROW, front & (np.abs(y - 1.604 - 0.1 * (0.031 - side)) < 0.005) & (np.abs(side - 0.031) < 0.018))
    paint(LIP, front & (np.abs(y - 1.518) < 0.008) & (side < 0.024))
    paint(EYE, front & (np.hypot((side - 0.031) / 1.5, y - 1.583) < 0.0085))
    paint(IRIS, front & (np.hypot(side - 0.031, y - 1.583) < 0.0065))
    return colours

"""Colours of the open body: skin, hair, a shirt, trousers and shoes, by place in the T-pose."""

from __future__ import annotations

import numpy as np

SKIN, LIP, HAIR, BROW = (205, 158, 130), (180, 118, 104), (62, 44, 34), (124, 92, 74)
EYE, IRIS = (236, 232, 226), (58, 44, 36)
SHIRT, TROUSERS, SHOE = (70, 104, 150), (62, 64, 74), (38, 36, 38)


def vertex_colours(vertices: np.ndarray) -> np.ndarray:
    """RGB (V, 3) uint8 of T-pose vertices (V, 3) metres."""
    side, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    colours = np.tile(np.array(SKIN, np.uint8), (len(vertices), 1))

    def paint(colour: tuple[int, int, int], where: np.ndarray) -> None:
        colours[where] = colour

    body = side < 0.36
    paint(SHIRT, body & (y > 0.93) & ((y < 1.430 - 0.25 * np.maximum(z, -0.03)) | (side > 0.085)))
    paint(TROUSERS, body & (y <= 0.97))
    paint(SHOE, y < 0.075)
    head = (y > 1.45) & (side < 0.12)
    paint(HAIR, head & (y > 1.638 - 1.1 * np.clip(0.050 - z, 0, 0.13)))
    paint(SKIN, head & (np.hypot(y - 1.572, z + 0.012) < 0.032) & (side > 0.07))
    front = head & (z > 0.05)
    paint(BROW, front & (np.abs(y - 1.608) < 0.0042) & (np.abs(side - 0.033) < 0.016))
    paint(LIP, front & (np.abs(y - 1.518) < 0.006) & (side < 0.025))
    paint(EYE, front & (np.hypot((side - 0.031) / 1.8, y - 1.583) < 0.0068))
    paint(IRIS, front & (np.hypot(side - 0.032, y - 1.583) < 0.0066))
    return colours

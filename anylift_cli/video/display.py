"""How stored pictures become displayed images: rotation metadata, square pixels, size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation

MAX_PIXEL_ASPECT = 4.0
"""Pixels more anamorphic than this are taken for damaged metadata."""


@dataclass(frozen=True)
class Display:
    """The map from stored to displayed pictures.

    Attributes:
        stored_size: width, height that a stored picture is scaled to before it is turned.
        transpose: whether rows become columns.
        flip_x, flip_y: mirrored left to right, top to bottom (after `transpose`).
    """

    stored_size: tuple[int, int]
    transpose: bool
    flip_x: bool
    flip_y: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of displayed images."""
        width, height = self.stored_size
        return (height, width) if self.transpose else (width, height)

    @property
    def rotation(self) -> int:
        """Clockwise turn in degrees: 0, 90, 180 or 270 (a mirrored picture: of its unmirrored part)."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_y else 0

    def image(self, picture: VideoFrame) -> np.ndarray:
        """RGB uint8 (height, width, 3), contiguous."""
        width, height = self.stored_size
        shrinks = width < picture.width or height < picture.height
        image = picture.to_ndarray(
            format="rgb24",
            width=width,
            height=height,
            interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC,
            threads=1,
        )
        if self.transpose:
            image = image.transpose(1, 0, 2)
        return np.ascontiguousarray(image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1])


def display_of(picture: VideoFrame, pixel_aspect: float, max_size: int | None = None) -> Display:
    """Read the display matrix of a decoded frame.

    Args:
        picture: any frame of the video.
        pixel_aspect: width / height of a stored pixel.
        max_size: upper limit of the longer side in pixels; None keeps the size.
    """
    width, height = float(picture.width), float(picture.height)
    if 1 / MAX_PIXEL_ASPECT <= pixel_aspect <= MAX_PIXEL_ASPECT:
        width, height = width * max(pixel_aspect, 1.0), height / min(pixel_aspect, 1.0)
    scale = min(1.0, max_size / max(width, height)) if max_size else 1.0
    stored_size = max(1, round(width * scale)), max(1, round(height * scale))
    x_from_x, y_from_x, x_from_y, y_from_y = _display_matrix(picture)
    if abs(x_from_y) > abs(x_from_x):
        return Display(stored_size, True, bool(x_from_y < 0), bool(y_from_x < 0))
    return Display(stored_size, False, bool(x_from_x < 0), bool(y_from_y < 0))


def _display_matrix(picture: VideoFrame) -> tuple[int, int, int, int]:
    """Linear part of the 3x3 row-vector matrix (libavutil/display.h), 16.16 fixed point."""
    stored = picture.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(stored, np.int32).reshape(3, 3)
    return matrix[0, 0], matrix[0, 1], matrix[1, 0], matrix[1, 1]

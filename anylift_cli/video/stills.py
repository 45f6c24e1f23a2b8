"""Frames of a video as numbered images, the way programs that do not read videos as we do take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from anylift_cli.errors import AnyliftError
from anylift_cli.video.reading import read_frames_at

QUALITY = 95


def write_stills(video: Path, frame_index: Sequence[int], folder: Path, max_size: int) -> tuple[int, int]:
    """Write these frames as `00000.jpg`, `00001.jpg`, … into `folder`, which is made.

    Args:
        frame_index: frame numbers, strictly ascending.
        max_size: scale images down to this many pixels on the longer side.

    Returns:
        The images' width and height in pixels.

    Raises:
        AnyliftError: as `read_frames_at`; or an image cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = (0, 0)
    for number, frame in enumerate(read_frames_at(video, frame_index, max_size)):
        path = folder / f"{number:05d}.jpg"
        _, encoded = cv2.imencode(".jpg", frame.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        try:
            path.write_bytes(encoded.tobytes())
        except OSError as error:
            raise AnyliftError(f"{path} cannot be written: {error.strerror}", "free some space") from error
        size = (frame.image.shape[1], frame.image.shape[0])
    return size

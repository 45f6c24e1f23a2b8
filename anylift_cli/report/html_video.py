"""The video of a page: small enough to embed, quick to seek in, each frame at its own time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from anylift_cli.progress import SILENT, Progress
from anylift_cli.video import read_frames_at
from anylift_cli.video.writing import CLOCK, frame_at, h264_stream

SHORT_SIDE = 480
LONG_SIDE = 960
"""Pixels at most."""
MOST_BYTES = 20 << 20
"""Of the whole video, about; base64 adds a third, so that five minutes with a person or two stay under 40 MB."""
MOST_BITS_PER_SECOND = 2_000_000
KEY_FRAME_SECONDS = 0.5


def small_video(
    video: Path,
    frame_index: Sequence[int],
    timestamps: np.ndarray,
    origin: float,
    image_size: tuple[int, int],
    progress: Progress = SILENT,
) -> bytes:
    """An mp4 (H.264) of some frames of a video.

    Args:
        frame_index: their numbers, ascending.
        image_size: width and height of the displayed video in pixels.
        timestamps: (T,) seconds of each.
        origin: time that is 0 in the new video.

    Raises:
        AnyliftError: the video cannot be read or lacks one of the frames.
    """
    buffer = io.BytesIO()
    seconds = max(float(timestamps[-1] - timestamps[0]), 1.0)
    rate = int(min(MOST_BITS_PER_SECOND, MOST_BYTES * 8 / seconds))
    fps = max(1.0, (len(timestamps) - 1) / seconds)
    options = {
        "crf": "27",
        "preset": "veryfast",
        "maxrate": str(rate),
        "bufsize": str(rate),
        "g": str(max(1, round(KEY_FRAME_SECONDS * fps))),
        "bf": "0",
    }
    width, height = _size(*image_size)
    with (
        av.open(buffer, "w", format="mp4") as container,
        progress.task("report: video", len(timestamps)) as task,
    ):
        stream = h264_stream(container, width, height, fps, options)
        frames = read_frames_at(video, frame_index, max_size=max(width, height))
        for frame, time in zip(frames, timestamps, strict=True):
            picture = frame_at(_scaled(frame.image, width, height), round((time - origin) * CLOCK))
            container.mux(stream.encode(picture))
            task.advance()
        container.mux(stream.encode())
    return buffer.getvalue()


def _scaled(image: np.ndarray, width: int, height: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, SHORT_SIDE / min(width, height), LONG_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)

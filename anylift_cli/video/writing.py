"""Write H.264 video files that every player opens."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.errors import AnyliftError

CLOCK = 90_000
"""Ticks per second of written timestamps."""
_OPTIONS = {"crf": "18", "preset": "veryfast"}


def h264_stream(
    container: OutputContainer, width: int, height: int, fps: float, options: dict[str, str]
) -> VideoStream:
    """A stream of H.264, 4:2:0, BT.709, timed by `CLOCK`, in `container`; sizes are even."""
    stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, CLOCK)
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


def frame_at(image: np.ndarray, tick: int) -> av.VideoFrame:
    """An RGB uint8 image (H, W, 3) as a frame for a stream of `h264_stream`, at a tick of `CLOCK`."""
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    frame.pts, frame.time_base = tick, Fraction(1, CLOCK)
    return frame


class VideoWriter:
    """Context manager that writes an mp4 (H.264, 4:2:0, BT.709, index in front) whole or not at all.

    H.264 needs even sizes: an odd size gets one more column or row, a copy of the last one.

    Args:
        path: the file; it appears when the block ends without an error.
        width, height: of the images in pixels.
        fps: frames per second of images that are written without a time.

    Raises:
        AnyliftError: the folder cannot be written, the disk is full, or no image was written.
    """

    def __init__(self, path: Path | str, width: int, height: int, fps: float) -> None:
        self.path = Path(path)
        self.width, self.height, self.fps = width, height, fps

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._container = stack.enter_context(
                av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"})
            )
            self._stream = h264_stream(
                self._container, self.width + self.width % 2, self.height + self.height % 2, self.fps, _OPTIONS
            )
            self._origin: float | None = None
            self._last_tick: int | None = None
            self._stack = stack.pop_all()
        return self

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Add one image.

        Args:
            image: RGB uint8 (height, width, 3).
            time: seconds on any clock, ascending; the first written image is shown at 0.
                None shows the image one frame (1 / fps) after the one before.
        """
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise ValueError(f"image must be uint8 {(self.height, self.width, 3)}, not {image.dtype} {image.shape}")
        padded = np.pad(image, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        self._container.mux(self._stream.encode(frame_at(padded, self._next_tick(time))))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if self._last_tick is None:
                raise AnyliftError(f"could not write {self.path}: no images to write")
            self._container.mux(self._stream.encode())

    def _next_tick(self, time: float | None) -> int:
        step = max(1, round(CLOCK / self.fps))
        if self._last_tick is None:
            self._origin, tick = time, 0
        elif time is None or self._origin is None:
            tick = self._last_tick + step
        else:
            tick = max(self._last_tick + 1, round((time - self._origin) * CLOCK))
        self._last_tick = tick
        return tick

"""Decode pictures with their exact place in the video."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import av
from av import VideoFrame

from anylift_cli.video.source import Source, open_source, read_packets
from anylift_cli.video.timeline import Timeline

DEFAULT_RATE = 25.0
"""Frames per second assumed for a file that states neither times nor a rate."""


LEAST_STEP = 1e-6
"""Seconds; stated times that advance by less are taken for damaged."""

CONTAINERS_WITHOUT_PRESENTATION_TIMES = {"avi"}
"""They state only when a frame is decoded, which is a constant earlier than when it is shown."""


class Picture(NamedTuple):
    """A decoded frame as stored: its number, its time in seconds after the first frame, its pixels."""

    index: int
    time: float
    stored: VideoFrame


def pixel_aspect(source: Source) -> float:
    """Width / height of a stored pixel; 1 when not stated."""
    return float(source.stream.sample_aspect_ratio or 1)


def nominal_rate(source: Source) -> float:
    """Frames per second that the container states."""
    stream = source.stream
    return float(stream.average_rate or stream.guessed_rate or stream.base_rate or DEFAULT_RATE)


def decode_pictures(path: Path, timeline: Timeline | None, first: int = 0) -> Iterator[Picture]:
    """Decode the pictures from number `first` on. Broken ones are left out.

    With a timeline the decoder starts at the nearest key frame, and the numbers come from the presentation
    times. Without, everything is decoded and counted; times that are missing or run backwards go on at the
    nominal rate.
    """
    if timeline is None:
        yield from (picture for picture in _counted(path) if picture.index >= first)
        return
    seek_to = timeline.seek_point(first)
    begun = seek_to is None
    for picture in _numbered(path, timeline, seek_to):
        if not begun and picture.index > first:
            yield from (other for other in _numbered(path, timeline, None) if other.index >= first)
            return
        begun = True
        if picture.index >= first:
            yield picture


def _numbered(path: Path, timeline: Timeline, seek_to: int | None) -> Iterator[Picture]:
    with open_source(path) as source:
        if seek_to is not None:
            with suppress(av.FFmpegError):
                source.container.seek(seek_to, stream=source.stream, backward=True)
        for stored in _decode(source):
            index = timeline.index(stored.pts)
            if index is not None:
                yield Picture(index, timeline.time(index), stored)


def _counted(path: Path) -> Iterator[Picture]:
    with open_source(path) as source:
        step = 1.0 / nominal_rate(source)
        decode_order = source.container.format.name in CONTAINERS_WITHOUT_PRESENTATION_TIMES
        origin, time = None, -step
        for index, stored in enumerate(_decode(source)):
            tick = stored.dts if decode_order else stored.pts
            stated = None if tick is None else float(tick * source.stream.time_base)
            origin = stated if origin is None else origin
            if stated is None or stated - origin < time + LEAST_STEP:
                time += step
            else:
                time = stated - origin
            yield Picture(index, time, stored)


def _decode(source: Source) -> Iterator[VideoFrame]:
    for packet in read_packets(source):
        with suppress(av.FFmpegError):
            yield from packet.decode()
    with suppress(av.FFmpegError):
        yield from source.stream.codec_context.decode(None)

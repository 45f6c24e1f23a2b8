"""Stream displayed frames of a video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError
from anylift_cli.video.decoding import Picture, decode_pictures, pixel_aspect
from anylift_cli.video.display import display_of
from anylift_cli.video.source import open_source
from anylift_cli.video.timeline import Timeline, scan_packets


class Frame(NamedTuple):
    """One displayed frame.

    Attributes:
        index: place among all frames of the file, from 0; a frame that cannot be decoded keeps its number.
        time: seconds after the first frame, from the container's timestamps.
        image: RGB uint8 (height, width, 3).
    """

    index: int
    time: float
    image: np.ndarray


def read_frames(
    path: Path | str, start: float | None = None, end: float | None = None, max_size: int | None = None
) -> Iterator[Frame]:
    """Frames with start <= time < end, one at a time, all of one size. Broken frames are left out.

    Args:
        path: the video.
        start, end: seconds; None is the video's own begin or end.
        max_size: scale images down to this many pixels on the longer side.

    Raises:
        AnyliftError: the file cannot be read as a video, or not one frame can be decoded.
        NothingFoundError: no frame lies in the range.
        UsageError: an empty range.
    """
    path = Path(path)
    if start is not None and end is not None and end <= start:
        raise UsageError(f"{path}: the end ({end:g} s) must come after the start ({start:g} s)")
    timeline, aspect = _inspect(path)
    begin = start or 0.0
    first = timeline.index_at(begin) if timeline else 0
    pictures = decode_pictures(path, timeline, first) if timeline is None or first < len(timeline.pts) else iter(())
    found = False
    for frame in _displayed((picture for picture in pictures if picture.time >= begin), aspect, max_size):
        if end is not None and frame.time >= end:
            break
        found = True
        yield frame
    if not found:
        raise _nothing_found(path, start, end)


def read_frames_at(path: Path | str, frame_index: Sequence[int], max_size: int | None = None) -> Iterator[Frame]:
    """Exactly the frames with these numbers.

    Args:
        path: the video.
        frame_index: frame numbers, strictly ascending.
        max_size: scale images down to this many pixels on the longer side.

    Raises:
        AnyliftError: the file cannot be read as a video, or lacks one of the frames.
        UsageError: the numbers are negative or do not ascend.
    """
    path = Path(path)
    wanted = [int(index) for index in frame_index]
    if any(later <= earlier for earlier, later in pairwise([-1, *wanted])):
        raise UsageError(f"{path}: frame numbers must be 0 or more and ascend")
    if not wanted:
        return
    timeline, aspect = _inspect(path)
    remaining = deque(wanted)
    if timeline is None or remaining[0] < len(timeline.pts):
        chosen = set(wanted)
        pictures = decode_pictures(path, timeline, remaining[0])
        for frame in _displayed((picture for picture in pictures if picture.index in chosen), aspect, max_size):
            if frame.index != remaining[0]:
                break
            yield frame
            remaining.popleft()
            if not remaining:
                return
    raise AnyliftError(f"{path} has no frame {remaining[0]} that can be decoded", "was the video changed or cut?")


def _inspect(path: Path) -> tuple[Timeline | None, float]:
    with open_source(path) as source:
        return scan_packets(source).timeline, pixel_aspect(source)


def _displayed(pictures: Iterable[Picture], aspect: float, max_size: int | None) -> Iterator[Frame]:
    display = None
    for index, time, stored in pictures:
        display = display or display_of(stored, aspect, max_size)
        yield Frame(index, time, display.image(stored))


def _nothing_found(path: Path, start: float | None, end: float | None) -> AnyliftError:
    if start is None and end is None:
        return AnyliftError(f"{path}: not one frame can be decoded", "the file is damaged; copy or download it again")
    span = f"from {start or 0:g} s" + ("" if end is None else f" to {end:g} s")
    return NothingFoundError(f"{path} has no frames {span}", "choose a range inside the video")

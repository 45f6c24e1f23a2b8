"""Cut a video where the camera changes: colour jumps propose cuts, tracked corners confirm them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scenedetect.detectors import AdaptiveDetector

from anylift_cli.progress import SILENT, Progress
from anylift_cli.video.probing import probe
from anylift_cli.video.reading import Frame, read_frames

IMAGE_SIZE = 192
"""Longer side in pixels of the images that are compared."""

COLOUR_JUMP = 8.0
"""Least HSV difference (0..255) between neighbouring frames for a proposal; true cuts reach 20 and more."""

COLOUR_JUMP_RATIO = 2.0
"""Least ratio of this difference to those of the four frames around."""

FLASH = 2
"""A flash or glitch of this many frames is no cut."""

TRACKED_SHARE = 0.45
"""Frames of one shot keep more than this share of their corners (measured: 0.66 to 1.0; across cuts 0 to 0.2)."""

MIN_CORNERS = 10
"""Fewer corners than this cannot connect two frames."""


@dataclass(frozen=True)
class Shot:
    """Frames from one camera without a cut.

    Attributes:
        number: place in the video, from 1.
        first, stop: frame numbers, first <= frame < stop.
        start_time, end_time: seconds; the shot's frames have start_time <= time < end_time.
    """

    number: int
    first: int
    stop: int
    start_time: float
    end_time: float


def find_shots(
    path: Path | str, start: float | None = None, end: float | None = None, progress: Progress = SILENT
) -> list[Shot]:
    """Shots between hard cuts, in order, together covering all frames with start <= time < end.

    Pans, flashes, changes of light and fast motion are not cuts. Dissolves are not found.

    Raises:
        AnyliftError, NothingFoundError, UsageError: as `read_frames`.
    """
    info = probe(path)
    detector = AdaptiveDetector(COLOUR_JUMP_RATIO, min_scene_len=1, min_content_val=COLOUR_JUMP)
    recent: deque[Frame] = deque(maxlen=detector.event_buffer_length + 2 * FLASH + 1)
    begins: list[tuple[int, float]] = []
    seconds = min(end or info.duration, info.duration) - (start or 0.0)
    with progress.task("finding shots", total=max(1, round(seconds * info.fps))) as task:
        for frame in read_frames(path, start, end, max_size=IMAGE_SIZE):
            recent.append(frame)
            if not begins:
                begins.append((frame.index, frame.time))
            for proposed in detector.process_frame(frame.index, frame.image[..., ::-1]):
                if is_cut(recent, proposed):
                    begins.append(next((other.index, other.time) for other in recent if other.index == proposed))
            task.advance()
    last_end = frame.time + 1 / info.fps
    ends = [*begins[1:], (frame.index + 1, last_end if end is None else min(end, last_end))]
    return [
        Shot(number, first, stop, start_time, end_time)
        for number, ((first, start_time), (stop, end_time)) in enumerate(zip(begins, ends, strict=True), 1)
    ]


def is_cut(frames: Sequence[Frame], index: int) -> bool:
    """Whether no frame shortly before frame `index` shows the scene of one at or shortly after it."""
    before = [frame.image for frame in frames if frame.index < index][: -FLASH - 2 : -1]
    after = [frame.image for frame in frames if frame.index >= index][: FLASH + 1]
    pairs = [(before[0], image) for image in after] + [(image, after[0]) for image in before[1:]]
    return all(tracked_share(earlier, later) < TRACKED_SHARE for earlier, later in pairs)


def tracked_share(earlier: np.ndarray, later: np.ndarray) -> float:
    """Share (0..1) of the corners of one image that optical flow finds in the other and leads back from.

    Args:
        earlier, later: RGB uint8 (height, width, 3), of one size.

    Source: pyramidal Lucas-Kanade (Bouguet 2001) with the forward-backward check of Kalal et al. 2010.
    """
    earlier, later = (cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in (earlier, later))
    corners = cv2.goodFeaturesToTrack(earlier, maxCorners=200, qualityLevel=0.01, minDistance=7)
    if corners is None or len(corners) < MIN_CORNERS:
        return 0.0
    forward, found, _ = cv2.calcOpticalFlowPyrLK(earlier, later, corners, None, winSize=(15, 15))
    backward, returned, _ = cv2.calcOpticalFlowPyrLK(later, earlier, forward, None, winSize=(15, 15))
    error = np.linalg.norm(backward - corners, axis=2).ravel()
    return float(np.mean((error < 1.0) & (found & returned).ravel().astype(bool)))

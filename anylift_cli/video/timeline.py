"""Which frames a video file holds and when each is shown, read from its packets without decoding."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction

from anylift_cli.video.source import Source, read_packets

INDEXED_CONTAINERS = {"mov", "matroska"}
"""Containers whose packets are one frame each with its own presentation time."""

CODECS_WITH_HIDDEN_FRAMES = {"vp8"}
"""Codecs with packets that are never shown, so that packets cannot be counted as frames."""


@dataclass(frozen=True)
class Timeline:
    """Presentation times of all frames, ascending.

    Attributes:
        pts: one per frame, in units of `time_base`.
        time_base: seconds per unit.
        key_pts: presentation times of the frames that decoding can begin at, ascending.
        key_dts: decoding time of each of these, or its presentation time where the file states none.
    """

    pts: list[int]
    time_base: Fraction
    key_pts: list[int]
    key_dts: list[int]

    def time(self, index: int) -> float:
        """Seconds from the first frame to frame `index`."""
        return float((self.pts[index] - self.pts[0]) * self.time_base)

    def index(self, pts: int | None) -> int | None:
        """Number of the frame shown at `pts`; None when the file lists no such frame."""
        if pts is None:
            return None
        place = bisect_left(self.pts, pts)
        return place if place < len(self.pts) and self.pts[place] == pts else None

    def index_at(self, seconds: float) -> int:
        """The first frame shown at `seconds` or later."""
        return bisect_left(range(len(self.pts)), seconds, key=self.time)

    def seek_point(self, index: int) -> int | None:
        """Decoding time to seek to for frame `index`; None when that is the begin of the file."""
        place = bisect_right(self.key_pts, self.pts[index]) - 1
        return self.key_dts[place] if place > 0 else None


@dataclass(frozen=True)
class PacketScan:
    """What the packets of a file tell.

    Attributes:
        count: frames, or packets where these cannot be matched to frames.
        rate: frames per second on average; None when the file does not state the times.
        timeline: None when packets and frames cannot be matched; frames must then be decoded and counted.
    """

    count: int
    rate: float | None
    timeline: Timeline | None


def scan_packets(source: Source) -> PacketScan:
    """Read all packets of the picture track; leaves the source at its end.

    A file that is cut off is scanned as far as it goes.
    """
    stream = source.stream
    shown, keys = [], []
    for packet in read_packets(source):
        if packet.is_keyframe and packet.pts is not None:
            keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
        if not packet.is_discard:
            shown.append(packet.pts)
    timed = None not in shown and len(set(shown)) == len(shown)
    names = set(source.container.format.name.split(","))
    if timed and keys and names & INDEXED_CONTAINERS and stream.codec_context.name not in CODECS_WITH_HIDDEN_FRAMES:
        keys.sort()
        shown = sorted(pts for pts in shown if pts >= keys[0][0])
        key_pts, key_dts = zip(*keys, strict=True)
        timeline = Timeline(shown, stream.time_base, list(key_pts), list(key_dts))
    else:
        timeline = None
    known_rate = timed and len(shown) > 1
    rate = float((len(shown) - 1) / ((max(shown) - min(shown)) * stream.time_base)) if known_rate else None
    return PacketScan(len(shown), rate, timeline)

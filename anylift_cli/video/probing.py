"""What a video file says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anylift_cli.errors import AnyliftError
from anylift_cli.video.decoding import decode_pictures, nominal_rate, pixel_aspect
from anylift_cli.video.display import display_of
from anylift_cli.video.source import open_source
from anylift_cli.video.timeline import scan_packets

FOCAL_35MM_NAMES = (
    "com.apple.quicktime.camera.focal_length.35mm_equivalent",
    "com.android.camera.focal_length.35mm_equivalent",
    "focal_length_in_35mm_film",
    "focallengthin35mmfilm",
)
"""Metadata names (lower case) of the 35 mm equivalent focal length."""


@dataclass(frozen=True)
class VideoInfo:
    """Facts about a video.

    Attributes:
        path: the file.
        width, height: of displayed images in pixels (rotation metadata applied, square pixels).
        rotation: clockwise degrees that the stored picture is turned by for display.
        duration: seconds that the pictures last.
        frame_count: frames in the file; those that turn out to be broken included.
        fps: frames per second, averaged over the video.
        codec: name of the picture codec.
        metadata: text tags of the container and the picture track.
        focal_35mm: 35 mm equivalent focal length in mm that the camera wrote, or None.
    """

    path: Path
    width: int
    height: int
    rotation: int
    duration: float
    frame_count: int
    fps: float
    codec: str
    metadata: dict[str, str]
    focal_35mm: float | None


def probe(path: Path | str) -> VideoInfo:
    """Read all packets and decode the first frame.

    Raises:
        AnyliftError: the file cannot be read as a video, or not one frame can be decoded.
    """
    path = Path(path)
    with open_source(path) as source:
        codec = source.stream.codec_context.name
        metadata = {**source.container.metadata, **source.stream.metadata}
        aspect, scan = pixel_aspect(source), scan_packets(source)
        fps = scan.rate or nominal_rate(source)
    first = next(decode_pictures(path, scan.timeline), None)
    if first is None:
        raise AnyliftError(f"{path}: not one frame can be decoded", "the file is damaged; copy or download it again")
    display = display_of(first.stored, aspect)
    width, height = display.size
    return VideoInfo(
        path, width, height, display.rotation, scan.count / fps, scan.count, fps, codec, metadata, _focal_35mm(metadata)
    )


def _focal_35mm(metadata: dict[str, str]) -> float | None:
    tags = {name.lower(): value for name, value in metadata.items()}
    for name in FOCAL_35MM_NAMES:
        try:
            focal = float(tags[name])
        except (KeyError, ValueError):
            continue
        if focal > 0:
            return focal
    return None

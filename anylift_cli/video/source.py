"""Open a local video file and find its picture track; nothing but plain files is ever opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import av
from av import Packet
from av.container import InputContainer
from av.video.stream import VideoStream

from anylift_cli.errors import AnyliftError

FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,wtv,dv,gif,ivf,nut,rm,h264,hevc,m4v,obu,av1,mjpeg,"
    "yuv4mpegpipe"
)
"""Demuxers that read one self-contained file. Playlists (hls, dash, concat, image2) name other files and stay out."""


MAX_PIXELS = 1 << 26
"""Of one picture, twice those of 8K; a few bytes can claim more."""


@dataclass(frozen=True)
class Source:
    """An open video: the container and its main picture track."""

    path: Path
    container: InputContainer
    stream: VideoStream


@contextmanager
def open_source(path: Path | str) -> Iterator[Source]:
    """Open `path` for decoding with all cores; closed on exit.

    Raises:
        AnyliftError: missing, unreadable, empty, a folder, not a video, or without pictures.
    """
    path = Path(path)
    _check_file(path)
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file", "format_whitelist": FORMATS})
    except (av.FFmpegError, ValueError, OSError) as error:
        raise AnyliftError(
            f"{path} is not a video that can be read: {getattr(error, 'strerror', None) or error}",
            "convert it to mp4 (H.264) with a video tool and try again",
        ) from error
    with container:
        stream = _picture_track(container)
        if stream is None:
            raise AnyliftError(f"{path} holds no moving pictures", "is it a sound file? give a video file")
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise AnyliftError(
                f"{path} says that its pictures are {width}x{height}; refusing to decode more than "
                f"{MAX_PIXELS >> 20} megapixels",
                "scale it down with a video tool, if it is a video at all",
            )
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_type = "AUTO"
        yield Source(path, container, stream)


def read_packets(source: Source) -> Iterator[Packet]:
    """Whole packets of the picture track, up to the end of the file or of its readable part."""
    with suppress(av.FFmpegError):
        for packet in source.container.demux(source.stream):
            if packet.size and not packet.is_corrupt:
                yield packet


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "check the path of the video") from error
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror or error}") from error
    if path.is_dir():
        raise AnyliftError(f"{path} is a folder, not a video file", "give one video file")
    if not path.is_file():
        raise AnyliftError(f"{path} is not a regular file", "save the video to a file first")
    if size == 0:
        raise AnyliftError(f"{path} is empty (0 bytes)", "copy or download it again")
    if not os.access(path, os.R_OK):
        raise AnyliftError(f"{path} cannot be read: permission denied", "change its permissions")


def _picture_track(container: InputContainer) -> VideoStream | None:
    still_pictures = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & still_pictures:
            return stream
    return None

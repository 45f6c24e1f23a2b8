"""Reading, cutting into shots and writing video files."""

from anylift_cli.video.probing import VideoInfo, probe
from anylift_cli.video.reading import Frame, read_frames, read_frames_at
from anylift_cli.video.shots import Shot, find_shots
from anylift_cli.video.writing import VideoWriter

__all__ = [
    "Frame",
    "Shot",
    "VideoInfo",
    "VideoWriter",
    "find_shots",
    "probe",
    "read_frames",
    "read_frames_at",
]

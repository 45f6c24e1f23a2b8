"""Names of video files."""

from __future__ import annotations

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
"""In lower case; what a folder is searched for."""

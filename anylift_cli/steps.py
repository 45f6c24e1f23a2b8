"""Names of the steps of a run, in order."""

from __future__ import annotations

from enum import Enum


class Step(str, Enum):
    """What `--force` can name; each comes after those above it."""

    KEYPOINTS = "keypoints"
    CAMERAS = "cameras"
    OBJECTS = "objects"
    LIFT = "lift"
    FIT = "fit"
    EXPORT = "export"
    QUALITY = "quality"
    OVERLAY = "overlay"
    REPORT = "report"

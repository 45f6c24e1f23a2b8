"""What every keypoint estimator and importer offers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KeypointOptions:
    """Options of the keypoints stage.

    Attributes:
        backend: entry point of the group `anylift.keypoints`.
        person: "main" (the most prominent), "all", or a 1-based number in order of prominence.
        shot: "auto" (the longest shot with a person) or a 1-based number.
        start, end: part of the video in seconds; None is the video's own begin or end.
    """

    backend: str = "mediapipe"
    person: str = "main"
    shot: str = "auto"
    start: float | None = None
    end: float | None = None

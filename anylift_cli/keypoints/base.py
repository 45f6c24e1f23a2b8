"""What every keypoint estimator and importer offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from anylift_cli.video import Frame

WORKERS = 2
"""Threads that estimate people."""


@dataclass(frozen=True)
class KeypointOptions:
    """Options of the keypoints stage.

    Attributes:
        backend: entry point of the group `anylift.keypoints`, or a file or folder of keypoints that exist already.
        person: "main" (the most prominent), "all", or a 1-based number in order of prominence.
        shot: "auto" (the longest shot with a person) or a 1-based number.
        start, end: part of the video in seconds; None is the video's own begin or end.
        local_poses: result of GVHMR, WHAM, TRAM, GLAMR or ROMP whose poses stand for the estimator's local points.
    """

    backend: str = "mediapipe"
    person: str = "main"
    shot: str = "auto"
    start: float | None = None
    end: float | None = None
    local_poses: str | None = None


@dataclass(frozen=True)
class Region:
    """The square of an image in which one person is looked for.

    Attributes:
        x, y: centre, px.
        size: side length, px.
        rotation: of the person against upright, radians, clockwise as seen in the image.
    """

    x: float
    y: float
    size: float
    rotation: float = 0.0


@dataclass(frozen=True)
class Pose:
    """One person in one image.

    Attributes:
        points: (24, 2) px, `body24`; NaN where unobserved.
        confidence: (24,) 0..1; 0 where unobserved.
        local_joints: (24, 3) m, see `KeypointsArtifact`; None where the estimator has no 3D points.
        region: where to look for this person in a neighbouring frame.
    """

    points: np.ndarray
    confidence: np.ndarray
    local_joints: np.ndarray | None
    region: Region


class PoseEstimator(Protocol):
    """A backend of the group `anylift.keypoints`; made without arguments, used for one shot after the
    other, of any video: it has no memory of earlier ones.

    `find` and up to `WORKERS` calls of `estimate` may run at the same time, in threads.

    Attributes:
        name: for provenance, with the version of the model or library.
    """

    name: str

    def find(self, frame: Frame, tile: tuple[int, int, int, int]) -> list[Region]:
        """Places of a frame that may show a person, most certain first. Small people may be missed.

        Args:
            tile: where to look, xyxy px; regions are in pixels of the whole image.
        """
        ...

    def estimate(self, frame: Frame, region: Region) -> Pose | None:
        """The person in a region, None where there is none. Has no memory of earlier images."""
        ...

    def close(self) -> None:
        """Free the models."""
        ...

"""What every keypoint estimator and importer offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from anylift_cli.errors import UsageError

if TYPE_CHECKING:
    from anylift_cli.video import Frame


@dataclass(frozen=True)
class KeypointOptions:
    """Options of the keypoints stage.

    Attributes:
        backend: entry point of the group `anylift.keypoints`, or a file or folder of keypoints that exist already.
        person: "main" (the most prominent), "all", or a 1-based number in order of prominence.
        shot: "auto" (the longest shot with a person) or a 1-based number.
        start, end: part of the video in seconds; None is the video's own begin or end.
        local_poses: result of GVHMR, WHAM, TRAM, GLAMR or ROMP whose poses stand for the estimator's local points.
        model: which network of the backend, by the name of its weights or as a file or folder; None for the best one
            that is here.
        flip_test: also look at each person mirrored, and take the mean.
        device: torch device of backends that use torch.
    """

    backend: str = "mediapipe"
    person: str = "main"
    shot: str = "auto"
    start: float | None = None
    end: float | None = None
    local_poses: str | None = None
    model: str | None = None
    flip_test: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class Region:
    """The square of an image in which one person is looked for.

    Attributes:
        x, y: centre, px.
        size: side length, px.
        rotation: of the person against upright, radians, clockwise as seen in the image.
        box: xyxy px, what is known to hold the person more tightly than the square; None where nothing is.
    """

    x: float
    y: float
    size: float
    rotation: float = 0.0
    box: tuple[float, float, float, float] | None = None


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
    """A backend of the group `anylift.keypoints`; made of `KeypointOptions`, used for one shot after the other, of any
    video: it has no memory of earlier ones.

    `find` and `estimate` may run at the same time, in two threads.

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

    def estimate(self, frame: Frame, regions: Sequence[Region]) -> list[Pose | None]:
        """The person in each region, None where there is none. Has no memory of earlier images."""
        ...

    def close(self) -> None:
        """Free the models."""
        ...


def check_no_model(options: KeypointOptions, backend: str) -> None:
    """Raise UsageError where a network was chosen of a backend that has no choice."""
    if options.model is not None or options.flip_test:
        raise UsageError(
            f"{backend} has no choice of networks and no flip test",
            "leave --keypoints-model and --flip-test out, or choose --keypoints vitpose",
        )

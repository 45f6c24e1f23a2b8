"""What a protocol gives to a lifter, and the truth it is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact


@dataclass(frozen=True)
class EvaluationClip:
    """One person over T frames as seen by one camera, with the truth.

    Attributes:
        name: unique within the protocol.
        recording: what the clip was cut from; clips of one recording are not independent.
        action: what the person does, for tables and plots.
        cameras: "static" or "dynamic".
        mode: how the camera moves in particular, "pan" or "orbit" for instance.
        keypoints: what a detector gives, one person.
        estimated: what a camera estimator gives: with its errors, and in its own unit and heading.
        height: standing height of the person, m.
        points: (T, 24, 3) true `body24` points in a z-up world whose floor is z = 0; NaN where unknown.
        world_from_camera: (T, 4, 4) true camera poses in that world, m.
    """

    name: str
    recording: str
    action: str
    cameras: str
    mode: str
    keypoints: KeypointsArtifact
    estimated: CamerasArtifact
    height: float
    points: np.ndarray
    world_from_camera: np.ndarray

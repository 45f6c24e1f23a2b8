"""What every lifter offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.progress import Progress

CHECKPOINT = "anylift-human.safetensors"
"""The shipped network, which `diffusion` uses unless it is given another."""


def is_checkpoint(lifter: str) -> bool:
    """Whether a lifter's name is the path of a checkpoint."""
    return lifter.endswith(".safetensors")


@dataclass(frozen=True)
class LiftOptions:
    """Options of the lift stage.

    Attributes:
        lifter: entry point of the group `anylift.lifters`, or path of a checkpoint.
        height: standing height of the person in metres, when known.
        quality: of lifters that can take their time: "fast", "balanced" or "best".
        device: torch device.
        seed: of every random choice.
    """

    lifter: str = "optimize"
    height: float | None = None
    quality: str = "fast"
    device: str = "cpu"
    seed: int = 0


@dataclass(frozen=True)
class LiftedPerson:
    """One person's result: joints (T, 24, 3) m in a z-up world, joint_std (T, 24) m, the metric cameras
    (T, 4, 4) of that world, and what goes into the artifact's meta."""

    joints: np.ndarray
    joint_std: np.ndarray
    world_from_camera: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)


class Lifter(Protocol):
    """A backend of the lift stage."""

    name: str
    version: int

    def lift(
        self,
        keypoints: KeypointsArtifact,
        cameras: CamerasArtifact,
        person: int,
        options: LiftOptions,
        progress: Progress,
    ) -> LiftedPerson:
        """Lift one person of `keypoints` into a metric world."""
        ...

"""What every lifter offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.errors import MissingDependencyError, UsageError
from anylift_cli.progress import Progress
from anylift_cli.weights_store import find_weights

CHECKPOINT = "anylift-human.safetensors"
"""The shipped network, which `diffusion` uses unless it is given another."""

JOINT_CHECKPOINT = "anylift-hoi.safetensors"
"""The shipped joint network of people and objects."""


def joint_checkpoint(name: str) -> Path | None:
    """The file of a joint network: a path, "default" (the shipped one), or None for "none".

    Raises:
        UsageError: a path where no file is.
    """
    if name == "none":
        return None
    if name == "default":
        try:
            return find_weights(JOINT_CHECKPOINT)
        except MissingDependencyError:
            return None
    if not Path(name).is_file():
        raise UsageError(f"the joint checkpoint {name} does not exist", "give one made by `anylift train interactions`")
    return Path(name)


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

    lifter: str = "diffusion"
    height: float | None = None
    quality: str = "fast"
    device: str = "cpu"
    seed: int = 0


@dataclass(frozen=True)
class JointOptions(LiftOptions):
    """Options of the lift stage where objects are lifted together with the first person.

    Attributes:
        categories: of the objects, in their order; the last one counts for all that follow. An object of none of
            `joint.CATEGORIES` is left to the fit.
        joint: checkpoint of a joint network, a path or "default".
    """

    categories: tuple[str, ...] = ()
    joint: str = "default"


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

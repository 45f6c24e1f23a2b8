"""Training clips from videos: one person's 2D points, cameras and local 3D estimates, as training reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from anylift_cli.artifacts.base import Artifact, array
from anylift_cli.body.model import BodyModel
from anylift_cli.errors import AnyliftError
from anylift_cli.lifting.edges import edge_lengths
from anylift_cli.lifting.size import MEAN_HEIGHT

RATE = 30.0
"""Frames per second of all training clips."""


@dataclass(kw_only=True)
class TrainingClip(Artifact):
    """One person over T frames at `meta["fps"]`, from second `meta["start"]` of the video `meta["source"]` on.

    `rays` are x/z and y/z in the camera. Where a point was not seen its weight is 0, and `rays` holds what lies
    between its neighbours in time. The world has z up; the camera path is metric. `local` are an estimator's
    root-centred points in camera axes, weight 0 where there are none.
    """

    schema: ClassVar[str] = "anylift.clip"
    version: ClassVar[int] = 1

    rays: np.ndarray = array("T K 2", "f4")
    weight: np.ndarray = array("T K", "f4")
    world_from_camera: np.ndarray = array("T 4 4", "f4", "m")
    local: np.ndarray = array("T K 3", "f4", "m")
    local_weight: np.ndarray = array("T K", "f4")


def read_clips(folder: Path) -> dict[str, TrainingClip]:
    """The clips of a folder that `anylift train prepare` left, by file name.

    Raises:
        AnyliftError: no clip there, or a damaged one.
    """
    clips = {path.name: TrainingClip.load(path) for path in sorted((folder / "clips").glob("*.npz"))}
    if not clips:
        raise AnyliftError(f"{folder} holds no training clips", "`anylift train prepare VIDEOS --out DIR` makes them")
    return clips


def mean_lengths(device: str) -> torch.Tensor:
    """Edge lengths (E,) of the open body at mean height, m: all that training from videos assumes of people."""
    body = BodyModel.load("open", device)
    pose = torch.eye(3, device=device).expand(1, 24, 3, 3)
    points = body.joints(pose, body.from_height(MEAN_HEIGHT), torch.zeros(1, 3, device=device)).keypoints[0]
    return edge_lengths(points)


def file_name(name: str) -> str:
    """A clip's file name."""
    return re.sub(r"[^\w.-]+", "_", name) + ".npz"

"""Lifters to compare with: what is lost without an idea, and what a newcomer would do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.cameras import rays, transform
from anylift_cli.geometry.rotations import rotation_between
from anylift_cli.lifting.base import LiftedPerson, LiftOptions
from anylift_cli.lifting.initial import matched_poses
from anylift_cli.lifting.observation import Observation, observe, root_of
from anylift_cli.lifting.optimize import OptimizeLifter
from anylift_cli.lifting.refine import Models
from anylift_cli.lifting.size import MEAN_HEIGHT
from anylift_cli.progress import Progress

_GUESSED_DEPTH = 3.0
_HYPOTHESES = 2


def start_in_one_place(part: Observation, models: Models) -> Tensor:
    """Dictionary poses that all stand where the first root's ray is 3 m long: no depth from apparent size."""
    poses = matched_poses(part, models.prior, models.rest, _HYPOTHESES)[0]
    gaze = torch.cat([root_of(part.rays)[:, :1], torch.ones_like(part.rays[:, :1, 0, :1])], -1)
    place = transform(part.world_from_camera[:, 0], gaze * _GUESSED_DEPTH)
    return poses @ part.world_from_camera[..., :3, :3].transpose(-1, -2) + place[:, :, None]


class NoSizeDepth(OptimizeLifter):
    """`optimize` without its depth from apparent size (ALGORITHM 8.6, first row)."""

    name = "optimize, no size depth"

    def __init__(self) -> None:
        super().__init__(start_in_one_place)


class StaticCamera(OptimizeLifter):
    """`optimize` that takes every camera for a still one."""

    name = "optimize, static camera"

    def lift(
        self,
        keypoints: KeypointsArtifact,
        cameras: CamerasArtifact,
        person: int,
        options: LiftOptions,
        progress: Progress,
    ) -> LiftedPerson:
        """Lift as if the first camera had stayed."""
        poses = np.broadcast_to(cameras.world_from_camera[:1], cameras.world_from_camera.shape).copy()
        still = replace(cameras, world_from_camera=poses, meta={**cameras.meta, "motion": "still", "scale": "metric"})
        return super().lift(keypoints, still, person, options, progress)


class PlacedLandmarks:
    """The estimator's 3D landmarks put where the 2D root is, as far away as the person's height in the image says.

    What someone makes of MediaPipe in an afternoon: no smoothing, no camera motion, no contacts.
    """

    name = "landmarks"

    def lift(
        self,
        keypoints: KeypointsArtifact,
        cameras: CamerasArtifact,
        person: int,
        options: LiftOptions,
        progress: Progress,
    ) -> LiftedPerson:
        """Place each frame on its own; frames without landmarks repeat their neighbours.

        Raises:
            AnyliftError: the keypoints come without landmarks.
        """
        seen = observe(keypoints, cameras, person, options.device)
        if seen.local is None:
            raise AnyliftError(
                "these keypoints come without local points, which 'landmarks' places", "leave out `--lifter landmarks`"
            )
        local = _filled(seen.local[0].double().numpy(), seen.local_weight[0].numpy() > 0)
        directions = _filled(
            rays(keypoints.keypoints[person].astype(np.float64), cameras.K), keypoints.confidence[person] > 0
        )
        apparent = np.ptp(directions[..., 1], axis=1)
        depth = np.ptp(local[..., 1], axis=1) / np.maximum(apparent, 1e-3)
        local *= (options.height or MEAN_HEIGHT) / MEAN_HEIGHT
        depth *= (options.height or MEAN_HEIGHT) / MEAN_HEIGHT
        gaze = root_of(torch.from_numpy(directions)).numpy()
        root = np.concatenate([gaze, np.ones_like(gaze[:, :1])], -1) * depth[:, None]
        up = torch.as_tensor(cameras.world_from_camera[0, :3, :3].T @ cameras.up)
        upright = np.eye(4)
        upright[:3, :3] = rotation_between(up, up.new_tensor([0.0, 0.0, 1.0])).numpy()
        upright[2, 3] = -np.median(transform(upright, local + root[:, None])[..., 2].min(1))
        joints = transform(upright, local + root[:, None])
        return LiftedPerson(
            joints=joints.astype(np.float32),
            joint_std=np.full(joints.shape[:2], 0.1, np.float32),
            world_from_camera=np.broadcast_to(upright, cameras.world_from_camera.shape).copy(),
        )


def _filled(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values (T, N, D) with unknown entries taken from the nearest frame that has them; 0 where no frame does."""
    frames = np.arange(len(values))
    filled = np.zeros_like(values)
    for point in range(values.shape[1]):
        at = np.flatnonzero(known[:, point])
        if len(at):
            nearest = at[np.abs(frames[:, None] - at).argmin(1)]
            filled[:, point] = values[nearest, point]
    return filled


BASELINES = {lifter.name: lifter for lifter in (NoSizeDepth, StaticCamera, PlacedLandmarks)}
"""By the name that `anylift evaluate --lifter` takes beside those of the entry points."""

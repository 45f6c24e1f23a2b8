"""What one person's lifting works on, in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.body.skeleton import K
from anylift_cli.geometry.cameras import rays
from anylift_cli.geometry.rotations import turn_to_ray

_LEANING = {"mediapipe": 3.0}
"""Degrees by which the people of each estimator lean (measured on 26 held-out recordings done by rendered people: 2.9
away from the camera, 2.7 deviation; on authored motions 1.2 and 2.1); those of others are taken not to."""


@dataclass(frozen=True)
class Observation:
    """Evidence for B people (or hypotheses, or clips) over T frames.

    Attributes:
        rays: (B, T, K, 2) x/z and y/z in the camera; 0 where unobserved.
        weight: (B, T, K) confidence 0..1, 0 where unobserved.
        world_from_camera: (B, T, 4, 4) with translations in metres once the scale is known.
        times: (B, T) seconds.
        local: (B, T, K, 3) root-centred points in camera axes, metres, 0 where unobserved; None without an estimator.
        local_weight: (B, T, K) trust in `local`.
        local_lean: (B, T) degrees by which the people of `local` lean towards the camera or away from it.
        imagined: (B, T, K, 3) root-centred points in camera axes that a network sees, metres; None without one.
        imagined_deviation: (B, T, K) their standard deviation, m.
        imagined_depth: (B, T) depth of the root that a network sees, m.
    """

    rays: Tensor
    weight: Tensor
    world_from_camera: Tensor
    times: Tensor
    local: Tensor | None = None
    local_weight: Tensor | None = None
    local_lean: Tensor | None = None
    imagined: Tensor | None = None
    imagined_deviation: Tensor | None = None
    imagined_depth: Tensor | None = None

    def select(self, index: slice | Tensor, axis: int) -> Observation:
        """The same evidence for some of the B people (axis 0) or the T frames (axis 1)."""
        pick = (index,) if axis == 0 else (slice(None), index)
        values = {name: value if value is None else value[pick] for name, value in vars(self).items()}
        return replace(self, **values)

    @classmethod
    def stacked(cls, parts: Sequence[Observation]) -> Observation:
        """The people of all parts, which have as many frames each and the same kinds of evidence."""
        columns = {name: [getattr(part, name) for part in parts] for name in vars(parts[0])}
        return cls(**{name: None if values[0] is None else torch.cat(values) for name, values in columns.items()})

    def repeat(self, count: int) -> Observation:
        """Each of the B entries `count` times in a row."""
        values = {
            name: value if value is None else value.repeat_interleave(count, 0) for name, value in vars(self).items()
        }
        return replace(self, **values)


def observe(keypoints: KeypointsArtifact, cameras: CamerasArtifact, person: int, device: str) -> Observation:
    """Evidence of one person (B = 1) from the artifacts.

    The estimator's local points are given in the axes of a camera that looks at the middle of the person's box
    (KeypointsArtifact); here they are turned into the axes of the real camera.
    """
    confidence = np.where(keypoints.present[person][:, None], keypoints.confidence[person], 0.0)
    pixels = np.nan_to_num(keypoints.keypoints[person].astype(np.float64))
    directions = np.where(confidence[..., None] > 0, rays(pixels, cameras.K), 0.0)
    tensors = {
        "rays": directions,
        "weight": confidence,
        "world_from_camera": cameras.world_from_camera,
        "times": keypoints.timestamps,
    }
    if keypoints.local_joints is not None:
        points = keypoints.local_joints[person]
        known = np.isfinite(points).all(-1) & (confidence > 0)
        centre = rays(_box_centres(keypoints, person)[:, None], cameras.K)[:, 0]
        turn = turn_to_ray(torch.as_tensor(centre)).numpy()
        tensors["local"] = np.where(known[..., None], np.nan_to_num(points) @ turn.swapaxes(-1, -2), 0.0)
        tensors["local_weight"] = known * confidence
        tensors["local_lean"] = np.full(len(confidence), _lean(keypoints))
    return Observation(
        **{
            name: torch.as_tensor(np.asarray(value)[None], dtype=torch.float32, device=device)
            for name, value in tensors.items()
        }
    )


def _lean(keypoints: KeypointsArtifact) -> float:
    estimator = "" if "local_poses" in keypoints.meta else str(keypoints.meta.get("estimator", ""))
    return next((lean for name, lean in _LEANING.items() if estimator.startswith(name)), 0.0)


def _box_centres(keypoints: KeypointsArtifact, person: int) -> np.ndarray:
    """Middles of the person's boxes (T, 2); where there is none, the image centre."""
    boxes = keypoints.boxes[person].astype(np.float64)
    centres = 0.5 * (boxes[:, :2] + boxes[:, 2:])
    return np.where(np.isfinite(centres), centres, keypoints.image_size / 2)


ROOT = (K["left_hip"], K["right_hip"])


def root_of(points: Tensor) -> Tensor:
    """Mid hip of (..., 24, D) points → (..., D)."""
    return 0.5 * (points[..., ROOT[0], :] + points[..., ROOT[1], :])

"""Virtual cameras, a detector and a camera estimator before known motion: evaluation clips from any mocap."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.geometry.cameras import intrinsics_matrix, invert, transform
from anylift_cli.geometry.rotations import turn_to_ray
from anylift_cli.lifting.edges import SIZE, edge_lengths
from anylift_cli.lifting.observation import ROOT, root_of
from anylift_cli.synthetic.camera_errors import estimated_cameras, estimated_up, rescaled
from anylift_cli.synthetic.detector import detect, estimate_local
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.virtual_cameras import MODES, PAN, STILL, draw_cameras

IMAGE = (1920, 1080)
_TILT = 0.026
"""Radians that the estimated vertical is off about each axis."""
_UNIT_SPREAD = 1.0
"""Standard deviation of the logarithm of the estimator's unit."""
_MEAN_BODY_HEIGHT = 1.70


@dataclass(frozen=True)
class Motion:
    """True motion to be filmed.

    Attributes:
        name, action: for tables.
        recording: what the motion was cut from.
        points: (T, 24, 3) `body24` as a detector would see it, m, z up, floor z = 0; NaN is never seen.
        known: (24,) points that are measured truth; the others only make the input complete.
        times: (T,) seconds.
    """

    name: str
    recording: str
    action: str
    points: np.ndarray
    known: np.ndarray
    times: np.ndarray


@dataclass(frozen=True)
class Filmed:
    """The camera that a motion of T frames is really seen by.

    Attributes:
        mode: how it moves in particular, for tables.
        kind: "still", "rotating" or "moving".
        world_from_camera: (T, 4, 4), m.
        K: (T, 3, 3) of an image of `IMAGE` pixels.
    """

    mode: str
    kind: str
    world_from_camera: Tensor
    K: np.ndarray


def retaken(motion: Motion, takes: int) -> list[Motion]:
    """A motion to be filmed `takes` times: the first one under its own name, others under names that draw other cameras
    and detections. What cameras and detections happen to do is thereby averaged out; `recording` stays."""
    return [motion, *(replace(motion, name=f"{motion.name}~{take}") for take in range(1, takes))]


def film(motion: Motion, cameras: str, seed: int, mean_lengths: Tensor) -> EvaluationClip:
    """Film a motion with a "static" or "dynamic" camera; the same name and seed give the same clip.

    Args:
        mean_lengths: (E,) edge lengths of the mean body of 1.70 m, m; the person's height is told in its proportions.
    """
    draw = Draw.seeded(zlib.crc32(f"{motion.name}/{cameras}/{seed}".encode()))
    times = torch.as_tensor(motion.times - motion.times[0], dtype=torch.float32)
    mode = torch.full((1,), STILL) if cameras == "static" else 1 + draw.integers((1,), len(MODES) - 1)
    path = draw_cameras(root_of(complete(motion))[None], times, mode, draw)
    kind = {STILL: "still", PAN: "rotating"}.get(int(mode), "moving")
    K = intrinsics_matrix(np.full(len(times), float(path.focal) * IMAGE[1] / 2), *IMAGE)
    return recorded(motion, Filmed(MODES[int(mode)], kind, path.world_from_camera[0], K), draw, mean_lengths)


def recorded(motion: Motion, filmed: Filmed, draw: Draw, mean_lengths: Tensor) -> EvaluationClip:
    """What a detector, a local pose estimator and a camera estimator make of a filmed motion; `film` has the rest."""
    exists = torch.as_tensor(np.isfinite(motion.points).all(-1))[None]
    world = complete(motion)[None]
    times = torch.as_tensor(motion.times - motion.times[0], dtype=torch.float32)
    true_cameras = filmed.world_from_camera[None].float()
    seen = transform(invert(true_cameras), world)
    widest = torch.tensor([filmed.K[:, 1, 1].min() / (IMAGE[1] / 2)], dtype=torch.float32)
    rays, confidence = detect(seen, widest, times, draw)
    confidence = confidence * exists
    local = estimate_local(seen, times, draw)
    keypoints = _keypoints(rays[0], confidence[0], local[0], filmed.K, motion.times)
    moving = torch.tensor([filmed.kind == "moving"])
    estimated = estimated_cameras(true_cameras, times, moving, draw)
    estimated = rescaled(estimated, torch.exp(draw.normal((1,), _UNIT_SPREAD) * moving))
    size = (edge_lengths(world)[0].mean(0) / mean_lengths)[SIZE].log().mean().exp()
    cameras = "static" if filmed.kind == "still" else "dynamic"
    return EvaluationClip(
        name=f"{motion.name}/{cameras}",
        recording=motion.recording,
        action=motion.action,
        cameras=cameras,
        mode=filmed.mode,
        keypoints=keypoints,
        estimated=_cameras(estimated[0], estimated_up(torch.tensor([_TILT]), draw)[0], filmed, motion.times),
        height=_MEAN_BODY_HEIGHT * float(size),
        points=np.where(motion.known[:, None], motion.points, np.nan),
        world_from_camera=true_cameras[0].double().numpy(),
    )


def complete(motion: Motion) -> Tensor:
    """Points (T, 24, 3), unknown ones in the middle of the hips."""
    hips = motion.points[:, list(ROOT)].mean(1, keepdims=True)
    return torch.as_tensor(np.where(np.isfinite(motion.points), motion.points, hips), dtype=torch.float32)


def _keypoints(rays: Tensor, confidence: Tensor, local: Tensor, K: np.ndarray, times: np.ndarray) -> KeypointsArtifact:
    seen = confidence.numpy() > 0
    pixels = rays.numpy() * K[:, None, [0, 1], [0, 1]] + K[:, None, :2, 2]
    pixels = np.where(seen[..., None], pixels, np.nan)
    present = seen.sum(-1) >= 4
    low = np.where(seen[..., None], pixels, 1e9).min(1)
    high = np.where(seen[..., None], pixels, -1e9).max(1)
    boxes = np.where(present[:, None], np.concatenate([low, high], -1), np.nan)
    middle = np.where(present[:, None], 0.5 * (low + high), K[:, :2, 2])
    turn = turn_to_ray(torch.as_tensor((middle - K[:, :2, 2]) / K[:, 0, :1]))
    own_axes = (local.double() @ turn).numpy()
    return KeypointsArtifact(
        keypoints=np.where(present[:, None, None], pixels, np.nan)[None].astype(np.float32),
        confidence=np.where(present[:, None], confidence.numpy(), 0.0)[None].astype(np.float32),
        boxes=boxes[None].astype(np.float32),
        present=present[None],
        timestamps=times.astype(np.float64),
        frame_index=np.arange(len(times)),
        image_size=np.array(IMAGE),
        local_joints=np.where(seen[..., None], own_axes, np.nan)[None].astype(np.float32),
    )


def _cameras(poses: Tensor, up: Tensor, filmed: Filmed, times: np.ndarray) -> CamerasArtifact:
    """The estimate in the world of its first camera."""
    into_first = invert(poses[:1])
    return CamerasArtifact(
        world_from_camera=(into_first @ poses).double().numpy(),
        K=filmed.K,
        confidence=np.ones(len(times), np.float32),
        up=(into_first[0, :3, :3] @ up).double().numpy(),
        timestamps=times.astype(np.float64),
        image_size=np.array(IMAGE),
        meta={
            "motion": filmed.kind,
            "scale": "arbitrary" if filmed.kind == "moving" else "metric",
            "focal_source": "given",
            "up_source": "given",
            "reason": "simulated",
        },
    )

"""What the protocols on real data sets share: a clip seen by a calibrated camera at rest, and where the files lie."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import Motion
from anylift_cli.geometry.cameras import invert, project_camera, transform


@dataclass(frozen=True)
class StillCamera:
    """A calibrated camera at rest: `world_from_camera` (4, 4) m, z up; `K` (3, 3) px; `size` width, height in px."""

    world_from_camera: np.ndarray
    K: np.ndarray
    size: tuple[int, int]


def still_clip(
    motion: Motion, height: float, camera: StillCamera, pixels: np.ndarray, confidence: np.ndarray
) -> EvaluationClip:
    """True motion with what is seen and what a camera estimator would say of a camera at rest.

    The estimator knows the focal length, takes the camera to be upright, and has its own world.

    Args:
        height: standing height of the person, m.
        pixels: (T, 24, 2) detected points; those with confidence 0 are not used.
        confidence: (T, 24) 0..1.
    """
    frames = len(motion.times)
    seen = confidence > 0
    pixels = np.where(seen[..., None], pixels, np.nan)
    present = seen.any(1)
    boxes = np.full((frames, 4), np.nan)
    boxes[present] = np.concatenate([np.nanmin(pixels[present], 1), np.nanmax(pixels[present], 1)], -1)
    keypoints = KeypointsArtifact(
        keypoints=pixels[None],
        confidence=np.where(seen, confidence, 0.0)[None],
        boxes=boxes[None],
        present=present[None],
        timestamps=motion.times,
        frame_index=np.arange(frames),
        image_size=camera.size,
    )
    estimated = CamerasArtifact(
        world_from_camera=np.tile(np.eye(4), (frames, 1, 1)),
        K=np.tile(camera.K, (frames, 1, 1)),
        confidence=np.ones(frames),
        up=np.array([0.0, -1.0, 0.0]),
        timestamps=motion.times,
        image_size=camera.size,
        meta={"motion": "still", "scale": "metric", "focal_source": "given", "up_source": "assumed"},
    )
    return EvaluationClip(
        name=motion.name,
        recording=motion.recording,
        action=motion.action,
        cameras="static",
        mode="still",
        keypoints=keypoints,
        estimated=estimated,
        height=height,
        points=np.where(motion.known[:, None], motion.points, np.nan),
        world_from_camera=np.tile(camera.world_from_camera, (frames, 1, 1)),
    )


def projected(points: np.ndarray, camera: StillCamera) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (T, N, 2) of world points (T, N, 3), and whether they are in the image and before the camera (T, N)."""
    in_camera = transform(invert(camera.world_from_camera), points)
    pixels = project_camera(in_camera, camera.K)
    return pixels, ((pixels >= 0) & (pixels < camera.size)).all(-1) & (in_camera[..., 2] > 0)


def require(folder: Path, wanted: Iterable[str], name: str, hint: str) -> None:
    """Check that a data set is there.

    Raises:
        AnyliftError: what is missing of it, with the link and the layout in `hint`.
    """
    if not folder.is_dir():
        raise AnyliftError(f"{name} is not at {folder}", hint)
    if missing := [part for part in wanted if not (folder / part).exists()]:
        raise AnyliftError(f"{folder} is not a complete {name} folder: {', '.join(missing)} is missing", hint)


def read_json(path: Path) -> Any:
    """Parsed JSON.

    Raises:
        AnyliftError: missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "unpack the data set again") from error
    except (OSError, ValueError) as error:
        raise AnyliftError(f"{path} is damaged: {error}", "unpack the data set again") from error

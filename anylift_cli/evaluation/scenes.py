"""Protocol from pixels: what the whole chain made of a rendered scene, against what it was rendered from.

Worlds are brought to one heading through their cameras; nothing else is aligned, so errors of gravity and scale count.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from anylift_cli.artifacts import CamerasArtifact, MotionArtifact
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation import metrics
from anylift_cli.evaluation.measure import align_to_truth, measure_before_cameras
from anylift_cli.evaluation.results import ClipResult
from anylift_cli.geometry.cameras import project

if TYPE_CHECKING:
    from rich.table import Table

    from anylift_cli.synthetic.scene import SceneSpec

_PIXELS_HIGH = 1080


@dataclass(frozen=True)
class SceneResult:
    """What the chain made of one scene.

    Attributes:
        figures: by name, JSON-ready. `kind` and `focal_source` are the chain's own; the others compare with the truth:
            `rotation_deg` (median camera turn since the first frame), `focal_percent`, `gravity_deg`, and of the 24
            SMPL joints `mpjpe_mm`, `pa_mpjpe_mm` (one similarity per frame), `root_mm` and `root_percent` (first frames
            joined, of the true path's length; None where the true root does not move).
        clip: the person by the protocol of the clips.
    """

    figures: dict[str, Any]
    clip: ClipResult


def scene_takes(spec: SceneSpec, takes: int) -> list[SceneSpec]:
    """The scene, and as many others of its motion and camera, each with another body, room and camera path."""
    names = [f"{spec.name}_{take}" for take in range(2, takes + 1)]
    return [spec, *(replace(spec, name=name, seed=zlib.crc32(name.encode())) for name in names)]


def measure_scene(
    spec: SceneSpec,
    motion: MotionArtifact,
    cameras: CamerasArtifact,
    true_motion: MotionArtifact,
    true_cameras: CamerasArtifact,
    lifter: str,
    height: str,
    seconds: float,
) -> SceneResult:
    """Compare the chain's motion and cameras with the truth, over the frames in which the chain has the person.

    Args:
        spec: of the scene.
        motion, cameras: the chain's; `cameras` may have more frames than those with the person.
        lifter: that the chain lifted with.
        height: "given" or "unknown": whether the chain was told the person's height.
        seconds: how long the chain took.

    Raises:
        AnyliftError: the motion has frames that the scene or `cameras` have not.
    """
    frames = motion.frame_index
    filmed = np.flatnonzero(np.isin(cameras.timestamps, motion.timestamps))
    if frames.max() >= len(true_motion.joints) or len(filmed) != len(frames):
        raise AnyliftError(
            f"the motion of scene {spec.name} has frames that the scene or its cameras have not",
            "remove the scene's folder and run it again",
        )
    lifted, true = motion.world_from_camera[:, :3, :3], true_motion.world_from_camera[frames, :3, :3]
    heading = metrics.yaw_between(lifted, true)
    joints, expected = motion.joints @ heading.T, true_motion.joints[frames].astype(np.float64)
    roots = joints[:, 0], expected[:, 0]
    root, path = metrics.root_error(*roots), metrics.path_length(expected[:, 0])
    turns = metrics.rotation_errors(
        cameras.world_from_camera[filmed, :3, :3], true_cameras.world_from_camera[frames, :3, :3]
    )
    figures = {
        "scene": spec.name,
        "camera": spec.camera,
        "lifter": lifter,
        "height": height,
        "kind": cameras.meta["motion"],
        "rotation_deg": float(np.median(turns)),
        "focal_percent": 100 * metrics.focal_error(cameras.K[filmed], true_cameras.K[frames]),
        "focal_source": cameras.meta["focal_source"],
        "gravity_deg": metrics.gravity_error(lifted, true),
        "mpjpe_mm": 1000 * metrics.mpjpe(joints, expected, *roots),
        "pa_mpjpe_mm": 1000 * metrics.pa_mpjpe_per_frame(joints, expected),
        "root_mm": 1000 * root,
        "root_percent": 100 * root / path if path > 0 else None,
        "seconds": seconds,
    }
    return SceneResult(figures, _clip(spec, motion, true_motion, frames, heading, lifter, height, seconds))


def scene_table(figures: Sequence[dict[str, Any]]) -> Table:
    """A line for each scene, and the mean of the figures that are numbers."""
    from rich.table import Table

    columns = list(dict.fromkeys(name for row in figures for name in row))
    shown = Table(*(column.replace("_", " ") for column in columns))
    for row in figures:
        shown.add_row(*(_cell(row.get(column)) for column in columns))
    shown.add_section()
    means = {column: _mean([row.get(column) for row in figures]) for column in columns[1:]}
    shown.add_row("mean", *(_cell(means[column]) for column in columns[1:]))
    return shown


def _clip(
    spec: SceneSpec,
    motion: MotionArtifact,
    true_motion: MotionArtifact,
    frames: np.ndarray,
    heading: np.ndarray,
    lifter: str,
    height: str,
    seconds: float,
) -> ClipResult:
    points, truth = _points(motion), _points(true_motion)[frames]
    size = _PIXELS_HIGH / motion.image_size[1]
    errors = measure_before_cameras(
        points,
        truth,
        motion.timestamps,
        project(points, motion.world_from_camera, motion.K) * size,
        project(truth, true_motion.world_from_camera[frames], true_motion.K[frames]) * size,
        heading,
    )
    predicted, expected = align_to_truth(points, truth, heading)
    return ClipResult(
        clip=spec.name,
        action=spec.motion,
        cameras="static" if spec.camera == "still" else "dynamic",
        mode=spec.camera,
        lifter=lifter,
        height=height,
        seconds=seconds,
        errors=errors,
        predicted=predicted,
        truth=expected,
    )


def _points(motion: MotionArtifact) -> np.ndarray:
    """The `body24` points (T, 24, 3) of the motion's body, m."""
    body = body_of(motion)
    with torch.no_grad():
        posed = body.joints(pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans))
    return posed.keypoints.double().numpy()


def _mean(values: Sequence[Any]) -> float | None:
    numbers = [value for value in values if isinstance(value, float) and np.isfinite(value)]
    return float(np.mean(numbers)) if numbers else None


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)

"""A kind of motion that is filmed from one side only: authored kicks and cartwheels.

What stages A, B and C make of such videos is to be compared with the truth, which videos of people do not have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anylift_cli.body.model import BodyModel
from anylift_cli.evaluation import metrics
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import IMAGE, Filmed, Motion, recorded
from anylift_cli.evaluation.measure import HIPS, ClipErrors, measure_points, with_neck
from anylift_cli.evaluation.results import ClipResult
from anylift_cli.geometry.cameras import project
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene
from anylift_cli.training.clips import RATE, file_name, mean_lengths
from anylift_cli.training.cutting import cut_clips

CAMERAS = {
    "kick": ("still", "pan", "zoom", "dolly", "handheld", "orbit"),
    "cartwheel": ("still", "pan", "zoom", "dolly", "handheld"),
}
"""How each motion is filmed, one after the other; an orbit is an arc of 55°."""
_TEMPO = 0.8, 1.25
_UNSEEN = (90, 180, 270)
"""Degrees about the vertical, from the camera, of views that no camera has."""


@dataclass(frozen=True)
class Category:
    """How many people do what.

    Attributes:
        kicks, cartwheels: clips, each of a person of their own.
        first: number of the first person; people of other numbers have other bodies, tempos and cameras.
    """

    kicks: int
    cartwheels: int
    first: int = 0


def category_clips(category: Category, seed: int) -> list[EvaluationClip]:
    """Clips of the category as a detector and a camera estimator see them, with their truth.

    Cameras stand within ±14° of one direction: 52° from the front for kicks, 6° for cartwheels. Detections, local poses
    and camera paths have the errors of `filming`.
    """
    body, lengths = BodyModel.load("open"), mean_lengths("cpu")
    counts = {"kick": category.kicks, "cartwheel": category.cartwheels}
    return [
        _filmed(motion, number, seed, body, lengths)
        for motion, count in counts.items()
        for number in range(category.first, category.first + count)
    ]


def write_training_clips(clips: Sequence[EvaluationClip], folder: Path) -> int:
    """Write what `anylift train prepare` would leave of videos of the clips; how many training clips that are."""
    written = 0
    for clip in clips:
        for cut in cut_clips(clip.keypoints, clip.estimated, 0, clip.recording):
            if cut.clip is not None:
                cut.clip.save(folder / "clips" / file_name(cut.name))
                written += 1
    return written


def with_unseen_views(result: ClipResult, clip: EvaluationClip) -> ClipResult:
    """A result with J2D and J2D^C, px, of the views from 90°, 180° and 270° beside the camera.

    These cameras are the clip's own with its path, turned as a whole about the vertical through the first true root.
    The first roots in space and the headings of the cameras are joined, as for MPJPE.
    """
    views = [_turned(clip, np.deg2rad(angle)) for angle in _UNSEEN]
    pairs = [
        tuple(with_neck(project(points, view, clip.estimated.K))[:, :18] for points in (result.predicted, result.truth))
        for view in views
    ]
    roots = [tuple(pixels[:, HIPS].mean(1) for pixels in pair) for pair in pairs]
    values = {
        "j2d_unseen_px": float(np.mean([metrics.j2d(*a, *b) for a, b in zip(pairs, roots, strict=True)])),
        "j2d_c_unseen_px": float(np.mean([metrics.j2d_centred(*a, *b) for a, b in zip(pairs, roots, strict=True)])),
    }
    result.errors.values.update(values)
    return result


def window_errors(points: np.ndarray, start: float, cameras: np.ndarray, clip: EvaluationClip) -> ClipErrors:
    """Errors of synthesised points against the truth.

    Args:
        points: (T, 24, 3) m, z up, at `RATE` from second `start` of the clip on.
        cameras: (T, 4, 4) `world_from_camera` in the same world: they tell its heading.
    """
    first = round((start - clip.keypoints.timestamps[0]) * RATE)
    frames = slice(first, first + len(points))
    heading = metrics.yaw_between(cameras[:, :3, :3], clip.world_from_camera[frames, :3, :3])
    times = clip.keypoints.timestamps[frames]
    return measure_points(points.astype(np.float64), clip.points[frames], times, heading=heading)


def _filmed(motion: str, number: int, seed: int, body: BodyModel, lengths: torch.Tensor) -> EvaluationClip:
    """One person's clip. Tempo: authored at fewer or more frames per second than it is shown at."""
    rng = np.random.default_rng([seed, number, len(motion)])
    camera = CAMERAS[motion][number % len(CAMERAS[motion])]
    name = f"{motion}{number:03d}"
    spec = SceneSpec(name, motion, camera, None, RATE / rng.uniform(*_TEMPO), *IMAGE, int(rng.integers(1 << 31)))
    scene = build_scene(spec, body)
    points = scene.keypoints3d
    times = np.arange(len(points)) / RATE
    performed = Motion(name, name, motion, points, np.ones(24, bool), times)
    draw = Draw.seeded(int(rng.integers(1 << 31)))
    return recorded(performed, _camera(scene), draw, lengths)


def _camera(scene: Scene) -> Filmed:
    poses = torch.as_tensor(scene.world_from_camera)
    return Filmed(scene.spec.camera, scene.camera_motion, poses, scene.K)


def _turned(clip: EvaluationClip, angle: float) -> np.ndarray:
    """The clip's cameras (T, 4, 4) turned about the vertical through its first root."""
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    about = np.eye(4)
    about[:2, 3] = clip.points[0, HIPS].mean(0)[:2]
    return about @ turn @ np.linalg.inv(about) @ clip.world_from_camera

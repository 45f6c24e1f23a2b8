"""Give every clip to every lifter, on all cores, and measure what comes back."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from anylift_cli.evaluation import metrics
from anylift_cli.evaluation.baselines import BASELINES
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.formats.floor import on_floor
from anylift_cli.evaluation.measure import align_to_truth, measure_before_cameras
from anylift_cli.evaluation.results import ClipResult
from anylift_cli.geometry.cameras import project
from anylift_cli.lifting.base import Lifter, LiftOptions
from anylift_cli.lifting.stage import load_lifter
from anylift_cli.progress import SILENT, Progress

_PIXELS_HIGH = 1080
EVIDENCE = ("2d", "2d+local")
_SAME_WHEN_STATIC = "optimize, static camera"
"""On a camera that stays this baseline is `optimize` itself."""


@dataclass(frozen=True)
class Contender:
    """A lifter and what it is told.

    Attributes:
        lifter: a name of `anylift.lifters`, of `BASELINES`, or the path of a checkpoint.
        height: "given" or "unknown".
        evidence: "2d", or "2d+local": with the points of a single-image 3D estimator.
    """

    lifter: str
    height: str = "given"
    evidence: str = "2d"

    @property
    def label(self) -> str:
        """For tables."""
        return self.lifter if self.evidence == "2d" else f"{self.lifter} + local points"


def contest(
    clips: Sequence[EvaluationClip], contenders: Sequence[Contender], seed: int, progress: Progress = SILENT
) -> list[ClipResult]:
    """Results of each contender on each clip, in the order of contenders, then clips, whatever the number of cores."""
    jobs = [
        (clip, contender, seed)
        for contender in contenders
        for clip in clips
        if not (clip.cameras == "static" and contender.lifter == _SAME_WHEN_STATIC)
    ]
    with progress.task("evaluate", total=len(jobs), unit="clips") as task:
        results = []
        for result in _in_processes(jobs):
            results.append(result)
            task.advance()
    return results


def lift_clip(clip: EvaluationClip, contender: Contender, seed: int) -> ClipResult:
    """Lift one clip and measure the result."""
    lifter = _lifter(contender.lifter)
    keypoints = clip.keypoints
    if contender.evidence == "2d" and contender.lifter != "landmarks":
        keypoints = replace(keypoints, local_joints=None)
    options = LiftOptions(contender.lifter, clip.height if contender.height == "given" else None, seed=seed)
    begin = time.perf_counter()
    person = lifter.lift(keypoints, clip.estimated, 0, options, SILENT)
    seconds = time.perf_counter() - begin
    return judged(clip, contender, person.joints, person.world_from_camera, seconds)


def judged(
    clip: EvaluationClip, contender: Contender, joints: np.ndarray, world_from_camera: np.ndarray, seconds: float
) -> ClipResult:
    """Measure points (T, 24, 3) in the world of cameras (T, 4, 4).

    Worlds are brought to one heading by their cameras, which both know.
    """
    joints = joints.astype(np.float64)
    size = _PIXELS_HIGH / clip.keypoints.image_size[1]
    predicted_pixels = project(joints, world_from_camera, clip.estimated.K) * size
    true_pixels = project(clip.points, clip.world_from_camera, clip.estimated.K) * size
    joints = on_floor(joints)
    heading = metrics.yaw_between(world_from_camera[:, :3, :3], clip.world_from_camera[:, :3, :3])
    times = clip.keypoints.timestamps
    errors = measure_before_cameras(joints, clip.points, times, predicted_pixels, true_pixels, heading)
    predicted, truth = align_to_truth(joints, clip.points, heading)
    return ClipResult(
        clip=clip.name,
        action=clip.action,
        cameras=clip.cameras,
        mode=clip.mode,
        lifter=contender.label,
        height=contender.height,
        seconds=seconds,
        errors=errors,
        predicted=predicted,
        truth=truth,
        recording=clip.recording,
    )


def _lifter(name: str) -> Lifter:
    return BASELINES[name]() if name in BASELINES else load_lifter(name)


def _in_processes(jobs: Sequence[tuple[EvaluationClip, Contender, int]]) -> Iterator[ClipResult]:
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers < 2:
        yield from (lift_clip(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(_lift, jobs)


def _lift(job: tuple[EvaluationClip, Contender, int]) -> ClipResult:
    return lift_clip(*job)

"""Protocol `pixels`: recorded motion, done by a rendered person in a hall, for the whole chain to look at."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anylift_cli.body.model import BodyModel
from anylift_cli.evaluation.filming import Motion, complete
from anylift_cli.evaluation.mocap import motion_windows
from anylift_cli.progress import SILENT, Progress
from anylift_cli.synthetic.recorded import recorded_performance
from anylift_cli.synthetic.scene import Scene, SceneSpec, film_performance

FRAMES = 120
MOVING = ("pan", "dolly", "zoom", "orbit", "handheld")
"""Cameras of the kind "dynamic": each window has the one that is its turn."""
_MEASURED, _GUESSED, _UNKNOWN = 0.01, 0.04, 1e3
"""Metres: standard deviations of points that were recorded, of a mean body, and not there."""


@dataclass(frozen=True)
class RenderedTake:
    """A window of recorded motion that a kind of camera films.

    Attributes:
        spec: name, camera, length and seed; `spec.motion` is the window's name.
    """

    spec: SceneSpec
    motion: Motion


def rendered_takes(path: Path, split: str, cameras: Sequence[str], frames: int = FRAMES) -> list[RenderedTake]:
    """The middle window of each clip of a split, before each kind of camera. The same file gives the same takes.

    Args:
        path, split: as in `mocap.mocap_clips`.
        cameras: "static", "dynamic" or both.

    Raises:
        AnyliftError: not a mocap file, or no clips in the split.
    """
    takes = []
    for number, motion in enumerate(motion_windows(path, split, frames, windows_per_clip=1)):
        for kind in cameras:
            camera = "still" if kind == "static" else MOVING[number % len(MOVING)]
            seed = zlib.crc32(motion.points.tobytes(), zlib.crc32(camera.encode()))
            fps = round(1 / float(np.diff(motion.times).mean()), 3)
            name = f"{motion.name.replace('/', '-')}_{camera}"
            spec = SceneSpec(name, motion.name, camera, len(motion.times) / fps, fps, seed=seed)
            takes.append(RenderedTake(spec, motion))
    return takes


def build_take(take: RenderedTake, progress: Progress = SILENT) -> Scene:
    """The scene of a take; the camera stands on any side of the person."""
    rng = np.random.default_rng([take.spec.seed, 0])
    motion = take.motion
    there = np.isfinite(motion.points).all((0, 2))
    deviation = np.where(there, np.where(motion.known, _MEASURED, _GUESSED), _UNKNOWN)
    performance = recorded_performance(
        complete(motion).double().numpy(), deviation, motion.times, rng.uniform(0, 2 * np.pi), BodyModel.load("open"),
        progress,
    )  # fmt: skip
    return film_performance(take.spec, performance, rng)

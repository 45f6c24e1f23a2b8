"""Protocol `mocap`: windows of motion capture under virtual cameras (ALGORITHM 2.5, 8.2, 8.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import interp1d

from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.mocap import MEASURED_POINTS, mocap_points, read_mocap
from anylift_cli.body.model import BodyModel
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import Motion, film, retaken
from anylift_cli.evaluation.formats.floor import on_floor
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.lifting.edges import edge_lengths

FRAMES = 60
"""Of a window, as in ALGORITHM 8.6; the paper's protocols take 120."""
FPS = 30.0
CAMERAS = ("static", "dynamic")
_MEAN_HEIGHT = 1.70


def mocap_clips(
    path: Path,
    split: str,
    cameras: Sequence[str],
    seed: int,
    frames: int = FRAMES,
    windows_per_clip: int = 2,
    takes: int = 1,
) -> list[EvaluationClip]:
    """Windows of each clip of a split, seen by each kind of camera.

    Args:
        path: compact mocap npz, one motion file that `read_motion` knows (AMASS npz, BVH), or a folder of such.
        split: "train", "test", or "all". Files of a folder belong to the split whose name one of their folders bears,
            and to every split where none does.
        cameras: of `CAMERAS`.
        frames: of a window; a shorter clip is one window if it has half as many.
        windows_per_clip: at most so many windows, evenly spread over the clip.
        takes: how often each window is filmed by each kind of camera.

    Raises:
        UsageError: unknown kinds of cameras.
        AnyliftError: not a mocap file, or no clips in the split.
    """
    unknown = set(cameras) - set(CAMERAS)
    if unknown:
        raise UsageError(f"no cameras called {', '.join(sorted(unknown))}", f"choose of {', '.join(CAMERAS)}")
    lengths, motions = mean_lengths(), motion_windows(path, split, frames, windows_per_clip)
    return [
        film(take, kind, seed, lengths) for kind in cameras for motion in motions for take in retaken(motion, takes)
    ]


def motion_windows(path: Path, split: str, frames: int, windows_per_clip: int) -> list[Motion]:
    """Windows of each clip of a split, as yet seen by nobody; arguments as of `mocap_clips`.

    Raises:
        AnyliftError: not a mocap file, or no clips in the split.
    """
    sources = _compact(path, split) if _is_compact(path) else _files(path, split)
    motions = [window for source in sources for window in _windows(source, frames, windows_per_clip)]
    if not motions:
        raise AnyliftError(f"{path} has no clip of split '{split}' that lasts {frames // 2} frames")
    return motions


def mean_lengths() -> torch.Tensor:
    """Edge lengths (E,) of the open body of 1.70 m, m."""
    body = BodyModel.load("open")
    rest = body.joints(torch.eye(3).expand(1, 24, 3, 3), body.from_height(_MEAN_HEIGHT), torch.zeros(1, 3))
    return edge_lengths(rest.keypoints)[0]


def _is_compact(path: Path) -> bool:
    return path.suffix == ".npz" and "clip_start" in read_npz(path, {"clip_start"})


def _compact(path: Path, split: str) -> Iterator[Motion]:
    """Whole clips of a compact mocap file."""
    mocap = read_mocap(path)
    known = np.zeros(24, bool)
    known[list(MEASURED_POINTS)] = True
    for clip in range(len(mocap.name)):
        if split not in ("all", mocap.split[clip]):
            continue
        frames = slice(int(mocap.start[clip]), int(mocap.start[clip] + mocap.length[clip]))
        points = mocap_points(mocap.joints[frames], mocap.axes[frames]).double().numpy()
        name = str(mocap.name[clip])
        yield Motion(name, name, str(mocap.action[clip]), points, known, np.arange(len(points)) / mocap.fps)


def _files(path: Path, split: str) -> Iterator[Motion]:
    """The first person of each motion file at 30 frames/s, on the floor."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in (".npz", ".bvh"))
    if not files:
        raise AnyliftError(f"{path} holds no motion files", "give a compact mocap npz, or a folder of AMASS npz or BVH")
    for file in files:
        place = file.relative_to(path) if file != path else Path(file.name)
        named = {part for part in place.parts if part in ("train", "test", "val")}
        if split != "all" and named and split not in named:
            continue
        person = read_motion(file).people[0]
        times = np.arange(person.times[0], person.times[-1], 1 / FPS)
        points = on_floor(interp1d(person.times, person.points, axis=0)(times))
        name = str(place.with_suffix(""))
        yield Motion(name, name, place.parts[0], points, np.isfinite(points).all((0, 2)), times - times[0])


def _windows(motion: Motion, longest: int, most: int) -> Iterator[Motion]:
    """Evenly spread windows of a motion."""
    length = len(motion.times)
    if length < longest // 2:
        return
    frames = min(longest, length)
    count = min(most, max(1, length // longest))
    spare = length - frames
    for window in range(count):
        begin = spare // 2 if count == 1 else spare * window // (count - 1)
        part = slice(begin, begin + frames)
        times = motion.times[part] - motion.times[begin]
        yield replace(motion, name=f"{motion.name}@{window}", points=motion.points[part], times=times)

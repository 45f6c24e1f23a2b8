"""Cuts training clips from what keypoints and cameras of a video hold: filtered, completed, at one rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.artifacts.presence import present_span
from anylift_cli.body.mocap import MEASURED_POINTS
from anylift_cli.lifting.even import at_rate
from anylift_cli.lifting.initial import place
from anylift_cli.lifting.observation import Observation, observe
from anylift_cli.lifting.refine import is_arbitrary, scale_of, scaled, upright
from anylift_cli.training.clips import RATE, TrainingClip, mean_lengths

_LONGEST, _SHORTEST = 300, 60
"""Frames."""
_SEEN, _ENOUGH = 0.3, 0.6
"""Confidence of a seen point, and the share of points that a good frame shows."""
_BRIDGED = 10
"""Frames that may be bad between good ones."""
_JITTER = 0.012
"""Median second difference of the points from frame to frame, person's heights: beyond it a track is rejected."""


@dataclass(frozen=True)
class Cut:
    """A part of a track: its name, its length in seconds, the clip or None, and why it is none."""

    name: str
    seconds: float
    clip: TrainingClip | None
    reason: str = ""


def cut_clips(
    keypoints: KeypointsArtifact, cameras: CamerasArtifact, person: int, source: str, shot: int = 1
) -> list[Cut]:
    """What is usable of one person's track (ALGORITHM 2.5), and what is not, and why.

    Args:
        source: name of the video; clips of one source stay on one side of the split into training and test.
        shot: of the video, from 1.
    """
    seen = upright(observe(keypoints, cameras, person, "cpu"), cameras)
    seen = seen.select(present_span(keypoints.present[person]), 1)
    name = f"{source}.shot{shot}.person{person + 1}"
    seconds = float(seen.times[0, -1] - seen.times[0, 0])
    if is_arbitrary(cameras):
        if seen.local_weight is None or not (seen.local_weight > 0).any():
            return [Cut(name, seconds, None, "the camera path has no metric scale, and no local poses tell it")]
        standing = place(seen.local, scaled(seen, 0.0), mean_lengths("cpu"))
        seen = scaled(seen, scale_of(standing, seen).value)
    track = _track(seen)
    good = (track.weight[:, list(MEASURED_POINTS)] > _SEEN).mean(1) >= _ENOUGH
    cuts = []
    for number, frames in enumerate(_runs(good), start=1):
        part = TrainingClip(
            **{name: getattr(track, name)[frames] for name in vars(track) if name != "meta"},
            meta={"fps": RATE, "source": source, "start": float(seen.times[0, 0]) + frames.start / RATE},
        )
        label, length = f"{name}.part{number}", len(part.weight) / RATE
        reason = _fault(part)
        part.rays = _filled(part.rays, part.weight)
        cuts.append(Cut(label, length, None if reason else part, reason))
    return cuts or [Cut(name, seconds, None, "the points are seen too faintly")]


def _track(seen: Observation) -> TrainingClip:
    """All of a person's evidence at `RATE`."""
    even = at_rate(seen, RATE)
    unknown = torch.zeros(*even.weight.shape, 3)
    return TrainingClip(
        rays=even.rays[0],
        weight=even.weight[0],
        world_from_camera=even.world_from_camera[0],
        local=(unknown if even.local is None else even.local)[0],
        local_weight=(unknown[..., 0] if even.local_weight is None else even.local_weight)[0],
    )


def _runs(good: np.ndarray) -> Iterator[slice]:
    """Good frames (T,) with short gaps between them, in pieces of at most `_LONGEST` frames."""
    frames = np.flatnonzero(good)
    for run in np.split(frames, np.flatnonzero(np.diff(frames) > _BRIDGED + 1) + 1):
        if len(run):
            begin, count = int(run[0]), int(run[-1] - run[0]) + 1
            pieces = -(-count // _LONGEST)
            edges = [begin + count * piece // pieces for piece in range(pieces + 1)]
            yield from (slice(*edge) for edge in pairwise(edges))


def _fault(clip: TrainingClip) -> str:
    """Why a clip is no good; "" if it is."""
    if len(clip.weight) < _SHORTEST:
        return f"shorter than {_SHORTEST / RATE:g} s"
    seen = clip.weight > _SEEN
    height = np.where(seen, clip.rays[..., 1], -np.inf).max(1) - np.where(seen, clip.rays[..., 1], np.inf).min(1)
    size = np.median(height[np.isfinite(height)])
    steady = seen[2:] & seen[1:-1] & seen[:-2]
    jerk = np.linalg.norm(np.diff(clip.rays, 2, axis=0), axis=-1)[steady]
    if not len(jerk) or np.median(jerk) > _JITTER * size:
        return "the points jitter"
    return ""


def _filled(rays: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`rays` (T, K, 2) with unseen points between their neighbours in time; points never seen in the middle of all."""
    frames = np.arange(len(rays))
    filled = rays.copy()
    seen = weight > 0
    middle = (rays * seen[..., None]).sum(1) / np.maximum(seen.sum(1), 1)[:, None]
    for point in range(rays.shape[1]):
        known = np.flatnonzero(seen[:, point])
        for axis in range(2):
            values = rays[known, point, axis] if len(known) else middle[:, axis]
            filled[:, point, axis] = np.interp(frames, known if len(known) else frames, values)
    return filled

"""Protocol `mocap`: windows of motion capture under virtual cameras (ALGORITHM 2.5, 8.2, 8.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from anylift_cli.body.mocap import MEASURED_POINTS, mocap_points, read_mocap
from anylift_cli.body.model import BodyModel
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import Motion, film
from anylift_cli.lifting.edges import edge_lengths

FRAMES = 60
"""Of a window, as in ALGORITHM 8.6; the paper's protocols take 120."""
CAMERAS = ("static", "dynamic")
_MEAN_HEIGHT = 1.70


def mocap_clips(
    path: Path, split: str, cameras: Sequence[str], seed: int, frames: int = FRAMES, windows_per_clip: int = 2
) -> list[EvaluationClip]:
    """Windows of each clip of a split, seen by each kind of camera.

    Args:
        path: compact mocap npz.
        split: "train", "test", or "all".
        cameras: of `CAMERAS`.
        frames: of a window; a shorter clip is one window if it has half as many.
        windows_per_clip: at most so many windows, evenly spread over the clip.

    Raises:
        UsageError: unknown kinds of cameras.
        AnyliftError: not a mocap file, or no clips in the split.
    """
    unknown = set(cameras) - set(CAMERAS)
    if unknown:
        raise UsageError(f"no cameras called {', '.join(sorted(unknown))}", f"choose of {', '.join(CAMERAS)}")
    lengths = mean_lengths()
    motions = list(_motions(path, split, frames, windows_per_clip))
    if not motions:
        raise AnyliftError(f"{path} has no clip of split '{split}' that lasts {frames // 2} frames")
    return [film(motion, kind, seed, lengths) for kind in cameras for motion in motions]


def mean_lengths() -> torch.Tensor:
    """Edge lengths (E,) of the open body of 1.70 m, m."""
    body = BodyModel.load("open")
    rest = body.joints(torch.eye(3).expand(1, 24, 3, 3), body.from_height(_MEAN_HEIGHT), torch.zeros(1, 3))
    return edge_lengths(rest.keypoints)[0]


def _motions(path: Path, split: str, longest: int, windows_per_clip: int) -> Iterator[Motion]:
    mocap = read_mocap(path)
    known = np.zeros(24, bool)
    known[list(MEASURED_POINTS)] = True
    for clip in range(len(mocap.name)):
        if split not in ("all", mocap.split[clip]) or mocap.length[clip] < longest // 2:
            continue
        frames = int(min(longest, mocap.length[clip]))
        count = int(min(windows_per_clip, max(1, mocap.length[clip] // longest)))
        spare = int(mocap.length[clip]) - frames
        for window in range(count):
            begin = int(mocap.start[clip]) + (spare // 2 if count == 1 else spare * window // (count - 1))
            points = mocap_points(mocap.joints[begin : begin + frames], mocap.axes[begin : begin + frames])
            yield Motion(
                name=f"{mocap.name[clip]}@{window}",
                recording=str(mocap.name[clip]),
                action=str(mocap.action[clip]),
                points=points.double().numpy(),
                known=known,
                times=np.arange(frames) / mocap.fps,
            )

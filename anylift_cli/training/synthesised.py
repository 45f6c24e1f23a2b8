"""3D clips out of stage B: made from prepared clips, kept if plausible, in one file that stage C trains from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.body.prior import PosePrior
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.lifting.checkpoint import SINGLE_VIEW, load_checkpoint
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.multi_view import triangulated
from anylift_cli.lifting.single_view import view_denoiser
from anylift_cli.lifting.views import view_rotations
from anylift_cli.progress import SILENT, Progress
from anylift_cli.training.cleaning import cleaned
from anylift_cli.training.point_clips import PointClip, write_point_clips
from anylift_cli.training.single_view_batches import ClipBatches
from anylift_cli.training.synthesis import METHODS, faults

_FEWEST = 2
"""Clips: one to train with and one to test with."""


@dataclass(frozen=True)
class SynthesisConfig:
    """One synthesis.

    Attributes:
        method: name in `synthesis.METHODS`.
        views: V, with the input.
        passes: evaluations of the prior; None for as many as the method usually takes.
        batch: windows at once.
    """

    method: str = "ancestral"
    views: int = 6
    passes: int | None = None
    batch: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Window:
    """What synthesis made of one window.

    Attributes:
        clip, start: index of the prepared clip and its first frame.
        triangulated, cleaned: (T, 24, 3) m in the clip's world: from the views, and made bodily.
        fault: why it is no good to train with, "" if it is.
    """

    clip: int
    start: int
    triangulated: np.ndarray
    cleaned: np.ndarray
    fault: str


def synthesize_clips(
    checkpoint: Path,
    clips: Path,
    out: Path,
    config: SynthesisConfig,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Counter[str]:
    """Write the 3D clips of a folder of prepared ones; how many windows were kept ("") and rejected, by reason.

    Raises:
        UsageError: no such method, or too few views.
        AnyliftError: no clips, no checkpoint of the single-view kind, or fewer than two windows can be kept.
    """
    _check(config)
    network, manifest = load_checkpoint(checkpoint, device, SINGLE_VIEW)
    data = ClipBatches(clips, "all", manifest["frames"], 0.0, config.seed, device, vary=False)
    schedule = Schedule.cosine(manifest["noise_steps"], device)
    parts = all_windows(data)
    made: list[PointClip] = []
    reasons: Counter[str] = Counter()
    for window in synthesised(network, schedule, data, parts, config, progress):
        reasons[window.fault] += 1
        if not window.fault:
            name = f"{data.name[window.clip]}@{window.start}"
            made.append(PointClip(window.cleaned, name, data.source[window.clip], data.side[window.clip]))
    if len(made) < _FEWEST:
        told = ", ".join(f"{count} {reason or 'plausible'}" for reason, count in reasons.most_common())
        raise AnyliftError(
            f"too few of {len(parts)} windows gave a plausible motion: {told}",
            "train the single-view network longer, or prepare more videos",
        )
    passes = config.passes or METHODS[config.method].passes
    about = {"checkpoint": sha256_of(checkpoint), **asdict(config), "passes": passes, "windows": dict(reasons)}
    seen = (data.stored["weight"] > 0).float().mean(0).cpu().numpy()
    write_point_clips(out, made, seen, data.rate, about)
    return reasons


def synthesised(
    network: nn.Module,
    schedule: Schedule,
    data: ClipBatches,
    parts: list[tuple[int, int]],
    config: SynthesisConfig,
    progress: Progress = SILENT,
) -> Iterator[Window]:
    """The 3D of some windows, (clip, first frame), in their order.

    Args:
        network: of stage A, on the device of `data`.

    Raises:
        UsageError: no such method, or too few views.
    """
    _check(config)
    network.requires_grad_(False)
    prior = PosePrior.load(device=data.device)
    method = METHODS[config.method]
    passes = config.passes or method.passes
    with progress.task("synthesize", total=len(parts), unit="windows") as task:
        for begin in range(0, len(parts), config.batch):
            some = torch.tensor(parts[begin : begin + config.batch], device=data.device)
            seen, valid = data.window(some[:, 0], some[:, 1])
            rotations = view_rotations(seen.up, config.views)
            denoise = view_denoiser(network, seen, rotations, valid)
            generator = torch.Generator(data.device).manual_seed(config.seed * 1_000_003 + begin)
            views = method.function(denoise, schedule, seen, rotations, passes, generator)
            local, miss = triangulated(seen, views)
            raw = seen.to_world(local).cpu().numpy()
            world = cleaned(seen, local, miss, data.lengths, prior, data.rate).cpu().numpy()
            found = faults(seen, valid, local, views, rotations, data.rate)
            exists = valid.cpu().numpy()
            for row, (clip, start) in enumerate(some.tolist()):
                yield Window(clip, start, raw[row][exists[row]], world[row][exists[row]], found[row])
            task.advance(len(some))


def all_windows(data: ClipBatches) -> list[tuple[int, int]]:
    """(clip, first frame) of as few windows as cover each clip, evenly spread."""
    return [(clip, start) for clip, length in enumerate(data.length.tolist()) for start in _starts(length, data.frames)]


def _check(config: SynthesisConfig) -> None:
    if config.method not in METHODS:
        raise UsageError(f"unknown method '{config.method}'", f"choose one of: {', '.join(METHODS)}")
    if config.views < 3:
        raise UsageError(f"{config.views} views are too few", "give at least 3, the input view among them")


def _starts(length: int, frames: int) -> list[int]:
    count = -(-length // frames)
    return [round(index * (length - frames) / (count - 1)) for index in range(count)] if count > 1 else [0]

"""3D clips out of stage B: made from prepared clips, kept if plausible, in one file that stage C trains from."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

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
    if config.method not in METHODS:
        raise UsageError(f"unknown method '{config.method}'", f"choose one of: {', '.join(METHODS)}")
    if config.views < 3:
        raise UsageError(f"{config.views} views are too few", "give at least 3, the input view among them")
    network, manifest = load_checkpoint(checkpoint, device, SINGLE_VIEW)
    schedule = Schedule.cosine(manifest["noise_steps"], device)
    data = ClipBatches(clips, "all", manifest["frames"], 0.0, config.seed, device, vary=False)
    network.requires_grad_(False)
    prior = PosePrior.load(device=device)
    method = METHODS[config.method]
    passes = config.passes or method.passes
    parts = [
        (clip, start) for clip, length in enumerate(data.length.tolist()) for start in _starts(length, data.frames)
    ]
    made: list[PointClip] = []
    reasons: Counter[str] = Counter()
    with progress.task("synthesize", total=len(parts), unit="windows") as task:
        for begin in range(0, len(parts), config.batch):
            some = torch.tensor(parts[begin : begin + config.batch], device=device)
            seen, valid = data.window(some[:, 0], some[:, 1])
            rotations = view_rotations(seen.up, config.views)
            denoise = view_denoiser(network, seen, rotations, valid)
            generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + begin)
            views = method.function(denoise, schedule, seen, rotations, passes, generator)
            local, miss = triangulated(seen, views)
            world = cleaned(seen, local, miss, data.lengths, prior, data.rate).cpu().numpy()
            found = faults(seen, valid, local, views, rotations, data.rate)
            for (clip, start), points, exists, reason in zip(
                some.tolist(), world, valid.cpu().numpy(), found, strict=True
            ):
                reasons[reason] += 1
                if not reason:
                    name = f"{data.name[clip]}@{start}"
                    made.append(PointClip(points[exists], name, data.source[clip], data.side[clip]))
            task.advance(len(some))
    if len(made) < _FEWEST:
        told = ", ".join(f"{count} {reason or 'plausible'}" for reason, count in reasons.most_common())
        raise AnyliftError(
            f"too few of {len(parts)} windows gave a plausible motion: {told}",
            "train the single-view network longer, or prepare more videos",
        )
    about = {"checkpoint": sha256_of(checkpoint), **asdict(config), "passes": passes, "windows": dict(reasons)}
    seen = (data.stored["weight"] > 0).float().mean(0).cpu().numpy()
    write_point_clips(out, made, seen, data.rate, about)
    return reasons


def _starts(length: int, frames: int) -> list[int]:
    """First frames of as few windows as cover a clip, evenly spread."""
    count = -(-length // frames)
    return [round(index * (length - frames) / (count - 1)) for index in range(count)] if count > 1 else [0]

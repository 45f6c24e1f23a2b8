"""Stage A: a single-view 2D prior from videos, told the camera and epipolar lines (ALGORITHM 2)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import UsageError
from anylift_cli.lifting.checkpoint import describe, save_checkpoint
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.epipolar import line_distance
from anylift_cli.lifting.networks import NetworkConfig, SingleView
from anylift_cli.lifting.observation import ROOT
from anylift_cli.lifting.single_view import SINGLE_WIDTH, coupled, decoupled
from anylift_cli.progress import SILENT, Progress
from anylift_cli.training.clips import RATE
from anylift_cli.training.loop import LoopConfig, train
from anylift_cli.training.single_view_batches import ClipBatches, SingleViewBatch

MODEL_FILE = "single_view.safetensors"
_LINES = 1.0
_DIFFERENCES = 1.0
"""Weights of the distance from the lines and of the error of frame differences against that of the points."""
_TEST_CLIPS = 32


@dataclass(frozen=True)
class SingleViewConfig:
    """One training of the single-view network.

    Attributes:
        frames: of a window.
        batch: windows a step.
        projected: share of windows that are projections of local poses; the paper's is one third.
        noise_steps: N of the noise schedule.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(condition=SINGLE_WIDTH, views=2))
    loop: LoopConfig = field(default_factory=LoopConfig)
    frames: int = 120
    batch: int = 64
    projected: float = 1 / 3
    noise_steps: int = 1000
    seed: int = 0


def train_single_view(
    clips: Path, folder: Path, config: SingleViewConfig, device: str = "cpu", progress: Progress = SILENT
) -> Path:
    """Train on a folder of prepared clips; the checkpoint's path.

    Raises:
        UsageError: frames that the network's tokens do not divide, a width that its heads do not.
        AnyliftError: no clips; a folder of another training; a loss that is not finite.
    """
    _check(config)
    torch.manual_seed(config.seed)
    network = SingleView(config.network).to(device)
    data = ClipBatches(clips, "train", config.frames, config.projected, config.seed, device)
    held_out = ClipBatches(clips, "test", config.frames, 0.0, config.seed + 1, device)
    schedule = Schedule.cosine(config.noise_steps, device)
    test = held_out.batch(0, _TEST_CLIPS)
    settings = {name: value for name, value in asdict(config).items() if name != "loop"}
    identity = {
        "config": json.loads(json.dumps(settings)),
        "data": {path.name: sha256_of(path) for path in sorted((clips / "clips").glob("*.npz"))},
    }
    lengths = [round(float(value), 5) for value in data.lengths]
    manifest = {
        **describe(network, frames=config.frames, fps=RATE, steps=config.noise_steps, lengths=lengths),
        "training": identity | {"loop": asdict(config.loop)},
        "command": f"anylift train single-view {clips.name}",
    }

    def loss_of(model: nn.Module, step: int) -> dict[str, Tensor]:
        return single_view_loss(model, data.batch(step, config.batch), schedule, step)

    def evaluate(model: nn.Module) -> dict[str, float]:
        return single_view_errors(model, test, schedule)

    def publish(model: nn.Module, step: int) -> None:
        save_checkpoint(folder / MODEL_FILE, model, manifest | {"steps_trained": step})

    train(network, loss_of, evaluate, publish, config.loop, folder, identity, progress)
    return folder / MODEL_FILE


def _check(config: SingleViewConfig) -> None:
    network = config.network
    if config.frames < 2 or config.frames % network.patch:
        raise UsageError(
            f"a window cannot have {config.frames} frames", f"give a multiple of {network.patch}, at least 2"
        )
    if network.layers < 1 or network.heads < 1 or network.width % (2 * network.heads):
        raise UsageError(
            f"a network {network.width} wide cannot have {network.layers} layers of {network.heads} heads",
            "give a width that is a multiple of 32",
        )


def single_view_loss(model: nn.Module, batch: SingleViewBatch, schedule: Schedule, seed: int) -> dict[str, Tensor]:
    """L1 of root and local parts (eq. 2, and eq. 4 where hips are not known), lines of global points (eq. 3).

    Lines and frame differences count in windows of videos only.
    """
    device = batch.points.device
    generator = torch.Generator(device).manual_seed(seed)
    step = torch.randint(schedule.steps, (len(batch.points),), generator=generator, device=device)
    noise = torch.randn(batch.points.shape, generator=generator, device=device)
    clean, truth = _predicted(model, batch, schedule, step, noise)
    share = _known_parts(batch)
    points = coupled(clean)
    filmed = (batch.known & ~batch.projected[:, None, None]).float()
    parts = _mean((clean - truth).abs(), share[..., None])
    lines = _mean(line_distance(points, batch.true_lines), filmed * batch.line_trust)
    differences = _mean(
        (points.diff(dim=1) - batch.points.diff(dim=1)).abs(), (filmed[:, 1:] * filmed[:, :-1])[..., None]
    )
    loss = parts + _LINES * lines + _DIFFERENCES * differences
    return {"loss": loss, "parts": parts, "lines": lines, "differences": differences}


@torch.no_grad()
def single_view_errors(model: nn.Module, batch: SingleViewBatch, schedule: Schedule) -> dict[str, float]:
    """Of one pass from noise: mean distance of points and of lines, network units, with lines told and without."""
    step = torch.full((len(batch.points),), schedule.steps - 1, device=batch.points.device)
    noise = torch.randn(batch.points.shape, generator=torch.Generator().manual_seed(0)).to(batch.points)
    figures = {}
    for name, lines in (("", batch.true_lines * batch.known[..., None]), ("_unlined", 0 * batch.lines)):
        told = SingleViewBatch(**{**vars(batch), "lines": lines})
        points = coupled(_predicted(model, told, schedule, step, noise)[0])
        known = batch.known.float()
        figures[f"points{name}"] = float(_mean((points - batch.points).norm(dim=-1), known))
        figures[f"lines{name}"] = float(_mean(line_distance(points, batch.true_lines), known * batch.line_trust))
    return figures


def _predicted(
    model: nn.Module, batch: SingleViewBatch, schedule: Schedule, step: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Clean parts as the network sees them, and the true ones."""
    truth = decoupled(batch.points)
    condition = torch.cat([batch.camera, batch.lines.flatten(2)], -1)
    return model(schedule.noised(truth, noise, step), step, condition, batch.valid).float(), truth


def _known_parts(batch: SingleViewBatch) -> Tensor:
    """Parts (B, T, 24) with a known truth: local ones need both hips, and projections tell nothing of the hips."""
    hips = batch.known[..., list(ROOT)].all(-1, keepdim=True) | batch.projected[:, None, None]
    share = batch.known & hips
    share[..., list(ROOT)] = batch.known[..., list(ROOT)] & ~batch.projected[:, None, None]
    return share.float()


def _mean(values: Tensor, share: Tensor) -> Tensor:
    return (values * share).sum() / share.expand_as(values).sum().clamp_min(1e-6)

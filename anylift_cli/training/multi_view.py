"""Stage C from motion capture: learn to imagine the other views (ALGORITHM 4.2, 8.2)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.body.mocap import MEASURED_POINTS
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.alignment import align_points
from anylift_cli.lifting.checkpoint import MULTI_VIEW, describe, load_checkpoint, save_checkpoint
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.multi_view import imagine, triangulated
from anylift_cli.lifting.networks import NetworkConfig
from anylift_cli.lifting.observation import root_of
from anylift_cli.progress import SILENT, Progress
from anylift_cli.synthetic.virtual_cameras import STILL
from anylift_cli.training.loop import LoopConfig, train
from anylift_cli.training.mocap_batches import Batch, MocapBatches
from anylift_cli.training.point_clips import holds_points

MODEL_FILE = "model.safetensors"
_PURE_NOISE = 0.5
"""Share of samples at the last noise step: a single pass from noise is how the network is mostly used."""
_DIFFERENCES = 1.5
"""Weight of the error of frame differences against that of the views."""
TESTS = {"static": (STILL, 1_000), "dynamic": (None, 2_000)}
"""Camera mode (None: any) and number of each batch of held-out windows."""
TEST_CLIPS = 64


@dataclass(frozen=True)
class MultiViewConfig:
    """One training of the multi-view network.

    Attributes:
        frames: of a window.
        batch: windows a step.
        noise_steps: N of the noise schedule.
        kind: of the network, one of `MULTI_VIEW`.
    """

    network: NetworkConfig = field(default_factory=lambda: NetworkConfig(condition=WIDTH))
    loop: LoopConfig = field(default_factory=LoopConfig)
    frames: int = 120
    batch: int = 64
    noise_steps: int = 1000
    seed: int = 0
    kind: str = "views-as-channels"


def train_multi_view(
    files: list[Path],
    folder: Path,
    config: MultiViewConfig,
    start: Path | None,
    command: str,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Path:
    """Train on the "train" clips of compact mocap files or of synthesised ones, watch the "test" clips.

    Args:
        start: a checkpoint whose weights the network begins with, or None. Of synthesised clips it then learns poses,
            and keeps its own idea of where people are: see `PlacedBatches`.
        command: what the checkpoint says that it was made by.

    Returns:
        The checkpoint's path.

    Raises:
        UsageError: no such kind of network, frames that its tokens do not divide, a width that its heads do not.
        AnyliftError: files that are no mocap; a `start` of another size; a folder of another training; a loss that is
            not finite.
    """
    check_config(config)
    torch.manual_seed(config.seed)
    network = MULTI_VIEW[config.kind](config.network)
    batches: Callable[..., MocapBatches] = MocapBatches
    if start is not None:
        teacher = _begin_with(network, start, device)
        if all(map(holds_points, files)):
            batches = partial(PlacedBatches, teacher, Schedule.cosine(config.noise_steps, device))
    network.to(device)
    data = batches(files, "train", config.frames, config.network.views, config.seed, device)
    held_out = MocapBatches(files[:1], "test", config.frames, config.network.views, config.seed + 1, device, vary=False)
    hashes = {path.name: sha256_of(path) for path in [*files, *([start] if start else [])]}
    return learn(network, data, held_out, view_losses, errors, config, hashes, folder, command, progress)


def learn(
    network: nn.Module,
    data: MocapBatches,
    held_out: MocapBatches,
    losses: Callable[[Tensor, Batch], dict[str, Tensor]],
    figures: Callable[[nn.Module, Schedule, Batch], dict[str, float]],
    config: MultiViewConfig,
    files: dict[str, str],
    folder: Path,
    command: str,
    progress: Progress,
) -> Path:
    """Train a multi-view network on batches, watch `figures` of held-out ones; the checkpoint's path.

    Args:
        network: on its device.
        losses: of the views that the network makes of a batch, by name; see `train`.
        files: sha256 of each file that the training depends on, by name.
    """
    schedule = Schedule.cosine(config.noise_steps, data.device)
    tests = {kind: held_out.batch(step, TEST_CLIPS, mode) for kind, (mode, step) in TESTS.items()}
    settings = {name: value for name, value in asdict(config).items() if name != "loop"}
    identity: dict[str, Any] = {"config": json.loads(json.dumps(settings)), "data": files}
    lengths = [round(float(value), 5) for value in data.lengths]
    manifest = {
        **describe(network, frames=config.frames, fps=data.rate, steps=config.noise_steps, lengths=lengths),
        "training": identity | {"loop": asdict(config.loop)},
        "command": command,
    }

    def loss_of(model: nn.Module, step: int) -> dict[str, Tensor]:
        batch = data.batch(step, config.batch)
        return losses(denoised(model, batch, schedule, step), batch)

    def evaluate(model: nn.Module) -> dict[str, float]:
        rows = {kind: figures(model, schedule, batch) for kind, batch in tests.items()}
        return {f"{kind}_{name}": value for kind, row in rows.items() for name, value in row.items()}

    def publish(model: nn.Module, step: int) -> None:
        save_checkpoint(folder / MODEL_FILE, model, manifest | {"steps_trained": step})

    train(network, loss_of, evaluate, publish, config.loop, folder, identity, progress)
    return folder / MODEL_FILE


def check_config(config: MultiViewConfig) -> None:
    """Raise UsageError as `train_multi_view` says."""
    network = config.network
    if config.kind not in MULTI_VIEW:
        raise UsageError(f"there is no network of kind '{config.kind}'", f"choose of {', '.join(MULTI_VIEW)}")
    if config.frames < 2 or config.frames % network.patch:
        raise UsageError(
            f"a window cannot have {config.frames} frames",
            f"give a multiple of the {network.patch} of a token, at least 2",
        )
    if network.layers < 1 or network.heads < 1 or network.width % (2 * network.heads):
        raise UsageError(
            f"a network {network.width} wide cannot have {network.layers} layers of {network.heads} heads",
            "give a width that is a multiple of 32",
        )


class PlacedBatches(MocapBatches):
    """Batches whose people stand where a network sees them.

    Stage B tells how people move, but nothing in one-sided videos tells how far away they are; a network that has
    learned from motion capture knows it better.
    """

    def __init__(self, teacher: nn.Module, schedule: Schedule, *source: Any) -> None:
        super().__init__(*source)
        self.teacher, self.schedule = teacher, schedule

    def batch(self, step: int, size: int, mode: int | None = None) -> Batch:
        """As `MocapBatches.batch`, each view shifted such that the mid hip is where the teacher sees it."""
        batch = super().batch(step, size, mode)
        with torch.no_grad():
            seen = imagine(self.teacher, self.schedule, batch.condition, batch.valid, passes=1, seed=0)
        shift = root_of(seen) - root_of(batch.views)
        return replace(batch, views=batch.views + shift[..., None, :])


def _begin_with(network: nn.Module, start: Path, device: str) -> nn.Module:
    """Give a network the weights of a checkpoint, which is returned; what the two are told may differ."""
    other, _ = load_checkpoint(start, device)
    if type(other) is not type(network) or replace(other.config, hidden=network.config.hidden) != network.config:
        raise AnyliftError(
            f"{start} is a network of another kind or size", "give --network, --width, --layers and --patch as its"
        )
    network.load_state_dict(other.state_dict())
    return other


def denoised(model: nn.Module, batch: Batch, schedule: Schedule, seed: int) -> Tensor:
    """The views (B, T, V - 1, N, 2) that the network makes of noisy ones, at noise steps drawn at random."""
    device = batch.views.device
    generator = torch.Generator(device).manual_seed(seed)
    size = len(batch.views)
    step = torch.randint(schedule.steps, (size,), generator=generator, device=device)
    pure = torch.rand(size, generator=generator, device=device) < _PURE_NOISE
    step = torch.where(pure, schedule.steps - 1, step)
    noise = torch.randn(batch.views.shape, generator=generator, device=device)
    noisy = schedule.noised(batch.views, noise, step)
    return model(noisy, step, batch.condition, batch.valid).float()


def view_losses(clean: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Mean absolute errors of views (B, T, V - 1, N, 2) and of their frame differences."""
    share = batch.valid.float()[:, :, None, None, None] * batch.point_weight[..., None]
    views = _mean((clean - batch.views).abs(), share)
    pairs = share[:, 1:] * share[:, :-1].clamp_max(1.0)
    differences = _mean((clean.diff(dim=1) - batch.views.diff(dim=1)).abs(), pairs)
    return {"loss": views + _DIFFERENCES * differences, "views": views, "differences": differences}


def errors(model: nn.Module, schedule: Schedule, batch: Batch) -> dict[str, float]:
    """Means of `window_errors` of a single pass."""
    found = window_errors(model, schedule, batch, passes=1, seeds=[0])
    return {name: float(values.mean()) for name, values in found.items()}


@torch.no_grad()
def window_errors(
    model: nn.Module, schedule: Schedule, batch: Batch, passes: int, seeds: list[int]
) -> dict[str, Tensor]:
    """MPJPE, PA-MPJPE of the clip, root error after the first frame and jitter of each window's frames, (B,) mm.

    Args:
        passes: evaluations of the network.
        seeds: whose points are averaged.
    """
    views = [imagine(model, schedule, batch.condition, batch.valid, passes, seed) for seed in seeds]
    local = torch.stack([triangulated(batch.seen, one)[0] for one in views]).mean(0)
    predicted = batch.seen.to_world(local)[:, :, list(MEASURED_POINTS)]
    truth = batch.world[:, :, list(MEASURED_POINTS)]
    root, true_root = root_of(batch.seen.to_world(local)), root_of(batch.world)
    predicted, truth = predicted - root[:, :, None], truth - true_root[:, :, None]
    weight = batch.valid[:, :, None].expand(predicted.shape[:3]).float().flatten(1)
    scale, rotation, shift = align_points(predicted.flatten(1, 2), truth.flatten(1, 2), weight, with_scale=True)
    moved = scale[:, None, None] * predicted.flatten(1, 2) @ rotation.transpose(-1, -2) + shift[:, None]
    distances = {
        "mpjpe": (predicted - truth).norm(dim=-1).mean(-1),
        "pa": (moved.reshape(predicted.shape) - truth).norm(dim=-1).mean(-1),
        "root": ((root - root[:, :1]) - (true_root - true_root[:, :1])).norm(dim=-1),
        "jitter": predicted.diff(n=2, dim=1).norm(dim=-1).mean(-1),
    }
    return {name: 1000 * mean_of_windows(values, batch.valid) for name, values in distances.items()}


def mean_of_windows(values: Tensor, valid: Tensor) -> Tensor:
    """Means (B,) of values (B, N) of frames, or of differences with the frames before, over those that exist."""
    exists = valid[:, valid.shape[1] - values.shape[1] :].float()
    return (values * exists).sum(1) / exists.sum(1)


def _mean(values: Tensor, share: Tensor) -> Tensor:
    return (values * share).sum() / share.expand_as(values).sum()

"""The training loop that every network shares: schedule, moving average, checkpoints that resume to the same curve."""

from __future__ import annotations

import json
import math
import pickle
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.errors import AnyliftError
from anylift_cli.progress import SILENT, Progress
from anylift_cli.training.log import TrainingLog
from anylift_cli.training.optimisers import optimisers

STATE_FILE = "state.pt"
_LOG_EVERY = 50
_DIVERGED = 2.0
"""A loss so many times as large as in the first steps, when the network knew nothing, will not come back."""


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to learn.

    Attributes:
        steps: optimiser steps of the whole training.
        rate: peak learning rate, reached after `warmup` steps and kept until the last `decay` share, over which it
            falls to zero.
        ema: decay of the moving average of the weights, which is what is evaluated and shipped.
        clip: largest gradient norm.
        precision: "fp32" or "bf16".
        compile: whether torch compiles the network.
        save_seconds: between checkpoints.
        evaluate_every: steps between evaluations.
    """

    steps: int = 20_000
    rate: float = 1.2e-3
    warmup: int = 500
    decay: float = 0.4
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0
    precision: str = "fp32"
    compile: bool = False
    save_seconds: float = 120.0
    evaluate_every: int = 1000


def train(
    network: nn.Module,
    loss_of: Callable[[nn.Module, int], dict[str, Tensor]],
    evaluate: Callable[[nn.Module], dict[str, float]],
    publish: Callable[[nn.Module, int], None],
    config: LoopConfig,
    folder: Path,
    identity: dict[str, Any],
    progress: Progress = SILENT,
) -> nn.Module:
    """Train, or go on where the folder's state stands; the averaged network.

    Args:
        network: on its device.
        loss_of: losses of a step, by name; "loss" is what is minimised. The same step must give the same data.
        evaluate: figures of the averaged network.
        publish: writes the averaged network after a step.
        folder: for the state and the log.
        identity: what a state must have been trained with to be continued.

    Raises:
        AnyliftError: the loss is not finite or has grown beyond what it began with (the last good state stays), or the
            folder holds another training.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnyliftError(f"{folder} cannot be made: {error.strerror}", "give another --out") from error
    averaged = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=_average(config.ema), use_buffers=True)
    trainers = optimisers(network, config.rate, config.weight_decay)
    begin = _resume(folder, network, averaged, trainers, identity)
    stepped = torch.compile(network) if config.compile else network
    device = next(network.parameters()).device.type
    log = TrainingLog(folder, begin)
    saved = clock = time.monotonic()
    sums: dict[str, float] = {}
    summed = 0
    with progress.task("train", total=config.steps) as task:
        task.advance(begin)
        for step in range(begin, config.steps):
            for group in chain.from_iterable(optimiser.param_groups for optimiser in trainers):
                group["lr"] = learning_rate(step, config)
            context = torch.autocast(device, torch.bfloat16) if config.precision == "bf16" else nullcontext()
            with context:
                losses = loss_of(stepped, step)
            network.zero_grad(set_to_none=True)
            losses["loss"].backward()
            norm = nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            for name, value in {**losses, "gradient": norm}.items():
                sums[name] = sums.get(name, 0.0) + value.detach()
            for optimiser in trainers:
                optimiser.step()
            averaged.update_parameters(network)
            task.advance(1)
            done = step + 1
            summed += 1
            last = done == config.steps
            if done % _LOG_EVERY == 0 or last:
                row = {name: float(value) / summed for name, value in sums.items()}
                if not all(map(math.isfinite, row.values())):
                    raise AnyliftError(f"the loss is not finite after step {done}", _way_back(folder))
                if row["loss"] > _DIVERGED * log.first_loss:
                    raise AnyliftError(
                        f"the loss diverges: {row['loss']:.4g} after step {done}, it was {log.first_loss:.4g} at first",
                        _way_back(folder),
                    )
                row |= {"step": done, "rate": learning_rate(step, config)}
                row["steps_per_second"] = summed / (time.monotonic() - clock)
                clock, sums, summed = time.monotonic(), {}, 0
                log.write(row)
            if done % config.evaluate_every == 0 or last:
                averaged.eval()
                with torch.no_grad():
                    figures = evaluate(averaged.module)
                log.write({"step": done, **{f"test/{name}": value for name, value in figures.items()}})
                progress.note(f"step {done}: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
            if last or (time.monotonic() - saved > config.save_seconds and not sums):
                _save(folder, network, averaged, trainers, done, identity)
                publish(averaged.module, done)
                saved = time.monotonic()
    return averaged.module


def learning_rate(step: int, config: LoopConfig) -> float:
    """Linear warm-up, constant, then half a cosine to zero."""
    share = step / config.steps
    falling = max(0.0, (share - (1 - config.decay)) / config.decay) if config.decay else 0.0
    return config.rate * min(1.0, (step + 1) / config.warmup) * 0.5 * (1 + math.cos(math.pi * falling))


def _average(decay: float) -> Callable[..., None]:
    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        keep = torch.minimum(torch.as_tensor(decay), (1 + count) / (10 + count)).item()
        torch._foreach_lerp_(averaged, current, 1 - keep)

    return update


def _way_back(folder: Path) -> str:
    if (folder / STATE_FILE).exists():
        return f"{folder / STATE_FILE} is the last good state: lower the learning rate and go on from it"
    return "lower the learning rate"


def _resume(
    folder: Path,
    network: nn.Module,
    averaged: nn.Module,
    trainers: list[torch.optim.Optimizer],
    identity: dict[str, Any],
) -> int:
    path = folder / STATE_FILE
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        trained_as, stored = state["identity"], state["optimisers"]
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise AnyliftError(
            f"{path} is damaged or no state of a training: {error}", "delete it to begin anew, or give another --out"
        ) from error
    if trained_as != json.dumps(identity, sort_keys=True):
        raise AnyliftError(
            f"{path} belongs to a training with other settings", "give another --out, or the settings it was begun with"
        )
    network.load_state_dict(state["network"])
    averaged.load_state_dict(state["averaged"])
    for optimiser, kept in zip(trainers, stored, strict=True):
        optimiser.load_state_dict(kept)
    return state["step"]


def _save(
    folder: Path,
    network: nn.Module,
    averaged: nn.Module,
    trainers: list[torch.optim.Optimizer],
    step: int,
    identity: dict[str, Any],
) -> None:
    state = {
        "step": step,
        "identity": json.dumps(identity, sort_keys=True),
        "network": network.state_dict(),
        "averaged": averaged.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in trainers],
    }
    with atomic_path(folder / STATE_FILE) as temporary:
        torch.save(state, temporary)

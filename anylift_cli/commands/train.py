"""`anylift train …`: make lifting networks of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anylift_cli.commands import options as opt

train = typer.Typer(
    name="train", no_args_is_help=True, help="Train lifting networks.", rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

Mocap = Annotated[list[Path], typer.Argument(metavar="MOCAP.npz...", help="Compact mocap files.")]
Folder = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of state, log and model.safetensors.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps of the whole training.")]


@train.command("from-mocap")
@opt.command
def from_mocap(
    common: opt.Common,
    mocap: Mocap,
    out: Folder,
    steps: Steps = 20_000,
    batch: Annotated[int, typer.Option(min=1, help="Windows a step.")] = 64,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1.2e-3,
    decay: Annotated[float, typer.Option(min=0, max=1, help="Last share of steps, while the rate falls.")] = 0.4,
    width: Annotated[int, typer.Option(help="Of the network.")] = 192,
    layers: Annotated[int, typer.Option(help="Of the network.")] = 6,
    patch: Annotated[int, typer.Option(min=1, help="Frames that share a token.")] = 4,
    frames: Annotated[int, typer.Option(help="Of a window.")] = 120,
    precision: Annotated[str, typer.Option(metavar="fp32|bf16", help="bf16 for GPUs.")] = "fp32",
    compiled: Annotated[bool, typer.Option("--compile", help="Compile the network.")] = False,
) -> None:
    """Train the multi-view network on motion capture. The same command continues where it stopped.

    Example: anylift train from-mocap cmu_30fps.npz deepmimic_30fps.npz --out out/human --steps 20000
    """
    from anylift_cli.chain import check_device
    from anylift_cli.lifting.conditions import WIDTH
    from anylift_cli.lifting.networks import NetworkConfig
    from anylift_cli.training.loop import LoopConfig
    from anylift_cli.training.multi_view import MultiViewConfig, train_from_mocap

    check_device(common.device)
    config = MultiViewConfig(
        NetworkConfig(width, layers, width // 32, patch=patch, condition=WIDTH),
        LoopConfig(steps, rate, decay=decay, precision=precision, compile=compiled),
        frames, batch, seed=common.seed,
    )  # fmt: skip
    path = train_from_mocap(mocap, out, config, common.device, common.progress)
    common.show({"checkpoint": str(path)}, lambda: f"trained → {path}")

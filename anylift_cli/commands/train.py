"""`anylift train …`: make lifting networks of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from anylift_cli.commands import options as opt

train = typer.Typer(
    name="train", no_args_is_help=True, help="Train lifting networks.",
    rich_markup_mode="rich", add_completion=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

Mocap = Annotated[list[Path], typer.Argument(metavar="MOCAP.npz...", help="Compact mocap files.")]
Synthesised = Annotated[
    list[Path], typer.Argument(metavar="CLIPS.npz...", help="Made by `anylift train synthesize`, or compact mocap.")
]
Clips = Annotated[Path, typer.Argument(metavar="DIR", help="Made by `anylift train prepare`.")]
Folder = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of state, log and checkpoint.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimiser steps of the whole training.")]
Batch = Annotated[int, typer.Option(min=1, help="Windows a step.")]
Rate = Annotated[float, typer.Option(help="Peak learning rate.")]
Decay = Annotated[float, typer.Option(min=0, max=1, help="Last share of steps, while the rate falls.")]
Width = Annotated[int, typer.Option(help="Of the network.")]
Layers = Annotated[int, typer.Option(help="Of the network.")]
Patch = Annotated[int, typer.Option(min=1, help="Frames that share a token.")]
Frames = Annotated[int, typer.Option(help="Of a window.")]
Kind = Annotated[
    str, typer.Option(metavar="views-as-channels|cross-view", help="Of network: quick on CPUs, or for GPUs.")
]
Without = Annotated[
    list[str] | None, typer.Option(metavar="PART", help="Train without camera or local, to see its worth. Repeatable.")
]
WithoutOfView = Annotated[
    list[str] | None, typer.Option(metavar="PART", help="Train without camera or lines, to see its worth. Repeatable.")
]
Start = Annotated[
    str, typer.Option(metavar="human|none|PATH", help="Checkpoint to begin with: the shipped one, none, or another.")
]
Precision = Annotated[str, typer.Option(metavar="fp32|bf16", help="bf16 for GPUs.")]
Compiled = Annotated[bool, typer.Option("--compile", help="Compile the network.")]


@train.command("from-mocap")
@opt.command
def from_mocap(
    common: opt.Common,
    mocap: Mocap,
    out: Folder,
    steps: Steps = 20_000,
    batch: Batch = 64,
    rate: Rate = 1.2e-3,
    decay: Decay = 0.4,
    network: Kind = "views-as-channels",
    width: Width = 192,
    layers: Layers = 6,
    patch: Patch = 4,
    frames: Frames = 120,
    start: Start = "none",
    without: Without = None,
    precision: Precision = "fp32",
    compiled: Compiled = False,
) -> None:
    """Train the multi-view network on motion capture. The same command continues where it stopped.

    Example: anylift train from-mocap cmu_30fps.npz deepmimic_30fps.npz --out out/human --steps 20000
    """
    loop = {"steps": steps, "rate": rate, "decay": decay, "precision": precision, "compile": compiled}
    size = {"width": width, "layers": layers, "heads": width // 32, "patch": patch}
    _train_multi_view(common, "from-mocap", mocap, out, start, network, size, without or [], loop, frames, batch)


@train.command("average")
@opt.command
def average(
    common: opt.Common,
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="Checkpoint that the other one began with.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Checkpoint that was trained on from it.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.safetensors", help="Checkpoint to write.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="How far from BEFORE to AFTER.")] = 0.5,
) -> None:
    """Average a checkpoint with what was trained on from it: it keeps most of what each can do.

    Example: anylift train average human.safetensors out/kicks/c/model.safetensors --out both.safetensors
    """
    from anylift_cli.checks import check_output
    from anylift_cli.training.averaging import average_checkpoints

    check_output(out, "--out", before, after)
    names = " ".join(f"{path.absolute().parent.name}/{path.name}" for path in (before, after))
    told = f"anylift train average {names} --share {share:g}"
    path = average_checkpoints(before, after, share, out, told)
    common.show({"checkpoint": str(path)}, lambda: f"averaged → {path}")


@train.command("interactions")
@opt.command
def interactions(
    common: opt.Common,
    motion: Annotated[
        list[Path],
        typer.Argument(metavar="MOTION...", help="Compact mocap files, to which things are added; or recordings."),
    ],
    out: Folder,
    steps: Steps = 6_000,
    batch: Batch = 64,
    rate: Rate = 1e-3,
    decay: Decay = 0.8,
    start: Start = "human",
    width: Width = 192,
    layers: Layers = 6,
    patch: Patch = 4,
    frames: Frames = 120,
    precision: Precision = "fp32",
    compiled: Compiled = False,
) -> None:
    """Train the joint network of a person and an object. The same command continues where it stopped.

    Recordings are OMOMO's compact file, BEHAVE's folder, or folders of InterAct's layout (BEHAVE, InterCap, OMOMO, …).

    Example: anylift train interactions cmu_30fps.npz deepmimic_30fps.npz --out out/hoi
    """
    from anylift_cli.checks import check_device
    from anylift_cli.lifting.joint import JOINT_WIDTH, POINTS
    from anylift_cli.lifting.networks import NetworkConfig
    from anylift_cli.training.interactions import train_interactions
    from anylift_cli.training.loop import LoopConfig
    from anylift_cli.training.multi_view import MultiViewConfig

    check_device(common.device)
    network = NetworkConfig(width, layers, width // 32, patch=patch, points=POINTS, condition=JOINT_WIDTH)
    loop = LoopConfig(steps, rate, decay=decay, precision=precision, compile=compiled)
    config = MultiViewConfig(network, loop, frames, batch, seed=common.seed)
    told = f"anylift train interactions {' '.join(path.name for path in motion)}"
    path = train_interactions(motion, out, config, _begin(start), told, common.device, common.progress)
    common.show({"checkpoint": str(path)}, lambda: f"trained → {path}")


@train.command("multi-view")
@opt.command
def multi_view(
    common: opt.Common,
    clips: Synthesised,
    out: Folder,
    steps: Steps = 20_000,
    batch: Batch = 64,
    rate: Rate = 1.2e-3,
    decay: Decay = 0.4,
    network: Kind = "views-as-channels",
    width: Width = 192,
    layers: Layers = 6,
    patch: Patch = 4,
    frames: Frames = 120,
    start: Start = "none",
    without: Without = None,
    precision: Precision = "fp32",
    compiled: Compiled = False,
) -> None:
    """Stage C: train the multi-view network on synthesised clips. The same command continues where it stopped.

    Example: anylift train multi-view out/kicks/clips.npz --out out/kicks/c
    """
    loop = {"steps": steps, "rate": rate, "decay": decay, "precision": precision, "compile": compiled}
    size = {"width": width, "layers": layers, "heads": width // 32, "patch": patch}
    _train_multi_view(common, "multi-view", clips, out, start, network, size, without or [], loop, frames, batch)


@train.command("prepare")
@opt.command
def prepare(
    common: opt.Common,
    videos: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of videos of one kind of motion.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the clips.")],
    person: opt.Person = "main",
    start: opt.Start = None,
    end: opt.End = None,
    backend: opt.Backend = "auto",
    local_poses: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with a folder of each video's name, which holds the result of GVHMR, WHAM, TRAM, GLAMR or "
            "ROMP: its 3D people stand for the estimator's. Videos without one keep the estimator's.",
        ),
    ] = None,
    keypoints_model: opt.KeypointsModel = None,
    flip_test: opt.FlipTest = False,
    camera: opt.Camera = "auto",
    focal: opt.Focal = None,
    fov: opt.Fov = None,
) -> None:
    """Find keypoints and cameras in all videos of a folder and cut training clips. Run again, it goes on.

    Example: anylift train prepare kicks/ --out out/kicks/data
    """
    opt.check_range(start, end)
    opt.check_focal(focal, fov)

    from anylift_cli.cameras.base import CameraOptions
    from anylift_cli.commands.prepare_videos import TABLE, prepare_videos
    from anylift_cli.keypoints.base import KeypointOptions

    keypoints = KeypointOptions(
        backend, person, "auto", start, end, opt.text_of(local_poses), keypoints_model, flip_test, common.device
    )
    rows = prepare_videos(videos, out, keypoints, CameraOptions(camera, focal, fov), common.progress)
    kept = [row for row in rows if not row.reason]
    seconds = sum(row.seconds for row in kept)
    result = {
        "clips": len(kept),
        "seconds": round(seconds, 2),
        "left_out": [{"clip": row.clip, "reason": row.reason} for row in rows if row.reason],
    }
    left_out = "".join(f"\n  left out: {row.clip}: {row.reason}" for row in rows if row.reason)
    common.show(result, lambda: f"{len(kept)} clips, {seconds:.0f} s → {out} (table: {out / TABLE}){left_out}")


@train.command("single-view")
@opt.command
def single_view(
    common: opt.Common,
    clips: Clips,
    out: Folder,
    steps: Steps = 20_000,
    batch: Batch = 64,
    rate: Rate = 1.2e-3,
    decay: Decay = 0.4,
    width: Width = 192,
    layers: Layers = 6,
    patch: Patch = 4,
    frames: Frames = 120,
    projected: Annotated[
        float, typer.Option(min=0, max=1, help="Share of windows that are projections of local 3D poses.")
    ] = 1 / 3,
    without: WithoutOfView = None,
    precision: Precision = "fp32",
    compiled: Compiled = False,
) -> None:
    """Stage A: train the single-view prior on prepared clips. The same command continues where it stopped.

    Example: anylift train single-view out/kicks/data --out out/kicks/a
    """
    from anylift_cli.checks import check_device
    from anylift_cli.lifting.networks import NetworkConfig
    from anylift_cli.lifting.single_view import PARTS, SINGLE_WIDTH
    from anylift_cli.training.loop import LoopConfig
    from anylift_cli.training.single_view import SingleViewConfig, train_single_view

    check_device(common.device)
    hidden = _columns(without or [], PARTS)
    config = SingleViewConfig(
        NetworkConfig(width, layers, width // 32, patch=patch, views=2, condition=SINGLE_WIDTH, hidden=hidden),
        LoopConfig(steps, rate, decay=decay, precision=precision, compile=compiled),
        frames, batch, projected, seed=common.seed,
    )  # fmt: skip
    path = train_single_view(clips, out, config, common.device, common.progress)
    common.show({"checkpoint": str(path)}, lambda: f"trained → {path}")


@train.command("synthesize")
@opt.command
def synthesize(
    common: opt.Common,
    checkpoint: Annotated[Path, typer.Argument(metavar="MODEL", help="Made by `anylift train single-view`.")],
    clips: Clips,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.npz", help="File of the 3D clips.")],
    method: Annotated[
        str, typer.Option(help="ancestral (quick), sds (from there, by distillation) or sds-paper (from nothing).")
    ] = "ancestral",
    views: Annotated[int, typer.Option(min=3, help="With the input, evenly around the person.")] = 6,
    passes: Annotated[
        int | None, typer.Option(min=1, help="Evaluations of the network for each window.", show_default="the method's")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Windows at once.")] = 64,
) -> None:
    """Stage B: see the prepared clips from all sides with the single-view prior, and in 3D.

    Example: anylift train synthesize out/kicks/a/single_view.safetensors out/kicks/data --out out/kicks/clips.npz
    """
    from anylift_cli.checks import check_device, check_output
    from anylift_cli.training.synthesised import SynthesisConfig, synthesize_clips

    check_device(common.device)
    check_output(out, "--out", checkpoint)
    config = SynthesisConfig(method, views, passes, batch, common.seed)
    reasons = synthesize_clips(checkpoint, clips, out, config, common.device, common.progress)
    kept, rejected = reasons[""], {reason: count for reason, count in reasons.items() if reason}
    told = "".join(f", {count} {reason}" for reason, count in rejected.items())
    common.show(
        {"file": str(out), "kept": kept, "rejected": rejected},
        lambda: f"{kept} windows of {sum(reasons.values())} → {out}{told}",
    )


def _train_multi_view(
    common: opt.Common,
    command: str,
    files: list[Path],
    out: Path,
    start: str,
    kind: str,
    size: dict[str, int],
    without: list[str],
    loop: dict[str, Any],
    frames: int,
    batch: int,
) -> None:
    from anylift_cli.checks import check_device
    from anylift_cli.lifting.conditions import PARTS, WIDTH
    from anylift_cli.lifting.networks import NetworkConfig
    from anylift_cli.training.loop import LoopConfig
    from anylift_cli.training.multi_view import MultiViewConfig, train_multi_view

    check_device(common.device)
    network = NetworkConfig(**size, condition=WIDTH, hidden=_columns(without, PARTS))
    config = MultiViewConfig(network, LoopConfig(**loop), frames, batch, seed=common.seed, kind=kind)
    begin = _begin(start)
    told = f"anylift train {command} {' '.join(path.name for path in files)}"
    told += f" --start {begin.name} --frames {frames}" if begin else ""
    path = train_multi_view(files, out, config, begin, told, common.device, common.progress)
    common.show({"checkpoint": str(path)}, lambda: f"trained → {path}")


def _begin(start: str) -> Path | None:
    if start != "human":
        return None if start == "none" else Path(start)
    from anylift_cli.lifting.base import CHECKPOINT
    from anylift_cli.weights_store import find_weights

    return find_weights(CHECKPOINT)


def _columns(without: list[str], parts: dict[str, tuple[slice, ...]]) -> tuple[tuple[int, int], ...]:
    from anylift_cli.errors import UsageError

    for part in without:
        if part not in parts:
            raise UsageError(f"there is no part '{part}' to train without", f"choose of {', '.join(parts)}")
    return tuple((columns.start, columns.stop) for part in sorted(without) for columns in parts[part])

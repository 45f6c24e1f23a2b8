"""A lifter from videos of one kind of motion alone, against the truth: `python benchmarks/category.py lift FOLDER`.

The videos are authored kicks and cartwheels filmed from one side only (`anylift_cli/evaluation/category.py`). `lift`
trains stage A, synthesises (B), trains stage C, and lifts other people's kicks and cartwheels with `optimize`, the
shipped network (`diffusion`) and this one. `synthesis` trains stage A and compares what stage B makes of the videos
with the truth. Both go on where they stopped and share what lies in FOLDER; a Markdown table goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anylift_cli.console import RichProgress
from anylift_cli.evaluation.category import (
    Category,
    category_clips,
    window_errors,
    with_unseen_views,
    write_training_clips,
)
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.results import ClipResult, paired_difference
from anylift_cli.evaluation.running import EVIDENCE, Contender, contest
from anylift_cli.lifting.checkpoint import SINGLE_VIEW, load_checkpoint
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.networks import NetworkConfig
from anylift_cli.lifting.single_view import PARTS, SINGLE_WIDTH
from anylift_cli.training.clips import read_clips
from anylift_cli.training.loop import LoopConfig
from anylift_cli.training.multi_view import MultiViewConfig, train_multi_view
from anylift_cli.training.single_view import SingleViewConfig, train_single_view
from anylift_cli.training.single_view_batches import ClipBatches
from anylift_cli.training.synthesis import METHODS
from anylift_cli.training.synthesised import SynthesisConfig, all_windows, synthesised, synthesize_clips

_WARMUP = 50
HELD_OUT = 1000
"""Number of the first person whom only lifters see."""
LIFTERS = {"optimize": "optimize", "diffusion": "shipped", "": "category"}
"""The columns' names; "" stands for the checkpoint that is made here."""
LIFTED = {
    "j2d_unseen_px": "J2D unseen, px", "j2d_c_unseen_px": "J2D^C unseen, px", "j2d_px": "J2D input, px",
    "mpjpe_mm": "MPJPE, mm", "pa_mpjpe_mm": "PA, mm", "t_root_mm": "T_root, mm",
}  # fmt: skip


def videos(options: argparse.Namespace) -> list[EvaluationClip]:
    """The videos to learn from, with their truth; their training clips are written beside."""
    clips = category_clips(Category(options.kicks, options.cartwheels), options.seed)
    write_training_clips(clips, options.folder / "data")
    return clips


def stage_a(options: argparse.Namespace) -> Path:
    """Stage A's checkpoint."""
    hidden = _columns(options.without)
    size = NetworkConfig(**_size(options), views=2, condition=SINGLE_WIDTH, hidden=hidden)
    config = SingleViewConfig(
        size, _loop(options.steps_single, options.rate), options.frames, options.batch, options.projected,
        seed=options.seed,
    )  # fmt: skip
    told = "".join(f"-without-{part}" for part in options.without)
    mixed = "" if options.projected == 1 / 3 else f"-projected-{options.projected:g}"
    return train_single_view(
        options.folder / "data", options.folder / f"a{told}{mixed}", config, options.device, options.progress
    )


def stages_b_and_c(options: argparse.Namespace, prior: Path) -> tuple[Path, dict[str, int]]:
    """Stage C's checkpoint, and how many windows synthesis kept ("") and rejected."""
    clips = options.folder / "clips.npz"
    config = SynthesisConfig(options.method, options.views, options.passes, seed=options.seed)
    kept = synthesize_clips(prior, options.folder / "data", clips, config, options.device, options.progress)
    own = NetworkConfig(**_size(options), condition=WIDTH)
    size = load_checkpoint(options.start)[0].config if options.start else own
    multi = MultiViewConfig(
        size, _loop(options.steps_multi, options.rate_multi), options.frames, options.batch, seed=options.seed
    )  # fmt: skip
    told, command = options.folder / ("c-begun" if options.start else "c"), "anylift train multi-view clips.npz"
    path = train_multi_view([clips], told, multi, options.start, command, options.device, options.progress)
    return path, dict(kept)


def lift(options: argparse.Namespace) -> dict[str, Any]:
    """All three stages, and lifters on people whom nothing was trained with."""
    clock = _Clock()
    clock("videos", lambda: videos(options))
    prior = clock("stage A", lambda: stage_a(options))
    checkpoint, kept = clock("stages B and C", lambda: stages_b_and_c(options, prior))
    kicks, cartwheels = options.held_out
    clips = category_clips(Category(kicks, cartwheels, HELD_OUT), options.seed)
    lifters = {name or str(checkpoint): shown for name, shown in LIFTERS.items()}
    results = {}
    for name, shown in lifters.items():
        contender = Contender(name, "given", options.evidence)
        lifted = clock(shown, lambda c=contender: contest(clips, [c], options.seed, options.progress))
        results[shown] = [with_unseen_views(*pair) for pair in zip(lifted, clips, strict=True)]
    groups = dict.fromkeys(["all", *(clip.action for clip in clips)])
    rows = [
        {"motion": group, "lifter": shown, **_summary([r for r in found if group in ("all", r.action)], LIFTED)}
        for group in groups
        for shown, found in results.items()
    ]
    gains = {
        name: dict(paired_difference(results["category"], results["shipped"], name, options.seed)._asdict())
        for name in LIFTED
    }
    return {"rows": rows, "category_minus_shipped": gains, "windows": kept, "seconds": clock.seconds}


def synthesis(options: argparse.Namespace) -> dict[str, Any]:
    """Stage B against the truth, on `--windows` windows spread evenly over all."""
    clock = _Clock()
    filmed = clock("videos", lambda: videos(options))
    prior = clock("stage A", lambda: stage_a(options))
    network, manifest = load_checkpoint(prior, options.device, SINGLE_VIEW)
    if options.unlined:
        network = _blind(network, PARTS["lines"])
    prepared = options.folder / "data"
    data = ClipBatches(prepared, "all", manifest["frames"], 0.0, options.seed, options.device, vary=False)
    every = all_windows(data)
    parts = [every[index] for index in np.linspace(0, len(every) - 1, min(options.windows, len(every))).astype(int)]
    config = SynthesisConfig(options.method, options.views, options.passes, seed=options.seed)
    schedule = Schedule.cosine(manifest["noise_steps"], options.device)
    made = clock("synthesis", lambda: list(synthesised(network, schedule, data, parts, config, options.progress)))
    stored = list(read_clips(prepared).values())
    truth = {clip.recording: clip for clip in filmed}
    errors: dict[str, list[dict[str, float]]] = {"triangulated": [], "cleaned": []}
    for window in made:
        clip = stored[window.clip]
        frames = slice(window.start, window.start + len(window.cleaned))
        begin = clip.meta["start"] + window.start / data.rate
        for name, found in errors.items():
            points, cameras = getattr(window, name), clip.world_from_camera[frames]
            found.append(window_errors(points, begin, cameras, truth[clip.meta["source"]]).values)
    kept = np.array([not window.fault for window in made])
    names = ("mpjpe_mm", "pa_mpjpe_mm", "t_root_mm")
    cleaned = errors["cleaned"]
    return {
        "method": options.method,
        "passes": options.passes or METHODS[options.method].passes,
        "views": options.views,
        "windows": len(made),
        "kept": int(kept.sum()),
        "triangulated": {name: _mean([row[name] for row in errors["triangulated"]]) for name in names},
        "cleaned": {name: _mean([row[name] for row in cleaned]) for name in names},
        "cleaned_kept": {name: _mean(np.array([row[name] for row in cleaned])[kept]) for name in names},
        "seconds": clock.seconds,
    }


def show_lift(result: dict[str, Any]) -> None:
    """The tables of `lift`."""
    print("| motion | lifter | clips | " + " | ".join(LIFTED.values()) + " |")
    print("|---" * (3 + len(LIFTED)) + "|")
    for row in result["rows"]:
        cells = [_told(row[name]) for name in LIFTED]
        print(f"| {row['motion']} | {row['lifter']} | {row['clips']} | " + " | ".join(cells) + " |")
    print("\nMeans ± standard errors over people. Category minus shipped, with the 95 % interval: " + ", ".join(
        f"{shown} {gain['mean']:+.1f} ({gain['low']:+.1f} … {gain['high']:+.1f})"
        for shown, gain in zip(LIFTED.values(), result["category_minus_shipped"].values(), strict=True)
    ))  # fmt: skip
    told = ", ".join(f"{count} {fault or 'kept'}" for fault, count in result["windows"].items())
    print(f"Windows of stage B: {told}.")
    _show_seconds(result)


def show_synthesis(result: dict[str, Any]) -> None:
    """The table of `synthesis`."""
    print("| method | passes | views | MPJPE | PA | T_root | kept | cleaned: MPJPE | PA | kept, cleaned: MPJPE | PA |")
    print("|---" * 11 + "|")
    raw, cleaned, kept = result["triangulated"], result["cleaned"], result["cleaned_kept"]
    cells = [*raw.values(), f"{result['kept']} of {result['windows']}", *list(cleaned.values())[:2]]
    cells = [result["method"], result["passes"], result["views"], *cells, *list(kept.values())[:2]]
    print("| " + " | ".join(_told(cell) if isinstance(cell, dict) else str(cell) for cell in cells) + " |")
    print("\nmm; means ± standard errors over windows.")
    _show_seconds(result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["lift", "synthesis"])
    parser.add_argument("folder", type=Path, help="where data, networks and clips are kept")
    parser.add_argument("--kicks", type=int, default=24, help="filmed people who kick")
    parser.add_argument("--cartwheels", type=int, default=16)
    parser.add_argument("--held-out", type=int, nargs=2, default=(8, 8), metavar=("KICKS", "CARTWHEELS"))
    parser.add_argument("--steps-single", type=int, default=1200, help="of stage A")
    parser.add_argument("--steps-multi", type=int, default=400, help="of stage C")
    parser.add_argument("--start", type=Path, help="checkpoint that stage C begins with, and takes its size from")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="of learning, stage A")
    parser.add_argument("--rate-multi", type=float, default=1.5e-3, help="stage C")
    parser.add_argument("--projected", type=float, default=1 / 3, help="share of local poses in stage A's windows")
    parser.add_argument("--without", action="append", default=[], choices=sorted(PARTS), help="of stage A's conditions")
    parser.add_argument("--method", default="ancestral", choices=sorted(METHODS), help="of stage B")
    parser.add_argument("--passes", type=int)
    parser.add_argument("--views", type=int, default=6)
    parser.add_argument("--unlined", action="store_true", help="synthesis: tell the prior no lines")
    parser.add_argument("--windows", type=int, default=40, help="synthesis: how many to make")
    parser.add_argument("--evidence", default="2d", choices=EVIDENCE, help="lift: what lifters are told")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    options.progress = RichProgress(quiet=options.quiet or options.json)
    result, show = (lift(options), show_lift) if options.what == "lift" else (synthesis(options), show_synthesis)
    print(json.dumps(result)) if options.json else show(result)


class _Clock:
    """Seconds that each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, part: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        made = part()
        self.seconds[name] = round(time.perf_counter() - begin, 1)
        return made


def _size(options: argparse.Namespace) -> dict[str, int]:
    return {"width": options.width, "layers": options.layers, "heads": options.width // 32}


def _loop(steps: int, rate: float) -> LoopConfig:
    return LoopConfig(steps, rate, warmup=min(_WARMUP, steps // 10), decay=0.5)


def _columns(parts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    return tuple((columns.start, columns.stop) for part in sorted(parts) for columns in PARTS[part])


def _blind(network: torch.nn.Module, columns: Sequence[slice]) -> torch.nn.Module:
    """A network that is told less than it was trained with."""
    hidden = tuple((part.start, part.stop) for part in columns)
    blind = type(network)(replace(network.config, hidden=(*network.config.hidden, *hidden)))
    blind.load_state_dict(network.state_dict())
    return blind.to(next(network.parameters()).device).eval()


def _summary(results: Sequence[ClipResult], names: Sequence[str]) -> dict[str, Any]:
    values = {name: _mean([result.errors.values[name] for result in results]) for name in names}
    return {"clips": len(results), **values}


def _mean(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and its standard error; None where values are too few."""
    count = len(values)
    return {
        "mean": float(np.mean(values)) if count else None,
        "error": float(np.std(values, ddof=1) / np.sqrt(count)) if count > 1 else None,
    }


def _told(figure: dict[str, float | None]) -> str:
    if figure["mean"] is None:
        return "–"
    return f"{figure['mean']:.0f}" + ("" if figure["error"] is None else f" ± {figure['error']:.0f}")


def _show_seconds(result: dict[str, Any]) -> None:
    print("Seconds: " + ", ".join(f"{name} {spent:.0f}" for name, spent in result["seconds"].items()) + ".")


if __name__ == "__main__":
    main()

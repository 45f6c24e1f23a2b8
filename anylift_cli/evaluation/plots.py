"""Pictures of results that show a person what is wrong: which joints, frames, actions, cameras and clips."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.skeleton import BODY24
from anylift_cli.evaluation.results import ClipResult, Interval, bootstrap_interval
from anylift_cli.evaluation.stick_figures import worst_clips

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Grouped = dict[str, dict[str, list[ClipResult]]]
    """Results by kind of cameras, then by label of the lifter."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b")
"""Of the lifters; the colour-blind can tell them apart (Okabe and Ito)."""
MOST_CATEGORIES = 25
ERROR = "MPJPE, mm"

_DPI = 110
_LONGEST_LABEL = 36
_LONGEST_NAME = 80


def write_plots(results: Sequence[ClipResult], folder: Path) -> list[Path]:
    """Draw all pictures as PNG files; without results there are none.

    Returns:
        per_joint.png, per_frame.png, per_action.png, per_camera.png, sorted_clips.png, and for each lifter
        worst_LIFTER.png with its worst clips.

    Raises:
        AnyliftError: the folder cannot be written.
    """
    if not results:
        return []
    labels = labels_of(results)
    pictures = {
        "per_joint": per_joint(results),
        "per_frame": per_frame(results),
        "per_action": per_action(results),
        "per_camera": per_camera(results),
        "sorted_clips": sorted_clips(results),
    }
    for label in dict.fromkeys(labels):
        own = [result for result, other in zip(results, labels, strict=True) if other == label]
        pictures[f"worst_{_file_name(label)}"] = worst_clips(own, label)
    paths = []
    for name, figure in pictures.items():
        paths.append(folder / f"{name}.png")
        with atomic_path(paths[-1]) as temporary:
            figure.savefig(temporary, dpi=_DPI)
    return paths


def labels_of(results: Sequence[ClipResult]) -> list[str]:
    """The lifter of each result, and what it was told of the height if that differs between results."""
    if len({result.height for result in results}) == 1:
        return [result.lifter for result in results]
    return [f"{result.lifter}, height {result.height}" for result in results]


def per_joint(results: Sequence[ClipResult]) -> Figure:
    """Mean error of each point of `body24` over clips; points whose truth is unknown are left out."""

    def errors(result: ClipResult) -> dict[str, float]:
        pairs = zip(BODY24, result.errors.per_joint, strict=True)
        return {name.replace("_", " "): float(error) for name, error in pairs if np.isfinite(error)}

    return _bars(results, errors, "Error of each point of the body", "mean distance relative to the root, mm")


def per_action(results: Sequence[ClipResult]) -> Figure:
    """Mean error of the clips of each action, the `MOST_CATEGORIES` worst."""
    return _bars(results, lambda result: {result.action: _mpjpe(result)}, "Error by what the person does", ERROR)


def per_camera(results: Sequence[ClipResult]) -> Figure:
    """Mean error of the clips of each camera mode."""
    return _bars(results, lambda result: {result.mode: _mpjpe(result)}, "Error by how the camera moves", ERROR)


def per_frame(results: Sequence[ClipResult]) -> Figure:
    """Mean error of each frame over the clips that have it, and the band of the middle half of them."""

    def draw(axes: Axes, group: Sequence[ClipResult], colour: str, label: str) -> None:
        errors = np.full((len(group), max(len(result.errors.per_frame) for result in group)), np.nan)
        for row, result in zip(errors, group, strict=True):
            row[: len(result.errors.per_frame)] = result.errors.per_frame
        low, high = np.nanquantile(errors, [0.25, 0.75], axis=0)
        axes.fill_between(np.arange(len(low)), low, high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(np.nanmean(errors, 0), color=colour, label=label)

    return _curves(results, draw, "Error over the clip (line: mean of clips, band: middle half of them)", "frame")


def sorted_clips(results: Sequence[ClipResult]) -> Figure:
    """All clips from best to worst: how many are good, and how bad the bad ones are."""

    def draw(axes: Axes, group: Sequence[ClipResult], colour: str, label: str) -> None:
        errors = np.sort([_mpjpe(result) for result in group])
        share = 100 * (np.arange(len(errors)) + 0.5) / len(errors)
        axes.plot(share, errors, color=colour, marker="o", markersize=3, label=label)

    return _curves(results, draw, "All clips from best to worst", "share of the clips, % (50: median)")


def _file_name(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", label).strip("_")[-_LONGEST_NAME:]


def _mpjpe(result: ClipResult) -> float:
    return result.errors.values["mpjpe_mm"]


def _bars(
    results: Sequence[ClipResult], errors: Callable[[ClipResult], dict[str, float]], title: str, unit: str
) -> Figure:
    """Mean of each category, the worst at the top: a panel for each kind of cameras, a colour for each lifter.

    Args:
        errors: the categories of a result, and its error in each.
    """
    grouped, colours = _grouped(results), _colours(results)
    gathered = {
        kind: {label: _gathered(group, errors) for label, group in lifters.items()} for kind, lifters in grouped.items()
    }
    order = {kind: _worst_first(list(lifters.values())) for kind, lifters in gathered.items()}
    rows = min(MOST_CATEGORIES, max(map(len, order.values())))
    figure, panels = _panels(len(grouped), title, 2.0 + rows * (0.12 + 0.11 * len(colours)), "sharex")
    for axes, (kind, lifters) in zip(panels, gathered.items(), strict=True):
        shown = order[kind][:MOST_CATEGORIES]
        place, thickness = np.arange(len(shown)), 0.8 / len(lifters)
        for index, (label, categories) in enumerate(lifters.items()):
            means = np.array([categories[name] if name in categories else Interval(*[np.nan] * 3) for name in shown])
            whiskers = np.stack([means[:, 0] - means[:, 1], means[:, 2] - means[:, 0]])
            axes.barh(
                place + (index - (len(lifters) - 1) / 2) * thickness, means[:, 0], thickness,
                xerr=np.nan_to_num(whiskers).clip(0), color=colours[label], label=label,
                error_kw={"elinewidth": 0.8, "ecolor": "#444444"},
            )  # fmt: skip
        counts = _counts([result for group in grouped[kind].values() for result in group], errors)
        axes.set_yticks(place, [f"{_short(name)} ({counts[name]})" for name in shown], fontsize=9)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        most = "" if len(shown) == len(order[kind]) else f", the {len(shown)} worst"
        axes.set_title(f"{kind} cameras{most} (in brackets: clips)", fontsize=11)
        axes.set_xlabel(f"{unit} (whiskers: 95 % over recordings)")
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    _legend(figure, panels)
    return figure


def _curves(
    results: Sequence[ClipResult],
    draw: Callable[[Axes, Sequence[ClipResult], str, str], None],
    title: str,
    across: str,
) -> Figure:
    grouped, colours = _grouped(results), _colours(results)
    figure, panels = _panels(len(grouped), title, 5.5, "sharey")
    for axes, (kind, lifters) in zip(panels, grouped.items(), strict=True):
        for label, group in lifters.items():
            draw(axes, group, colours[label], label)
        axes.set_title(f"{kind} cameras", fontsize=11)
        axes.set_xlabel(across)
        axes.set_ylabel(ERROR)
        axes.grid(alpha=0.3)
    panels[0].set_ylim(bottom=0)
    _legend(figure, panels)
    return figure


def _panels(
    count: int, title: str, height: float, shared: Literal["sharex", "sharey"]
) -> tuple[Figure, Sequence[Axes]]:
    """Panels side by side that share the axis of the errors."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0 * count, height), layout="constrained")
    figure.suptitle(title, fontsize=14)
    return figure, figure.subplots(1, count, squeeze=False, **{shared: True})[0]


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend below all panels, where it covers nothing."""
    entries = {}
    for axes in panels:
        entries |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries, loc="outside lower center", ncols=min(4, len(entries)), frameon=False)


def _grouped(results: Sequence[ClipResult]) -> Grouped:
    grouped: Grouped = {}
    for label, result in zip(labels_of(results), results, strict=True):
        grouped.setdefault(result.cameras, {}).setdefault(label, []).append(result)
    return grouped


def _colours(results: Sequence[ClipResult]) -> dict[str, str]:
    labels = dict.fromkeys(labels_of(results))
    return {label: COLOURS[index % len(COLOURS)] for index, label in enumerate(labels)}


def _gathered(group: Sequence[ClipResult], errors: Callable[[ClipResult], dict[str, float]]) -> dict[str, Interval]:
    found: dict[str, tuple[list[float], list[str]]] = {}
    for result in group:
        for name, error in errors(result).items():
            values, recordings = found.setdefault(name, ([], []))
            values.append(error)
            recordings.append(result.recording or result.clip)
    return {
        name: bootstrap_interval(np.array(values), seed=0, samples=500, groups=np.array(recordings))
        for name, (values, recordings) in found.items()
    }


def _counts(group: Sequence[ClipResult], errors: Callable[[ClipResult], dict[str, float]]) -> Counter[str]:
    """How many different clips each category has."""
    return Counter(name for result in {result.clip: result for result in group}.values() for name in errors(result))


def _worst_first(lifters: Sequence[dict[str, Interval]]) -> list[str]:
    """Categories by their mean error over lifters."""
    names = dict.fromkeys(name for categories in lifters for name in categories)
    return sorted(names, key=lambda name: -np.mean([own[name].mean for own in lifters if name in own]))


def _short(name: str) -> str:
    name = name or "unknown"
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"

"""Results of many clips: what they say together, how sure that is, and how it is written down."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.features import fid_interval, measurable
from anylift_cli.evaluation.measure import ClipErrors

if TYPE_CHECKING:
    from rich.table import Table

TABLE_METRICS = (
    "mpjpe_mm", "pa_mpjpe_mm", "t_root_mm", "j2d_px", "j2d_c_px", "fs_cm", "w_mpjpe_mm", "wa_mpjpe_mm", "rte_percent",
    "jitter_mm", "foot_slide_cm_s", "fid", "t_root_object_mm", "o_mpjpe_mm", "object_rotation_deg",
)  # fmt: skip
"""What a table on a screen has room for; rows and files hold all."""


@dataclass(frozen=True)
class ClipResult:
    """What one lifter made of one clip.

    Attributes:
        clip: name, unique within the protocol.
        action: what the person does.
        cameras: "static" or "dynamic".
        mode: how the camera moves in particular.
        lifter: what lifted it.
        height: "given" or "unknown": whether the lifter was told the person's height.
        seconds: how long the lifting took.
        errors: all measures.
        predicted, truth: (T, 24, 3) `body24`, metres, aligned as measured (`measure.align_to_truth`).
        recording: the source that the clip was cut from; clips of one recording are not independent. Empty: the clip
            is the only one of its recording.
    """

    clip: str
    action: str
    cameras: str
    mode: str
    lifter: str
    height: str
    seconds: float
    errors: ClipErrors
    predicted: np.ndarray
    truth: np.ndarray
    recording: str = ""


class Interval(NamedTuple):
    """A mean and the confidence interval around it; NaN where there is nothing to tell it from."""

    mean: float
    low: float
    high: float


def bootstrap_interval(
    values: np.ndarray,
    seed: int,
    confidence: float = 0.95,
    samples: int = 2000,
    groups: np.ndarray | None = None,
) -> Interval:
    """Mean of `values` (N,) and its percentile bootstrap interval (Efron 1979). NaN values are left out.

    Args:
        groups: (N,) labels; whole groups are drawn, since the values of one group are not independent. None: each value
            is its own group.

    Returns:
        low and high are NaN with fewer than two groups, which say nothing of how groups differ.
    """
    values = np.asarray(values, np.float64)
    labels = np.arange(len(values)) if groups is None else np.asarray(groups)
    counted = ~np.isnan(values)
    if not counted.any():
        return Interval(np.nan, np.nan, np.nan)
    values, labels = values[counted], labels[counted]
    member = np.unique(labels, return_inverse=True)[1]
    sums, counts = np.bincount(member, values), np.bincount(member)
    mean = float(values.mean())
    if len(sums) < 2 or not math.isfinite(mean):
        return Interval(mean, np.nan, np.nan)
    drawn = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), samples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn @ sums / (drawn @ counts), [tail, 1 - tail])
    return Interval(mean, float(low), float(high))


def paired_difference(
    results_a: Iterable[ClipResult], results_b: Iterable[ClipResult], metric: str, seed: int
) -> Interval:
    """Mean of `metric` of a minus that of b over the clips that both measured, and its 95 % interval.

    An interval that leaves out zero is a difference; clips are drawn by recording as in `bootstrap_interval`.

    Raises:
        AnyliftError: a clip occurs twice in a or in b, or none is in both.
    """
    a, b = _by_clip(results_a), _by_clip(results_b)
    shared = [name for name in a if name in b]
    if not shared:
        raise AnyliftError("the two sets of results share no clip", "compare results of the same protocol")
    differences = np.array([a[name].errors.values[metric] - b[name].errors.values[metric] for name in shared])
    return bootstrap_interval(differences, seed, groups=np.array([_recording(a[name]) for name in shared]))


def rows(results: Sequence[ClipResult], seed: int) -> list[dict[str, Any]]:
    """One JSON-ready row for each lifter, cameras and height, in the order they are first seen.

    Every metric is {"mean", "low", "high", "clips"}: the 95 % interval over recordings, and how many clips the metric
    could be measured in; a figure that cannot be told is null, a metric that no clip has is null as a whole. "fid" is
    that of all clips together (`features.fid`), to be compared only within this code, and null where clips are too few.
    "seconds" is the mean time of lifting, null where it is not known.
    """
    return [
        {
            "lifter": lifter,
            "cameras": cameras,
            "height": height,
            "clips": len(group),
            **{metric: _summary(group, metric, seed) for metric in _metrics(group)},
            "fid": _figures(Interval(*fid_interval(group, seed)), sum(map(measurable, group))),
            "seconds": _finite(float(np.mean([result.seconds for result in group]))),
        }
        for (lifter, cameras, height), group in _groups(results).items()
    ]


def paired_rows(results: Sequence[ClipResult], base: str, seed: int) -> list[dict[str, Any]]:
    """Rows as those of `rows`: what each other lifter's errors are more than those of lifter `base` on the same clips.

    Raises:
        AnyliftError: see `paired_difference`.
    """
    groups = _groups(results)
    return [
        {
            "lifter": f"{lifter} minus {base}",
            "cameras": cameras,
            "height": height,
            "clips": len(group),
            **{
                metric: _figures(paired_difference(group, groups[base, cameras, height], metric, seed), len(group))
                for metric in _metrics(group)
            },
        }
        for (lifter, cameras, height), group in groups.items()
        if lifter != base
    ]


def over_all_cameras(results: Sequence[ClipResult]) -> list[ClipResult]:
    """The results and, where there are several kinds of cameras, all of them once more as those of cameras "all"."""
    several = len({result.cameras for result in results}) > 1
    return [*results, *(replace(result, cameras="all") for result in results if several)]


def write_csv(results: Sequence[ClipResult], path: Path) -> None:
    """Write one line per clip with all its metrics; a metric that was not measured is empty.

    Raises:
        AnyliftError: the file cannot be written.
    """
    metrics = _metrics(results)
    named = ("clip", "recording", "action", "cameras", "mode", "lifter", "height", "seconds")
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*named, "frames", *metrics])
        for result in results:
            measured = (result.errors.values.get(metric, math.nan) for metric in metrics)
            writer.writerow(
                [
                    *(getattr(result, name) for name in named),
                    len(result.truth),
                    *("" if math.isnan(value) else repr(float(value)) for value in measured),
                ]
            )


def table(rows: Sequence[dict[str, Any]], title: str | None = None) -> Table:
    """Rows of `rows` for a screen: a section for each cameras and height, mean ± half the width of the interval."""
    from rich.table import Table

    columns = [metric for metric in TABLE_METRICS if any(row.get(metric) for row in rows)]
    shown = Table("cameras", "height", "lifter", "clips", title=title)
    for metric in columns:
        shown.add_column(metric, justify="right")
    for place in dict.fromkeys((row["cameras"], row["height"]) for row in rows):
        for row in rows:
            if (row["cameras"], row["height"]) == place:
                shown.add_row(*place, row["lifter"], str(row["clips"]), *(_cell(row.get(m)) for m in columns))
        shown.add_section()
    return shown


def _groups(results: Iterable[ClipResult]) -> dict[tuple[str, str, str], list[ClipResult]]:
    """Lifter, cameras and height → their results, in the order they are first seen."""
    groups: dict[tuple[str, str, str], list[ClipResult]] = {}
    for result in results:
        groups.setdefault((result.lifter, result.cameras, result.height), []).append(result)
    return groups


def _metrics(results: Sequence[ClipResult]) -> list[str]:
    return list(dict.fromkeys(metric for result in results for metric in result.errors.values))


def _summary(group: Sequence[ClipResult], metric: str, seed: int) -> dict[str, float | int | None] | None:
    values = np.array([result.errors.values.get(metric, math.nan) for result in group])
    interval = bootstrap_interval(values, seed, groups=np.array([_recording(result) for result in group]))
    return _figures(interval, int((~np.isnan(values)).sum()))


def _figures(interval: Interval, clips: int) -> dict[str, float | int | None] | None:
    if math.isnan(interval.mean):
        return None
    return {**{name: _finite(value) for name, value in interval._asdict().items()}, "clips": clips}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _recording(result: ClipResult) -> str:
    return result.recording or result.clip


def _by_clip(results: Iterable[ClipResult]) -> dict[str, ClipResult]:
    found: dict[str, ClipResult] = {}
    for result in results:
        if result.clip in found:
            raise AnyliftError(
                f"two results of clip {result.clip} are to be compared with one",
                "give the results of one lifter, with the height given or unknown, not of several",
            )
        found[result.clip] = result
    return found


def _cell(summary: dict[str, Any] | None) -> str:
    if summary is None or summary["mean"] is None:
        return "–"
    mean = summary["mean"]
    decimals = max(0, 2 - math.floor(math.log10(abs(mean)))) if mean else 0
    if summary["low"] is None or summary["high"] is None:
        return f"{mean:.{decimals}f}"
    return f"{mean:.{decimals}f} ± {(summary['high'] - summary['low']) / 2:.{decimals}f}"

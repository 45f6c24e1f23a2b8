"""What results of many clips say together: intervals, differences, rows, files."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import bootstrap

from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.measure import ClipErrors
from anylift_cli.evaluation.results import (
    ClipResult,
    Interval,
    bootstrap_interval,
    over_all_cameras,
    paired_difference,
    paired_rows,
    rows,
    table,
    write_csv,
)


def result(clip: str, mpjpe: float = 50.0, fs: float = math.nan, **changed: str | float) -> ClipResult:
    errors = ClipErrors({"mpjpe_mm": mpjpe, "fs_cm": fs}, np.full(24, mpjpe), np.full(3, mpjpe))
    given = {"action": "walk", "cameras": "static", "mode": "still", "lifter": "optimize", "height": "given"}
    return ClipResult(
        clip, **{**given, "seconds": 2.0, **changed}, errors=errors, predicted=np.zeros((3, 24, 3)),
        truth=np.zeros((3, 24, 3)),
    )  # fmt: skip


def results(values: Sequence[float], **changed: str | float) -> list[ClipResult]:
    return [result(f"clip{index}", value, **changed) for index, value in enumerate(values)]


def test_all_cameras_together_come_last():
    static, dynamic = result("a", 40.0), result("b", 60.0, cameras="dynamic")
    summary = rows(over_all_cameras([static, dynamic]), 0)
    assert [(row["cameras"], row["clips"], row["mpjpe_mm"]["mean"]) for row in summary] == [
        ("static", 1, 40), ("dynamic", 1, 60), ("all", 2, 50),
    ]  # fmt: skip
    assert over_all_cameras([static]) == [static]


def test_interval_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2, 30, size=60)
    found = bootstrap_interval(values, seed=1, samples=20000)
    expected = bootstrap((values,), np.mean, method="percentile", n_resamples=20000, rng=2).confidence_interval
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(expected.low, rel=0.01) and found.high == pytest.approx(expected.high, rel=0.01)
    narrower = bootstrap_interval(values, seed=1, confidence=0.5)
    assert found.low < narrower.low < narrower.mean < narrower.high < found.high
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)


def test_interval_covers_the_true_mean_as_often_as_it_says():
    """40 recordings of 1 to 9 clips that share their recording's error: only drawing recordings is honest."""
    rng = np.random.default_rng(3)
    covered = {"recordings": 0, "clips": 0}
    for _ in range(200):
        sizes = rng.integers(1, 10, size=40)
        recording = np.repeat(np.arange(40), sizes)
        values = 80 + np.repeat(rng.normal(scale=20, size=40), sizes) + rng.normal(scale=2, size=sizes.sum())
        for name, groups in (("recordings", recording), ("clips", None)):
            interval = bootstrap_interval(values, seed=4, samples=500, groups=groups)
            covered[name] += interval.low <= 80 <= interval.high
    assert 0.9 <= covered["recordings"] / 200 <= 0.98
    assert covered["clips"] / 200 < 0.75


def test_interval_of_few_values():
    """Two values: each bootstrap mean is one of them or their middle, a quarter of the time each end."""
    assert bootstrap_interval(np.array([1.0, 3.0, np.nan]), seed=0) == Interval(2, 1, 3)
    assert bootstrap_interval(np.array([1.0, 3.0, np.nan]), seed=0, confidence=0.4) == Interval(2, 2, 2)
    for values, groups in (([5.0], None), ([4.0, 6.0], ["one", "one"]), ([5.0, np.nan], None)):
        mean, low, high = bootstrap_interval(np.array(values), seed=0, groups=groups)
        assert mean == 5 and np.isnan(low) and np.isnan(high)
    assert np.isnan(bootstrap_interval(np.array([np.nan]), seed=0)).all()
    assert np.isnan(bootstrap_interval(np.array([]), seed=0)).all()


def test_groups_weigh_by_their_clips():
    """One clip at 0 and three at 4: the mean of all clips is 3, drawn groups give 0, 3 or 4."""
    interval = bootstrap_interval(np.array([0.0, 4, 4, 4]), seed=0, groups=np.array(["a", "b", "b", "b"]))
    assert interval == Interval(3, 0, 4)
    with_gap = bootstrap_interval(np.array([0.0, np.nan, 4, 4, 4]), seed=0, groups=np.array(["a", "a", "b", "b", "b"]))
    assert with_gap == interval


def test_a_difference_is_told_over_the_same_clips():
    """Clips differ by far more than the methods do; over the same clips the 2 mm stand out."""
    hard = np.random.default_rng(5).uniform(40, 140, size=30)
    better, worse = results(hard - 2), results(hard + np.random.default_rng(6).normal(scale=1, size=30))
    difference = paired_difference(better, worse[::-1], "mpjpe_mm", seed=0)
    assert difference.mean == pytest.approx(-2, abs=0.5) and difference.high < -1
    back = paired_difference(worse, better, "mpjpe_mm", seed=0)
    assert back == pytest.approx((-difference.mean, -difference.high, -difference.low))
    alone = [bootstrap_interval(np.array([r.errors.values["mpjpe_mm"] for r in side]), 0) for side in (better, worse)]
    assert alone[0].high > alone[1].low


def test_a_difference_leaves_out_what_one_side_lacks():
    better, worse = results([1, 2, 30, np.nan]), results([2, 4])
    assert paired_difference(better, [*worse, result("other", 9), result("clip3", 7)], "mpjpe_mm", 0).mean == -1.5


def test_a_difference_draws_recordings():
    one = results([1, 2, 9], recording="take 1")
    assert np.isnan(paired_difference(one, results([2, 2, 2]), "mpjpe_mm", 0).low)


def test_what_cannot_be_compared_is_said():
    with pytest.raises(AnyliftError, match="two results of clip clip0"):
        paired_difference([*results([1]), *results([2], lifter="other")], results([1]), "mpjpe_mm", 0)
    with pytest.raises(AnyliftError, match="no clip"):
        paired_difference(results([1]), [result("other")], "mpjpe_mm", 0)


def test_rows_of_differences_keep_cameras_and_lifters_apart():
    found = [
        *results([5, 9, 7]), *results([4, 6, 8], lifter="other"),
        *results([1, 1, 1], cameras="dynamic"), *results([2, 4, 6], lifter="other", cameras="dynamic"),
    ]  # fmt: skip
    told = paired_rows(found, "optimize", seed=0)
    assert [(row["lifter"], row["cameras"], row["clips"]) for row in told] == [
        ("other minus optimize", "static", 3),
        ("other minus optimize", "dynamic", 3),
    ]
    assert [row["mpjpe_mm"]["mean"] for row in told] == pytest.approx([-1, 3])
    assert told[1]["mpjpe_mm"]["low"] > 0 > told[0]["mpjpe_mm"]["low"] and told[0]["fs_cm"] is None
    assert len(table(told).columns) == 5


def mixed() -> list[ClipResult]:
    return [
        *results([60, 80], lifter="mvnet", seconds=4.0),
        *results([90, 110, np.nan], cameras="dynamic", height="unknown"),
        *results([100, 120]),
        result("clip9", 70, fs=0.5, lifter="mvnet"),
    ]


def test_rows_are_ready_for_json():
    found = rows(mixed(), seed=0)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [(row["lifter"], row["cameras"], row["height"], row["clips"]) for row in found] == [
        ("mvnet", "static", "given", 3),
        ("optimize", "dynamic", "unknown", 3),
        ("optimize", "static", "given", 2),
    ]
    first, dynamic, static = found
    assert first["mpjpe_mm"]["mean"] == pytest.approx(70) and first["mpjpe_mm"]["clips"] == 3
    assert first["fs_cm"] == {"mean": 0.5, "low": None, "high": None, "clips": 1}
    assert first["seconds"] == pytest.approx(10 / 3)
    assert dynamic["mpjpe_mm"] == {"mean": 100, "low": 90, "high": 110, "clips": 2} and dynamic["fs_cm"] is None
    assert static["mpjpe_mm"] == {"mean": 110, "low": 100, "high": 120, "clips": 2}
    assert rows([], seed=0) == []


def test_rows_draw_recordings():
    (row,) = rows([*results([10, 30], recording="take 1"), result("last", 50)], seed=0)
    assert row["mpjpe_mm"] == {"mean": 30, "low": 20, "high": 50, "clips": 3}
    (row,) = rows(results([10, 30], recording="take 1"), seed=0)
    assert row["mpjpe_mm"] == {"mean": 20, "low": None, "high": None, "clips": 2}


def test_a_broken_figure_does_not_break_json():
    (row,) = rows(results([np.inf, 3]), seed=0)
    assert row["mpjpe_mm"]["mean"] is None
    json.dumps(row, allow_nan=False)
    table([row])


def test_csv_has_one_line_per_clip(tmp_path: Path):
    path = tmp_path / "new" / "clips.csv"
    write_csv([*mixed(), result("a, b", 1 / 3, recording='"take" 1')], path)
    with open(path, newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 9 and b"\r" not in path.read_bytes()
    assert lines[0] == {
        "clip": "clip0", "recording": "", "action": "walk", "cameras": "static", "mode": "still", "lifter": "mvnet",
        "height": "given", "seconds": "4.0", "frames": "3", "mpjpe_mm": "60.0", "fs_cm": "",
    }  # fmt: skip
    assert lines[4]["mpjpe_mm"] == "" and lines[7]["fs_cm"] == "0.5"
    assert lines[8]["clip"] == "a, b" and lines[8]["recording"] == '"take" 1'
    assert float(lines[8]["mpjpe_mm"]) == 1 / 3
    write_csv([], path)
    assert path.read_text().startswith("clip,recording,action")


def test_table_groups_by_cameras_and_height():
    console = Console(width=120, file=io.StringIO())
    console.print(table(rows(mixed(), seed=0)))
    lines = [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in console.file.getvalue().splitlines()
        if "│" in line or "┃" in line
    ]
    assert lines == [
        ["cameras", "height", "lifter", "clips", "mpjpe_mm", "fs_cm"],
        ["static", "given", "mvnet", "3", "70.0 ± 10.0", "0.500"],
        ["static", "given", "optimize", "2", "110 ± 10", "–"],
        ["dynamic", "unknown", "optimize", "3", "100 ± 10", "–"],
    ]

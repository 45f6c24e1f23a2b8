"""Pictures of results: what is drawn, in which order, and whether it can be read."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from anylift_cli.body.skeleton import BODY24, BODY24_BONES, K
from anylift_cli.evaluation.folder import write_folder
from anylift_cli.evaluation.measure import ClipErrors
from anylift_cli.evaluation.plots import (
    COLOURS,
    labels_of,
    per_action,
    per_camera,
    per_frame,
    per_joint,
    sorted_clips,
    write_plots,
)
from anylift_cli.evaluation.results import ClipResult, bootstrap_interval, rows
from anylift_cli.evaluation.stick_figures import INSTANTS, WORST, seen_from_sides, worst_clips


def standing() -> np.ndarray:
    """A person (24, 3) who faces x, so that left is y."""
    points = np.zeros((24, 3))
    for name, index in K.items():
        side = 0.2 if name.startswith("left") else -0.2 if name.startswith("right") else 0.0
        height = {"ankle": 0.1, "knee": 0.5, "hip": 0.9, "wrist": 0.8, "elbow": 1.1, "shoulder": 1.4, "neck": 1.4}
        points[index] = [0.0, side, height.get(name.split("_")[-1], 0.0 if "toe" in name or "heel" in name else 1.6)]
        points[index, 0] = 0.15 if "toe" in name else 0.0
    return points


def result(clip: str, mpjpe: float, frames: int = 4, **changed: str) -> ClipResult:
    """A clip whose face is unknown, and whose error grows by 1 mm per frame and per point of `body24`."""
    per_joint = mpjpe + np.arange(24.0)
    per_joint[[K[name] for name in BODY24 if "eye" in name or "ear" in name or name == "nose"]] = np.nan
    errors = ClipErrors({"mpjpe_mm": mpjpe, "t_root_mm": 10.0}, per_joint, mpjpe + np.arange(frames) - (frames - 1) / 2)
    given = {"action": "walk", "cameras": "static", "mode": "still", "lifter": "optimize", "height": "given"}
    truth = np.tile(standing(), (frames, 1, 1)) + np.arange(frames)[:, None, None] * [0.1, 0.0, 0.0]
    return ClipResult(clip, **{**given, **changed}, seconds=1.0, errors=errors, predicted=truth + 0.02, truth=truth)


def some() -> list[ClipResult]:
    return [
        result("a", 50), result("b", 100, action="a very long story of what people do all day", frames=6),
        result("c", 90, cameras="dynamic", mode="pan"), result("d", 30, cameras="dynamic", mode="orbit_cw"),
        result("a", 20, lifter="out/net/model.safetensors"), result("b", 40, lifter="out/net/model.safetensors"),
        result("c", 60, lifter="out/net/model.safetensors", cameras="dynamic", mode="pan"),
    ]  # fmt: skip


def bars(figure: Figure, panel: int) -> dict[str, dict[str, float]]:
    """Category → lifter → length of its bar."""
    axes = figure.axes[panel]
    names = [label.get_text() for label in axes.get_yticklabels()]
    return {
        name: {c.get_label(): c.patches[index].get_width() for c in axes.containers if hasattr(c, "patches")}
        for index, name in enumerate(names)
    }


def test_bars_by_hand():
    found = bars(per_camera(some()), 1)
    assert list(found) == ["pan (1)", "orbit_cw (1)"]
    assert found["pan (1)"] == {"optimize": 90, "out/net/model.safetensors": 60}
    assert found["orbit_cw (1)"]["optimize"] == 30 and np.isnan(found["orbit_cw (1)"]["out/net/model.safetensors"])
    static = bars(per_camera(some()), 0)
    assert static == {"still (2)": {"optimize": 75, "out/net/model.safetensors": 30}}


def test_equal_clips_have_whiskers_of_no_length():
    """Of eleven times this value the interval begins above the mean, by rounding."""
    results = [result(name, 100 / 3) for name in "abcdefghijk"]
    assert bootstrap_interval(np.full(11, 100 / 3), 0, samples=500).low > np.full(11, 100 / 3).mean()
    (whisker,) = per_camera(results).axes[0].collections
    assert np.ptp(whisker.get_segments()[0][:, 0]) == pytest.approx(0, abs=1e-9)


def test_joints_have_names_and_the_worst_is_at_the_top():
    found = bars(per_joint(some()), 0)
    assert next(iter(found)) == "right heel (2)" and len(found) == 19 and not [name for name in found if "eye" in name]
    assert found["right heel (2)"]["optimize"] == 75 + K["right_heel"]
    axes = per_joint(some()).axes[0]
    assert axes.yaxis_inverted() and "mm" in axes.get_xlabel()


def test_actions_are_cut_to_what_can_be_read():
    long = [result(f"clip{index}", index + 1, action=f"action {index}") for index in range(40)]
    found = list(bars(per_action(long), 0))
    assert found[0] == "action 39 (1)" and len(found) == 25
    assert "25 worst" in per_action(long).axes[0].get_title()
    assert all(len(name) < 42 for name in bars(per_action(some()), 0))


def test_frames_are_the_mean_of_the_clips_that_have_them():
    figure = per_frame(some())
    (line,) = [line for line in figure.axes[0].lines if line.get_label() == "optimize"]
    first, second = 50 + np.arange(4) - 1.5, 100 + np.arange(6) - 2.5
    assert line.get_ydata() == pytest.approx([*(first + second[:4]) / 2, *second[4:]])
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(second[5]) and band.min() == pytest.approx(first[0] + (second[0] - first[0]) / 4)


def test_clips_are_sorted():
    (line,) = [line for line in sorted_clips(some()[::-1]).axes[1].lines if line.get_label() == "optimize"]
    assert line.get_ydata().tolist() == [50, 100] and line.get_xdata().tolist() == [25, 75]


@pytest.mark.parametrize("draw", [per_joint, per_frame, per_action, per_camera, sorted_clips])
def test_pictures_can_be_read(draw):
    """Titles, units, errors on one scale that holds them all, and a legend that covers no panel."""
    figure = draw(some()[::-1])
    figure.draw_without_rendering()
    assert figure.get_suptitle() and len(figure.axes) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["out/net/model.safetensors", "optimize"]
    box = legend.get_window_extent()
    for axes in figure.axes:
        assert "cameras" in axes.get_title()
        assert "mm" in axes.get_xlabel() + axes.get_ylabel() and axes.get_xlabel()
        assert not axes.get_tightbbox().overlaps(box)
    errors = [axes.get_xlim() if "mm" in axes.get_xlabel() else axes.get_ylim() for axes in figure.axes]
    assert errors[0] == errors[1] and errors[0][0] == 0
    for axes in figure.axes:
        drawn = axes.dataLim.intervalx if "mm" in axes.get_xlabel() else axes.dataLim.intervaly
        assert drawn.max() <= errors[0][1]


def test_heights_are_told_apart():
    assert labels_of([result("a", 1), result("b", 2)]) == ["optimize", "optimize"]
    both = [result("a", 30), result("a", 60, height="unknown")]
    assert labels_of(both) == ["optimize, height given", "optimize, height unknown"]
    assert bars(per_camera(both), 0)["still (1)"] == {"optimize, height given": 30, "optimize, height unknown": 60}
    lines = per_frame(both).axes[0].lines
    assert [to_hex(line.get_color()) for line in lines] == list(COLOURS[:2])


def test_sides_by_hand():
    """From in front, left is right in the picture; from the left, the front is left in the picture."""
    predicted, truth = seen_from_sides(result("a", 10))
    assert predicted.shape == truth.shape == (2, 4, 24, 2)
    toe = K["left_big_toe"]
    assert truth[0, 3, toe] == pytest.approx([0.2, -0.9]) and truth[1, 3, toe] == pytest.approx([-0.15, -0.9])
    assert predicted == pytest.approx(truth)


def test_worst_clips_are_the_worst():
    results = [result(f"clip{index}", 10 * index) for index in range(9)]
    figure = worst_clips(results, "optimize")
    titles = [part.get_suptitle() for part in figure.subfigs]
    assert [title.split(" · ")[0] for title in titles] == [f"clip{index}" for index in range(8, 2, -1)]
    assert len(titles) == WORST and "MPJPE 80 mm" in titles[0]
    panels = figure.subfigs[0].axes
    assert len(panels) == 2 * INSTANTS
    assert panels[0].get_title().startswith("frame 0") and panels[INSTANTS - 1].get_title().startswith("frame 3")
    true, predicted = panels[0].collections
    bone = BODY24_BONES.index((K["left_knee"], K["left_ankle"]))
    assert predicted.get_segments()[bone] == pytest.approx(np.array([[0.2, -0.4], [0.2, -0.8]]))
    assert to_hex(predicted.get_colors()[bone]) == "#d62728" != to_hex(true.get_colors()[bone])


def test_folder_holds_tables_and_pictures(tmp_path: Path):
    results = some()
    write_folder(results, rows(results, 0), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"rows.json", "clips.csv", "plots"}
    assert len(json.loads((tmp_path / "out" / "rows.json").read_text())["rows"]) == 4
    pictures = {path.name: cv2.imread(str(path)) for path in (tmp_path / "out" / "plots").iterdir()}
    assert set(pictures) == {
        "per_joint.png", "per_frame.png", "per_action.png", "per_camera.png", "sorted_clips.png", "worst_optimize.png",
        "worst_out_net_model.safetensors.png",
    }  # fmt: skip
    for image in pictures.values():
        assert image.shape[0] > 250 and image.shape[1] > 700 and image.std() > 5


def test_nothing_to_draw(tmp_path: Path):
    assert write_plots([], tmp_path / "plots") == []
    unmeasured = [result("a", 10, cameras="unknown", mode="", action="")]
    assert len(write_plots(unmeasured, tmp_path / "plots")) == 6

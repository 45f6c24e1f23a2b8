"""Features of 2D motion and the FID made of them, on the motions of the synthetic scenes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mocap_files import write_mocap
from scipy.linalg import sqrtm
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.skeleton import BODY24_MIRROR, K
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation import features as feature_module
from anylift_cli.evaluation.features import (
    FEWEST_WINDOWS,
    FRAMES,
    POINTS,
    SIZE,
    STRIDE,
    VIEWS,
    features,
    fid,
    fid_interval,
    measurable,
    seen_from,
    train,
    windows,
)
from anylift_cli.evaluation.measure import ClipErrors
from anylift_cli.evaluation.results import ClipResult, rows
from anylift_cli.synthetic.motions import MOTIONS
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.weights_store import find_weights

ARMS = [K[f"{side}_{name}"] for name in ("elbow", "wrist") for side in ("left", "right")]


@pytest.fixture(scope="module")
def truth() -> list[ClipResult]:
    """Four seconds of each authored motion, predicted without error."""
    clips = []
    for index, name in enumerate(MOTIONS):
        points = build_scene(SceneSpec(name, name, "still", seconds=4, seed=index)).keypoints3d
        errors = ClipErrors({"mpjpe_mm": 0.0}, np.zeros(24), np.zeros(len(points)))
        clips.append(
            ClipResult(name, name, "static", "still", "truth", "given", 1.0, errors, points.copy(), points.copy())
        )
    return clips


def predicting(results: list[ClipResult], change) -> list[ClipResult]:
    return [replace(result, predicted=change(result.truth)) for result in results]


def test_views_by_hand():
    """A point in front of, left of and above the origin, seen from x, from y, and from straight above."""
    point = torch.tensor([[[[1.0, 2.0, 3.0]]]]).expand(3, 1, 1, 3)
    seen = seen_from(point, torch.tensor([0.0, torch.pi / 2, 0.0]), torch.tensor([0.0, 0.0, torch.pi / 2]))
    assert torch.allclose(seen[:, 0, 0], torch.tensor([[2.0, -3.0], [-1.0, -3.0], [2.0, 1.0]]), atol=1e-6)


def test_windows_by_hand():
    clip = np.arange(FRAMES + 2 * STRIDE + 5)
    assert windows(clip)[:, [0, -1]].tolist() == [[0, 59], [30, 89], [60, 119]]
    assert len(windows(clip[:FRAMES])) == 1


def test_features_know_neither_place_nor_size(truth):
    seen = np.concatenate([windows(result.truth[:, POINTS][..., [1, 2]] * [1, -1]) for result in truth])
    found = features(seen)
    assert found.shape == (len(seen), SIZE)
    assert np.abs(features(300 * seen + [640, 360]) - found).max() < 1e-3
    assert np.abs(features(seen[:3]) - found[:3]).max() < 1e-4
    assert np.abs(features(seen[:, ::-1]) - found).max() > 0.5
    assert features(seen[:0]).shape == (0, SIZE)


def test_features_have_the_scale_of_mocap(truth):
    """Means near 0 and deviations near 1, as far as few authored motions are like people."""
    parts = torch.cat([torch.as_tensor(windows(result.truth[:, POINTS])) for result in truth])
    azimuth = torch.arange(len(parts), dtype=torch.float64)
    found = features(seen_from(parts, azimuth, torch.zeros_like(azimuth)).numpy())
    assert np.abs(found.mean(0)).mean() < 1 and 0.3 < found.std(0).mean() < 2


def test_fid_of_the_truth_is_zero(truth):
    assert fid(truth) < 1e-9
    value, low, high = fid_interval(truth, seed=0)
    assert max(value, low, high) < 1e-9


def test_fid_agrees_with_the_formula(truth):
    noisy = predicting(truth, lambda points: points + 0.1 * np.sin(np.arange(len(points)))[:, None, None])
    sides = []
    for attribute in ("predicted", "truth"):
        views = []
        for result in noisy:
            hips = result.truth[0, [K["left_hip"], K["right_hip"]]]
            facing = np.arctan2(*(hips[0] - hips[1])[[1, 0]]) - np.pi / 2
            parts = torch.as_tensor(windows(getattr(result, attribute)[:, POINTS]))
            for view in VIEWS:
                angle = torch.full((len(parts),), facing + np.radians(view), dtype=torch.float64)
                views.append(features(seen_from(parts, angle, torch.zeros_like(angle)).numpy()))
        sides.append(np.concatenate(views))
    means, covariances = [side.mean(0) for side in sides], [np.cov(side.T) for side in sides]
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert fid(noisy) == pytest.approx(expected, rel=1e-3)


def test_fid_grows_with_noise(truth):
    noise = np.random.default_rng(0).standard_normal((120, 24, 3))
    values = [fid(predicting(truth, lambda points, s=size: points + s * noise)) for size in (0.02, 0.06, 0.18)]
    assert 0 < values[0] < values[1] / 3 < values[2] / 9


def test_fid_sees_what_is_no_human_motion(truth):
    rng = np.random.default_rng(1)
    swapped = np.arange(24)
    swapped[ARMS] = np.array(BODY24_MIRROR)[ARMS]
    slight = fid(predicting(truth, lambda points: points + 0.02 * rng.standard_normal(points.shape)))
    shuffled = fid(predicting(truth, lambda points: points[rng.permutation(len(points))]))
    frozen = fid(predicting(truth, lambda points: np.repeat(points[:1], len(points), 0)))
    arms = fid(predicting(truth, lambda points: points[:, swapped]))
    backwards = fid(predicting(truth, lambda points: points[::-1]))
    assert min(shuffled, frozen, arms) > 5 and backwards > 1 and slight < 0.1


def test_fid_knows_neither_heading_nor_place(truth):
    lean = Rotation.from_euler("y", 20, degrees=True).as_matrix()
    leaning = predicting(truth, lambda points: points @ lean.T)
    turn = Rotation.from_euler("z", 77, degrees=True).as_matrix()
    moved = [replace(r, predicted=r.predicted @ turn.T + [3, 1, 0], truth=r.truth @ turn.T + 2) for r in leaning]
    assert fid(leaning) > 0.5
    assert fid(moved) == pytest.approx(fid(leaning), rel=1e-3)


def test_interval_holds_the_value_and_repeats(truth):
    noisy = predicting(truth, lambda points: points + 0.1 * np.random.default_rng(2).standard_normal(points.shape))
    value, low, high = fid_interval(noisy, seed=3)
    assert value == fid(noisy) and 0 <= low < value < high
    assert fid_interval(noisy, seed=3) == (value, low, high)
    one = [replace(result, recording="take 1") for result in noisy]
    assert fid_interval(one, seed=3)[0] == value and np.isnan(fid_interval(one, seed=3)[1:]).all()


def test_clips_that_say_nothing_are_left_out(truth):
    blind = replace(truth[0], clip="blind", truth=truth[0].truth * np.nan)
    short = replace(truth[0], clip="short", truth=truth[0].truth[: FRAMES - 1], predicted=truth[0].truth[: FRAMES - 1])
    faceless = truth[0].truth.copy()
    faceless[:, K["nose"]] = np.nan
    assert [measurable(clip) for clip in (truth[0], blind, short, replace(truth[0], truth=faceless))] == [
        True, False, False, True,
    ]  # fmt: skip
    wrong = [replace(clip, predicted=clip.predicted[::-1]) for clip in truth]
    assert fid([*wrong, blind, short]) == fid(wrong)
    (row,) = rows([*wrong, blind, short], seed=0)
    assert row["fid"]["mean"] == fid(wrong) and row["fid"]["clips"] == len(truth)
    json.dumps(row, allow_nan=False)


def test_too_few_windows_say_nothing(truth):
    count = FEWEST_WINDOWS // len(VIEWS) // 3
    assert np.isnan(fid(truth[:count])) and not np.isnan(fid(truth[: count + 1]))
    assert np.isnan(fid([])) and rows(truth[:count], seed=0)[0]["fid"] is None


def test_shipped_network_is_small():
    assert find_weights("motion_features.npz").stat().st_size <= 300 * 1024


def test_training_is_repeatable(tmp_path: Path):
    mocap = write_mocap(tmp_path / "mocap.npz")
    inputs = feature_module.training_inputs([mocap], 96, seed=0)
    assert inputs.shape[::2] == (96, FRAMES) and torch.isfinite(inputs).all()
    again = train(feature_module.training_inputs([mocap], 96, seed=0), 3, seed=0)
    command = ["-m", "anylift_cli.evaluation.features", mocap, "--out", "out.npz", "--windows", "96", "--steps", "3"]
    subprocess.run([sys.executable, *command], check=True, cwd=tmp_path)
    written, shipped = read_npz(tmp_path / "out.npz"), read_npz(find_weights("motion_features.npz"))
    assert {name: (value.shape, value.dtype) for name, value in written.items()} == {
        name: (value.shape, value.dtype) for name, value in shipped.items()
    }
    first = train(inputs, 3, seed=0)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert all(np.allclose(first[name], written[name], atol=1e-3) for name in first)
    assert not np.array_equal(train(inputs, 3, seed=1)["0.weight"], first["0.weight"])
    with pytest.raises(AnyliftError, match="no training clip"):
        feature_module.training_inputs([write_mocap(tmp_path / "none.npz", split=np.array(["test"] * 3))], 8, seed=0)


def test_damaged_weights_are_told(tmp_path: Path):
    np.savez(tmp_path / "motion_features.npz", mean=np.zeros(SIZE, np.float32))
    script = (
        "import numpy as np; from anylift_cli.evaluation import features as f; f.features(np.zeros((1, 60, 13, 2)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={"ANYLIFT_WEIGHTS": str(tmp_path)}
    )
    assert "does not hold the feature network" in done.stderr

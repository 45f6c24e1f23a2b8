"""Files of several tools against one truth: known errors put in are the errors that come out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from motions import walking
from scipy.spatial.transform import Rotation
from test_evaluation_formats import wham_track, write_amass, write_glamr, write_gvhmr, write_pickle, write_tram

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices, shape_of
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.body.tracks.romp import LANDMARK_PLACES
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.compare import compare, resampled
from anylift_cli.evaluation.formats.floor import on_floor
from anylift_cli.evaluation.formats.record import PersonRecord
from anylift_cli.evaluation.results import rows, table, write_csv
from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.take import Take

TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.fixture(scope="module")
def truth_file(body, tmp_path_factory) -> Path:
    return walking(body, 60).save(tmp_path_factory.mktemp("truth") / "truth.npz")


def everything(motion: MotionArtifact, body: BodyModel) -> np.ndarray:
    """SMPL joints and `body24` points, (T, 48, 3)."""
    posed = body.joints(pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans))
    return torch.cat(list(posed), 1).double().numpy()


def write_people(path: Path, people: list[np.ndarray]) -> Path:
    """A ROMP video of people (T, 48, 3) in a z-up world, see `everything`; NaN frames are left out."""
    results = {}
    for frame in range(len(people[0])):
        there = [index for index, points in enumerate(people) if np.isfinite(points[frame]).all()]
        stored = np.zeros((len(there), 71, 3))
        for row, index in enumerate(there):
            points = people[index][frame] @ TO_CAMERA.T
            stored[row, :24] = points[:24]
            for name, place in LANDMARK_PLACES.items():
                stored[row, place] = points[24 + K[name]]
        results[f"{frame:08d}.jpg"] = (
            {"joints": stored, "cam_trans": np.zeros((len(there), 3)), "track_ids": np.array(there)} if there else {}
        )
    np.savez(path, results=results)
    return path


def test_the_truth_itself_in_another_place_and_heading_has_no_error(tmp_path, body, truth_file):
    motion = walking(body, 60)
    turn = Rotation.from_euler("z", 130, degrees=True)
    motion.root_orient[:] = (turn * Rotation.from_rotvec(motion.root_orient)).as_rotvec()
    motion.poses[:, :3] = motion.root_orient
    rest = body.rest_joints(body.joint_template.new_zeros(1, body.num_betas))[0, 0].numpy()
    motion.trans[:] = turn.apply(motion.trans + rest) - rest + np.array([3.0, -2, 0.4])
    motion.joints[:] = turn.apply(motion.joints.reshape(-1, 3)).reshape(motion.joints.shape) + np.array([3.0, -2, 0.4])
    (result,) = compare([motion.save(tmp_path / "moved.npz")], truth_file).results
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "t_root_mm", "w_mpjpe_mm"):
        assert result.errors.values[name] == pytest.approx(0, abs=0.01), name
    assert np.isnan(result.errors.values["j2d_px"])
    assert (result.lifter, result.mode, result.clip) == ("moved.npz", "anylift", "truth.npz")


def test_a_drift_is_the_root_error(tmp_path, body, truth_file):
    """Walks 10 % too far: the root error grows evenly to 0.1 of the way, the pose has none."""
    motion = walking(body, 60)
    way = motion.trans[:, :1] - motion.trans[:1, :1]
    motion.trans[:, :1] += 0.1 * way
    motion.joints[..., 0] += 0.1 * way
    values = compare([motion.save(tmp_path / "far.npz")], truth_file).results[0].errors.values
    assert values["mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert values["t_root_mm"] == pytest.approx(100 * way.mean(), rel=1e-3)


def test_files_are_measured_on_the_frames_and_points_that_all_know(tmp_path, body, truth_file):
    motion = walking(body, 60)
    late = everything(motion, body)
    late[:20] = np.nan
    late[50:] = np.nan
    files = [
        motion.save(tmp_path / "ours.npz"),
        BvhExporter().write(Take((motion,), ("walk",)), tmp_path / "walk.bvh"),
        write_people(tmp_path / "late.npz", [late]),
    ]
    comparison = compare(files, truth_file)
    assert [result.lifter for result in comparison.results] == ["ours.npz", "walk.bvh", "late.npz"]
    assert comparison.seconds["0"] == pytest.approx((20 / 30, 49 / 30))
    assert all(len(result.truth) == 30 for result in comparison.results)
    assert "nose" not in comparison.points["0"] and "left_knee" in comparison.points["0"]
    assert len(comparison.points["0"]) == 13
    for result in comparison.results:
        assert result.errors.values["mpjpe_mm"] == pytest.approx(0, abs=0.1)
    assert "upright camera" in comparison.notes[2] and "BVH" in comparison.notes[1]


def test_every_kind_of_file_can_be_compared(tmp_path, body):
    """The same walk in eight formats has no error in any of them, and the real mocap layout can be the truth."""
    motion = walking(body, 30)
    track = {**wham_track(motion), "frame_ids": np.arange(30)}
    files = {
        "anylift": motion.save(tmp_path / "motion.npz"),
        "AMASS": write_amass(tmp_path / "amass.npz", motion, mocap_framerate=np.array(30.0)),
        "GVHMR": write_gvhmr(tmp_path / "hmr4d_results.pt", motion),
        "WHAM": write_pickle(tmp_path / "wham_output.pkl", {0: track}),
        "TRAM": write_tram(tmp_path / "seq", motion, upright=True),
        "GLAMR": write_glamr(tmp_path / "scene.pkl", motion),
        "ROMP": write_people(tmp_path / "romp.npz", [everything(motion, body)]),
        "BVH": BvhExporter().write(Take((motion,), ("walk",)), tmp_path / "walk.bvh"),
    }
    np.savez(
        tmp_path / "mocap.npz", joints=motion.joints, clip_start=[0], clip_len=[30], clip_name=["walk"], fps=30.0
    )  # fmt: skip
    comparison = compare(list(files.values()), f"{tmp_path / 'mocap.npz'}#walk")
    assert [result.mode for result in comparison.results] == list(files)
    for result in comparison.results:
        assert result.errors.values["mpjpe_mm"] == pytest.approx(0, abs=0.2), result.mode
        assert result.errors.values["t_root_mm"] == pytest.approx(0, abs=0.2), result.mode
        assert len(result.truth) == 30


def test_people_are_matched_by_what_they_do(tmp_path, body):
    walk = everything(walking(body, 30), body)
    still = np.repeat(walk[:1] + np.array([0, 2.0, 0]), 30, axis=0)
    truth = write_people(tmp_path / "truth.npz", [walk, still])
    swapped = write_people(tmp_path / "swapped.npz", [still + 0.01, walk + 0.02])
    comparison = compare([swapped], truth)
    assert [result.clip for result in comparison.results] == ["truth.npz#0", "truth.npz#1"]
    for result in comparison.results:
        assert result.errors.values["t_root_mm"] == pytest.approx(0, abs=0.01)


def test_other_frame_rates_meet_at_the_truths_times(tmp_path, body, truth_file):
    """A walk at 50 frames/s against 30: what is left is the bend of the path between two frames, v'dt²/8 at most."""
    motion = walking(body, 60)
    points = everything(motion, body)
    times = np.arange(98) / 50
    dense = resampled(PersonRecord("0", motion.timestamps, motion.frame_index, points, points), times)
    file = write_people(tmp_path / "dense.npz", [dense])
    comparison = compare([file], truth_file, fps=50)
    assert comparison.results[0].errors.values["mpjpe_mm"] < 2
    assert comparison.seconds["0"] == pytest.approx((0, 58 / 30))
    assert compare([file], truth_file).results[0].errors.values["mpjpe_mm"] > 50, "30 frames/s would be wrong"


def test_a_truth_that_starts_later_is_shifted(tmp_path, body, truth_file):
    late = write_people(tmp_path / "late.npz", [everything(walking(body, 60), body)[6:]])
    (result,) = compare([truth_file], late, shift=0.2).results
    assert result.errors.values["mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert len(result.truth) == 54
    assert compare([truth_file], late).results[0].errors.values["mpjpe_mm"] > 20
    with pytest.raises(AnyliftError, match="shares no time"):
        compare([truth_file], late, shift=100.0)


def test_resampling_is_linear_and_keeps_gaps():
    times = np.array([0.0, 0.1, 0.2, 0.6, 0.7])
    points = np.repeat(times[:, None, None], 24, axis=1) * np.array([1.0, 2, 3])
    person = PersonRecord("0", times, np.arange(5), points, points)
    found = resampled(person, np.array([-0.05, 0.0, 0.05, 0.2, 0.4, 0.6, 0.65, 0.7, 0.75]))
    expected = np.array([np.nan, 0.0, 0.05, 0.2, np.nan, 0.6, 0.65, 0.7, np.nan])
    np.testing.assert_allclose(found[:, 3, 1], 2 * expected)


def test_the_floor_is_put_under_the_feet():
    points = np.full((50, 24, 3), 0.5)
    points[..., 2] = 1.0
    points[:, K["left_heel"], 2] = 0.25
    points[0, K["left_heel"], 2] = -3.0
    np.testing.assert_allclose(
        on_floor(points)[10, K["left_heel"], 2], 0.25 - np.percentile(points[:, K["left_heel"], 2], 2)
    )
    assert abs(on_floor(points)[10, K["left_heel"], 2]) < 0.1
    points[:, [K[name] for name in BODY24 if "toe" in name or "heel" in name or "ankle" in name]] = np.nan
    np.testing.assert_array_equal(on_floor(points), points)


def test_results_can_be_tabulated_and_written(tmp_path, truth_file, body):
    first, second = tmp_path / "a" / "motion.npz", tmp_path / "b" / "motion.npz"
    for path in (first, second):
        walking(body, 30).save(path)
    comparison = compare([first, second], truth_file)
    summary = rows(comparison.results, seed=0)
    assert [row["lifter"] for row in summary] == [str(first), str(second)]
    assert table(summary).row_count == 2
    write_csv(comparison.results, tmp_path / "results.csv")
    assert (tmp_path / "results.csv").read_text().count("\n") == 3


def test_nothing_to_compare(truth_file):
    with pytest.raises(UsageError):
        compare([], truth_file)

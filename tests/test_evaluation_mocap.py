"""Protocol `mocap`: the same clips each time, the truth without error, baselines, and the command."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mocap_files import compact_mocap, write_mocap
from motions import walking
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.body.mocap import MEASURED_POINTS
from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import K
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.baselines import BASELINES, PlacedLandmarks
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import Motion, film
from anylift_cli.evaluation.folder import write_folder
from anylift_cli.evaluation.formats.floor import height_under_feet
from anylift_cli.evaluation.mocap import CAMERAS, FRAMES, mean_lengths, mocap_clips
from anylift_cli.evaluation.results import ClipResult, rows
from anylift_cli.evaluation.running import Contender, contest, judged, lift_clip
from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.take import Take
from anylift_cli.geometry.cameras import invert, project, transform
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.lifting.edges import edge_lengths
from anylift_cli.progress import SILENT

ZERO_FOR_THE_TRUTH = (
    "mpjpe_mm", "pa_mpjpe_mm", "pa_mpjpe_frame_mm", "t_root_mm", "t_root_axis_mm", "j2d_px", "j2d_c_px",
    "j2d_c_scaled_px", "w_mpjpe_mm", "wa_mpjpe_mm", "rte_percent", "accel_m_s2",
)  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return write_mocap(tmp_path_factory.mktemp("mocap") / "walks.npz")


@pytest.fixture(scope="module")
def clips(file) -> list[EvaluationClip]:
    """The test clip under a still and under a moving camera."""
    return mocap_clips(file, "test", CAMERAS, 0)


def arrays_of(clip: EvaluationClip) -> Iterator[tuple[str, bytes]]:
    for part in (clip, clip.keypoints, clip.estimated):
        for name, value in vars(part).items():
            if isinstance(value, np.ndarray):
                yield name, value.tobytes()
            elif not isinstance(value, (CamerasArtifact, KeypointsArtifact)):
                yield name, repr(value).encode()


def test_the_same_seed_gives_the_same_clips(file, clips):
    again, other = (mocap_clips(file, "test", CAMERAS, seed) for seed in (0, 1))
    for first, second, third in zip(clips, again, other, strict=True):
        assert list(arrays_of(first)) == list(arrays_of(second))
        changed = dict(arrays_of(first)).items() ^ dict(arrays_of(third)).items()
        assert {"keypoints", "world_from_camera", "local_joints", "boxes"} <= {name for name, _ in changed}
        assert first.points.tobytes() == third.points.tobytes()


def test_each_take_is_filmed_otherwise(file, clips):
    taken = mocap_clips(file, "test", CAMERAS, 0, takes=3)
    assert len({clip.name for clip in taken}) == len(taken) == 3 * len(clips)
    assert {clip.recording for clip in taken} == {clip.recording for clip in clips}
    for first, own in zip(taken[::3], clips, strict=True):
        assert list(arrays_of(first)) == list(arrays_of(own))
    for first, second in zip(taken[::3], taken[1::3], strict=True):
        assert np.array_equal(first.points, second.points, equal_nan=True)
        assert not np.allclose(first.world_from_camera, second.world_from_camera, atol=1e-2)
        assert not np.array_equal(first.keypoints.keypoints, second.keypoints.keypoints, equal_nan=True)


def test_a_clip_does_not_depend_on_the_others(file, clips):
    (alone,) = mocap_clips(file, "test", ("dynamic",), 0)
    assert list(arrays_of(alone)) == list(arrays_of(clips[1]))
    everything = {clip.name: clip for clip in mocap_clips(file, "all", ("dynamic",), 0)}
    assert list(arrays_of(everything[alone.name])) == list(arrays_of(alone))
    assert len(everything) == 3


def test_windows_are_spread_over_each_clip(tmp_path):
    clips = (("long", "walk", "test", 0.0, 150), ("once", "walk", "test", 0.0, 119), ("short", "walk", "test", 0.0, 29))
    path = tmp_path / "long.npz"
    np.savez(path, **compact_mocap(clips))
    found = mocap_clips(path, "test", ("static",), 0)
    assert [(clip.name, clip.recording, len(clip.points)) for clip in found] == [
        ("long@0/static", "long", FRAMES), ("long@1/static", "long", FRAMES), ("once@0/static", "once", FRAMES),
    ]  # fmt: skip
    knees = compact_mocap(clips)["joints"][:, 4, :2]
    for clip, begin in zip(found, (0, 90, 150 + 29), strict=True):
        assert clip.points[:, K["left_knee"], :2] == pytest.approx(knees[begin : begin + FRAMES], abs=1e-5)
    assert len(mocap_clips(path, "test", ("static",), 0, windows_per_clip=1)) == 2


def test_only_measured_points_are_truth(clips):
    for clip in clips:
        known = np.isfinite(clip.points).all((0, 2))
        assert sorted(np.flatnonzero(known)) == sorted(MEASURED_POINTS)
        assert np.nanmin(clip.points[..., 2]) == pytest.approx(0.0, abs=0.05)


def test_keypoints_are_what_the_true_cameras_see(clips):
    for clip in clips:
        true = project(clip.points, clip.world_from_camera, clip.estimated.K)
        size = np.nanmax(true[..., 1], 1) - np.nanmin(true[..., 1], 1)
        away = np.linalg.norm(clip.keypoints.keypoints[0] - true, axis=-1) / size[:, None]
        assert np.nanmedian(away) < 0.02 and np.isfinite(away).mean() > 0.4
        unseen = clip.keypoints.confidence[0] == 0
        assert np.isnan(clip.keypoints.keypoints[0][unseen]).all()
        assert np.isfinite(clip.keypoints.keypoints[0][~unseen]).all()
        assert (clip.keypoints.keypoints[0][~unseen] > 0).all()
        assert (clip.keypoints.keypoints[0][~unseen] < clip.keypoints.image_size).all()


def test_local_points_are_those_of_a_camera_that_looks_at_the_box(clips):
    """The KeypointsArtifact contract, by hand: turn the axis through the box's middle onto z."""
    for clip in clips:
        inside = transform(invert(clip.world_from_camera), clip.points)
        root = inside[:, [K["left_hip"], K["right_hip"]]].mean(1, keepdims=True)
        for frame in (0, 30, 59):
            box = clip.keypoints.boxes[0, frame].astype(float)
            matrix = clip.estimated.K[frame]
            gaze = np.array([*((box[:2] + box[2:]) / 2 - matrix[:2, 2]) / matrix[0, 0], 1.0])
            gaze /= np.linalg.norm(gaze)
            axis = np.cross(gaze, [0, 0, 1.0])
            turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.arccos(gaze[2]))
            expected = turn.apply((inside - root)[frame])
            found = clip.keypoints.local_joints[0, frame]
            both = np.isfinite(found).all(-1) & np.isfinite(expected).all(-1)
            scale = (found[both] * expected[both]).sum() / (expected[both] ** 2).sum()
            assert 0.8 < scale < 1.25
            assert np.sqrt(((found - scale * expected)[both] ** 2).mean(0)).max() < 0.15
            assert np.sqrt(((found - scale * expected)[both] ** 2).mean(0))[:2].max() < 0.07


def test_estimated_cameras_are_the_true_ones_in_their_own_world(file):
    kinds = set()
    for seed in range(8):
        for clip in mocap_clips(file, "test", CAMERAS, seed):
            estimated, true = clip.estimated, clip.world_from_camera
            assert estimated.world_from_camera[0] == pytest.approx(np.eye(4), abs=1e-6)
            moves = invert(true)[0] @ true
            turns = estimated.world_from_camera[:, :3, :3].swapaxes(-1, -2) @ moves[:, :3, :3]
            assert Rotation.from_matrix(turns).magnitude().max() < np.radians(6)
            true_up = true[0, :3, :3].T @ [0, 0, 1.0]
            assert np.degrees(np.arccos(np.clip(estimated.up @ true_up, -1, 1))) < 9
            motion = {"still": "still", "pan": "rotating"}.get(clip.mode, "moving")
            assert estimated.meta["motion"] == motion
            assert estimated.meta["scale"] == ("arbitrary" if motion == "moving" else "metric")
            way = np.linalg.norm(moves[:, :3, 3], axis=-1).max()
            if motion == "moving":
                unit = np.linalg.norm(estimated.world_from_camera[:, :3, 3], axis=-1).max() / way
                kinds.add(round(np.log(unit)))
            else:
                assert way < 1e-5
            assert (clip.cameras == "static") == (clip.mode == "still")
    assert len(kinds) >= 2, "units differ"


def test_height_is_told_in_the_proportions_of_the_mean_body(clips):
    body = BodyModel.load("open")
    average = float(body.standing_height(torch.zeros(1, body.num_betas))[0])
    for clip in clips:
        assert clip.height == pytest.approx(average, rel=0.03)
    motion = Motion(
        "tall", "tall", "stand", 1.2 * np.nan_to_num(clips[0].points), np.ones(24, bool), np.arange(60) / 30
    )
    own = edge_lengths(torch.as_tensor(motion.points, dtype=torch.float32)).mean(0)
    assert film(motion, "static", 0, own).height == pytest.approx(1.70, rel=1e-4)
    assert film(motion, "static", 0, own / 1.1).height == pytest.approx(1.87, rel=1e-4)
    assert float(mean_lengths().max()) < 0.8


def completed(clip: EvaluationClip) -> np.ndarray:
    """The truth, with unmeasured points anywhere."""
    return np.where(np.isfinite(clip.points), clip.points, 0.5)


def moved(points: np.ndarray, poses: np.ndarray, degrees: float, shift: list[float]) -> tuple[np.ndarray, np.ndarray]:
    world = np.eye(4)
    world[:3, :3] = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    world[:3, 3] = shift
    return transform(world, points), world @ poses


@pytest.mark.parametrize(("degrees", "shift"), [(0, [0, 0, 0]), (130, [4, -2, 0.3])])
def test_the_truth_has_no_error_in_any_place_and_heading(clips, degrees, shift):
    for clip in clips:
        points, poses = moved(completed(clip), clip.world_from_camera, degrees, shift)
        result = judged(clip, Contender("truth"), points, poses, 0.0)
        for name in ZERO_FOR_THE_TRUTH:
            assert result.errors.values[name] == pytest.approx(0, abs=1e-3), name
        assert np.nanmax(result.errors.per_joint) < 1e-6 and result.errors.per_frame.max() < 1e-6
        known = sorted(MEASURED_POINTS)
        assert result.predicted[:, known] == pytest.approx(clip.points[:, known], abs=1e-6)
        assert (result.clip, result.recording, result.mode) == (clip.name, clip.recording, clip.mode)


def test_known_errors_come_out(clips):
    """A wrist 15 cm off in all frames is 150/13 mm; half the way walked is a root error that grows to half of it."""
    clip = clips[0]
    points = completed(clip)
    points[:, K["left_wrist"], 1] += 0.15
    values = judged(clip, Contender("x"), points, clip.world_from_camera, 0.0).errors.values
    assert values["mpjpe_mm"] == pytest.approx(150 / 13, abs=1e-6) and values["t_root_mm"] == pytest.approx(0, abs=1e-6)
    points = completed(clip)
    root = points[:, [K["left_hip"], K["right_hip"]]].mean(1)
    points[..., :2] -= 0.5 * (root - root[:1])[:, None, :2]
    values = judged(clip, Contender("x"), points, clip.world_from_camera, 0.0).errors.values
    expected = 500 * np.linalg.norm((root - root[0])[:, :2], axis=-1).mean()
    assert values["t_root_mm"] == pytest.approx(expected, rel=1e-6)
    assert values["mpjpe_mm"] == pytest.approx(0, abs=1e-6)


def test_the_floor_is_under_the_lower_foot():
    points = np.full((100, 24, 3), 1.0)
    points[:, K["left_heel"], 2] = 0.30
    points[:50, K["right_big_toe"], 2] = 0.12
    points[0, K["right_big_toe"], 2] = -5
    assert height_under_feet(points) == pytest.approx(0.12)


@pytest.fixture(scope="module")
def short(clips) -> EvaluationClip:
    """The first 30 frames under the moving camera."""
    clip, part = clips[1], slice(0, 30)
    keypoints = replace(clip.keypoints, **{
        name: getattr(clip.keypoints, name)[:, part]
        for name in ("keypoints", "confidence", "boxes", "present", "local_joints")
    }, timestamps=clip.keypoints.timestamps[part], frame_index=clip.keypoints.frame_index[part])  # fmt: skip
    estimated = replace(clip.estimated, **{
        name: getattr(clip.estimated, name)[part] for name in ("world_from_camera", "K", "confidence", "timestamps")
    })  # fmt: skip
    return replace(
        clip, keypoints=keypoints, estimated=estimated, points=clip.points[part],
        world_from_camera=clip.world_from_camera[part],
    )  # fmt: skip


@pytest.fixture(scope="module")
def best(short) -> ClipResult:
    return lift_clip(short, Contender("optimize"), 0)


def same(first: ClipResult, second: ClipResult) -> bool:
    values = [np.array(list(result.errors.values.values())) for result in (first, second)]
    return np.array_equal(first.predicted, second.predicted) and np.array_equal(*values, equal_nan=True)


def test_results_do_not_depend_on_the_number_of_processes(short, best):
    """One job runs in this process, whatever its threads; several go to worker processes of one thread."""
    (here,) = contest([short], [Contender("landmarks")], 0)
    there = contest([short], [Contender("optimize"), Contender("landmarks")], 0)
    assert [result.lifter for result in there] == ["optimize", "landmarks"]
    assert same(best, there[0]) and same(here, there[1])


def test_unknown_lifters_are_told_also_from_another_process(short):
    with pytest.raises(UsageError, match="nonsense") as caught:
        lift_clip(short, Contender("nonsense"), 0)
    sent = pickle.loads(pickle.dumps(caught.value))
    assert type(sent) is UsageError and sent.message == caught.value.message and "optimize" in sent.hint


def test_evidence_is_told_to_those_who_take_it(short, best):
    deep = lift_clip(short, Contender("optimize", evidence="2d+local"), 0)
    assert (best.lifter, deep.lifter) == ("optimize", "optimize + local points")
    assert deep.errors.values["mpjpe_mm"] < best.errors.values["mpjpe_mm"]


def test_without_depth_from_size_people_are_misplaced(clips):
    still = clips[0]
    bare, whole = (lift_clip(still, Contender(lifter), 0) for lifter in ("optimize, no size depth", "optimize"))
    assert np.isfinite(bare.predicted).all() and bare.predicted.shape == whole.predicted.shape
    assert bare.errors.values["t_root_mm"] > 3 * whole.errors.values["t_root_mm"]


def test_static_camera_takes_the_first_camera_for_all(short):
    lifted = BASELINES["optimize, static camera"]().lift(
        replace(short.keypoints, local_joints=None), short.estimated, 0, LiftOptions(height=short.height), SILENT
    )
    assert np.isfinite(lifted.joints).all() and lifted.joints.shape == (30, 24, 3)
    assert lifted.world_from_camera == pytest.approx(np.broadcast_to(lifted.world_from_camera[:1], (30, 4, 4)))
    assert np.linalg.norm(np.diff(short.estimated.world_from_camera[:, :3, 3], axis=0), axis=-1).sum() > 0.01


def test_what_is_optimize_itself_is_not_run_twice(clips):
    assert contest(clips[:1], [Contender("optimize, static camera")], 0) == []


def test_landmarks_without_errors_are_the_truth(clips):
    """Exact local points and exact pixels under a still camera: placed by the height in the image, half a metre off at
    most where the person leans, and in pose exact."""
    clip = clips[0]
    inside = transform(invert(clip.world_from_camera), completed(clip))
    measured = sorted(MEASURED_POINTS)
    inside[:, [index for index in range(24) if index not in measured]] = inside[:, [K["neck"]]]
    root = inside[:, [K["left_hip"], K["right_hip"]]].mean(1, keepdims=True)
    pixels = project(inside, np.broadcast_to(np.eye(4), (len(inside), 4, 4)), clip.estimated.K)
    middle = np.array([960.0, 540.0])
    keypoints = replace(
        clip.keypoints, keypoints=pixels[None], confidence=np.ones((1, len(pixels), 24)),
        present=np.ones((1, len(pixels)), bool), boxes=np.tile([*middle - 1, *middle + 1], (1, len(pixels), 1)),
        local_joints=(inside - root)[None],
    )  # fmt: skip
    up = clip.world_from_camera[0, :3, :3].T @ [0, 0, 1.0]
    estimated = replace(clip.estimated, up=up)
    lifted = PlacedLandmarks().lift(keypoints, estimated, 0, LiftOptions(height=1.70), SILENT)
    result = judged(clip, Contender("landmarks"), lifted.joints, lifted.world_from_camera, 0.0)
    assert result.errors.values["mpjpe_mm"] < 1.0
    assert result.errors.values["t_root_mm"] < 120
    assert result.errors.values["j2d_c_px"] < 15


def test_landmarks_need_local_points(short):
    with pytest.raises(AnyliftError, match="local"):
        PlacedLandmarks().lift(replace(short.keypoints, local_joints=None), short.estimated, 0, LiftOptions(), SILENT)


def test_unknown_cameras_splits_and_files_are_refused(tmp_path, file):
    with pytest.raises(UsageError, match="no cameras called drone"):
        mocap_clips(file, "test", ("static", "drone"), 0)
    with pytest.raises(AnyliftError, match="no clip of split 'validation'"):
        mocap_clips(file, "validation", CAMERAS, 0)
    np.savez(tmp_path / "other.npz", poses=np.zeros(3))
    with pytest.raises(AnyliftError, match="no motion file that anylift knows"):
        mocap_clips(tmp_path / "other.npz", "test", CAMERAS, 0)


def test_a_folder_that_is_a_file_is_told(tmp_path, clips):
    (tmp_path / "taken").write_text("")
    result = judged(clips[0], Contender("truth"), completed(clips[0]), clips[0].world_from_camera, 0.0)
    with pytest.raises(AnyliftError, match="taken"):
        write_folder([result], rows([result], 0), tmp_path / "taken")


def test_from_the_command_line(tmp_path, anylift):
    write_mocap(tmp_path / "tiny.npz")
    command = ("evaluate", "mocap", "tiny.npz", "--cameras", "static", "--lifter", "landmarks", "--height", "given")
    done = anylift(*command, "--json", "--seed", 4, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["lifter"], row["cameras"], row["height"], row["clips"]) == ("landmarks", "static", "given", 1)
    assert row["mpjpe_mm"]["mean"] > 0 and {"mean", "low", "high"} <= set(row["mpjpe_mm"])
    assert {"t_root_mm", "pa_mpjpe_mm", "j2d_px", "w_mpjpe_mm"} <= set(row)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.npz"], "nothing is written that was not asked for"
    clips = mocap_clips(tmp_path / "tiny.npz", "test", ("static",), 4)
    (again,) = json.loads(json.dumps(rows(contest(clips, [Contender("landmarks")], 4), 4)))
    assert row.pop("seconds") >= 0 and again.pop("seconds") >= 0
    assert row == again


def test_folders_of_bvh_and_amass_files_are_filmed(tmp_path):
    motion = walking(BodyModel.load("open"), 70)
    arrays = {"poses": motion.poses, "trans": motion.trans, "betas": motion.betas, "gender": np.array("neutral"),
              "mocap_framerate": np.float64(30), "surface_model_type": np.array("smplx")}  # fmt: skip
    (tmp_path / "test" / "walks").mkdir(parents=True)
    (tmp_path / "train").mkdir()
    np.savez(tmp_path / "test" / "walks" / "a_poses.npz", **arrays)
    np.savez(tmp_path / "train" / "b_poses.npz", **arrays)
    BvhExporter().write(Take((motion,), ("walk",)), tmp_path / "c.bvh")
    clips = mocap_clips(tmp_path, "test", ("static",), 0)
    assert [clip.name for clip in clips] == ["c@0/static", "test/walks/a_poses@0/static"]
    bvh, amass = clips
    begin = (69 - FRAMES) // 2
    walked, true = amass.points[:, K["left_knee"]], motion.joints[begin : begin + FRAMES, 4]
    assert walked - walked[0] == pytest.approx(true - true[0], abs=0.01)
    assert np.isnan(bvh.points[:, K["nose"]]).all()
    assert (bvh.keypoints.confidence[0][:, K["nose"]] == 0).all()
    assert bvh.keypoints.confidence[0][:, K["left_knee"]].mean() > 0.5
    with pytest.raises(AnyliftError, match="no motion files"):
        (tmp_path / "empty").mkdir()
        mocap_clips(tmp_path / "empty", "all", ("static",), 0)

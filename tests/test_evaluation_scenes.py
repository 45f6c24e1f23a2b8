"""The protocol from pixels, on the truth of a small scene and what is done to it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation
from test_evaluation_aist_behave import write_behave
from typer.testing import CliRunner

from anylift_cli.app import app
from anylift_cli.artifacts import CamerasArtifact, MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import J
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.scenes import SceneResult, measure_scene, scene_table, scene_takes
from anylift_cli.synthetic.scene import SceneSpec, build_scene, scene_spec
from anylift_cli.synthetic.writing import true_cameras, true_motion


@pytest.fixture(scope="module")
def truth() -> tuple[MotionArtifact, CamerasArtifact]:
    """Three seconds of a walk before a travelling camera, without its pixels."""
    scene = build_scene(SceneSpec("walk_dolly", "walk", "dolly", seconds=3, fps=15, width=640, height=360))
    return true_motion(scene), true_cameras(scene)


def measured(
    truth: tuple[MotionArtifact, CamerasArtifact],
    motion: MotionArtifact | None = None,
    cameras: CamerasArtifact | None = None,
) -> SceneResult:
    spec = SceneSpec("walk_dolly_2", "walk", "dolly")
    return measure_scene(
        spec, motion or truth[0], cameras or truth[1], *truth, lifter="optimize", height="unknown", seconds=12.5
    )


def turned(motion: MotionArtifact, rotation: Rotation, shift: np.ndarray) -> MotionArtifact:
    """The same motion and cameras in a world that is turned and moved, its body with them."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.as_matrix(), shift
    pelvis = motion.joints[:, 0] - motion.trans
    orient = (rotation * Rotation.from_rotvec(motion.root_orient)).as_rotvec()
    poses = motion.poses.copy()
    poses[:, :3] = orient
    return replace(
        motion,
        joints=rotation.apply(motion.joints.reshape(-1, 3)).reshape(motion.joints.shape) + shift,
        trans=rotation.apply(motion.joints[:, 0]) + shift - pelvis,
        root_orient=orient,
        poses=poses,
        world_from_camera=pose @ motion.world_from_camera,
    )


LENGTHS = ("focal_percent", "gravity_deg", "mpjpe_mm", "pa_mpjpe_mm", "root_mm", "root_percent", "rotation_deg")


def test_the_truth_has_no_error(truth):
    found = measured(truth)
    assert all(abs(found.figures[name]) < 1e-3 for name in LENGTHS)
    assert {"scene": "walk_dolly_2", "camera": "dolly", "kind": "moving", "focal_source": "given", "seconds": 12.5,
            "height": "unknown"}.items() <= found.figures.items()  # fmt: skip
    json.dumps(found.figures, allow_nan=False)
    clip = found.clip
    assert (clip.clip, clip.action, clip.cameras, clip.mode, clip.height, clip.lifter, clip.seconds) == (
        "walk_dolly_2", "walk", "dynamic", "dolly", "unknown", "optimize", 12.5,
    )  # fmt: skip
    values = clip.errors.values
    assert max(values[name] for name in ("mpjpe_mm", "t_root_mm", "j2d_px", "wa_mpjpe_mm", "penetration_mm")) < 0.01
    assert clip.truth.shape == (45, 24, 3)


def test_takes_show_other_people_before_other_cameras():
    first, *others = scene_takes(scene_spec("walk_pan"), 3)
    assert first == scene_spec("walk_pan") and others == scene_takes(scene_spec("walk_pan"), 4)[1:3]
    assert [take.name for take in others] == ["walk_pan_2", "walk_pan_3"]
    scenes = [build_scene(replace(take, seconds=0.5)) for take in (first, *others)]
    assert len({scene.betas.tobytes() for scene in scenes}) == len({scene.K.tobytes() for scene in scenes}) == 3
    assert scene_takes(scene_spec("jog_pan"), 2)[1].seed != others[0].seed


def test_heading_and_place_are_free_but_gravity_is_not(truth):
    about_z = turned(truth[0], Rotation.from_euler("z", 130, degrees=True), np.array([3.0, -2.0, 0.0]))
    free = measured(truth, about_z)
    assert all(abs(free.figures[name]) < 1e-2 for name in LENGTHS)
    assert free.clip.errors.values["mpjpe_mm"] < 0.01 and free.clip.errors.values["j2d_px"] < 0.01
    tilted = measured(truth, turned(truth[0], Rotation.from_euler("y", 4, degrees=True), np.zeros(3))).figures
    assert tilted["gravity_deg"] == pytest.approx(4, abs=1e-3)
    assert tilted["pa_mpjpe_mm"] < 0.01 and tilted["mpjpe_mm"] > 15


def test_joints_and_roots_by_hand(truth):
    joints = truth[0].joints.copy()
    joints[:, J["left_hand"], 2] += 0.24
    joints += np.linspace(0, 0.6, len(joints))[:, None, None] * [1, 0, 0]
    figures = measured(truth, replace(truth[0], joints=joints)).figures
    assert figures["mpjpe_mm"] == pytest.approx(10, abs=1e-3)
    assert figures["root_mm"] == pytest.approx(300, abs=1e-2)
    path = np.linalg.norm(np.diff(truth[0].joints[:, 0].astype(float), axis=0), axis=1).sum()
    assert figures["root_percent"] == pytest.approx(30 / path, rel=1e-5)


def test_cameras_by_hand(truth):
    K = truth[1].K.copy()
    K[:, 0, 0] *= 1.1
    poses = truth[1].world_from_camera.copy()
    drift = Rotation.from_rotvec(np.linspace(0, 6, len(poses))[:, None] * [0, 1, 0], degrees=True).as_matrix()
    poses[:, :3, :3] = poses[:, :3, :3] @ drift
    figures = measured(truth, cameras=replace(truth[1], K=K, world_from_camera=poses)).figures
    assert figures["focal_percent"] == pytest.approx(10)
    assert figures["rotation_deg"] == pytest.approx(3, rel=1e-6)


def test_frames_without_the_person_do_not_count(truth):
    names = ("poses", "root_orient", "pose_body", "pose_hand", "pose_jaw", "pose_eye", "trans", "timestamps",
             "frame_index", "joints", "joint_confidence", "confidence", "foot_contact", "world_from_camera",
             "K")  # fmt: skip
    later = replace(truth[0], **{name: getattr(truth[0], name)[8:40] for name in names})
    found = measured(truth, later)
    assert all(abs(found.figures[name]) < 1e-3 for name in LENGTHS) and len(found.clip.truth) == 32
    with pytest.raises(AnyliftError, match="walk_dolly_2 has frames"):
        measured(truth, replace(later, frame_index=later.frame_index + 8))
    with pytest.raises(AnyliftError, match="walk_dolly_2 has frames"):
        measured(truth, replace(later, timestamps=later.timestamps + 0.01))


def test_the_body_is_what_the_clip_measures(truth):
    """Arms raised by a pose, not by the joints: the points come from the body, 1 m per rad at most."""
    poses = truth[0].poses.copy()
    poses[:, 3 * J["left_shoulder"] + 2] += 0.5
    found = measured(truth, replace(truth[0], poses=poses))
    assert found.figures["mpjpe_mm"] < 1e-3 and 5 < found.clip.errors.values["mpjpe_mm"] < 100
    assert found.clip.errors.values["j2d_px"] > 1


def test_table_has_means_of_numbers():
    figures = [
        {"scene": "a_pan", "kind": "still", "mpjpe_mm": 50.0, "root_percent": None},
        {"scene": "b_pan", "kind": "moving", "mpjpe_mm": 70.0, "root_percent": 4.0},
    ]
    console = Console(width=100, file=io.StringIO())
    console.print(scene_table(figures))
    lines = [
        line.replace("┃", "│").split("│")[1:-1] for line in console.file.getvalue().splitlines() if "─" not in line
    ]
    cells = [[cell.strip() for cell in line] for line in lines if len(line) == 4]
    assert cells == [
        ["scene", "kind", "mpjpe mm", "root percent"], ["a_pan", "still", "50.00", ""],
        ["b_pan", "moving", "70.00", "4.00"], ["mean", "", "60.00", "4.00"],
    ]  # fmt: skip


def test_help_has_an_example_of_each_protocol():
    listed = CliRunner().invoke(app, ["evaluate", "--help"]).stdout
    for protocol in ("mocap", "pixels", "synthetic", "aist", "behave", "compare"):
        assert f"│ {protocol} " in listed
        assert f"Example: anylift evaluate {protocol}" in CliRunner().invoke(app, ["evaluate", protocol, "-h"]).stdout


def test_files_are_compared_on_the_command_line(anylift: Callable, scene_folder, tmp_path):
    motion = scene_folder / "motion.npz"
    done = anylift("evaluate", "compare", motion, "--truth", motion, "--json", "--out", "out")
    found = json.loads(done.stdout)
    (row,) = found["rows"]
    assert row["lifter"] == "motion.npz" and row["mpjpe_mm"]["mean"] < 1e-6 and row["seconds"] is None
    assert "anylift" in found["notes"][0] and "left_wrist" in next(iter(found["points"].values()))
    assert (tmp_path / "out" / "plots" / "worst_motion.npz.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("synthetic", "walk_pan", "swim_pan"), 2, "swim_pan"),
        (("synthetic", "walk_pan", "--height", "tall"), 2, "tall"),
        (("aist", "nowhere"), 1, "AIST\\+\\+ is not at nowhere"),
        (("aist", "nowhere", "--cameras", "static,flying"), 2, "flying"),
        (("behave", "nowhere"), 1, "BEHAVE is not at nowhere"),
        (("behave", "nowhere", "--lifter", "landmarks"), 2, "landmarks"),
    ],
)
def test_what_is_wrong_is_told_before_any_work(tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AnyliftError, match=words) as raised:
        CliRunner().invoke(app, ["evaluate", *arguments], catch_exceptions=False)
    assert raised.value.exit_code == code
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_data_set_is_lifted_on_the_command_line(anylift: Callable, tmp_path):
    write_behave(tmp_path / "data", BodyModel.load("open"), 70)
    kinds = ("--cameras", "static", "--lifter", "optimize", "--height", "given")
    done = anylift("evaluate", "behave", "data", *kinds, "--json")
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["lifter"], row["cameras"], row["height"], row["clips"]) == ("optimize", "static", "given", 2)
    assert 0 < row["mpjpe_mm"]["mean"] < 120 and row["j2d_px"]["mean"] < 10 and row["fid"] is None

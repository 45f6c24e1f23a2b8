"""Local poses of GVHMR, WHAM, TRAM, GLAMR and ROMP: who is who, in whose axes, and what becomes of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from motions import keypoints_of, walking
from tool_results import WRITERS, Seen, seen_by, write_gvhmr, write_wham

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices
from anylift_cli.body.skeleton import K
from anylift_cli.body.tracks.read import find_result, read_camera_people
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.commands.prepare_videos import prepare_videos
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.metrics import pa_mpjpe_per_frame
from anylift_cli.foreign.unpickle import load_npz_member, load_pickle
from anylift_cli.geometry.cameras import look_at, project_camera
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.local_poses import AGREEMENT, with_local_poses
from anylift_cli.keypoints.stage import run_keypoints
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.lifting.observation import observe
from anylift_cli.lifting.stage import run_lift
from anylift_cli.pipeline import Source
from anylift_cli.progress import SILENT
from anylift_cli.stages import keypoints_stage
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene
from anylift_cli.synthetic.writing import true_cameras, true_keypoints, write_video
from anylift_cli.training.clips import read_clips

FIXTURES = Path(__file__).parents[2] / "shared" / "data" / "fixtures"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="../shared/data/fixtures is absent")
FRAMES = 12
ASIDE = look_at((4.0, 3.0, 1.4), (1.5, -1.5, 0.9))
"""A camera that has the walker well off the middle of the picture."""


@pytest.fixture(scope="module")
def motion(body: BodyModel) -> MotionArtifact:
    return walking(body, FRAMES, camera=ASIDE)


@pytest.fixture(scope="module")
def keypoints(motion: MotionArtifact, body: BodyModel) -> KeypointsArtifact:
    return keypoints_of(motion, body)


def seen(motion: MotionArtifact, body: BodyModel) -> Seen:
    pose = pose_matrices(motion).double().numpy()
    return seen_by(motion.world_from_camera, body, pose, motion.trans, motion.frame_index)


def cameras_of(motion: MotionArtifact) -> CamerasArtifact:
    return CamerasArtifact(
        world_from_camera=motion.world_from_camera, K=motion.K, confidence=np.ones(FRAMES), up=[0, 0, 1],
        timestamps=motion.timestamps, image_size=motion.image_size, meta={"motion": "still", "scale": "metric"},
    )  # fmt: skip


def two_people(first: KeypointsArtifact, second: KeypointsArtifact) -> KeypointsArtifact:
    names = ("keypoints", "confidence", "boxes", "present")
    return replace(first, **{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


@pytest.mark.parametrize("kind", WRITERS)
def test_points_come_out_in_the_cameras_axes(kind, tmp_path, body, motion, keypoints):
    """The true points, through the file, the match in the picture, and the axes of the person's box."""
    one = seen(motion, body)
    path = WRITERS[kind](tmp_path, [one], motion.K[0].astype(np.float64))
    found = with_local_poses(keypoints, read_camera_people(path))
    about = found.meta["local_poses"]
    assert about["kind"] == kind and about["people"][0]["frames"] == 1.0 and about["people"][0]["distance"] < 1e-3
    local = observe(found, cameras_of(motion), 0, "cpu").local[0].numpy()
    hips = one.points[:, [K["left_hip"], K["right_hip"]]].mean(1, keepdims=True)
    np.testing.assert_allclose(local, one.points - hips, atol=3e-4)


def test_people_are_told_apart_in_every_frame(tmp_path, body, motion, keypoints):
    """The tool exchanges its two people half way, and has the second in six frames only."""
    other = walking(body, FRAMES, camera=ASIDE)
    other = replace(other, trans=other.trans + np.array([-0.5, 0.9, 0.0], np.float32))
    other = replace(other, joints=other.joints + np.array([-0.5, 0.9, 0.0], np.float32))
    both = two_people(keypoints, keypoints_of(other, body))
    one, two = seen(motion, body), seen(other, body)
    half, late = slice(0, 6), slice(6, FRAMES)

    def joined(*parts: Seen) -> Seen:
        return Seen(*(np.concatenate(values) for values in zip(*(vars(part).values() for part in parts), strict=True)))

    path = write_wham(tmp_path, [joined(two.at(half), one.at(late)), one.at(half)], motion.K[0])
    found = with_local_poses(both, read_camera_people(path))
    known = np.isfinite(found.local_joints).all((2, 3))
    assert known[0].all() and known[1].tolist() == [True] * 6 + [False] * 6
    assert [person["frames"] for person in found.meta["local_poses"]["people"]] == [1.0, 0.5]
    alone = [with_local_poses(keypoints_of(m, body), read_camera_people(path)) for m in (motion, other)]
    for person in range(2):
        np.testing.assert_array_equal(found.local_joints[person], alone[person].local_joints[0])


def test_the_estimators_own_points_make_way(tmp_path, body, motion, keypoints):
    before = replace(keypoints, local_joints=np.ones((1, FRAMES, 24, 3), np.float32))
    path = write_wham(tmp_path, [seen(motion, body).at(slice(3, 6))], motion.K[0])
    local = with_local_poses(before, read_camera_people(path)).local_joints[0]
    assert np.isnan(local[[0, 1, 2, *range(6, FRAMES)]]).all() and np.isfinite(local[3:6]).all()
    assert np.abs(local[3:6][:, [K["left_hip"], K["right_hip"]]].mean(1)).max() < 1e-6


def test_the_result_of_another_video_is_refused(tmp_path, body, motion, keypoints):
    elsewhere = replace(motion, trans=motion.trans + np.array([0.0, 2.5, 0.0], np.float32))
    path = write_gvhmr(tmp_path, [seen(elsewhere, body)], motion.K[0])
    with pytest.raises(UsageError, match=r"hmr4d_results.pt \(GVHMR\): nobody in it"):
        with_local_poses(keypoints, read_camera_people(path))


def test_folders_of_results(tmp_path, body, motion):
    one = seen(motion, body)
    for kind, write in WRITERS.items():
        folder = tmp_path / kind
        folder.mkdir()
        write(folder, [one], motion.K[0])
        assert read_camera_people(folder).kind == kind
    (tmp_path / "empty").mkdir()
    for path, reason in ((tmp_path / "empty", "holds no result"), (tmp_path / "none.pt", "does not exist")):
        with pytest.raises(AnyliftError, match=reason):
            find_result(path)
    (tmp_path / "empty" / "a.npz").write_bytes(b"PK no zip")
    (tmp_path / "empty" / "notes.pkl").write_text("notes")
    for name in ("a.npz", "notes.pkl"):
        with pytest.raises(AnyliftError, match=name) as caught:
            read_camera_people(tmp_path / "empty" / name)
        assert caught.value.hint


# ---- real files


@needs_fixtures
def test_real_glamr_file_is_where_glamr_saw_its_own_joints():
    path = FIXTURES / "glamr_output" / "running_seed1.pkl"
    people = read_camera_people(path)
    (one,) = people.people
    places = {1: "left_hip", 2: "right_hip", 4: "left_knee", 5: "right_knee", 7: "left_ankle", 8: "right_ankle",
              20: "left_shoulder", 21: "right_shoulder", 22: "left_elbow", 23: "right_elbow"}  # fmt: skip
    stored = load_pickle(path)["person_data"][0]
    keypoints = artifact(stored["kp_2d_pred"], places, (3840, 2160))
    found = with_local_poses(keypoints, people)
    assert found.meta["local_poses"]["people"][0]["frames"] > 0.95
    assert found.meta["local_poses"]["people"][0]["distance"] < AGREEMENT / 2
    pixels = project_camera(one.points, people.K)
    assert np.isfinite(pixels).all()


@needs_fixtures
def test_real_romp_file_is_where_romp_saw_it():
    path = FIXTURES / "romp_output" / "romp_output.npz"
    results = load_npz_member(path, "results")
    places = {joint: name for joint, name in zip((1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21), (
        "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_shoulder",
        "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    ), strict=True)}  # fmt: skip
    keypoints = artifact(results["pj2d_org"], places, (1280, 720))
    about = with_local_poses(keypoints, read_camera_people(path)).meta["local_poses"]["people"][0]
    assert about["frames"] == 1.0 and about["distance"] < 0.25 * AGREEMENT


def artifact(pixels: np.ndarray, places: dict[int, str], size: tuple[int, int]) -> KeypointsArtifact:
    points = np.full((1, len(pixels), 24, 2), np.nan)
    for place, name in places.items():
        points[0, :, K[name]] = pixels[:, place]
    low, high = np.nanmin(points, 2), np.nanmax(points, 2)
    return KeypointsArtifact(
        keypoints=points, confidence=np.isfinite(points).all(-1), boxes=np.concatenate([low, high], -1),
        present=np.ones(points.shape[:2], bool), timestamps=np.arange(len(pixels)) / 30,
        frame_index=np.arange(len(pixels)), image_size=size,
    )  # fmt: skip


# ---- what they are used for


@pytest.fixture(scope="module")
def scene() -> Scene:
    return build_scene(SceneSpec("walk_still", "walk", "still", seconds=2.4, fps=10, width=160, height=90, seed=3))


@pytest.fixture(scope="module")
def filmed(scene, tmp_path_factory) -> Path:
    """A video, its keypoints without 3D points, and GVHMR's result for it in a folder of its name."""
    folder = tmp_path_factory.mktemp("filmed")
    (folder / "videos").mkdir()
    write_video(scene, folder / "videos" / "walk.mp4")
    true_keypoints(scene).save(folder / "keypoints.npz")
    true_cameras(scene).save(folder / "cameras.npz")
    (folder / "results" / "walk").mkdir(parents=True)
    frames = np.arange(len(scene.time))
    one = seen_by(scene.world_from_camera, scene.body, scene.pose, scene.transl, frames)
    write_gvhmr(folder / "results" / "walk", [one], scene.K[0])
    return folder


def test_lifting_starts_from_them(scene, filmed):
    """Poses, after Procrustes alignment of each frame, are nearer to the truth than from 2D points alone."""
    keypoints, cameras = true_keypoints(scene), true_cameras(scene)
    told = with_local_poses(keypoints, read_camera_people(filmed / "results" / "walk"))
    errors = [pose_error(run_lift(each, cameras, LiftOptions()).joints[0], scene) for each in (keypoints, told)]
    assert errors[1] < 0.03 and errors[1] < 0.8 * errors[0]


def pose_error(points: np.ndarray, scene: Scene) -> float:
    return pa_mpjpe_per_frame(points, scene.keypoints3d)


def test_command_takes_them_and_their_content_decides_what_is_reused(filmed, anylift, tmp_path):
    video, own, results = filmed / "videos" / "walk.mp4", filmed / "keypoints.npz", filmed / "results" / "walk"
    done = anylift("keypoints", video, "--keypoints", own, "--local-poses", results, "--out", "k.npz", "--json")
    assert done.returncode == 0, done.stderr
    found = KeypointsArtifact.load(tmp_path / "k.npz")
    assert np.isfinite(found.local_joints[0]).all((1, 2)).mean() > 0.9
    options, source = KeypointOptions(str(own), local_poses=str(results)), {"video": Source.from_file(video)}
    stage = keypoints_stage(options)
    assert found.meta["key_parts"] == stage.key_parts(source)
    moved = shutil.copytree(results, tmp_path / "moved")
    (moved / "hmr4d_results.pt").write_bytes(b"changed")
    changed = keypoints_stage(replace(options, local_poses=str(moved)))
    assert changed.key_parts(source)["weights"] != stage.key_parts(source)["weights"]
    with pytest.raises(AnyliftError, match="no poses that anylift knows"):
        run_keypoints(video, changed.options)


def test_training_clips_hold_them(filmed, tmp_path):
    options = KeypointOptions(str(filmed / "keypoints.npz"), local_poses=str(filmed / "results"))
    prepare_videos(filmed / "videos", tmp_path, options, CameraOptions(str(filmed / "cameras.npz")), SILENT)
    (clip,) = read_clips(tmp_path).values()
    assert (clip.local_weight > 0).mean() > 0.9
    with pytest.raises(UsageError, match="is no folder"):
        prepare_videos(
            filmed / "videos", tmp_path, replace(options, local_poses="nowhere"), CameraOptions("still"), SILENT
        )

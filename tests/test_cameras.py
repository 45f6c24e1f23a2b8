"""Solved cameras against videos drawn with exactly known ones, and against real clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from camera_scenes import FPS, film, panorama, room, rotation_errors, turned

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.moving import best_solution
from anylift_cli.cameras.rotation_solver import solve_rotations
from anylift_cli.cameras.stage import run_cameras
from anylift_cli.cameras.structure import Structure
from anylift_cli.cameras.tracking import track_background
from anylift_cli.errors import UsageError
from anylift_cli.geometry.cameras import default_focal
from anylift_cli.progress import SILENT
from anylift_cli.video import probe

DATA = Path(__file__).parents[2] / "shared/data"
FRAMES = 50
PROGRESS = np.linspace(0, 1, FRAMES)
AUTO = CameraOptions()


def shot(path: Path, rotations: np.ndarray, focal: np.ndarray | float, **how: object) -> KeypointsArtifact:
    positions = np.zeros((len(rotations), 3))
    return film(path, panorama(), rotations, positions, np.broadcast_to(focal, len(rotations)), **how)


def wobble(seed: int, degrees: float) -> np.ndarray:
    """Smooth random motion, (FRAMES,)."""
    noise = np.random.default_rng(seed).normal(size=FRAMES + 14)
    return degrees * np.convolve(noise, np.ones(15) / 15, "valid")


def test_still_camera_with_noise_never_moves(tmp_path: Path) -> None:
    keypoints = shot(tmp_path / "v.mp4", turned(np.zeros(30)), 700.0, noise=8.0)
    cameras = run_cameras(tmp_path / "v.mp4", keypoints, AUTO)
    assert cameras.meta["motion"] == "still"
    assert np.array_equal(cameras.world_from_camera, np.tile(np.eye(4), (30, 1, 1)))
    assert cameras.K[0, 0, 0] == pytest.approx(default_focal(640, 360))
    assert cameras.K[0, :2, 2].tolist() == [320, 180]
    assert cameras.meta["focal_source"] == "assumed"


def test_panning_there_and_back(tmp_path: Path) -> None:
    pan = 30 * (1 - np.abs(2 * PROGRESS - 1))
    truth = turned(pan, -8)
    cameras = run_cameras(tmp_path / "v.mp4", shot(tmp_path / "v.mp4", truth, 900.0), AUTO)
    errors = rotation_errors(cameras.world_from_camera[:, :3, :3], truth)
    assert cameras.meta["motion"] == "rotating"
    assert np.median(errors) < 0.05
    assert errors[-1] < 0.1, "the way back must close"
    assert cameras.K[:, 0, 0] == pytest.approx(900, rel=0.02)
    assert cameras.meta["focal_source"] == "solved"
    assert cameras.meta["up_source"] == "pan axis"
    true_up = truth[0].T @ [0, -1, 0]
    assert np.degrees(np.arccos(cameras.up @ true_up)) < 0.5
    assert cameras.confidence.min() > 0.9
    assert CamerasArtifact.load(cameras.save(tmp_path / "cameras.npz")).meta["reason"] == cameras.meta["reason"]


def test_panning_tilting_and_zooming(tmp_path: Path) -> None:
    truth, focal = turned(12 * PROGRESS, 4 * PROGRESS), 700 * np.exp(0.6 * PROGRESS**2)
    cameras = run_cameras(tmp_path / "v.mp4", shot(tmp_path / "v.mp4", truth, focal), AUTO)
    assert np.median(rotation_errors(cameras.world_from_camera[:, :3, :3], truth)) < 0.1
    assert cameras.K[:, 0, 0] == pytest.approx(focal, rel=0.03)


def test_three_degrees_of_pan_give_the_focal_length(tmp_path: Path) -> None:
    truth = turned(3 * PROGRESS)
    cameras = run_cameras(tmp_path / "v.mp4", shot(tmp_path / "v.mp4", truth, 1000.0), AUTO)
    assert cameras.K[:, 0, 0] == pytest.approx(1000, rel=0.05)
    assert 0 < cameras.meta["focal_uncertainty"] < 0.12


def test_too_little_pan_leaves_the_focal_length_assumed(tmp_path: Path) -> None:
    truth = turned(0.7 * PROGRESS)
    cameras = run_cameras(tmp_path / "v.mp4", shot(tmp_path / "v.mp4", truth, 700.0), AUTO)
    assert cameras.meta["motion"] == "rotating"
    assert cameras.meta["focal_source"] == "assumed"
    assert cameras.meta["focal_uncertainty"] is None
    assert cameras.K[:, 0, 0] == pytest.approx(default_focal(640, 360), rel=0.01)
    assert np.median(rotation_errors(cameras.world_from_camera[:, :3, :3], truth)) < 0.05


def test_hand_held_on_the_spot(tmp_path: Path) -> None:
    truth = turned(wobble(0, 1.5), wobble(1, 1.5), wobble(2, 1.0))
    cameras = run_cameras(tmp_path / "v.mp4", shot(tmp_path / "v.mp4", truth, 720.0), AUTO)
    assert cameras.meta["motion"] == "rotating"
    assert np.max(rotation_errors(cameras.world_from_camera[:, :3, :3], truth)) < 0.1


def test_frames_without_texture_are_bridged(tmp_path: Path) -> None:
    truth = turned(10 * PROGRESS)
    scenery, blank = panorama(), slice(20, 24)
    drawn = iter(range(FRAMES))

    def shade(origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        image = scenery(origin, directions)
        return np.full_like(image, 90) if next(drawn) in range(FRAMES)[blank] else image

    keypoints = film(tmp_path / "v.mp4", shade, truth, np.zeros((FRAMES, 3)), np.full(FRAMES, 800.0), noise=0.0)
    cameras = run_cameras(tmp_path / "v.mp4", keypoints, AUTO)
    assert np.max(rotation_errors(cameras.world_from_camera[:, :3, :3], truth)) < 0.3
    assert cameras.confidence[blank].max() < 0.2 < cameras.confidence[:20].min()


def test_given_focal_length_is_kept(tmp_path: Path) -> None:
    keypoints = shot(tmp_path / "v.mp4", turned(6 * PROGRESS), 800.0)
    by_focal = run_cameras(tmp_path / "v.mp4", keypoints, replace(AUTO, focal=780.0))
    assert by_focal.K[:, 0, 0] == pytest.approx(780)
    assert by_focal.meta["focal_source"] == "given"
    by_angle = run_cameras(tmp_path / "v.mp4", keypoints, CameraOptions(backend="still", fov=90.0))
    assert by_angle.K[:, 0, 0] == pytest.approx(320)


def aligned(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Positions (T, 3) moved onto `truth` by the best similarity (Umeyama 1991)."""
    source, target = found - found.mean(0), truth - truth.mean(0)
    u, singular, vt = np.linalg.svd(target.T @ source)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (singular * sign).sum() / (source**2).sum()
    return scale * source @ (u * sign @ vt).T + truth.mean(0)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["sideways", "forwards"])
def test_travelling_two_metres(tmp_path: Path, direction: str) -> None:
    reach = {"sideways": (2.0, 0.1, 0.0), "forwards": (0.5, 0.0, 2.0)}[direction]
    positions = PROGRESS[:, None] * reach
    truth = turned(-10 * PROGRESS + wobble(3, 2), 3 + wobble(4, 2), wobble(5, 1))
    keypoints = film(tmp_path / "v.mp4", room(), truth, positions, np.full(FRAMES, 600.0))
    cameras = run_cameras(tmp_path / "v.mp4", keypoints, AUTO)
    assert cameras.meta["motion"] == "moving", cameras.meta["reason"]
    assert cameras.meta["scale"] == "arbitrary"
    assert np.median(rotation_errors(cameras.world_from_camera[:, :3, :3], truth)) < 0.3
    off = np.linalg.norm(aligned(cameras.world_from_camera[:, :3, 3], positions) - positions, axis=1)
    assert np.median(off) < 0.02
    assert cameras.K[:, 0, 0] == pytest.approx(600, rel=0.1)
    assert cameras.up @ (truth[0].T @ [0, -1, 0]) > np.cos(np.radians(6))


@pytest.mark.slow
def test_a_wrong_structure_is_not_the_last(tmp_path: Path) -> None:
    """A bad first pair of images gives a structure that explains little: another is looked for, and no third."""
    positions = PROGRESS[:, None] * (1.5, 0.1, 0.0)
    truth = turned(-8 * PROGRESS, 3 + wobble(4, 2), wobble(5, 1))
    keypoints = film(tmp_path / "v.mp4", room(), truth, positions, np.full(FRAMES, 600.0))
    tracks = track_background(tmp_path / "v.mp4", keypoints, SILENT)
    focal = 600.0 * tracks.scale
    rotation = solve_rotations(tracks, focal, True)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = truth, positions
    right = Structure({frame: poses[frame] for frame in range(0, FRAMES, 7)}, focal, 0.01, 100, 8.0, 1)
    bent = {frame: pose.copy() for frame, pose in right.world_from_camera.items()}
    for number, pose in enumerate(bent.values()):
        pose[:3, 3] += (0, 0.4 * (-1) ** number, 0)
    wrong = replace(right, world_from_camera=bent)

    def structures() -> Iterator[Structure]:
        yield wrong
        yield right
        pytest.fail("looked for more than it needs")

    found = best_solution(structures(), tracks, rotation)
    assert found.structure is right and found.resection.explained > 0.9
    assert best_solution([wrong, wrong], tracks, rotation).resection.explained < 0.9
    assert best_solution([], tracks, rotation) is None


def test_contradictory_options(tmp_path: Path) -> None:
    keypoints = nobody(5, (64, 48))
    for options in (CameraOptions(focal=500, fov=60), CameraOptions(focal=-1), CameraOptions(fov=180)):
        with pytest.raises(UsageError):
            run_cameras(tmp_path / "none.mp4", keypoints, options)


def nobody(frames: int, size: tuple[int, int], fps: float = FPS) -> KeypointsArtifact:
    return KeypointsArtifact(
        keypoints=np.full((1, frames, 24, 2), np.nan),
        confidence=np.zeros((1, frames, 24)),
        boxes=np.full((1, frames, 4), np.nan),
        present=np.zeros((1, frames), bool),
        timestamps=np.arange(frames) / fps,
        frame_index=np.arange(frames),
        image_size=np.array(size),
    )


def solve_real(name: str, frames: int) -> CamerasArtifact:
    video = DATA / "videos" / name
    if not video.exists():
        pytest.skip(f"{video.name} is not at hand")
    info = probe(video)
    return run_cameras(video, nobody(min(frames, info.frame_count), (info.width, info.height), info.fps), AUTO)


@pytest.mark.parametrize("name", ["sports2d_demo.mp4", "sam2_juggle.mp4", "pose2sim_single_cam01.mp4"])
def test_real_still_cameras(name: str) -> None:
    """People are not even masked here: the background decides."""
    cameras = solve_real(name, 40)
    assert cameras.meta["motion"] == "still", cameras.meta["reason"]


@pytest.mark.slow
def test_real_travelling_camera() -> None:
    cameras = solve_real("phalp_vid.mp4", 180)
    assert cameras.meta["motion"] == "moving", cameras.meta["reason"]
    path = cameras.world_from_camera[:, :3, 3]
    travelled = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert np.linalg.norm(path[-1] - path[0]) > 0.8 * travelled, "it follows a runner along a nearly straight line"
    assert cameras.up @ [0, -1, 0] > np.cos(np.radians(15))

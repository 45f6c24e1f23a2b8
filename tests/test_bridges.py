"""Programs in environments of their own, from a video to what anylift makes of their files; `stand_in_tools` stand in
their place. Joining camera paths is tested against exact truth."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
import stand_in_tools
from camera_scenes import film as film_scenery
from camera_scenes import room, turned
from dots import draw_dots
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from anylift_cli.app import app
from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, MotionArtifact, ObjectsArtifact
from anylift_cli.artifacts.base import read_meta
from anylift_cli.body.skeleton import BODY24
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.bridges.joining import CameraPiece, joined
from anylift_cli.cameras.bridges.megasam import MegasamCameras
from anylift_cli.cameras.bridges.vipe import VipeCameras
from anylift_cli.doctor import examine
from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError
from anylift_cli.evaluation.metrics import mpjpe, root_error, yaw_between
from anylift_cli.foreign.pieces import Clip, piece_rows, solved_pieces
from anylift_cli.foreign.tools import MEGASAM, TOOLS, lacking
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.similarity import Similarity, similarity_of_paths
from anylift_cli.keypoints.imports.layouts import COCO17
from anylift_cli.meshes.reading import read_object
from anylift_cli.objects.base import Anchor, Target
from anylift_cli.objects.delta import follow
from anylift_cli.objects.delta_program import DeltaProgram
from anylift_cli.progress import SILENT
from anylift_cli.synthetic.props import box_mesh, write_props
from anylift_cli.synthetic.rig import Box
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene
from anylift_cli.synthetic.writing import true_keypoints
from anylift_cli.video import VideoWriter

FRAMES, SIZE, FPS = 40, (320, 180), 10
SPEC = SceneSpec("dance_dolly", "dance", "dolly", seconds=3.0, fps=10, width=640, height=360, seed=7)


def path_of_truth(count: int = FRAMES) -> np.ndarray:
    """A camera that travels and turns, (T, 4, 4)."""
    t = np.linspace(0, 1, count)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("YXZ", np.stack([0.3 + t, 0.1 * np.sin(7 * t), 0.2 * t], 1)).as_matrix()
    poses[:, :3, 3] = np.stack([1 + 2 * t, 0.2 * np.sin(9 * t), t**2], 1)
    return poses


POSES = path_of_truth()
K = np.array([[280.0, 0, 160], [0, 280.0, 90], [0, 0, 1]])


def film(path: Path, count: int, size: tuple[int, int], fps: float) -> Path:
    with VideoWriter(path, *size, fps) as writer:
        for number in range(count):
            writer.write(stand_in_tools.number_frame(np.full((*size[::-1], 3), 128, np.uint8), number))
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return film(tmp_path_factory.mktemp("bridges") / "v.mp4", FRAMES, SIZE, FPS)


@pytest.fixture
def tools(tmp_path, monkeypatch) -> Path:
    """A folder of stand-ins, all set up, and caches of this test alone."""
    folder = tmp_path / "tools"
    truth = {"world_from_camera": POSES, "K": np.tile(K, (FRAMES, 1, 1)), "size": np.array(SIZE)}
    stand_in_tools.set_up(folder, truth)
    at_home(monkeypatch, tmp_path)
    return folder


def at_home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("ANYLIFT_TOOLS", str(folder / "tools"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("PATH", f"{folder / 'tools' / 'bin'}{os.pathsep}{os.environ['PATH']}")


def keypoints(frames: np.ndarray) -> KeypointsArtifact:
    """Somebody in these frames."""
    count = len(frames)
    return KeypointsArtifact(
        keypoints=np.full((1, count, 24, 2), 80.0), confidence=np.ones((1, count, 24)),
        boxes=np.tile([0, 0, 100, 100], (1, count, 1)), present=np.ones((1, count), bool),
        timestamps=frames / FPS, frame_index=frames, image_size=np.array(SIZE), meta={},
    )  # fmt: skip


def misses(found: CamerasArtifact, truth: np.ndarray) -> tuple[float, float]:
    """Largest errors of a path after a similarity: of places, relative to the path's extent, and of angles, radians."""
    moved = similarity_of_paths(truth, found.world_from_camera).of_poses(found.world_from_camera)
    place = np.linalg.norm(moved[:, :3, 3] - truth[:, :3, 3], axis=1).max() / np.ptp(truth[:, :3, 3], axis=0).max()
    turn = Rotation.from_matrix(moved[:, :3, :3].swapaxes(1, 2) @ truth[:, :3, :3]).magnitude().max()
    return float(place), float(turn)


def similarity(seed: int) -> Similarity:
    rng = np.random.default_rng(seed)
    return Similarity(rng.uniform(0.2, 5), Rotation.random(random_state=seed).as_matrix(), rng.normal(0, 3, 3))


@pytest.mark.parametrize("seed", range(4))
def test_similarity_of_exact_paths(seed):
    true = similarity(seed)
    found = similarity_of_paths(true.of_poses(POSES), POSES)
    assert found.scale == pytest.approx(true.scale, rel=1e-11)
    assert np.abs(found.rotation - true.rotation).max() < 1e-11
    assert np.abs(found.translation - true.translation).max() < 1e-10


def test_a_straight_dolly_tells_the_turn_about_its_line():
    straight = np.tile(np.eye(4), (20, 1, 1))
    straight[:, 0, 3] = np.linspace(0, 1, 20)
    true = similarity(5)
    assert np.abs(similarity_of_paths(true.of_poses(straight), straight).rotation - true.rotation).max() < 1e-11


def test_similarity_of_noisy_paths():
    """Errors no larger than least squares has with 30 poses of 1 cm and 0.2 degrees: three standard deviations."""
    rng, true = np.random.default_rng(0), similarity(1)
    noisy = POSES.copy()
    noisy[:, :3, :3] = noisy[:, :3, :3] @ Rotation.from_rotvec(rng.normal(0, np.radians(0.2), (FRAMES, 3))).as_matrix()
    noisy[:, :3, 3] += rng.normal(0, 0.01, (FRAMES, 3))
    found = similarity_of_paths(true.of_poses(POSES), noisy)
    spread = np.sqrt(((POSES[:, :3, 3] - POSES[:, :3, 3].mean(0)) ** 2).sum())
    assert abs(found.scale / true.scale - 1) < 3 * 0.01 / spread
    turn = Rotation.from_matrix(found.rotation.T @ true.rotation).magnitude()
    assert turn < 3 * np.radians(0.2) * np.sqrt(3 / FRAMES)


def pieces_of(poses: np.ndarray, rows: list[range], depth: float | None = 4.0) -> list[CameraPiece]:
    """The path as pieces in worlds and units of their own."""
    made = []
    for seed, part in enumerate(rows):
        move = similarity(seed)
        made.append(CameraPiece(
            rows=np.array(part), world_from_camera=move.of_poses(poses[part.start : part.stop]),
            K=np.tile(K, (len(part), 1, 1)), depth=None if depth is None else np.full(len(part), depth * move.scale),
        ))  # fmt: skip
    return made


def test_pieces_join_to_the_exact_path():
    pieces = pieces_of(POSES, piece_rows(FRAMES, 12, 4))
    whole = joined(pieces)
    assert len(pieces) == 5 and whole.rows.tolist() == list(range(FRAMES))
    expected = similarity(0).of_poses(POSES)
    assert np.abs(whole.world_from_camera - expected).max() < 1e-9
    assert np.allclose(whole.K, K) and np.allclose(whole.depth, 4 * similarity(0).scale, rtol=1e-9)


def test_pieces_with_noise_join_without_a_jump():
    """2 mm of noise on a path of 2 m: no step of the joined path differs from the true one by more than its noise."""
    rng = np.random.default_rng(3)
    poses = path_of_truth(200)
    pieces = pieces_of(poses, piece_rows(200, 60, 20))
    for number, piece in enumerate(pieces):
        piece.world_from_camera[:, :3, 3] += rng.normal(0, 0.002 * similarity(number).scale, (len(piece.rows), 3))
    whole = similarity_of_paths(poses, joined(pieces).world_from_camera).of_poses(joined(pieces).world_from_camera)
    assert np.linalg.norm(whole[:, :3, 3] - poses[:, :3, 3], axis=1).max() < 0.03
    steps = np.diff(whole[:, :3, 3], axis=0) - np.diff(poses[:, :3, 3], axis=0)
    assert np.linalg.norm(steps, axis=1).max() < 6 * 0.002 * np.sqrt(2)


def test_a_camera_at_rest_where_pieces_meet_takes_the_scale_of_the_depth():
    """In the shared rows only a shake of half a millimetre, another in each piece: places tell nothing of the scale."""
    poses = path_of_truth(60)
    poses[20:40] = poses[30]
    poses[40:, :3, 3] += poses[30, :3, 3] - poses[40, :3, 3]
    pieces = pieces_of(poses, [range(0, 38), range(22, 60)])
    rng = np.random.default_rng(0)
    for number, piece in enumerate(pieces):
        piece.world_from_camera[:, :3, 3] += rng.normal(0, 5e-4 * similarity(number).scale, (38, 3))
    whole = joined(pieces)
    expected = similarity(0).of_poses(poses)
    assert np.abs(whole.world_from_camera[:, :3, 3] - expected[:, :3, 3]).max() < 0.01 * similarity(0).scale


def test_pieces_that_share_nothing_are_refused():
    with pytest.raises(AnyliftError, match="share 1 frames"):
        joined(pieces_of(POSES, [range(0, 20), range(19, 40)]))


def test_rows_of_pieces():
    assert piece_rows(1000, 1000, 100) == [range(1000)]
    for count, most, overlap in ((1001, 1000, 100), (5400, 1000, 100), (37, 12, 4), (13, 12, 11)):
        rows = piece_rows(count, most, overlap)
        assert rows[0].start == 0 and rows[-1].stop == count and max(map(len, rows)) <= most
        assert all(one.stop - two.start == overlap for one, two in pairwise(rows))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1
    with pytest.raises(ValueError, match="cannot share"):
        piece_rows(20, 4, 4)


@pytest.mark.parametrize("program", [MegasamCameras, VipeCameras])
def test_cameras_from_a_program_piece_by_piece(program, tools, video, tmp_path):
    """Formats: `stand_in_tools.camera_tracking`, `.vipe`. The clip starts late, as after a cut, and lacks a frame."""
    frames = np.delete(np.arange(4, FRAMES), 10)
    found = program(16, 4).solve(video, keypoints(frames), CameraOptions(), SILENT)
    place, turn = misses(found, POSES[frames])
    assert place < 1e-4 and turn < 1e-5
    assert np.abs(found.K - K).max() < 0.15 and found.confidence.min() == 1
    assert found.meta["scale"] == "arbitrary" and found.meta["focal_source"] == "solved"
    assert found.meta["reason"].endswith("(stand-in)")
    name = program.tool.name
    assert stand_in_tools.calls(tools, name) == [(4, 18), (15, 29), (26, 39)]
    left = sorted(path.name for path in (tmp_path / "cache/anylift" / name).rglob("*") if path.is_file())
    assert left == [".lock", *(f"piece-{number:03d}.log" for number in range(3))]
    assert not [*(tools / "megasam/repo").glob("outputs/*"), *(tools / "megasam/repo").glob("reconstructions/*")]


def test_a_failure_names_its_log_and_the_next_run_goes_on(tools, video, tmp_path):
    def solve() -> CamerasArtifact:
        return MegasamCameras(16, 4).solve(video, keypoints(np.arange(FRAMES)), CameraOptions(), SILENT)

    (tools / "megasam/fail_at").write_text("20")
    with pytest.raises(AnyliftError, match=r"frames 12 to 27 of .*stopped with code 1") as caught:
        solve()
    assert "CUDA out of memory" in caught.value.message and "line 0" not in caught.value.message
    assert caught.value.message.count("\n") == 8
    (log,) = (tmp_path / "cache").rglob("log.txt")
    assert str(log) in caught.value.hint and "goes on" in caught.value.hint
    text = log.read_text()
    assert "$ " in text and "test_demo.py" in text and "line 0" in text
    assert stand_in_tools.calls(tools, "megasam") == [(0, 15), (12, 27)]

    (tools / "megasam/fail_at").unlink()
    place, turn = misses(solve(), POSES)
    assert place < 1e-4 and turn < 1e-5
    assert stand_in_tools.calls(tools, "megasam") == [(0, 15), (12, 27), (12, 27), (24, 39)]


def test_frames_that_a_program_drops_are_missed(tools, video):
    (tools / "megasam/cap").write_text("10")
    with pytest.raises(AnyliftError, match="10 poses for 40 images"):
        MegasamCameras().solve(video, keypoints(np.arange(FRAMES)), CameraOptions(), SILENT)


def test_what_is_missing_is_told_with_the_command(tools, tmp_path, anylift, scene_folder, monkeypatch):
    arguments = "cameras", scene_folder / "video.mp4", scene_folder / "keypoints.npz", "--backend", "megasam"
    outside = {name: os.environ[name] for name in ("PATH", "ANYLIFT_TOOLS", "XDG_CACHE_HOME")}
    (tools / "megasam/repo/checkpoints/megasam_final.pth").unlink()
    done = anylift(*arguments, **outside)
    assert done.returncode == 4 and "megasam_final.pth is not there" in done.stderr
    assert "megasam/setup.sh`" in done.stderr and (done.stderr.count("setup.sh") == 1)
    script = Path(MEGASAM.setup.removeprefix("bash "))
    assert script.is_file() and (script.parent / "README.md").is_file()

    (tools / "bin/nvidia-smi").write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    done = anylift(*arguments[:-1], "vipe", **outside)
    assert done.returncode == 4 and "NVIDIA GPU" in done.stderr
    with pytest.raises(UsageError, match="finds the focal length itself"):
        VipeCameras().solve(tmp_path, keypoints(np.arange(3)), CameraOptions(fov=60), SILENT)
    (tools / "delta/installed").unlink()
    with pytest.raises(MissingDependencyError, match="DELTA is not set up in"):
        solved_pieces(DeltaProgram(), Clip(tmp_path, np.arange(3), SIZE), SILENT).__enter__()


def test_doctor_lists_every_tool(tools):
    (tools / "delta/repo/demo_2d.py").unlink()
    parts = {part["name"]: part for part in examine()["parts"] if part["name"] in TOOLS}
    assert parts.keys() == TOOLS.keys() and all(part["licence"] for part in parts.values())
    assert parts["megasam"]["ready"] and parts["vipe"]["ready"] and not parts["delta"]["ready"]
    assert parts["delta"]["missing"].endswith("demo_2d.py is not there")
    assert parts["delta"]["next"].endswith("delta/setup.sh") and not lacking(TOOLS["vipe"])[0]


WAITING = """
import sys
from pathlib import Path
from anylift_cli.foreign.tools import MEGASAM, run_tool
run_tool(MEGASAM, ["sh", "-c", "sleep 60 & echo $! > pid; wait"], Path("log"), cwd=Path())
"""


def test_an_interrupt_ends_the_program_and_what_it_started(tmp_path):
    ours = subprocess.Popen([sys.executable, "-c", WAITING], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text().strip()):
        assert ours.poll() is None, ours.stderr.read()
        time.sleep(0.05)
    ours.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in ours.communicate(timeout=30)[1]
    began = time.monotonic()
    while psutil.pid_exists(started := int(pid.read_text())) and psutil.Process(started).status() != "zombie":
        assert time.monotonic() - began < 10
        time.sleep(0.05)


@pytest.fixture(scope="module")
def danced(tmp_path_factory) -> tuple[Scene, Path]:
    """Somebody dances beside a box before a camera on rails: the box's files, a video of the dancer as dots with the
    frames' numbers, and the tools that know the scene."""
    place = np.eye(4)
    place[:3, :3], place[:3, 3] = Rotation.from_rotvec([0, 0, 0.5]).as_matrix(), (0.3, 0.8, 0)
    scene = replace(build_scene(SPEC), boxes=[Box("box", (0.4, 0.5, 0.45), np.tile(place, (30, 1, 1)))])
    folder = tmp_path_factory.mktemp("dance")
    write_props(scene, folder)
    with VideoWriter(folder / "video.mp4", SPEC.width, SPEC.height, SPEC.fps) as writer:
        for number, points in enumerate(coco_points(true_keypoints(scene))):
            points[[COCO17.index(f"{side}_{part}") for side in ("left", "right") for part in ("eye", "ear")]] = np.nan
            image = draw_dots(points, SPEC.width, SPEC.height, 0.035 * np.ptp(points[5:, 1]))
            writer.write(stand_in_tools.number_frame(image, number))
    vertices, faces = box_mesh(scene.boxes[0])
    truth = {
        "world_from_camera": scene.world_from_camera, "K": scene.K, "size": np.array([SPEC.width, SPEC.height]),
        "vertices": vertices, "faces": faces, "world_from_object": scene.boxes[0].world_from_box,
    }  # fmt: skip
    stand_in_tools.set_up(folder / "tools", truth)
    return scene, folder


def test_objects_are_followed_from_piece_to_piece(danced, monkeypatch):
    """Formats: `stand_in_tools.demo_2d`. The box was placed in the second of three pieces only."""
    scene, folder = danced
    at_home(monkeypatch, folder)
    rows = np.arange(len(scene.time))
    program = DeltaProgram(12)
    program.max_size = 480
    clip = Clip(folder / "video.mp4", rows, (SPEC.width, SPEC.height))
    with pytest.raises(UsageError), solved_pieces(program, clip, SILENT):
        raise UsageError("an error of ours, after the program's work")
    with solved_pieces(program, clip, SILENT) as solved:
        assert len(solved.pieces) == 3
    assert len(stand_in_tools.calls(folder / "tools", "delta")) == 3
    assert [(piece.rows[0], piece.rows[-1]) for piece in solved.pieces] == [(0, 10), (10, 19), (19, 29)]
    true = invert(scene.world_from_camera) @ scene.boxes[0].world_from_box
    mesh = read_object(folder / "box.obj")
    track = follow(Target("box", mesh, (Anchor(15, true[15]),)), solved.pieces, scene.K, 60)
    assert track.points3d.shape[0] <= 180 and track.points2d.shape[:2] == (30, len(track.points3d))
    place = np.linalg.norm((track.camera_from_object - true)[:, :3, 3], axis=1)
    turn = Rotation.from_matrix(track.camera_from_object[:, :3, :3].swapaxes(1, 2) @ true[:, :3, :3]).magnitude()
    assert place[[0, 10, 15, 19, 29]].max() < 1e-4 and turn[[0, 10, 15, 19, 29]].max() < 1e-4
    assert np.median(place) < 1e-5 and track.confidence.min() > 0.5
    for piece, points in zip(solved.pieces, np.split(track.points2d, 3, axis=1), strict=True):
        rows = np.flatnonzero(np.isfinite(points).any((1, 2)))
        assert rows.tolist() == piece.rows.tolist()


def coco_points(keypoints: KeypointsArtifact) -> np.ndarray:
    """COCO's points (T, 17, 2) px of the first person."""
    return keypoints.keypoints[0][:, [BODY24.index(name) for name in COCO17]].astype(np.float64)


@pytest.fixture
def networks(tmp_path, monkeypatch) -> None:
    """Weights of a ViTPose that sees dots, and of a D-FINE that finds whoever stands in the middle."""
    pytest.importorskip("transformers", reason="the extra 'vitpose' is not installed")
    from vitpose_networks import dot_network, one_person_detector

    dot_network(tmp_path / "weights/vitpose-base", threshold=0.6)
    one_person_detector(tmp_path / "weights/dfine", (0.5, 0.5, 0.16, 0.6), "dfine")
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path / "weights"))


@pytest.mark.slow
def test_the_whole_chain_runs_on_networks_and_programs(danced, networks, monkeypatch, tmp_path):
    """ViTPose behind D-FINE, MegaSaM and DELTA, from the video's pixels to person, box and camera in one world."""
    scene, folder = danced
    at_home(monkeypatch, folder)
    monkeypatch.chdir(tmp_path)
    arguments = [
        "run", folder / "video.mp4", "--out", "hoi.npz", "--keypoints", "vitpose", "--cameras", "megasam",
        "--object", folder / "box.obj", "--points", folder / "points.json", "--object-tracker", "delta", "--json",
    ]  # fmt: skip

    def run() -> list[dict]:
        done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
        return json.loads(done.stdout)["shots"][0]["steps"]

    assert [step["step"] for step in run()][:5] == ["keypoints", "cameras", "objects", "lift", "fit"]
    people = KeypointsArtifact.load("hoi.anylift/keypoints.npz")
    assert "vitpose-base, dfine" in people.meta["estimator"] and people.present.all()
    off = np.linalg.norm(coco_points(people) - coco_points(true_keypoints(scene)), axis=-1)
    sure = people.confidence[0][:, [BODY24.index(name) for name in COCO17]] > 0.5
    assert sure[:, 5:].mean() > 0.9 and np.median(off[sure]) < 4 and off[sure].max() < 8
    place, turn = misses(CamerasArtifact.load("hoi.anylift/cameras.npz"), scene.world_from_camera)
    assert place < 1e-4 and turn < 1e-5
    objects, motion = ObjectsArtifact.load("hoi.anylift/objects.npz"), MotionArtifact.load("hoi.npz")
    assert objects.meta["tracker"] == "DELTA tracks" and objects.meta["found"] == {"box": 30}
    assert read_meta(Path("hoi.anylift/lifted.npz"))["options"]["lifter"] == "diffusion"
    middle = np.array([[0, 0, np.asarray(scene.boxes[0].size)[2] / 2]])
    ours = transform(motion.world_from_object[0], middle)[:, 0] - motion.joints[:, 0]
    theirs = transform(scene.boxes[0].world_from_box, middle)[:, 0] - scene.joints[:, 0]
    assert np.median(np.abs(np.linalg.norm(ours, axis=1) - np.linalg.norm(theirs, axis=1))) < 0.10
    scale = similarity_of_paths(scene.world_from_camera, motion.world_from_camera).scale
    assert scale == pytest.approx(1, abs=0.03), "person and box give the path its metres"
    heading = yaw_between(motion.world_from_camera[:, :3, :3], scene.world_from_camera[:, :3, :3])
    moved, true = motion.joints @ heading.T, scene.joints
    assert mpjpe(moved, true, moved[:, 0], true[:, 0]) < 0.10 and root_error(moved[:, 0], true[:, 0]) < 0.14
    assert all(step["reused"] for step in run())
    before = stand_in_tools.calls(folder / "tools", "megasam")
    Path("hoi.anylift/cameras.npz").unlink()
    assert [step["step"] for step in run() if not step["reused"]] == ["cameras"]
    assert len(stand_in_tools.calls(folder / "tools", "megasam")) == len(before) + 1


@pytest.mark.slow
def test_auto_gives_cameras_that_move_to_megasam(monkeypatch, tmp_path):
    """And those that do not move to nobody."""
    frames, size, focal = 24, (480, 270), 450.0
    progress = np.linspace(0, 1, frames)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    poses[:, :3, :3] = turned(-10 * progress, 3 + 2 * np.sin(9 * progress))
    poses[:, :3, 3] = progress[:, None] * (2.0, 0.1, 0.0)
    K = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    truth = {"world_from_camera": poses, "K": np.tile(K, (frames, 1, 1)), "size": np.array(size)}
    stand_in_tools.set_up(tmp_path / "tools", truth)
    at_home(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)

    def solve(name: str, path: np.ndarray) -> CamerasArtifact:
        scenery, number = room(), iter(range(frames))

        def shade(origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
            return stand_in_tools.number_frame(scenery(origin, directions), next(number))

        filmed = path[:, :3, :3], path[:, :3, 3], np.full(len(path), focal)
        people = film_scenery(Path(f"{name}.mp4"), shade, *filmed, size=size)
        strip = np.tile([0.0, 0, size[0], size[0] / 16], (1, len(path), 1))
        twice = {name: np.concatenate([getattr(people, name)] * 2) for name in ("keypoints", "confidence", "present")}
        replace(people, boxes=np.concatenate([people.boxes, strip]), **twice).save(Path(f"{name}.npz"))
        done = CliRunner().invoke(
            app, ["cameras", f"{name}.mp4", f"{name}.npz", "--out", f"{name}_cameras.npz"], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return CamerasArtifact.load(f"{name}_cameras.npz")

    still = solve("still", np.tile(poses[:1], (8, 1, 1)))
    assert still.meta["motion"] == "still" and not stand_in_tools.calls(tmp_path / "tools", "megasam")
    moving = solve("moving", poses)
    place, turn = misses(moving, poses)
    assert place < 1e-4 and turn < 1e-5
    assert moving.meta["motion"] == "moving" and moving.meta["scale"] == "arbitrary"
    assert "parallax" in moving.meta["reason"] and moving.meta["reason"].endswith("(stand-in)")
    assert moving.meta["choice"] == "if the camera moves, auto picks megasam"
    assert np.abs(moving.K - K).max() < 0.3
    assert stand_in_tools.calls(tmp_path / "tools", "megasam") == [(0, frames - 1)]

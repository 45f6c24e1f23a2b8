"""Bad input: the right exit code, one clear line and a next step on stderr, nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from anylift_cli.artifacts import KeypointsArtifact, MotionArtifact
from anylift_cli.artifacts.base import read_meta
from anylift_cli.video import VideoWriter

DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"
SCRATCH = {"OMP_NUM_THREADS": "1"}


def plain_video(path: Path, frames: int) -> Path:
    """Grey noise, nobody in it."""
    random = np.random.default_rng(0)
    with VideoWriter(path, 160, 120, 10) as writer:
        for _ in range(frames):
            writer.write(random.integers(90, 160, (120, 160, 3)).astype(np.uint8))
    return path


def audio_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), "fltp", "mono")
        frame.sample_rate, frame.time_base = 44100, Fraction(1, 44100)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def no_frames(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        container.start_encoding()
    return path


def truncated(path: Path) -> Path:
    """An mp4 whose index, at its end, is lost."""
    whole = path.with_name("whole.mp4")
    with av.open(str(whole), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((120, 160, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    return path


def text(path: Path) -> Path:
    path.write_text("this is not a video\n" * 100)
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def check_failure(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One error line with `words`, at most one line with the next step, no traceback, nothing on stdout."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    for word in words:
        assert word in errors[0]
    assert lines[lines.index(errors[0]) + 1 :] == [line for line in lines if line.startswith("  next: ")]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("make", [lambda path: path, text, empty, folder, audio_only, no_frames, truncated])
@pytest.mark.parametrize("command", ["run", "info"])
def test_unreadable_videos(anylift, tmp_path, make, command):
    make(tmp_path / "video.mp4")
    before = sorted(tmp_path.iterdir())
    check_failure(anylift(command, "video.mp4"), 1, "video.mp4")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("frames", [1, 5])
def test_nobody_to_be_seen(anylift, tmp_path, frames):
    plain_video(tmp_path / "video.mp4", frames)
    done = anylift("run", "video.mp4", "--out", "out/motion.npz", **SCRATCH)
    check_failure(done, 3, "video.mp4")
    assert not (tmp_path / "out" / "motion.npz").exists()


def test_a_range_behind_the_end(anylift, tmp_path):
    plain_video(tmp_path / "video.mp4", 5)
    check_failure(anylift("keypoints", "video.mp4", "--start", "60", **SCRATCH), 3, "video.mp4")


@pytest.mark.parametrize("option", ["--out", "--overlay", "--bvh", "--work-dir"])
def test_folders_that_cannot_be_written(anylift, tmp_path, option):
    """A file where the folder should be: refused to root as well."""
    plain_video(tmp_path / "video.mp4", 1)
    (tmp_path / "taken").write_text("precious")
    place = "taken" if option == "--work-dir" else f"taken/result{'.npz' if option == '--out' else '.mp4'}"
    done = anylift("run", "video.mp4", option, place)
    check_failure(done, 1, "taken")
    assert option in done.stderr
    assert (tmp_path / "taken").read_text() == "precious"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(anylift, tmp_path):
    plain_video(tmp_path / "video.mp4", 1)
    (tmp_path / "locked").mkdir(mode=0o500)
    check_failure(anylift("run", "video.mp4", "--out", "locked/motion.npz"), 1, "locked")


def test_full_disk(anylift, scene_folder, small_disk):
    (small_disk / "filler").write_bytes(bytes(256 << 10 - 1)[: 200 << 10])
    kept = (small_disk / "filler").read_bytes()
    remaining = (small_disk / "more").open("wb")
    try:
        while True:
            remaining.write(bytes(4096))
            remaining.flush()
    except OSError:
        pass
    done = anylift(
        "cameras", scene_folder / "video.mp4", scene_folder / "keypoints.npz", "--camera", "still",
        "--out", small_disk / "cameras.npz",
    )  # fmt: skip
    check_failure(done, 1, "small disk")
    assert (small_disk / "filler").read_bytes() == kept
    assert {path.name for path in small_disk.iterdir()} == {"filler", "more"}


def test_spaces_and_unicode_in_names(anylift, tmp_path, scene_folder):
    place = tmp_path / "mein Ordner – 動画"
    place.mkdir()
    for name in ("video.mp4", "keypoints.npz"):
        (place / f"größe 走 {name}").write_bytes((scene_folder / name).read_bytes())
    done = anylift(
        "cameras", place / "größe 走 video.mp4", place / "größe 走 keypoints.npz", "--camera", "still",
        "--out", place / "neue Datei" / "kamera ✓.npz",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "kamera ✓.npz" in done.stdout
    assert read_meta(place / "neue Datei" / "kamera ✓.npz")["inputs"]["video"]["file"] == "größe 走 video.mp4"


class Exploding:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def corrupt_npz(path: Path, scene_folder: Path) -> str:
    content = (scene_folder / "keypoints.npz").read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return "damaged"


def foreign_npz(path: Path, scene_folder: Path) -> str:
    np.savez(path, poses=np.zeros((4, 72)))
    return "not an anylift.keypoints file"


def other_artifact(path: Path, scene_folder: Path) -> str:
    path.write_bytes((scene_folder / "cameras.npz").read_bytes())
    return "it is anylift.cameras"


def pickled_npz(path: Path, scene_folder: Path) -> str:
    np.savez(path, keypoints=np.array([Exploding(path.with_name("witness"))], object))
    return "pickled"


def missing_npz(path: Path, scene_folder: Path) -> str:
    return "does not exist"


@pytest.mark.parametrize("make", [corrupt_npz, foreign_npz, other_artifact, pickled_npz, missing_npz])
def test_bad_artifacts(anylift, tmp_path, scene_folder, make):
    message = make(tmp_path / "bad.npz", scene_folder)
    done = anylift("cameras", scene_folder / "video.mp4", "bad.npz", "--out", "cameras.npz")
    check_failure(done, 1, "bad.npz", message)
    assert not (tmp_path / "cameras.npz").exists()
    assert not (tmp_path / "witness").exists()


def test_info_never_loads_pickles(anylift, tmp_path):
    pickled_npz(tmp_path / "bad.npz", tmp_path)
    check_failure(anylift("info", "bad.npz"), 1, "bad.npz", "pickled")
    assert not (tmp_path / "witness").exists()


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "anylift_cli", "run", "demo.mp4", "--end", "0.4", "--out", "motion.npz"]
    return subprocess.Popen(
        command, cwd=folder, env={**os.environ, **SCRATCH}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    while not file.exists():
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for one process alone")
def test_a_killed_and_a_stopped_run_lose_at_most_the_stage_in_progress(anylift, tmp_path):
    work = tmp_path / "motion.anylift"
    shutil.copy(DEMO, tmp_path / "demo.mp4")

    process = start(tmp_path)
    wait_for(work / "keypoints.npz", process)
    process.kill()
    process.communicate()
    KeypointsArtifact.load(work / "keypoints.npz")
    assert not (tmp_path / "motion.npz").exists()
    made = (work / "keypoints.npz").stat().st_mtime_ns

    process = start(tmp_path)
    wait_for(work / "lifted.npz", process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    lines = errors.decode().splitlines()
    assert [line for line in lines if line.startswith("error:")] == [
        "error: stopped; finished stages are kept in motion.anylift"
    ]
    assert lines[-1].startswith("  next: ")

    done = anylift("run", "demo.mp4", "--end", "0.4", "--out", "motion.npz", **SCRATCH)
    assert done.returncode == 0, done.stderr
    reused = [line.split()[0] for line in done.stdout.splitlines() if " reused " in line]
    assert reused == ["keypoints", "cameras", "lift"]
    assert (work / "keypoints.npz").stat().st_mtime_ns == made
    assert len(MotionArtifact.load(tmp_path / "motion.npz").poses) == 12
    assert (tmp_path / "motion.bvh").read_text().startswith("HIERARCHY")

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.name != ".lock"}
    done = anylift("run", "demo.mp4", "--end", "0.4", "--out", "motion.npz", **SCRATCH)
    assert " run " not in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in before}

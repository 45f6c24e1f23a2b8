"""Batches that really run: workers, clips that take too long, workers and drivers that are killed, stores."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from long_videos import write_long_video

from anylift_cli.batch.results import read_results

SLOWEST = 300
"""Seconds that a busy machine may take."""
QUICK = {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def lifted(scene_folder, tmp_path_factory) -> tuple[Path, Path, dict]:
    """A manifest with one clip that is lifted from known points and one that is no video; results; what was said."""
    folder = tmp_path_factory.mktemp("batch")
    known = {"keypoints": str(scene_folder / "keypoints.npz"), "cameras": str(scene_folder / "cameras.npz")}
    rows = [
        {"video": str(scene_folder / "video.mp4"), "name": "day <1>/squat", **known},
        {"video": "broken.mp4"},
        {"video": "broken.mp4", "name": "tall", "height": 9},
    ]
    (folder / "broken.mp4").write_text("no video")
    (folder / "clips.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "clips.jsonl", folder / "out", batch(folder / "clips.jsonl", folder / "out", code=1)


def batch(manifest: Path, out: Path | str, *options: object, code: int) -> dict:
    command = [sys.executable, "-m", "anylift_cli", "batch", manifest, "--out", out, "--json", *options]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env={**os.environ, **QUICK}, timeout=2 * SLOWEST
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_each_clip_is_accounted_for(lifted):
    _, out, told = lifted
    records = read_results(str(out))
    assert told["counts"] == {"done": 1, "failed": 2}
    assert {name: one["status"] for name, one in records.items()} == {
        "day <1>/squat": "done", "broken": "failed", "tall": "failed",
    }  # fmt: skip
    done = records["day <1>/squat"]
    assert {"keypoints", "cameras", "lift", "fit", "export", "quality", "thumbnail"} <= done["seconds"].keys()
    assert done["quality"]["day <1>/squat.npz"]["frames"] == 5 and done["rating"] in ("good", "fair", "poor")
    assert records["broken"]["exit_code"] == 1 and "is not a video" in records["broken"]["reason"]
    assert records["broken"]["attempts"] == 2
    assert records["tall"]["exit_code"] == 2 and "height" in records["tall"]["reason"]
    assert records["tall"]["attempts"] == 1


def test_results_lie_in_the_inputs_tree_with_a_page(lifted):
    _, out, _ = lifted
    assert {"squat.npz", "squat.bvh", "squat.anylift"} <= {path.name for path in (out / "day <1>").iterdir()}
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "day &lt;1&gt;/squat" in page
    assert (out / "day <1>/squat.anylift/thumbnail.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_what_is_finished_is_kept_wherever_it_lies(lifted, tmp_path):
    """The folder was moved to a store: everything in it still counts, and nothing in it changes."""
    manifest, out, _ = lifted
    moved = tmp_path / "bucket" / "out"
    shutil.copytree(out, moved)
    before = {path: path.stat().st_mtime_ns for path in moved.rglob("*.npz")}
    told = batch(manifest, f"file://{moved}", code=1)
    assert told["counts"] == {"unchanged": 1, "failed": 2}
    assert {path: path.stat().st_mtime_ns for path in moved.rglob("*.npz")} == before
    assert not list(moved.rglob("*.part"))


@pytest.fixture
def driver(tmp_path) -> Iterator[subprocess.Popen]:
    """A batch of a clip that is no video and one that takes minutes."""
    videos = tmp_path / "videos"
    videos.mkdir()
    write_long_video(videos / "long.mp4")
    (videos / "broken.mp4").write_text("no video")
    command = [
        sys.executable,
        "-m",
        "anylift_cli",
        "batch",
        str(videos),
        "--out",
        str(tmp_path / "out"),
        "--retry",
        "0",
    ]
    process = subprocess.Popen(command, env={**os.environ, **QUICK}, stderr=subprocess.PIPE, text=True)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stderr.close()


def worker_of(driver: subprocess.Popen) -> psutil.Process:
    """The process that lifts for a driver, once it has begun."""
    assert "broken" in driver.stderr.readline()
    (worker,) = [one for one in psutil.Process(driver.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    return worker


def test_a_worker_that_is_killed_is_replaced_and_its_clip_listed(driver, tmp_path):
    worker = worker_of(driver)
    time.sleep(1)
    worker.kill()
    assert driver.wait(SLOWEST) == 1
    reason = read_results(str(tmp_path / "out"))["long"]["reason"]
    assert "the worker was lost" in reason and "signal 9" in reason


def test_workers_end_with_a_driver_that_is_killed(driver):
    worker = worker_of(driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert psutil.wait_procs([worker], timeout=SLOWEST)[0] == [worker]


def test_ctrl_c_ends_all_and_keeps_account(driver, tmp_path):
    worker = worker_of(driver)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(SLOWEST) == 130
    assert not worker.is_running()
    assert read_results(str(tmp_path / "out")).keys() == {"broken"}
    assert (tmp_path / "out" / "index.html").exists()


def test_a_clip_that_takes_too_long_is_stopped_and_the_others_go_on(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_long_video(videos / "long.mp4")
    for number in range(3):
        (videos / f"broken{number}.mp4").write_text("no video")
    told = batch(videos, tmp_path / "out", "--timeout", 15, "--retry", 0, "--workers", 2, code=1)
    reasons = {clip["clip"]: clip["reason"] for clip in told["clips"]}
    assert "not done within 15 s" in reasons.pop("long")
    assert len(reasons) == 3 and all("is not a video" in reason for reason in reasons.values())


def test_fail_fast_stops_at_the_first_failure(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in range(3):
        (videos / f"broken{number}.mp4").write_text("no video")
    told = batch(videos, tmp_path / "out", "--fail-fast", "--retry", 0, code=1)
    assert len(told["clips"]) == 1

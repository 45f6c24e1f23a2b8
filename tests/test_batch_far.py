"""Batches over a Ray cluster and over an S3-like store, both started here."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from long_videos import write_long_video

from anylift_cli.batch.results import read_results

QUICK = {"OMP_NUM_THREADS": "1"}


def command(manifest: Path | str, out: Path | str, *options: object) -> list[str]:
    given = [manifest, "--out", out, "--json", *options]
    return [sys.executable, "-m", "anylift_cli", "batch", *map(str, given)]


def told(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(scene: Path, videos: dict[str, str]) -> str:
    """A manifest of clips that are lifted from known points."""
    known = {"keypoints": str(scene / "keypoints.npz"), "cameras": str(scene / "cameras.npz")}
    return "\n".join(json.dumps({"video": video, "name": name, **known}) for name, video in videos.items())


def arrays(file: Path) -> dict[str, bytes]:
    with np.load(file, allow_pickle=False) as stored:
        return {name: stored[name].tobytes() for name in stored.files if name != "meta"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.slow
def test_a_cluster_goes_on_after_a_worker_and_a_machine_are_lost(scene_folder, tmp_path):
    """Two long clips, each on a machine of its own. One worker is killed, then the other's machine is lost; the clips,
    short ones by now, are lifted by those that take their place, as a run without Ray lifts them."""
    pytest.importorskip("ray", reason="needs the extra `ray`")
    from ray.cluster_utils import Cluster

    videos = {name: tmp_path / f"{name}.mp4" for name in ("one", "two")}
    for video in videos.values():
        write_long_video(video)
    (tmp_path / "clips.jsonl").write_text(rows(scene_folder, {name: str(video) for name, video in videos.items()}))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        nodes = [joined(cluster) for _ in range(2)]
        options = ["--ray", cluster.address, "--retry", 2]
        driver = subprocess.Popen(
            command(tmp_path / "clips.jsonl", tmp_path / "out", *options),
            env={**os.environ, **QUICK},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        workers = at_work(2)
        for video in videos.values():
            video.unlink()
            shutil.copyfile(scene_folder / "video.mp4", video)
        workers[0].kill()
        lost = next(node for node in nodes if node.raylet_socket_name in " ".join(workers[1].parent().cmdline()))
        cluster.remove_node(lost)
        joined(cluster)
        out, errors = driver.communicate(timeout=500)
    finally:
        cluster.shutdown()
    assert driver.returncode == 0, errors
    assert {clip["clip"]: (clip["status"], clip["attempts"]) for clip in json.loads(out)["clips"]} == {
        "one": ("done", 2),
        "two": ("done", 2),
    }
    here = subprocess.run(
        command(tmp_path / "clips.jsonl", tmp_path / "out"), env={**os.environ, **QUICK}, capture_output=True, text=True
    )
    assert told(here)["counts"] == {"unchanged": 2}
    alone = [sys.executable, "-m", "anylift_cli", "run", str(videos["two"]), "--out", str(tmp_path / "alone.npz")]
    alone += ["--keypoints", str(scene_folder / "keypoints.npz"), "--cameras", str(scene_folder / "cameras.npz")]
    subprocess.run(alone, env={**os.environ, **QUICK}, check=True, capture_output=True)
    for name in videos:
        assert arrays(tmp_path / "out" / f"{name}.npz") == arrays(tmp_path / "alone.npz")


def joined(cluster: Any) -> Any:
    """A further machine of one core. Ray gives it 30 s, in which a busy processor may not have turned to it yet."""
    for _ in range(4):
        with suppress(Exception):
            return cluster.add_node(num_cpus=1)
    return cluster.add_node(num_cpus=1)


def at_work(count: int) -> list[psutil.Process]:
    """The actors' processes, once so many are lifting."""
    until = time.monotonic() + 240
    while time.monotonic() < until:
        found = [
            one for one in psutil.process_iter(["cmdline"]) if "ray::Lifter.lift" in (one.info["cmdline"] or [""])[0]
        ]
        if len(found) == count:
            time.sleep(1)
            return found
        time.sleep(0.5)
    raise AssertionError("no actors came to work")


@pytest.mark.slow
def test_an_s3_like_store_holds_clips_and_results(scene_folder, tmp_path, monkeypatch):
    pytest.importorskip("s3fs", reason="needs the extra `cloud`")
    moto = pytest.importorskip("moto.server", reason="needs moto[server], a store to test against")
    import fsspec.config
    import s3fs
    from fsspec.config import set_conf_env

    port = free_port()
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        for name, value in (
            ("FSSPEC_S3_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(name, value)
        set_conf_env(fsspec.config.conf)
        store = s3fs.S3FileSystem(endpoint_url=f"http://127.0.0.1:{port}", key="test", secret="test")
        store.mkdir("bucket")
        store.put_file(str(scene_folder / "video.mp4"), "bucket/clips/day/squat.mp4")
        store.pipe_file("bucket/clips/list.jsonl", rows(scene_folder, {"day/squat": "day/squat.mp4"}).encode())

        def run() -> dict:
            given = command("s3://bucket/clips/list.jsonl", "s3://bucket/out")
            return told(subprocess.run(given, env={**os.environ, **QUICK}, capture_output=True, text=True))

        assert run()["counts"] == {"done": 1}
        stored = {name.removeprefix("bucket/out/") for name in store.find("bucket/out")}
        assert {
            "results.jsonl",
            "index.html",
            "day/squat.npz",
            "day/squat.bvh",
            "day/squat.anylift/outputs.json",
        } <= stored
        assert not any(name.endswith((".lock", ".part")) for name in stored)
        etag = store.info("bucket/out/day/squat.npz")["ETag"]
        assert run()["counts"] == {"unchanged": 1}
        store.invalidate_cache()
        assert store.info("bucket/out/day/squat.npz")["ETag"] == etag
        assert read_results("s3://bucket/out")["day/squat"]["status"] == "unchanged"
    finally:
        server.stop()

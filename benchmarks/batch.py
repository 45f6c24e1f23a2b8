"""Many short clips by every route: `python benchmarks/batch.py [FOLDER] [--clips N] [--routes one,workers,shards,ray]`.

Routes: `one` process; `workers` (`--workers 2`); `shards` (three, one after the other); `ray`, a local cluster of three
machines of one core each, two of whose workers are killed in mid-run. Prints a table: clips accounted for, clips an
hour and speed against `one`, and whether all arrays of all motions are the same as there. A route that was stopped
goes on where it was; its seconds add up.

The clips are renderings of a few movements, twelve frames each, every copy with a noise of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.batch.results import read_results
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_video
from anylift_cli.video import VideoWriter, read_frames

MOTIONS = ("walk", "squat", "wave", "kick", "jog")
WIDTH, HEIGHT, FPS, SECONDS = 320, 240, 12, 1.0
ENDED = ("done", "unchanged", "empty", "failed")
KILLED = 2
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
"""Sums of floating-point numbers depend on the number of threads; with one, every route gives the same bytes."""


def make_clips(folder: Path, count: int) -> None:
    """`count` videos of which no two are the same; what is there already is kept."""
    for motion in MOTIONS[:count]:
        original = folder.parent / "originals" / f"{motion}.mp4"
        if not original.exists():
            spec = SceneSpec(f"{motion}_still", motion, "still", SECONDS, FPS, WIDTH, HEIGHT, seed=1)
            write_video(build_scene(spec), original)
    for number in range(count):
        motion = MOTIONS[number % len(MOTIONS)]
        file = folder / motion / f"{number:03d}.mp4"
        if not file.exists():
            draw = np.random.default_rng(number)
            with VideoWriter(file, WIDTH, HEIGHT, FPS) as writer:
                for frame in read_frames(folder.parent / "originals" / f"{motion}.mp4"):
                    noise = draw.normal(0, 2, frame.image.shape)
                    writer.write(np.clip(frame.image + noise, 0, 255).astype(np.uint8), frame.time)


def batch(clips: Path, out: Path, *options: object) -> subprocess.Popen[bytes]:
    """`anylift batch`, started."""
    given = [clips, "--out", out, "--keypoints", "mediapipe", "--cameras", "still", "--quiet", *options]
    command = [sys.executable, "-m", "anylift_cli", "batch", *map(str, given)]
    return subprocess.Popen(command, env={**os.environ, **ENVIRONMENT})


def one(clips: Path, out: Path) -> None:
    """One process."""
    batch(clips, out).wait()


def workers(clips: Path, out: Path) -> None:
    """Two processes."""
    batch(clips, out, "--workers", 2).wait()


def shards(clips: Path, out: Path) -> None:
    """Three shards, one after the other."""
    for number in (1, 2, 3):
        batch(clips, out, "--shard", f"{number}/3").wait()


def ray(clips: Path, out: Path) -> None:
    """A cluster of three machines, two of whose workers are killed while they lift."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        driver = batch(clips, out, "--ray", cluster.address, "--retry", 2)
        threading.Thread(target=_kill_some, args=(driver,), daemon=True).start()
        driver.wait()
    finally:
        cluster.shutdown()


ROUTES: dict[str, Callable[[Path, Path], None]] = {"one": one, "workers": workers, "shards": shards, "ray": ray}


def _kill_some(driver: subprocess.Popen[bytes]) -> None:
    """Two workers, each some seconds after it was seen at work."""
    killed: set[int] = set()
    while len(killed) < KILLED and driver.poll() is None:
        time.sleep(7)
        for process in psutil.process_iter(["cmdline"]):
            if "ray::Lifter.lift" in (process.info["cmdline"] or [""])[0] and process.pid not in killed:
                process.kill()
                killed.add(process.pid)
                print(f"killed worker {process.pid}", flush=True)
                break


def run_route(name: str, folder: Path) -> None:
    """Run a route to its end and remember the seconds that it has taken so far."""
    out, clock = folder / name, folder / f"{name}.seconds"
    earlier = float(clock.read_text()) if clock.exists() else 0.0
    clips = sorted((folder / "clips").rglob("*.mp4"))
    if len(read_results(str(out))) < len(clips):
        started = time.monotonic()
        try:
            ROUTES[name](folder / "clips", out)
        finally:
            with atomic_path(clock) as temporary:
                temporary.write_text(str(earlier + time.monotonic() - started))


def fingerprint(file: Path) -> str:
    """sha256 of all arrays of a motion; `meta` holds times and dates and is left out."""
    digest = hashlib.sha256()
    with np.load(file, allow_pickle=False) as stored:
        for name in sorted(set(stored.files) - {"meta"}):
            digest.update(f"{name} {stored[name].dtype} {stored[name].shape}".encode() + stored[name].tobytes())
    return digest.hexdigest()


def table(routes: Sequence[str], folder: Path) -> str:
    """The figures of the routes, as Markdown."""
    clips = [
        file.relative_to(folder / "clips").with_suffix("").as_posix() for file in (folder / "clips").rglob("*.mp4")
    ]
    lines = [
        "| route | clips | accounted for | lifted | s | clips/h | against one | same arrays as one |",
        "|---" * 8 + "|",
    ]
    prints, seconds = {}, {}
    for name in routes:
        found = read_results(str(folder / name))
        lifted = [clip for clip in clips if (folder / name / f"{clip}.npz").exists()]
        prints[name] = {clip: fingerprint(folder / name / f"{clip}.npz") for clip in lifted}
        seconds[name] = float((folder / f"{name}.seconds").read_text())
        ended = sum(found.get(clip, {}).get("status") in ENDED for clip in clips)
        same = sum(prints[name].get(clip) == digest for clip, digest in prints.get("one", {}).items())
        speed = f"{seconds['one'] / seconds[name]:.2f}" if "one" in seconds else "-"
        lines.append(
            f"| {name} | {len(clips)} | {ended} | {len(lifted)} | {seconds[name]:.0f} | "
            f"{len(clips) / seconds[name] * 3600:.0f} | {speed} | {same} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/batch"))
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--routes", default=",".join(ROUTES))
    given = parser.parse_args()
    routes = given.routes.split(",")
    make_clips(given.folder / "clips", given.clips)
    for name in routes:
        run_route(name, given.folder)
    print(table(routes, given.folder))
    states = {name: read_results(str(given.folder / name)) for name in routes}
    print(json.dumps({name: _counts(found) for name, found in states.items()}))


def _counts(found: dict[str, dict[str, object]]) -> dict[str, int]:
    statuses = [str(record["status"]) for record in found.values()]
    return {status: statuses.count(status) for status in ENDED if status in statuses}


if __name__ == "__main__":
    main()

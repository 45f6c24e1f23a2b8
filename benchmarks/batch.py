"""Many short clips by every route: `python benchmarks/batch.py [FOLDER] [--clips N] [--routes one,workers,shards,ray]`.

Routes: `one` process, which lifts the first `--one` clips only; `workers` (`--workers 2`); `shards` (three, one after
the other); `ray`, a local cluster of three machines of one core each, two of whose workers are killed in mid-run.
Prints a table: clips accounted for, clips an hour and speed against `one`, and of how many clips all arrays are the
same in every route that lifted them. A route that was stopped goes on where it was, one with more `--clips` than before
too; its seconds add up.

The clips are renderings of a few movements, six frames each, every one with a part and a noise of its own.
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
from itertools import islice
from pathlib import Path

import numpy as np
import psutil

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.batch.results import read_results
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_video
from anylift_cli.video import VideoWriter, read_frames

MOTIONS = ("walk", "squat", "wave", "kick", "jog")
WIDTH, HEIGHT, FPS, SECONDS, FRAMES = 320, 240, 12, 3.0, 6
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
            start = draw.integers(FPS, round(SECONDS * FPS) - FRAMES)
            frames = islice(read_frames(folder.parent / "originals" / f"{motion}.mp4"), start, start + FRAMES)
            with VideoWriter(file, WIDTH, HEIGHT, FPS) as writer:
                for frame in frames:
                    noise = draw.normal(0, 2, frame.image.shape)
                    writer.write(np.clip(frame.image + noise, 0, 255).astype(np.uint8))


def batch(clips: Path, out: Path, *options: object) -> subprocess.Popen[bytes]:
    """`anylift batch`, started."""
    given = [clips, "--out", out, "--keypoints", "mediapipe", "--cameras", "still", "--quiet", *options]
    command = [sys.executable, "-m", "anylift_cli", "batch", *map(str, given)]
    return subprocess.Popen(command, env={**os.environ, **ENVIRONMENT})


def one(clips: Path, out: Path) -> None:
    """One process, and as many clips as `main` has named for it."""
    batch(out.with_suffix(".jsonl"), out).wait()


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


def clips_of(route: str, folder: Path) -> list[str]:
    """The names of the clips that a route is to lift."""
    if route == "one":
        return [json.loads(line)["name"] for line in (folder / "one.jsonl").read_text().splitlines()]
    place = folder / "clips"
    return sorted(file.relative_to(place).with_suffix("").as_posix() for file in place.rglob("*.mp4"))


def name_clips_of_one(folder: Path, count: int) -> None:
    """Write the manifest of the route `one`."""
    some = sorted(clips_of("all", folder), key=lambda clip: clip.rsplit("/", 1)[-1])[:count]
    rows = [json.dumps({"video": f"clips/{clip}.mp4", "name": clip}) for clip in some]
    (folder / "one.jsonl").write_text("\n".join(rows))


def run_route(name: str, folder: Path) -> None:
    """Run a route to its end and remember the seconds that it has taken so far."""
    out, clock = folder / name, folder / f"{name}.seconds"
    earlier = float(clock.read_text()) if clock.exists() else 0.0
    if any(clip not in read_results(str(out)) for clip in clips_of(name, folder)):
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


def fingerprints(out: Path, clips: Sequence[str]) -> dict[str, str]:
    """Of each clip that a route has lifted."""
    return {clip: fingerprint(out / f"{clip}.npz") for clip in clips if (out / f"{clip}.npz").exists()}


def table(routes: Sequence[str], folder: Path) -> str:
    """The figures of the routes, as Markdown."""
    lines = [
        "| route | clips | accounted for | lifted | s | clips/h | against one | same arrays everywhere |",
        "|---" * 8 + "|",
    ]
    clips = {name: clips_of(name, folder) for name in routes}
    prints = {name: fingerprints(folder / name, clips[name]) for name in routes}
    rates = {name: len(clips[name]) / float((folder / f"{name}.seconds").read_text()) for name in routes}
    for name in routes:
        found = read_results(str(folder / name))
        ended = sum(found.get(clip, {}).get("status") in ENDED for clip in clips[name])
        same = sum(
            all(other[clip] == digest for other in prints.values() if clip in other)
            for clip, digest in prints[name].items()
        )
        speed = f"{rates[name] / rates['one']:.2f}" if "one" in rates else "-"
        lines.append(
            f"| {name} | {len(clips[name])} | {ended} | {len(prints[name])} | {len(clips[name]) / rates[name]:.0f} | "
            f"{3600 * rates[name]:.0f} | {speed} | {same} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/batch"))
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--one", type=int, default=30)
    parser.add_argument("--routes", default=",".join(ROUTES))
    given = parser.parse_args()
    routes = given.routes.split(",")
    make_clips(given.folder / "clips", given.clips)
    name_clips_of_one(given.folder, given.one)
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

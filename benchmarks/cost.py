"""What a frame costs, stage by stage: `python benchmarks/cost.py [FOLDER] [--lengths 10,30,60]`.

Each stage runs as a process of its own on one thread; processor seconds and peak memory are what Linux counted.
One axis is varied at a time: length (at 640x360, one person), people side by side, and resolution (both at the first
length). A straight line through the lengths gives seconds per frame, the share that does not grow, and how far the
points lie off it. What was measured is kept in FOLDER/cost.jsonl and not measured again. Long videos: long_video.py.

A clip is `walk_still` played forth and back.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_video
from anylift_cli.video import VideoWriter, read_frames

FPS = 20
SCENE_SECONDS = 5.0
SIZES = ((320, 180), (640, 360), (1280, 720))
BASE = SIZES[1]
STAGES = ("keypoints", "cameras", "lift", "fit")
NOTING = """
import atexit, pathlib, runpy, sys
status, peak = pathlib.Path("/proc/self/status"), pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: peak.write_text(status.read_text().partition("VmHWM:")[2].split()[0]))
runpy.run_module("anylift_cli", run_name="__main__")
"""
"""Runs anylift and leaves its peak memory, KiB. What `wait4` tells begins with the memory of the process that started
it."""


@dataclass(frozen=True)
class Case:
    """A clip: seconds, people, and the size of the picture of one of them."""

    seconds: float
    people: int
    width: int
    height: int

    @property
    def frames(self) -> int:
        return round(self.seconds * FPS)

    @property
    def name(self) -> str:
        return f"{self.seconds:g}s_{self.people}p_{self.width}x{self.height}"


def cases(lengths: Sequence[float]) -> list[Case]:
    """One axis at a time, each case once."""
    first = min(lengths)
    varied = [
        *(Case(seconds, 1, *BASE) for seconds in lengths),
        *(Case(first, people, *BASE) for people in (1, 2)),
        *(Case(first, 1, *size) for size in SIZES),
    ]
    return list(dict.fromkeys(varied))


def make_clip(case: Case, folder: Path) -> Path:
    """The scene forth and back for as long as asked, people side by side."""
    scene, clip = folder / f"scene_{case.width}x{case.height}.mp4", folder / f"{case.name}.mp4"
    if not scene.exists():
        size = case.width, case.height
        write_video(build_scene(SceneSpec("walk_still", "walk", "still", SCENE_SECONDS, FPS, *size, seed=1)), scene)
    if not clip.exists():
        images = [frame.image for frame in read_frames(scene)]
        there_and_back = [*range(len(images)), *range(len(images) - 2, 0, -1)]
        with VideoWriter(clip, case.width * case.people, case.height, FPS) as writer:
            for number in range(case.frames):
                image = images[there_and_back[number % len(there_and_back)]]
                writer.write(np.concatenate([image] * case.people, axis=1))
    return clip


def measured(case: Case, folder: Path) -> Iterator[dict[str, object]]:
    """Each stage's processor and wall seconds and peak memory in MB; the start of Python is in them."""
    clip, work = make_clip(case, folder), folder / case.name
    work.mkdir(exist_ok=True)
    made = {name: work / f"{name}.npz" for name in ("keypoints", "cameras", "lifted", "motion")}
    commands = {
        "keypoints": ["keypoints", clip, "--person", "all", "--out", made["keypoints"]],
        "cameras": ["cameras", clip, made["keypoints"], "--out", made["cameras"]],
        "lift": ["lift", made["keypoints"], made["cameras"], "--out", made["lifted"]],
        "fit": ["fit", made["lifted"], made["keypoints"], "--out", made["motion"]],
    }
    for stage in STAGES:
        peak = work / "peak.txt"
        asked = map(str, [peak, *commands[stage], "--quiet", "--force", stage])
        command = [sys.executable, "-c", NOTING, *asked]
        started = time.monotonic()
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        _, status, used = os.wait4(process.pid, 0)
        if status != 0:
            raise SystemExit(f"{stage} of {clip} failed")
        yield {
            **asdict(case),
            "frames": case.frames,
            "stage": stage,
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
            "wall_seconds": round(time.monotonic() - started, 2),
            "peak_mb": round(int(peak.read_text()) / 1024),
        }


def line(frames: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Slope and height of the least-squares line, and the largest distance from it in % of the value there."""
    slope, height = np.polyfit(frames, values, 1)
    fitted = slope * frames + height
    return float(slope), float(height), float(100 * np.abs(values / fitted - 1).max())


def tables(rows: Sequence[dict]) -> str:
    """All figures and the fits, as Markdown."""
    lines = ["| clip | frames | " + " | ".join(f"{stage}, s (MB)" for stage in STAGES) + " |", "|---" * 6 + "|"]
    names = list(dict.fromkeys(Case(r["seconds"], r["people"], r["width"], r["height"]) for r in rows))
    for case in names:
        of_case = {r["stage"]: r for r in rows if Case(r["seconds"], r["people"], r["width"], r["height"]) == case}
        cells = (f"{of_case[s]['cpu_seconds']:.1f} ({of_case[s]['peak_mb']})" if s in of_case else "-" for s in STAGES)
        lines.append(f"| {case.name} | {case.frames} | " + " | ".join(cells) + " |")
    lines += ["", "| stage | ms/frame | fixed, s | farthest off the line, % | peak memory, MB |", "|---" * 5 + "|"]
    for stage in STAGES:
        along = [r for r in rows if r["stage"] == stage and r["people"] == 1 and (r["width"], r["height"]) == BASE]
        if len(along) < 2:
            continue
        frames = np.array([r["frames"] for r in along], float)
        slope, height, off = line(frames, np.array([r["cpu_seconds"] for r in along]))
        memory = f"{min(r['peak_mb'] for r in along)} to {max(r['peak_mb'] for r in along)}"
        lines.append(f"| {stage} | {1000 * slope:.1f} | {height:.1f} | {off:.1f} | {memory} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/cost"))
    parser.add_argument("--lengths", default="10,30,60", help="seconds, with commas")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    lengths = [float(one) for one in given.lengths.split(",")]
    kept = given.folder / "cost.jsonl"
    rows = [json.loads(text) for text in kept.read_text().splitlines()] if kept.exists() else []
    for case in cases(lengths):
        if {r["stage"] for r in rows if r.items() >= asdict(case).items()} >= set(STAGES):
            continue
        for row in measured(case, given.folder):
            rows.append(row)
            with open(kept, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)
    print(tables(rows))


if __name__ == "__main__":
    main()

"""A long video in one run: `python benchmarks/long_video.py [FOLDER] [--seconds 1800] [--fps 10]`.

`walk_still` at 720p, forth and back, is lifted by the default chain on one thread. Once a second the process notes its
processor time, its memory and how many frames the stage at work is through (`samples.jsonl`); a run that was stopped
goes on and adds to them. Writes `course.png`, memory and speed over processor time, and prints Markdown: frames a
processor second of each stage by quarters, peak memory, and the jerk of the joints at the borders of the windows that
lift and fit solve on their own, beside what is usual. Where FOLDER holds several lengths, also the straight line
through them. Memory is what Linux counts as resident.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import av
import matplotlib
import numpy as np
import psutil
import torch

from anylift_cli.artifacts import LiftedArtifact, MotionArtifact
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.chain import run_chain
from anylift_cli.geometry.windows import equal_windows
from anylift_cli.request import Request
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_video
from anylift_cli.video import VideoWriter, read_frames

SIZE = 1280, 720
SCENE_SECONDS = 5.0
STAGES = {"finding": "keypoints", "people": "keypoints", "camera:": "cameras", "lift:": "lift", "fit:": "fit"}
"""First word of what the chain says that it does, and whose work that is."""
BLEND = 2
"""Frames around a border that its kink may reach."""


def make_clip(folder: Path, seconds: float, fps: float) -> Path:
    """The scene forth and back, whole rounds of it; one is encoded, then its packets are repeated."""
    scene, loop, clip = (folder / f"{name}_{fps:g}fps.mp4" for name in ("scene", "round", f"{seconds:g}s"))
    if not scene.exists():
        write_video(build_scene(SceneSpec("walk_still", "walk", "still", SCENE_SECONDS, fps, *SIZE, seed=1)), scene)
    if not loop.exists():
        images = [frame.image for frame in read_frames(scene)]
        with VideoWriter(loop, *SIZE, fps) as writer:
            for image in images + images[-2:0:-1]:
                writer.write(image)
    if not clip.exists():
        with atomic_path(clip) as temporary:
            _repeat(loop, temporary, round(seconds * fps))
    return clip


def _repeat(loop: Path, clip: Path, frames: int) -> None:
    with av.open(str(clip), "w", format="mp4") as out:
        stream, written, shift = None, 0, 0
        while written < frames:
            with av.open(str(loop)) as source:
                stream = stream or out.add_stream_from_template(source.streams.video[0])
                packets = [packet for packet in source.demux(video=0) if packet.size]
                length = source.streams.video[0].duration
                for packet in packets:
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    out.mux(packet)
            shift, written = shift + length, written + len(packets)


@dataclass
class _Count:
    """Frames of the task at hand."""

    name: str = ""
    done: float = 0.0

    def advance(self, amount: float = 1) -> None:
        self.done += amount


class Recorder:
    """Progress of a run that is noted once a second, with processor time and memory."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream, self._now, self._lock = stream, _Count("start"), threading.Lock()
        self._ended = threading.Event()
        self._process = psutil.Process()

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "frames") -> Iterator[_Count]:
        """See `Progress.task`."""
        self.sample()
        self._now = _Count(description)
        self.sample()
        try:
            yield self._now
        finally:
            self.sample()

    def note(self, message: str) -> None:
        """See `Progress.note`."""
        print(message, flush=True)

    def sample(self) -> None:
        """Note one line."""
        with self._lock:
            row = {
                "cpu": round(time.process_time(), 3),
                "mb": round(self._process.memory_info().rss / 1e6, 1),
                "task": self._now.name,
                "done": self._now.done,
            }
            self._stream.write(json.dumps(row) + "\n")
            self._stream.flush()

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Once a second, until the block ends."""
        thread = threading.Thread(target=self._sample_all, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self.sample()

    def _sample_all(self) -> None:
        while not self._ended.wait(1.0):
            self.sample()


def read_samples(log: Path) -> list[dict[str, Any]]:
    """What was noted; the processor time of a run that went on with another's work follows on that one's."""
    samples = [json.loads(text) for text in log.read_text().splitlines()]
    earlier = before = 0.0
    for row in samples:
        earlier += before if row["cpu"] < before else 0.0
        before = row["cpu"]
        row["cpu"] += earlier
    return samples


def stage_of(task: str) -> str:
    """Whose work a task is."""
    return STAGES.get(task.split()[0], "start")


def spans(samples: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The samples of the longest task of each stage."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for row in samples:
        tasks.setdefault(row["task"], []).append(row)
    longest: dict[str, list[dict[str, Any]]] = {}
    for name, rows in tasks.items():
        stage = stage_of(name)
        took = rows[-1]["cpu"] - rows[0]["cpu"]
        if stage != "start" and took > _took(longest.get(stage)):
            longest[stage] = rows
    return longest


def _took(rows: list[dict[str, Any]] | None) -> float:
    return rows[-1]["cpu"] - rows[0]["cpu"] if rows else -1.0


def speeds(rows: Sequence[dict[str, Any]], parts: int = 4) -> list[float]:
    """Frames a processor second in each of so many parts of the task's frames."""
    done, cpu = np.array([row["done"] for row in rows]), np.array([row["cpu"] for row in rows])
    last = int(np.searchsorted(done, done[-1]))
    edges = np.linspace(0, done[-1], parts + 1)
    at = np.interp(edges, done[: last + 1], cpu[: last + 1])
    return list(np.diff(edges) / np.maximum(np.diff(at), 1e-3))


def stage_seconds(samples: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Processor seconds from the begin of each stage's first task to that of the next; what follows the fit is its."""
    seconds: dict[str, float] = {}
    for row, after in pairwise(samples):
        stage = stage_of(row["task"])
        seconds[stage] = seconds.get(stage, 0.0) + after["cpu"] - row["cpu"]
    return seconds


def jerk(joints: np.ndarray, fps: float) -> np.ndarray:
    """Mean over the joints (T, J, 3) m of the third difference, m/s³, of frames 0 … T - 4 on."""
    return np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1).mean(-1) * fps**3


def at_borders(count: int) -> np.ndarray:
    """Which of `count` frames lie where one window is faded into the next, or right beside that."""
    near = np.zeros(count, bool)
    parts = list(equal_windows(count))
    for before, after in pairwise(parts):
        near[max(after.start - BLEND, 0) : before.stop + BLEND] = True
    return near


def at_kinks(count: int) -> np.ndarray:
    """Which lie within `BLEND` frames of a window's first or last frame: where fading begins and ends."""
    near = np.zeros(count, bool)
    parts = list(equal_windows(count))
    for edge in [part.start for part in parts[1:]] + [part.stop for part in parts[:-1]]:
        near[max(edge - BLEND, 0) : edge + BLEND] = True
    return near


def seams(folder: Path, fps: float) -> str:
    """Median jerk where windows meet, of lifted points and of the motion's joints, and what is usual.

    Usual is the median, and the range that 95 % of the medians lie in, of as many frames equally far apart anywhere.
    """
    lifted = LiftedArtifact.load(folder / "motion.anylift/lifted.npz").joints[0]
    motion = MotionArtifact.load(folder / "motion.npz").joints
    lines = [
        "| jerk, m/s³ | where windows overlap | usual | at their first and last frames | usual |",
        "|---|---:|---|---:|---|",
    ]
    for name, joints in (("lifted points", lifted), ("joints of the motion", motion)):
        rough = jerk(np.asarray(joints, float), fps)
        told = []
        for which in (at_borders, at_kinks):
            # a third difference starting at frame t spans t … t + 3; it is told at t + 1
            near = which(len(joints))[1:-2]
            anywhere = [np.median(rough[np.roll(near, by)]) for by in range(1, len(near))] if near.any() else [np.nan]
            low, middle, high = np.percentile(anywhere, (2.5, 50, 97.5))
            here = np.median(rough[near]) if near.any() else np.nan
            told.append(f"{here:.1f} | {middle:.1f} ({low:.1f} to {high:.1f})")
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join(lines)


def draw(samples: Sequence[dict[str, Any]], file: Path) -> None:
    """Memory and speed over processor time."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (top, below) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 5), layout="constrained")
    cpu = [row["cpu"] for row in samples]
    top.plot(cpu, [row["mb"] for row in samples], color="black", linewidth=1)
    top.set(ylabel="resident memory, MB", ylim=(0, None))
    for number, (stage, rows) in enumerate(spans(samples).items()):
        for axis in (top, below):
            axis.axvspan(rows[0]["cpu"], rows[-1]["cpu"], color=f"C{number}", alpha=0.15, linewidth=0)
        top.text((rows[0]["cpu"] + rows[-1]["cpu"]) / 2, 20, stage, ha="center", rotation=0, fontsize=8)
        rates = speeds(rows, 20)
        edges = np.linspace(rows[0]["cpu"], rows[-1]["cpu"], len(rates) + 1)
        below.stairs(rates, edges, color=f"C{number}")
    below.set(ylabel="frames / processor second", xlabel="processor seconds", ylim=(0, None))
    with atomic_path(file) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def report(samples: Sequence[dict[str, Any]], frames: int) -> str:
    """Speed by quarters and memory of each stage, as Markdown."""
    seconds = stage_seconds(samples)
    lines = [
        "| stage | processor s | frames/s of the quarters | memory in its first and last quarter, MB | peak, MB |",
        "|---|---:|---|---|---:|",
    ]
    for stage, rows in spans(samples).items():
        rates = " ".join(f"{rate:.1f}" for rate in speeds(rows))
        memory = np.array([row["mb"] for row in rows])
        quarter = max(len(memory) // 4, 1)
        ends = f"{np.median(memory[:quarter]):.0f}, {np.median(memory[-quarter:]):.0f}"
        lines.append(f"| {stage} | {seconds[stage]:.0f} | {rates} | {ends} | {memory.max():.0f} |")
    peak = max(row["mb"] for row in samples)
    lines.append(f"| **all** | {samples[-1]['cpu']:.0f} | | | {peak:.0f} |")
    return f"{frames} frames\n\n" + "\n".join(lines)


def line(folder: Path) -> str:
    """Processor seconds of all lengths of FOLDER against frames, stage by stage, and the straight line through them."""
    runs = sorted((json.loads(file.read_text()) for file in folder.glob("*/run.json")), key=lambda run: run["frames"])
    if len(runs) < 3:
        return ""
    frames = np.array([run["frames"] for run in runs], float)
    shown = ", ".join(str(run["frames"]) for run in runs)
    lines = [
        f"| stage | processor s at {shown} frames | ms/frame | fixed, s | off the line, % |",
        "|---|---|---:|---:|---|",
    ]
    for stage in ("keypoints", "cameras", "lift", "fit", "all"):
        spent = np.array([run["seconds"][stage] for run in runs])
        slope, height = np.polyfit(frames, spent, 1, w=1 / spent)
        off = ", ".join(
            f"{100 * (one / (slope * at + height) - 1):+.0f}" for at, one in zip(frames, spent, strict=True)
        )
        told = ", ".join(f"{one:.0f}" for one in spent)
        lines.append(f"| {stage} | {told} | {1000 * slope:.1f} | {height:.1f} | {off} |")
    peaks = ", ".join(f"{run['peak_mb']:.0f}" for run in runs)
    return "\n".join(lines) + f"\n\nPeak memory, MB: {peaks}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", nargs="?", type=Path, default=Path("out/long"))
    options.add_argument("--seconds", type=float, default=1800)
    options.add_argument("--fps", type=float, default=10)
    asked = options.parse_args()
    torch.set_num_threads(1)
    asked.folder.mkdir(parents=True, exist_ok=True)
    clip = make_clip(asked.folder, asked.seconds, asked.fps)
    place = asked.folder / clip.stem
    place.mkdir(exist_ok=True)
    log, done = place / "samples.jsonl", place / "run.json"
    if not done.exists():
        with open(log, "a", encoding="utf-8") as stream:
            recorder = Recorder(stream)
            with recorder.sampling():
                run_chain(Request(clip, place / "motion.npz", place / "motion.anylift"), recorder)
    samples = read_samples(log)
    frames = len(MotionArtifact.load(place / "motion.npz").timestamps)
    seconds = {**stage_seconds(samples), "all": samples[-1]["cpu"]}
    peak = max(row["mb"] for row in samples)
    done.write_text(json.dumps({"frames": frames, "seconds": seconds, "peak_mb": peak}))
    draw(samples, place / "course.png")
    print(report(samples, frames), seams(place, asked.fps), line(asked.folder), sep="\n\n")


if __name__ == "__main__":
    main()

"""Kills `anylift run` at random and looks at what is left: `python benchmarks/soak.py --out FOLDER [--kills N]`.

A clip of 15 frames is lifted again and again in one work folder. Each run is killed (SIGKILL) at a random moment of its
processor time, right before a random file-system call of its own (open, rename, remove, …), or by the kernel within a
random write; every tenth has a second run on the same folder beside it. After each kill every artifact that loads must
be whole and hold what an uninterrupted run gives, nothing finished may be gone or made again, and once a run comes to
its end the artifacts, the BVH file and the figures must equal those of the uninterrupted run bit for bit. Libraries
are imported once and runs are forked from there, so that kills fall into the work and not into imports.

The folder keeps a line for each kill (`kills.jsonl`), so that the same command goes on where it was stopped. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2  # noqa: F401
import torch

import anylift_cli.cameras.still
import anylift_cli.chain
import anylift_cli.export.bvh
import anylift_cli.fitting.solve
import anylift_cli.keypoints.imports.estimator
import anylift_cli.lifting.optimize
import anylift_cli.report.quality  # noqa: F401
from anylift_cli.__main__ import main as anylift
from anylift_cli.artifacts import ARTIFACTS
from anylift_cli.artifacts.base import read_meta
from anylift_cli.errors import AnyliftError
from anylift_cli.pipeline import Source
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_scene

CALLS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "tempfile.mkstemp"}
"""Audit events of Python after which a file system looks different."""
CLIP = SceneSpec("squat", "squat", "still", seconds=1.5, fps=10, width=320, height=180, seed=1)
MOST_CALLS, WRITES = 60, (3000, 20_000)
"""File-system calls of a run; bytes, more than its messages take, up to its largest file."""
LOG = "kills.jsonl"


@dataclass(frozen=True)
class Plan:
    """How a run is to die: `way` is "moment" (s of processor time), "call" (number) or "write" (bytes of a file)."""

    way: str
    at: float
    rival: bool


def plan(number: int, seconds: float) -> Plan:
    """Of kill `number`; `seconds` is the processor time of a whole run."""
    rng = random.Random(number)
    way = rng.choices(("moment", "call", "write"), (4, 5, 1))[0]
    span = {"moment": (0, seconds), "call": (0, MOST_CALLS), "write": WRITES}[way]
    return Plan(way, rng.uniform(*span), number % 10 == 9)


def start(scene: Path, out: Path, prepare: Callable[[], None] = lambda: None) -> int:
    """Fork a run; its messages go to a file beside `out`."""
    pid = os.fork()
    if pid:
        return pid
    log = os.open(out.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    torch.set_num_threads(1)
    given = ["--keypoints", scene / "keypoints.npz", "--cameras", "still", "--fov", "50"]
    sys.argv = ["anylift", "run", str(scene / "video.mp4"), "--out", str(out), *map(str, given)]
    prepare()
    try:
        anylift()
    except SystemExit as ended:
        os._exit(int(ended.code or 0))
    os._exit(70)


def killed_at_call(number: int, folder: Path) -> Callable[[], None]:
    """Kills itself right before the file-system call of that number within `folder`."""
    seen = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in CALLS and str(folder) in str(arguments[0]):
            seen += 1
            if seen > number:
                os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(watch)


def killed_in_write(size: int) -> Callable[[], None]:
    """Is killed by the kernel when a file grows beyond `size` bytes."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def run(scene: Path, out: Path, how: Plan | None = None) -> tuple[int, float]:
    """Exit code, negative for a signal, and processor time of a run that dies as planned or comes to its end."""
    prepare: Callable[[], None] = lambda: None  # noqa: E731
    if how is not None and how.way == "call":
        prepare = killed_at_call(int(how.at), out.parent)
    elif how is not None and how.way == "write":
        prepare = killed_in_write(int(how.at))
    out.with_suffix(".log").unlink(missing_ok=True)
    pid = start(scene, out, prepare)
    rival = start(scene, out) if how is not None and how.rival else None
    while how is not None and how.way == "moment":
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if time.clock_gettime((~pid << 3) | 2) >= how.at:
            os.kill(pid, signal.SIGKILL)
            _, status, used = os.wait4(pid, 0)
            break
        time.sleep(0.002)
    else:
        _, status, used = os.wait4(pid, 0)
    if rival is not None:
        _, other, _ = os.wait4(rival, 0)
        said = out.with_suffix(".log").read_text()
        assert os.waitstatus_to_exitcode(other) == 0 or "another anylift run is using" in said, said
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def results(out: Path) -> dict[str, str]:
    """What is there and whole, by name: the key of an artifact's content, or a text file's content.

    Damaged artifacts, which the next run would make again, are left out.
    """
    found = {}
    for file in [*out.with_suffix(".anylift").glob("*.npz"), out]:
        if file.name.startswith(".") or not file.exists():
            continue
        try:
            kind = ARTIFACTS[read_meta(file).get("schema")]
            found[str(file.relative_to(out.parent))] = Source.from_artifact(kind.load(file)).key
        except (AnyliftError, KeyError):
            continue
    for file in (out.with_suffix(".bvh"), out.with_suffix(".anylift") / "quality.json"):
        if file.exists():
            found[file.name] = file.read_text()
    return found


def stage_times(out: Path) -> dict[Path, int]:
    """When each artifact was written, ns."""
    files = out.with_suffix(".anylift").glob("[!.]*.npz")
    return {file: file.stat().st_mtime_ns for file in files}


def check_after_kill(out: Path, wanted: dict[str, str], before: dict[Path, int]) -> int:
    """Files that are there and right.

    Raises:
        AssertionError: something is wrong, half or gone.
    """
    there = stage_times(out)
    for file, written in before.items():
        assert there.get(file) == written, f"{file} was finished, and is gone or made again"
    found = results(out)
    assert {str(file.relative_to(out.parent)) for file in there} <= found.keys(), (
        "a half-written artifact has its full name"
    )
    for name, content in found.items():
        assert content == wanted[name], f"{name} differs from an uninterrupted run's"
    return len(found)


def soak(folder: Path, kills: int) -> Counter[str]:
    """Kill until there were `kills`; how many of each way.

    Raises:
        AssertionError: what is left after a kill is not as it should be; the folder is left for a look at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene, log = folder / "scene", folder / LOG
    if not (scene / "keypoints.npz").exists():
        write_scene(build_scene(CLIP), scene)
    reference = folder / "whole" / "motion.npz"
    shutil.rmtree(reference.parent, ignore_errors=True)
    reference.parent.mkdir()
    code, seconds = run(scene, reference)
    wanted = results(reference)
    assert code == 0 and len(wanted) == 7, reference.with_suffix(".log").read_text()
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    out, before = folder / "killed" / "motion.npz", {}
    shutil.rmtree(out.parent, ignore_errors=True)
    number = done[-1]["number"] + 1 if done else 0
    with open(log, "a", encoding="utf-8") as stream:
        while len(done) < kills:
            out.parent.mkdir(exist_ok=True)
            how = plan(number, seconds)
            code, used = run(scene, out, how)
            right = check_after_kill(out, wanted, before)
            before = stage_times(out)
            if code in (-signal.SIGKILL, -signal.SIGXFSZ):
                done.append(
                    {"number": number, "way": how.way, "rival": how.rival, "seconds": round(used, 2), "right": right}
                )
                print(json.dumps(done[-1]), file=stream, flush=True)
            elif not (how.rival and code == 1):
                assert code == 0, out.with_suffix(".log").read_text()
            number += 1
            if len(results(out)) == len(wanted) and code == 0:
                _check_end(out, wanted)
                shutil.rmtree(out.parent)
                before = {}
    out.parent.mkdir(exist_ok=True)
    assert run(scene, out)[0] == 0, out.with_suffix(".log").read_text()
    check_after_kill(out, wanted, before)
    _check_end(out, wanted)
    return Counter(one["way"] for one in done)


def _check_end(out: Path, wanted: dict[str, str]) -> None:
    assert results(out) == wanted
    left = [file for file in out.parent.rglob(".*") if file.name != ".lock"]
    assert not left, f"temporary files of killed runs are left: {left}"


def main() -> None:
    """Run or go on."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--out", type=Path, default=Path("soak"))
    options.add_argument("--kills", type=int, default=200)
    asked = options.parse_args()
    ways = soak(asked.out.resolve(), asked.kills)
    print(f"{ways.total()} kills ({', '.join(f'{count} {way}' for way, count in sorted(ways.items()))}): nothing lost")


if __name__ == "__main__":
    main()

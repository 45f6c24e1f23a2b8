"""Damaged and hostile files for everything that reads files: `python benchmarks/fuzz.py --out FOLDER [WORD …]`.

Every case is a whole file of tests/hostile damaged in its own way by its number, read in a process with 2 GiB of
memory above what the program itself has and 20 s of processor time. A reader may return or raise AnyliftError; anything
else is a crash. WORDs choose parsers by parts of their names; every parser has its share of all `--cases`. The folder
keeps what was done (`cases.jsonl`), so that the same command goes on where it was stopped. Prints a Markdown table;
exits with 1 where there were crashes.

`--again NUMBER` reads one case of one parser here, with its traceback, and leaves the file in the folder. `--atheris
SECONDS` lets atheris, where it is installed, look for inputs by coverage instead. Linux.
"""

from __future__ import annotations

import argparse
import gc
import json
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile.parsers import PARSERS, Cases, Parser

import anylift_cli.body.model
import anylift_cli.cameras.imports.solver
import anylift_cli.evaluation.formats.read
import anylift_cli.keypoints.imports.estimator
import anylift_cli.lifting.checkpoint
import anylift_cli.meshes.reading  # noqa: F401
from anylift_cli.errors import AnyliftError

BATCH = 200
MEMORY = 2 << 30
SECONDS = 20.0
"""Processor time of one case."""
STUCK = 300.0
"""Seconds by the clock without any processor time after which a process is taken to hang."""
LOG = "cases.jsonl"
MEMORY_FOLDER = Path("/dev/shm")


def work(cases: Cases, first: int, last: int, place: mmap.mmap, log: Path) -> None:
    """Read the cases `first` … `last` - 1; `log` gets a line for each batch, `place` the number of the case at hand."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1), os.dup2(silence, 2)
    for number in range(-len(cases.whole), 0):
        _one(cases, number)
    resource.setrlimit(resource.RLIMIT_AS, (_virtual() + MEMORY,) * 2)
    before = _peak()
    for start in range(first, last, BATCH):
        batch = _batch(cases.parser.name, start)
        for number in range(start, min(start + BATCH, last)):
            place[:] = number.to_bytes(8, "little")
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            outcome, seconds = _one(cases, number)
            signal.setitimer(signal.ITIMER_PROF, 0)
            batch["count"] += 1
            batch["refused"] += outcome == "refused"
            batch["worst"] = max(batch["worst"], seconds)
            if outcome not in ("refused", "read"):
                batch["crashes"].append({"case": number, "error": outcome})
        note(log, {**batch, "memory": _peak() - before})


def note(log: Path, batch: dict[str, Any]) -> None:
    """Add a line to the log."""
    with open(log, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(batch) + "\n")


def _batch(parser: str, first: int) -> dict[str, Any]:
    return {"parser": parser, "first": first, "count": 0, "refused": 0, "worst": 0.0, "memory": 0, "crashes": []}


def _one(cases: Cases, number: int) -> tuple[str, float]:
    """What became of a case, and its processor time."""
    folder = Path(tempfile.mkdtemp(dir=MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None))
    try:
        path = cases.write(number, folder / "case")
        started = time.process_time()
        try:
            cases.parser.read(path)
            outcome = "read"
        except AnyliftError as error:
            outcome = "refused" if str(error.message) else "an error without a message"
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            own = [at for at in traceback.extract_tb(error.__traceback__) if "anylift_cli" in at.filename]
            at = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
            outcome = f"{type(error).__name__} at {at} ({Path(place.filename).name}:{place.lineno}): {str(error)[:120]}"
        return outcome, time.process_time() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_all(parser: Parser, last: int, log: Path) -> None:
    """The cases of a parser that are not in `log`, in a child; where it dies or hangs, the case at hand is a crash."""
    cases = Cases(parser)
    place = mmap.mmap(-1, 8)
    while (first := _next(parser, log)) < last:
        place[:] = first.to_bytes(8, "little")
        child = os.fork()
        if not child:
            try:
                work(cases, first, last, place, log)
            finally:
                os._exit(70 if sys.exc_info()[0] else 0)
        status = _waited(child)
        if status:
            at = int.from_bytes(place[:], "little")
            why = "over 20 s of processor time" if status == -signal.SIGPROF else f"the process ended with {status}"
            done = _next(parser, log)
            crash = [{"case": at, "error": why}]
            note(log, {**_batch(parser.name, done), "count": at + 1 - done, "crashes": crash})


def _waited(child: int) -> int:
    """Exit code; a child whose processor time stands still for `STUCK` seconds is killed."""
    used, since = -1.0, time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        now = time.clock_gettime((~child << 3) | 2)
        if now > used:
            used, since = now, time.monotonic()
        elif time.monotonic() - since > STUCK:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.5)


def _next(parser: Parser, log: Path) -> int:
    done = (one for one in read_log(log) if one["parser"] == parser.name)
    return max((one["first"] + one["count"] for one in done), default=0)


def read_log(log: Path) -> list[dict[str, Any]]:
    """All batches so far."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def table(log: list[dict[str, Any]]) -> str:
    """Markdown: what was read and how it went, by parser."""
    rows = [
        "| parser | cases | refused | crashes | worst time, s | memory, MiB |", "|---|---:|---:|---:|---:|---:|"
    ]  # fmt: skip
    total = [0, 0, 0]
    for name in PARSERS:
        own = [batch for batch in log if batch["parser"] == name]
        if not own:
            continue
        counts = [sum(one[key] for one in own) for key in ("count", "refused")]
        counts.append(sum(len(one["crashes"]) for one in own))
        total = [a + b for a, b in zip(total, counts, strict=True)]
        worst, memory = max(one["worst"] for one in own), max(one["memory"] for one in own)
        rows.append(f"| {name} | {counts[0]} | {counts[1]} | {counts[2]} | {worst:.2f} | {memory / 2**20:.0f} |")
    rows.append(f"| **all** | **{total[0]}** | **{total[1]}** | **{total[2]}** | | |")
    return "\n".join(rows)


def search(parser: Parser, seconds: int) -> None:
    """Coverage-guided; atheris prints what it finds and leaves the input."""
    import atheris

    cases = Cases(parser)
    names = [(name, relative, contents) for name, contents in cases.whole for relative in contents]

    def one(content: bytes) -> None:
        name, relative, contents = names[content[0] % len(names)] if content else names[0]
        with tempfile.TemporaryDirectory(dir=MEMORY_FOLDER) as folder:
            for file, value in contents.items():
                (Path(folder) / file).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / file).write_bytes(content[1:] if file == relative else value)
            with suppress(AnyliftError):
                parser.read(Path(folder) / name)

    with tempfile.TemporaryDirectory() as corpus:
        for number, (_, relative, contents) in enumerate(names):
            (Path(corpus) / str(number)).write_bytes(bytes([number]) + contents[relative])
        for function in gc.get_objects():
            if isinstance(function, FunctionType) and (function.__module__ or "").startswith("anylift_cli"):
                atheris.instrument_func(function)
        atheris.Setup([sys.argv[0], corpus, f"-max_total_time={seconds}", "-rss_limit_mb=4096", "-timeout=60"], one)
        atheris.Fuzz()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _virtual() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main() -> int:
    """Run, resume, or show."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("words", nargs="*", help="parts of the names of parsers")
    options.add_argument("--out", type=Path, default=Path("fuzz"))
    options.add_argument("--cases", type=int, default=100_000, help="of all parsers together")
    options.add_argument("--again", type=int, metavar="NUMBER")
    options.add_argument("--atheris", type=int, metavar="SECONDS")
    options.add_argument("--jobs", type=int, default=1, help="parsers at a time")
    asked = options.parse_args()
    torch.set_num_threads(1)
    chosen = [one for one in PARSERS.values() if not asked.words or any(word in one.name for word in asked.words)]
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.again is not None:
        path = Cases(chosen[0]).write(asked.again, asked.out / f"case{asked.again}")
        print(path)
        chosen[0].read(path)
        return 0
    if asked.atheris is not None:
        search(chosen[0], asked.atheris)
        return 0
    log = asked.out / LOG
    waiting, running = list(chosen), set()
    while waiting or running:
        while waiting and len(running) < asked.jobs:
            parser = waiting.pop(0)
            child = os.fork()
            if not child:
                read_all(parser, asked.cases * parser.share // 100, log)
                os._exit(0)
            running.add(child)
        running.remove(os.wait()[0])
    done = read_log(log)
    print(table(done))
    return int(any(batch["crashes"] for batch in done))


if __name__ == "__main__":
    sys.exit(main())

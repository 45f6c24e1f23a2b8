"""Workers on this machine: processes that keep their models from clip to clip, and no more than memory has room for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from anylift_cli.batch.schedule import Doing, Event, Finished, Lost, Ready
from anylift_cli.batch.work import Job, Record, lift_clip, prepare
from anylift_cli.errors import Interrupted
from anylift_cli.memory import available
from anylift_cli.warm import Shelf

WORKER_MEMORY = 1_000_000_000
"""Bytes that the default chain needs at most (docs/first-light.md: 0.88 GB), whatever the length of the video."""
_GRACE = 5.0
"""Seconds in which a worker may end by itself."""
_TELL = 0.5
"""Seconds between two words about the same piece of work."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    busy: bool = False


class Processes:
    """A crew of up to `most` processes.

    A further worker is started only while its memory is free when all others have taken theirs. A worker needs
    `WORKER_MEMORY`, or as much as the largest so far.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads = max(1, (os.cpu_count() or 1) // most)
        self._workers: dict[int, _Worker] = {}
        self._context = multiprocessing.get_context("spawn")
        self._memory = WORKER_MEMORY

    def grow(self, wanted: int) -> None:
        while len(self._workers) < min(wanted, self._most) and self._has_room():
            pipe, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(theirs, self._threads), name="anylift worker")
            process.start()
            theirs.close()
            self._workers[process.pid] = _Worker(process, pipe)

    def give(self, worker: int, job: Job) -> None:
        self._workers[worker].busy = True
        try:
            self._workers[worker].pipe.send(job)
        except OSError:
            return

    def wait(self, seconds: float) -> list[Event]:
        numbers = {one.pipe: number for number, one in self._workers.items()}
        events: list[Event] = []
        for pipe in wait(list(numbers), seconds):
            number = numbers[pipe]
            try:
                told = pipe.recv()
                self._workers[number].busy &= not isinstance(told, Record)
                events.append(_event(number, told))
            except (EOFError, OSError):
                events.append(Lost(number, self._bury(number)))
        return events

    def dismiss(self, worker: int) -> None:
        _kill_with_children(worker)
        self._bury(worker)

    def close(self) -> None:
        for worker in self._workers.values():
            worker.pipe.close()
            if worker.busy and sys.platform != "win32" and worker.process.is_alive():
                os.kill(worker.process.pid, signal.SIGINT)
        until = time.monotonic() + _GRACE
        for number in list(self._workers):
            self._workers[number].process.join(max(0.0, until - time.monotonic()))
            self.dismiss(number)

    def _has_room(self) -> bool:
        taken = [_memory_of(number) for number in self._workers]
        self._memory = max([self._memory, *taken])
        to_come = sum(self._memory - one for one in taken)
        return not taken or available() - to_come > self._memory

    def _bury(self, number: int) -> str:
        """Forget a worker whose pipe is closed or that was killed; why it ended."""
        worker = self._workers.pop(number)
        worker.pipe.close()
        worker.process.join(_GRACE)
        code = worker.process.exitcode
        if code is None:
            _kill_with_children(number)
            return "it closed its pipe and did not end"
        if code == -signal.SIGTERM or code >= 0:
            return f"it ended with exit code {code}"
        killed = " (the system kills what takes too much memory: try fewer --workers)" if code == -9 else ""
        return f"it was ended by signal {-code}{killed}"


def _event(number: int, told: Any) -> Event:
    if isinstance(told, Record):
        return Finished(number, told)
    return Ready(number) if told is None else Doing(number, told)


def _memory_of(number: int) -> int:
    try:
        process = psutil.Process(number)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0


def _kill_with_children(number: int) -> None:
    try:
        process = psutil.Process(number)
        family = [*process.children(recursive=True), process]
    except psutil.Error:
        return
    for one in family:
        try:
            one.kill()
        except psutil.Error:
            continue


def _serve(pipe: Connection, threads: int) -> None:
    """A worker's life: clip after clip until the pipe is closed."""
    for name in _THREADS:
        os.environ.setdefault(name, str(threads))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    shelf = Shelf()
    try:
        prepare()
        pipe.send(None)
        while True:
            job = pipe.recv()
            with shelf.in_use():
                pipe.send(lift_clip(job, _Telling(pipe)))
    except (EOFError, OSError, KeyboardInterrupt, Interrupted):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        shelf.close()


def _end_with_parent() -> None:
    """Nobody would take the results of a worker whose parent was killed, and its folder would stay locked."""
    multiprocessing.parent_process().join()
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)


class _Telling:
    """Progress, told through the pipe, not too often."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "frames") -> Iterator[_Task]:
        yield _Task(self._pipe, description, total)

    def note(self, message: str) -> None:
        self._pipe.send(message)


class _Task:
    def __init__(self, pipe: Connection, description: str, total: float | None) -> None:
        self._pipe, self._description, self._total = pipe, description, total
        self._done, self._next = 0.0, 0.0

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        if time.monotonic() >= self._next:
            share = f" {self._done / self._total:.0%}" if self._total else ""
            self._pipe.send(self._description + share)
            self._next = time.monotonic() + _TELL

"""Who lifts which clip when: jobs are given out, watched, tried again, and accounted for one by one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from anylift_cli.batch.work import FAILED, Job, Record, failed
from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError

_FINAL = (UsageError.exit_code, MissingDependencyError.exit_code)
"""Exit codes of failures that would be the same again."""
_BEAT = 0.5
"""Seconds between two looks at the clock."""
_LOST_AT_START = 3
"""So many workers in a row that end before they are ready mean that none ever will be."""


@dataclass(frozen=True)
class Ready:
    """A worker has loaded what every clip needs and waits for work."""

    worker: Hashable


@dataclass(frozen=True)
class Doing:
    """What a worker is at, in words."""

    worker: Hashable
    words: str


@dataclass(frozen=True)
class Finished:
    """A worker has done its job and waits for the next."""

    worker: Hashable
    record: Record


@dataclass(frozen=True)
class Lost:
    """A worker has ended by itself, was killed, or its machine was lost."""

    worker: Hashable
    why: str


Event = Ready | Doing | Finished | Lost


class Crew(Protocol):
    """Workers of one kind: processes here, or actors of a Ray cluster. `worker` is whatever the crew calls it by."""

    def grow(self, wanted: int) -> None:
        """Start workers while there are fewer than `wanted` and there is room for another."""
        ...

    def give(self, worker: Hashable, job: Job) -> None:
        """Hand a job to a worker that waits."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """What has happened, as soon as something has, at the latest after this time."""
        ...

    def dismiss(self, worker: Hashable) -> None:
        """End a worker now, with everything that it has started. No `Lost` comes of it."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...


class Watch(Protocol):
    """Who wants to know how it goes."""

    def started(self, worker: Hashable, job: Job) -> None: ...

    def doing(self, worker: Hashable, words: str) -> None: ...

    def ended(self, worker: Hashable, record: Record, again: bool) -> None:
        """A try has ended; `again` says that another follows."""
        ...


@dataclass(frozen=True)
class Limits:
    """How patient to be.

    Attributes:
        retry: further tries of a clip whose worker was lost or that failed, unless it would be the same again.
        timeout: seconds for one try of one clip; None for no limit.
        fail_fast: whether to stop at the first clip that has failed for good.
    """

    retry: int = 1
    timeout: float | None = None
    fail_fast: bool = False


@dataclass(frozen=True)
class _Try:
    job: Job
    attempt: int
    started: float = 0.0


def work_through(jobs: Sequence[Job], crew: Crew, limits: Limits, watch: Watch) -> Iterator[Record]:
    """The record of each job, as they come; the watch hears of it once it has been taken, and so may be kept.

    Raises:
        AnyliftError: workers cannot be started.
    """
    waiting = deque(_Try(job, 1) for job in jobs)
    busy: dict[Hashable, _Try] = {}
    idle: list[Hashable] = []
    lost_at_start = 0
    while waiting or busy:
        crew.grow(len(waiting) + len(busy))
        while waiting and idle:
            worker, one = idle.pop(), waiting.popleft()
            busy[worker] = replace(one, started=time.monotonic())
            crew.give(worker, one.job)
            watch.started(worker, one.job)
        ended: list[tuple[Hashable, Record]] = []
        for event in crew.wait(_BEAT):
            if isinstance(event, Doing):
                watch.doing(event.worker, event.words)
            elif isinstance(event, Ready):
                idle.append(event.worker)
                lost_at_start = 0
            elif isinstance(event, Finished):
                idle.append(event.worker)
                ended.append((event.worker, event.record))
            elif event.worker in busy:
                ended.append((event.worker, _lost(busy[event.worker].job, event.why)))
            elif event.worker in idle:
                idle.remove(event.worker)
            else:
                lost_at_start += 1
                if lost_at_start == _LOST_AT_START:
                    raise AnyliftError(
                        f"workers end before they can work: {event.why}", "try --workers 1, or `anylift doctor`"
                    )
        for worker in _overdue(busy, limits.timeout, {worker for worker, _ in ended}):
            crew.dismiss(worker)
            ended.append((worker, _timed_out(busy[worker].job, limits.timeout)))
        for worker, record in ended:
            one = busy.pop(worker)
            record = replace(record, attempts=one.attempt)
            again = record.status == FAILED and record.exit_code not in _FINAL and one.attempt <= limits.retry
            if again:
                waiting.append(_Try(one.job, one.attempt + 1))
            else:
                yield record
            watch.ended(worker, record, again)
            if not again and record.status == FAILED and limits.fail_fast:
                return


def _overdue(busy: dict[Hashable, _Try], timeout: float | None, ended: set[Hashable]) -> list[Hashable]:
    if timeout is None:
        return []
    now = time.monotonic()
    return [worker for worker, one in busy.items() if worker not in ended and now - one.started > timeout]


def _lost(job: Job, why: str) -> Record:
    return failed(job, AnyliftError(f"the worker was lost: {why}", "look at the clip alone with `anylift run`"))


def _timed_out(job: Job, timeout: float | None) -> Record:
    return failed(
        job,
        AnyliftError(f"not done within {timeout:g} s; stopped", "finished stages are kept; give a longer --timeout"),
    )

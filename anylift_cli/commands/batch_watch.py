"""How a batch is watched: a live table on a terminal, a line for each clip otherwise."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from anylift_cli.batch.work import FAILED, Job, Record
from anylift_cli.console import stderr

_LAST_FAILURES = 5


@dataclass
class _Running:
    job: Job
    since: float
    words: str = ""


class Watcher:
    """Counts what has ended; prints a line for each clip unless quiet, and draws nothing."""

    def __init__(self, total: int, quiet: bool = False) -> None:
        self.total, self.quiet = total, quiet
        self.begun = time.monotonic()
        self.counts: Counter[str] = Counter()

    def started(self, worker: Hashable, job: Job) -> None:
        pass

    def doing(self, worker: Hashable, words: str) -> None:
        pass

    def ended(self, worker: Hashable, record: Record, again: bool) -> None:
        if not again:
            self.counts[record.status] += 1
        if not self.quiet:
            stderr.print(f"[{self.done}/{self.total}] {_line(record, again)}", soft_wrap=True, markup=False)

    @property
    def done(self) -> int:
        return sum(self.counts.values())


class LiveTable(Watcher):
    """What each worker is at, how far the batch is, and the last failures."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self._running: dict[Hashable, _Running] = {}
        self._failures: list[str] = []
        self._live = Live(get_renderable=self._table, console=stderr, refresh_per_second=2, transient=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The table stands below what is printed meanwhile."""
        with self._live:
            yield

    def started(self, worker: Hashable, job: Job) -> None:
        self._running[worker] = _Running(job, time.monotonic())

    def doing(self, worker: Hashable, words: str) -> None:
        if worker in self._running:
            self._running[worker].words = words

    def ended(self, worker: Hashable, record: Record, again: bool) -> None:
        self._running.pop(worker, None)
        if not again:
            self.counts[record.status] += 1
        if record.status == FAILED:
            self._failures.append(_line(record, again))

    def _table(self) -> Group:
        table = Table("worker", "clip", "now", "s", box=None, show_header=bool(self._running))
        for worker, one in self._running.items():
            seconds = f"{time.monotonic() - one.since:.0f}"
            table.add_row(str(worker), escape(one.job.name), escape(one.words), seconds)
        failures = [Text(line, style="red") for line in self._failures[-_LAST_FAILURES:]]
        return Group(*failures, Text(self._summary(), style="bold"), table)

    def _summary(self) -> str:
        hours = (time.monotonic() - self.begun) / 3600
        counts = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        rate = self.done / hours if hours else 0.0
        left = f", {_span((self.total - self.done) / rate)} left" if rate and self.done < self.total else ""
        return f"{self.done} of {self.total} clips ({counts or 'none yet'}), {rate:.0f} an hour{left}"


@contextmanager
def watching(total: int, quiet: bool) -> Iterator[Watcher]:
    """The watcher that fits where stderr goes."""
    if quiet or not stderr.is_terminal:
        yield Watcher(total, quiet)
        return
    table = LiveTable(total)
    with table.shown():
        yield table


def _span(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.0f} min" if hours >= 1 / 60 else f"{3600 * hours:.0f} s"


def _line(record: Record, again: bool) -> str:
    status = "failed, tried again later" if again else record.status
    verdict = f" {record.rating}" if record.rating else ""
    reason = f": {record.reason}" if record.reason else ""
    return f"{status}{verdict} {record.total_seconds:.1f} s {record.clip}{reason}"

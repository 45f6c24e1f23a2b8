"""What is shown of a batch that runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from anylift_cli.batch.work import Job, failed
from anylift_cli.commands import batch_watch
from anylift_cli.commands.batch_watch import LiveTable
from anylift_cli.errors import AnyliftError


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time that the table sees, in its only element."""
    now = [1000.0]
    monkeypatch.setattr(batch_watch.time, "monotonic", lambda: now[0])
    return now


def shown(table: LiveTable) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table._live.get_renderable())
    return console.file.getvalue()


def test_the_table_says_what_each_worker_is_at_and_how_long_it_will_take(clock):
    table = LiveTable(total=4)
    jobs = [Job(name, f"{name}.mp4", "out", None) for name in ("a", "b [1]", "c")]
    for worker, job in enumerate(jobs):
        table.started(worker, job)
    table.doing(1, "fit: body 50%")
    clock[0] += 90
    table.ended(0, failed(jobs[0], AnyliftError("not a video", "convert it")), again=False)
    table.ended(2, failed(jobs[2], AnyliftError("the worker was lost")), again=True)
    text = shown(table)
    assert "1 of 4 clips (1 failed), 40 an hour, 4 min left" in text
    assert "b [1]" in text and "fit: body 50%" in text and "90" in text
    assert "a: not a video" in text and "tried again later" in text
    assert "none yet" not in text


@pytest.mark.parametrize(("seconds", "left"), [(2, "6 s left"), (200, "10 min left"), (3600, "3.0 h left")])
def test_what_is_left_is_told_in_a_unit_that_fits(clock, seconds, left):
    table = LiveTable(total=4)
    clock[0] += seconds
    table.ended(0, failed(Job("a", "a.mp4", "out", None), AnyliftError("no")), again=False)
    assert left in shown(table)


def test_a_batch_at_its_end_has_no_time_left(clock):
    table = LiveTable(total=1)
    clock[0] += 5
    table.ended(0, failed(Job("a", "a.mp4", "out", None), AnyliftError("no")), again=False)
    text = shown(table)
    assert "1 of 1 clips (1 failed)" in text and "left" not in text and "worker" not in text

"""Progress bars and messages on stderr. stdout is left to results."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichBars
from rich.progress import Task as RichTask
from rich.text import Text

from anylift_cli.errors import AnyliftError

stderr = Console(stderr=True, highlight=False)
stdout = Console(highlight=False, width=None if sys.stdout.isatty() else 200)


class _RateColumn(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        speed = task.finished_speed or task.speed
        unit = task.fields["unit"]
        return Text(f"{speed:.1f} {unit}/s" if speed else f"- {unit}/s", style="progress.data.speed")


class RichProgress:
    """Bars with rate and time left on stderr; plain lines when stderr is not a terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "frames") -> Iterator[_BarTask]:
        bars = RichBars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=stderr,
            disable=self._quiet or not stderr.is_terminal,
            transient=True,
        )
        with bars:
            yield _BarTask(bars, bars.add_task(description, total=total, unit=unit))

    def note(self, message: str) -> None:
        if not self._quiet:
            stderr.print(message, soft_wrap=True, markup=False)


class _BarTask:
    def __init__(self, bars: RichBars, task_id) -> None:
        self._bars, self._id = bars, task_id

    def advance(self, amount: float = 1) -> None:
        self._bars.advance(self._id, amount)


def print_error(error: AnyliftError) -> None:
    """Print the message in red and the hint below it, on stderr."""
    stderr.print(f"[bold red]error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        stderr.print(f"[dim]  next:[/] {escape(error.hint)}", soft_wrap=True)


def print_json(value: Any) -> None:
    """Print strict JSON on stdout; values that are not finite become null, file names that are no text keep escapes."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

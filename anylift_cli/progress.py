"""How stages report progress, without knowing who listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One running piece of work."""

    def advance(self, amount: float = 1) -> None:
        """Report that `amount` more units are done."""
        ...


class Progress(Protocol):
    """Where stages report to. `console.RichProgress` draws bars on stderr; `SILENT` drops everything."""

    def task(self, description: str, total: float | None = None, unit: str = "frames") -> AbstractContextManager[Task]:
        """Open a task of `total` units (None when unknown)."""
        ...

    def note(self, message: str) -> None:
        """Tell the user one line that matters."""
        ...


class _SilentTask:
    def advance(self, amount: float = 1) -> None:
        pass


class _Silent:
    @contextmanager
    def task(self, description: str, total: float | None = None, unit: str = "frames") -> Iterator[Task]:
        yield _SilentTask()

    def note(self, message: str) -> None:
        pass


SILENT: Progress = _Silent()

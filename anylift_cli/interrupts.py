"""Ctrl-C, remembered: Python drops a KeyboardInterrupt that comes inside a finalizer, libraries drop others."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_pressed = threading.Event()


@contextmanager
def remembered() -> Iterator[None]:
    """Within, Ctrl-C is raised at once as ever, and again by `check` should that have been dropped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _pressed.clear()
    before = signal.signal(signal.SIGINT, _press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed."""
    if _pressed.is_set():
        _pressed.clear()
        raise KeyboardInterrupt


def _press(signum: int, frame: FrameType | None) -> None:
    _pressed.set()
    raise KeyboardInterrupt

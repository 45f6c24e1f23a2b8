"""Errors that a person can act on. Every one says what happened, to which file, and what to do next."""

from __future__ import annotations


class AnyliftError(Exception):
    """A failure with a cause and a next step.

    Args:
        message: what happened, naming the file.
        hint: what to do about it; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AnyliftError):
    """The options contradict each other or are out of range."""

    exit_code = 2


class NothingFoundError(AnyliftError):
    """The video can be read but holds nothing to lift (no person, no frames in the range)."""

    exit_code = 3


class MissingDependencyError(AnyliftError):
    """An optional package, a tool or a weights file is not installed."""

    exit_code = 4


class Interrupted(AnyliftError):
    """The user stopped the run with Ctrl-C."""

    exit_code = 130


DEBUG = "ANYLIFT_DEBUG"
"""Set in the environment, tracebacks are shown."""


def explained(error: Exception) -> AnyliftError:
    """Any exception as a failure with a next step."""
    if isinstance(error, AnyliftError):
        return error
    message = " ".join(str(error).split())
    if isinstance(error, ImportError):
        return _failed_import(message)
    if isinstance(error, MemoryError):
        return AnyliftError(f"out of memory: {message}", "lift a shorter part with --start and --end")
    return AnyliftError(
        f"unexpected {type(error).__name__}: {message}",
        f"this is a fault in anylift; run again with {DEBUG}=1 to see where, and report it",
    )


def _failed_import(message: str) -> MissingDependencyError:
    if "libGL" in message or "libgthread" in message:
        hint = "pip uninstall opencv-contrib-python, then pip install opencv-contrib-python-headless (same version)"
    else:
        hint = "pip install --force-reinstall anylift-cli"
    return MissingDependencyError(f"a package cannot be loaded: {message}", hint)

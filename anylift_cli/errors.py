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

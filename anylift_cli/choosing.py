"""What `auto` stands for: the best backend that this machine can run, and what would be better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from anylift_cli.errors import MissingDependencyError
from anylift_cli.plugins import backend_names, install_command

AUTO = "auto"
ORDER = {
    "anylift.keypoints": ("mediapipe", "vitpose"),
    "anylift.cameras": ("megasam", "vipe", "moving"),
    "anylift.objects": ("delta", "lucas-kanade"),
    "anylift.lifters": ("diffusion", "optimize"),
}
"""Backends, best first; of cameras those that find the path of a moving one, of objects those for what is no ball."""

Built = TypeVar("Built")


@dataclass(frozen=True)
class Choice:
    """A backend, and in words what would be better with the command that brings it."""

    name: str
    better: tuple[str, ...]

    @property
    def words(self) -> str:
        """One line for people."""
        return "; ".join([f"auto picks {self.name}", *self.better])


def best_of(
    group: str, names: Sequence[str], libraries: dict[str, str], build: Callable[[str], Built]
) -> tuple[Choice, Built]:
    """The first of `names` that can be built here, and what was built.

    Args:
        group: of entry points; names that nobody registered are passed over.
        libraries: the distribution that a backend cannot do without, by name.
        build: raises MissingDependencyError for a backend that lacks something. The last name's error is raised.
    """
    known = [name for name in names if name in backend_names(group)] or list(names[-1:])
    better: list[str] = []
    for name in known[:-1]:
        try:
            _check_library(libraries.get(name))
            return Choice(name, tuple(better)), build(name)
        except MissingDependencyError as error:
            help_ = f" ({error.hint})" if error.hint else ""
            better.append(f"{name} would be better, but {error.message}{help_}")
    return Choice(known[-1], tuple(better)), build(known[-1])


def _check_library(distribution: str | None) -> None:
    try:
        if distribution is not None:
            version(distribution)
    except PackageNotFoundError as error:
        raise MissingDependencyError(
            f"{distribution} is not installed", f"`{install_command(distribution)}`"
        ) from error

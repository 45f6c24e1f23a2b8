"""Backends are found through entry points, so that other packages can add theirs."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from anylift_cli.errors import MissingDependencyError, UsageError

EXTRAS = {"transformers": "vitpose"}
"""Packages whose versions an extra of anylift chooses."""


def backend_names(group: str) -> list[str]:
    """Names registered in an entry-point group such as "anylift.cameras"."""
    return sorted(entry.name for entry in entry_points(group=group))


def is_file(group: str, name: str) -> bool:
    """Whether `name` is no registered backend but a file or folder with results that exist already."""
    return name not in backend_names(group) and Path(name).exists()


def load_backend(group: str, name: str) -> Any:
    """The class registered as `name`; its module is imported only now.

    Raises:
        UsageError: no such name.
        MissingDependencyError: its module needs a package that is not installed.
    """
    for entry in entry_points(group=group):
        if entry.name == name:
            try:
                return entry.load()
            except ImportError as error:
                raise MissingDependencyError(
                    f"{group.removeprefix('anylift.')} backend '{name}' cannot be loaded: {error}",
                    install_command(error.name) if error.name else "",
                ) from error
    kind = group.removeprefix("anylift.")
    raise UsageError(f"unknown {kind} backend '{name}'", f"choose one of: {', '.join(backend_names(group))}")


def install_command(package: str) -> str:
    """What brings a package that is missing."""
    return f"pip install 'anylift-cli[{EXTRAS[package]}]'" if package in EXTRAS else f"pip install {package}"

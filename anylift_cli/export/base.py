"""What an exporter is, which files a take becomes, and how formats are found by name and by suffix."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from anylift_cli.errors import MissingDependencyError
from anylift_cli.plugins import backend_names, load_backend

if TYPE_CHECKING:
    from anylift_cli.export.take import Take

GROUP = "anylift.exporters"


class Exporter(Protocol):
    """Writes a take as one file. Classes are registered in the entry-point group `anylift.exporters`.

    Attributes:
        name: as registered.
        suffix: of the file's name, such as ".fbx".
        one_person: a file holds one person, so that several become several files.
    """

    name: str
    suffix: str
    one_person: bool

    def write(self, take: Take, path: Path) -> Path:
        """Write `path` whole or not at all and return it.

        Raises:
            AnyliftError: the take cannot be expressed in this format, or the path cannot be written.
        """
        ...


def exporter(name: str) -> Exporter:
    """The exporter registered as `name`.

    Raises:
        UsageError: no such name.
        MissingDependencyError: its module needs a package that is not installed.
    """
    return load_backend(GROUP, name)()


def exporter_of(path: Path) -> Exporter | None:
    """The exporter with the longest suffix that the name of `path` ends with, in any case; None without one.

    Raises:
        MissingDependencyError: it needs a package that is not installed.
    """
    kinds = []
    for name in backend_names(GROUP):
        with suppress(MissingDependencyError):
            kind = load_backend(GROUP, name)
            kinds += [kind] if path.name.lower().endswith(kind.suffix) else []
    best = max(kinds, key=lambda kind: len(kind.suffix), default=None)
    return best and best()


def takes_of(take: Take, separate: bool) -> list[Take]:
    """`take` itself, or one of each person."""
    if not separate or len(take.motions) == 1:
        return [take]
    people = zip(take.motions, take.names, strict=True)
    return [replace(take, motions=(motion,), names=(name,)) for motion, name in people]


def write_take(take: Take, formats: Iterable[str], folder: Path, separate: bool = False) -> list[Path]:
    """Write `take` into `folder` in each of the named formats, as the person's name + the format's suffix.

    A file with several persons has the name of the first. Persons' names are distinct and can be file names.

    Args:
        separate: one file per person also in formats that can hold several.

    Raises:
        UsageError: a format that no exporter is registered for; nothing is written then.
        AnyliftError: a file cannot be written.
    """
    exporters = [exporter(name) for name in formats]
    return [
        one.write(part, folder / (part.names[0] + one.suffix))
        for one in exporters
        for part in takes_of(take, separate or one.one_person)
    ]

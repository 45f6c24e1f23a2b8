"""What an exporter is, and how the chain calls one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.plugins import load_backend


class Exporter(Protocol):
    """Writes one person's motion as one file. Classes are registered in the entry-point group `anylift.exporters`."""

    name: str
    suffix: str

    def write(self, motion: MotionArtifact, path: Path) -> Path:
        """Write `path` whole or not at all and return it.

        Raises:
            AnyliftError: the motion cannot be expressed in this format, or the path cannot be written.
        """
        ...


def write_motion(motion: MotionArtifact, formats: Iterable[str], stem: Path) -> list[Path]:
    """Write `motion` in each of the named formats, beside each other, as `stem` + the format's suffix.

    Raises:
        UsageError: a format that no exporter is registered for; nothing is written then.
        AnyliftError: a file cannot be written.
    """
    exporters: list[Exporter] = [load_backend("anylift.exporters", name)() for name in formats]
    return [exporter.write(motion, stem.with_name(stem.name + exporter.suffix)) for exporter in exporters]

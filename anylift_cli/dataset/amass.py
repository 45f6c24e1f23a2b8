"""AMASS's tree: PART/VIDEO/CLIP_stageii.npz, each file as `export.amass` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from anylift_cli.dataset.entries import Entry
from anylift_cli.export.amass import AmassExporter
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.progress import Progress


def write_amass(entries: Sequence[Entry], folder: Path, fps: float | None, progress: Progress) -> None:
    """See `entries.Writer`; without `fps` each file has a multiple of 30 frames/s, which readers need."""
    exporter = AmassExporter()
    with progress.task("pack: AMASS files", len(entries), "clips") as task:
        for entry in entries:
            name = PurePosixPath(entry.clip.name).name
            path = folder / entry.split / entry.clip.origin / f"{name}_stageii.npz"
            exporter.write(Take((entry.load(),), (name,), ExportOptions(fps=fps)), path)
            task.advance()

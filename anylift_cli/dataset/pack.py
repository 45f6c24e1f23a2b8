"""A folder of results as a data set: read, choose, label, divide, write, count."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from anylift_cli import __version__
from anylift_cli.dataset.choosing import Limits, duplicates, reason_against, split_of
from anylift_cli.dataset.clips import Clip, clip_name, motion_files, read_clip
from anylift_cli.dataset.entries import Entry, Writer
from anylift_cli.dataset.labels import NO_TASK, UNKNOWN, Label, Labels
from anylift_cli.dataset.page import statistics_page
from anylift_cli.dataset.statistics import statistics
from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError
from anylift_cli.progress import SILENT, Progress

FORMATS = ("amass", "lerobot", "parquet")
ARROW = ("lerobot", "parquet")
"""Layouts that need pyarrow."""
SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Packing:
    """How a data set is made.

    Attributes:
        to: one of `FORMATS`.
        limits: what a clip must hold.
        shares: of the parts.
        labels: what is said of the clips.
        licence: of clips of which the labels say none.
        fps: of all motions; None for the layout's own.
        seed: of the division.
    """

    to: str
    limits: Limits = field(default_factory=Limits)
    shares: Mapping[str, float] = field(default_factory=lambda: dict(SPLITS))
    labels: Labels = field(default_factory=Labels)
    licence: str = UNKNOWN
    fps: float | None = None
    seed: int = 0


def pack(folder: Path, out: Path, packing: Packing, progress: Progress = SILENT) -> dict[str, Any]:
    """Write the motions below `folder` that are good enough as a data set into the new folder `out`, whole or not.

    Beside the layout's own files there are `clips.csv`, `left_out.csv`, `dataset.json` and `statistics.html`.

    Returns:
        `statistics` of what was packed.

    Raises:
        UsageError: an unknown layout, no folder, or an `out` that holds something.
        MissingDependencyError: the layout needs pyarrow.
        NothingFoundError: no motion, or none that is good enough.
        AnyliftError: `out` cannot be written.
    """
    write = _writer(packing.to)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "give the folder that holds the motions")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out} is not empty", "give a new folder, or delete this one")
    clips, left_out = _read(folder, progress)
    chosen, refused = _choose(clips, packing.limits)
    left_out |= refused
    if not chosen:
        raise NothingFoundError(
            f"no motion below {folder} can be packed: " + (_common(left_out.values()) if left_out else "there is none"),
            "`--quality any` takes all that can be read" if left_out else "name a folder with files of `anylift run`",
        )
    entries = _entries(chosen, packing)
    figures = statistics(entries, left_out)
    with _whole_folder(out) as temporary:
        write(entries, temporary, packing.fps, progress)
        _write_table(temporary / "clips.csv", list(entries[0].row()), (entry.row() for entry in entries))
        reasons = ({"clip": clip, "reason": reason} for clip, reason in sorted(left_out.items()))
        _write_table(temporary / "left_out.csv", ["clip", "reason"], reasons)
        about = {"anylift": __version__, "format": packing.to, "options": _options(packing), **figures}
        (temporary / "dataset.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
        page = statistics_page(out.resolve().name, entries, figures)
        (temporary / "statistics.html").write_text(page, encoding="utf-8", newline="\n")
    return figures


def _writer(name: str) -> Writer:
    if name not in FORMATS:
        raise UsageError(f"there is no layout '{name}'", f"choose of {', '.join(FORMATS)}")
    if name in ARROW:
        from anylift_cli.dataset.parts import arrow

        arrow()
    return getattr(import_module(f"anylift_cli.dataset.{name}"), f"write_{name}")


def _read(folder: Path, progress: Progress) -> tuple[list[Clip], dict[str, str]]:
    """The clips, and why others cannot be read, by name."""
    clips, unreadable = [], {}
    paths = list(motion_files(folder))
    with progress.task("pack: reading", len(paths), "clips") as task:
        for path in paths:
            try:
                clips.append(read_clip(folder, path))
            except AnyliftError as error:
                unreadable[clip_name(folder, path)] = f"cannot be used: {error.message}"
            task.advance()
    return clips, unreadable


def _choose(clips: Sequence[Clip], limits: Limits) -> tuple[list[Clip], dict[str, str]]:
    reasons = {clip.name: reason for clip in clips if (reason := reason_against(clip, limits))}
    good = [clip for clip in clips if clip.name not in reasons]
    twins = duplicates(good)
    reasons |= dict.fromkeys(twins, "the same motion is in it already")
    return [clip for clip in good if clip.name not in twins], reasons


def _entries(clips: Sequence[Clip], packing: Packing) -> list[Entry]:
    """In the order of the parts, then of the names."""
    order = list(packing.shares)
    entries = []
    for clip in clips:
        said = packing.labels.of(clip.name, clip.origin)
        split = split_of(said.source or clip.video or clip.origin, packing.shares, packing.seed)
        label = Label(said.licence or packing.licence, said.source or clip.origin, said.task or NO_TASK)
        entries.append(Entry(clip, split, label))
    return sorted(entries, key=lambda entry: (order.index(entry.split), entry.clip.name))


def _common(reasons: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason] = counts.get(reason, 0) + 1
    return "; ".join(f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda item: -item[1])[:3])


def _options(packing: Packing) -> dict[str, Any]:
    return {
        "limits": asdict(packing.limits), "split": dict(packing.shares), "licence": packing.licence,
        "fps": packing.fps, "seed": packing.seed,
    }  # fmt: skip


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that becomes `out` when all went well."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise AnyliftError(f"could not write {out}: {error.strerror}", "choose another folder with --out") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        temporary.rename(out)
    except OSError as error:
        raise AnyliftError(f"could not write {out}: {error.strerror or error}", "free some space") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

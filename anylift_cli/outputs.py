"""Final files that have no room for provenance (videos, BVH): a record beside the artifacts says how they were made."""

from __future__ import annotations

import glob
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anylift_cli import __version__
from anylift_cli.artifacts.files import atomic_path, remove_unfinished, sha256_of
from anylift_cli.pipeline import UNCHANGED, Outcome


def make_output(
    name: str, file: Path, made_from: Mapping[str, str], write: Callable[[], Any], record: Path, forced: str = ""
) -> Outcome:
    """Write `file`, unless it is still there, untouched, and made from the same inputs.

    Args:
        made_from: sha256 of each input, by name.
        write: makes `file`, whole or not at all.
        record: JSON file that remembers what each output was made from.
        forced: why to write in any case; "" to keep what is valid.
    """
    place = _place(file, record)
    made_from = {"anylift": __version__, **made_from}
    remembered = _read(record)
    why = forced or _difference(remembered.get(place), file, made_from)
    if not why:
        return Outcome(name, file, True, UNCHANGED, 0.0)
    remove_unfinished(file.parent, glob.escape(file.stem))
    started = time.perf_counter()
    write()
    remembered[place] = {"made_from": made_from, "sha256": sha256_of(file)}
    with atomic_path(record) as temporary:
        temporary.write_text(json.dumps(remembered, indent=1), encoding="utf-8")
    return Outcome(name, file, False, why, time.perf_counter() - started)


def _place(file: Path, record: Path) -> str:
    """Where `file` lies as seen from its record, so that a folder can be moved or mounted elsewhere as a whole."""
    try:
        return Path(os.path.relpath(file.resolve(), record.resolve().parent)).as_posix()
    except ValueError:
        return str(file.resolve())


def _difference(entry: Any, file: Path, made_from: Mapping[str, str]) -> str:
    if not file.exists():
        return "not there yet"
    if not isinstance(entry, dict) or not isinstance(entry.get("made_from"), dict):
        return f"{file.name} was made by something else"
    for name in made_from:
        if entry["made_from"].get(name) != made_from[name]:
            return f"{name} changed"
    return "" if entry.get("sha256") == sha256_of(file) else f"{file.name} was changed by something else"


def _read(record: Path) -> dict[str, Any]:
    try:
        remembered = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return remembered if isinstance(remembered, dict) else {}

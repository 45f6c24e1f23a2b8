"""Stages run once: each result lies in a file that says how it was made, and is reused while that still holds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from anylift_cli import __version__, interrupts
from anylift_cli.artifacts.base import Artifact
from anylift_cli.artifacts.files import remove_unfinished, sha256_of
from anylift_cli.checks import check_writable
from anylift_cli.errors import AnyliftError, Interrupted
from anylift_cli.memory import give_back
from anylift_cli.progress import SILENT, Progress

PROVENANCE = (
    "key", "key_parts", "stage", "options", "inputs", "choice", "seconds", "anylift_version", "created", "schema",
    "schema_version",
)  # fmt: skip
"""Names in `meta` that say how an artifact was made; everything else in it is content."""

UNCHANGED = "nothing changed"


@dataclass(frozen=True)
class Source:
    """What a stage reads, identified by content, so that a file edited by hand or made elsewhere counts as changed.

    Attributes:
        value: a video file, an artifact, or what a user says, with the files that it names.
        key: sha256 of the content, hex.
    """

    value: Any
    key: str

    @classmethod
    def from_file(cls, path: Path) -> Source:
        """A file, by its bytes."""
        return cls(path, sha256_of(path))

    @classmethod
    def from_files(cls, value: Any, files: Sequence[Path]) -> Source:
        """A frozen dataclass that names `files`, by its other values and the bytes of these, wherever they lie."""
        digest = hashlib.sha256(_canonical(_without_paths(dataclasses.asdict(value))))
        for file in files:
            digest.update(sha256_of(file).encode())
        return cls(value, digest.hexdigest())

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Source:
        """An artifact, by its arrays and its `meta` without the provenance."""
        digest = hashlib.sha256()
        for spec in artifact.array_fields():
            value = getattr(artifact, spec.name)
            if value is not None:
                digest.update(f"{spec.name} {value.dtype.str} {value.shape} ".encode())
                digest.update(np.ascontiguousarray(value).tobytes())
        digest.update(_canonical({k: v for k, v in artifact.meta.items() if k not in PROVENANCE}))
        return cls(artifact, digest.hexdigest())


@dataclass(frozen=True)
class Stage:
    """One step of the chain.

    Attributes:
        name: as users know it.
        version: raised when the same input would give another output.
        artifact: what it makes.
        function: (*inputs, options, progress) → artifact.
        options: a frozen dataclass of JSON values; `device` does not count as a change.
        backend: name and version of what does the work.
        weights: sha256 of each weights file that it reads, by name.
        choice: in words, why this backend was picked and what would be better; "" where the user named it.
    """

    name: str
    version: int
    artifact: type[Artifact]
    function: Callable[..., Artifact]
    options: Any
    backend: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)
    choice: str = ""

    def key(self, inputs: Mapping[str, Source]) -> str:
        """sha256 of `key_parts`, hex: what the result is known by."""
        return _key(self.key_parts(inputs))

    def key_parts(self, inputs: Mapping[str, Source]) -> dict[str, Any]:
        """Everything that decides the result, readable."""
        options = dataclasses.asdict(self.options)
        options.pop("device", None)
        return {
            "stage": self.name,
            "stage_version": self.version,
            "backend": self.backend,
            "options": _without_paths(options),
            "weights": dict(self.weights),
            "inputs": {name: source.key for name, source in inputs.items()},
        }


@dataclass(frozen=True)
class Outcome:
    """What happened to one file: made now (`reused` False) or kept, why, and how long it took."""

    name: str
    file: Path
    reused: bool
    why: str
    seconds: float


def run_stage(
    stage: Stage, inputs: Mapping[str, Source], file: Path, progress: Progress = SILENT, forced: str = ""
) -> tuple[Artifact, Outcome]:
    """The artifact in `file` if it was made from the same inputs in the same way, otherwise a new one.

    A fresh result is read back from the file, so that what follows sees the same values now and on reuse.

    Args:
        inputs: by name, in the order that the stage's function takes them.
        forced: why to run in any case; "" to reuse what is valid.

    Raises:
        AnyliftError: from the stage, or `file` cannot be written.
        KeyboardInterrupt: Ctrl-C was pressed; a finished result is kept.
    """
    interrupts.check()
    parts = stage.key_parts(inputs)
    if stage.choice:
        progress.note(f"{stage.name}: {stage.choice}")
    why = forced or "not there yet"
    if file.exists() and not forced:
        try:
            stored = stage.artifact.load(file)
        except AnyliftError as error:
            why = f"{file.name} is damaged or foreign: {error.message}"
        else:
            why = _difference(stored.meta, parts)
            if not why:
                return stored, Outcome(stage.name, file, True, UNCHANGED, 0.0)
    progress.note(f"{stage.name}: {why}")
    started = time.perf_counter()
    made = stage.function(*(source.value for source in inputs.values()), stage.options, progress)
    seconds = time.perf_counter() - started
    made.meta |= {
        "key": stage.key(inputs),
        "key_parts": parts,
        "stage": stage.name,
        "options": dataclasses.asdict(stage.options),
        "inputs": {name: _label(source) for name, source in inputs.items()},
        "choice": stage.choice,
        "seconds": round(seconds, 3),
        "anylift_version": __version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    made.save(file)
    del made
    give_back()
    interrupts.check()
    return stage.artifact.load(file), Outcome(stage.name, file, False, why, seconds)


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """Hold `folder` for one run at a time, and turn Ctrl-C into a message that says what is kept.

    Raises:
        AnyliftError: the folder cannot be written, or another run holds it.
        Interrupted: the user pressed Ctrl-C.
    """
    check_writable(folder, "--work-dir")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise AnyliftError(
            f"another anylift run is using {folder}", "wait until it has ended, or choose another --work-dir"
        ) from error
    remove_unfinished(folder)
    try:
        with interrupts.remembered():
            yield folder
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"stopped; finished stages are kept in {folder}", "run the same command again to go on from there"
        ) from error
    finally:
        lock.release()


def _difference(meta: dict[str, Any], parts: dict[str, Any]) -> str:
    """In words, why an artifact with this `meta` is not what `parts` ask for; "" when it is."""
    if meta.get("key") == _key(parts):
        return ""
    old = meta.get("key_parts")
    if not isinstance(old, dict):
        return "the file there was made by another program"
    if old.get("stage_version") != parts["stage_version"]:
        before = meta.get("anylift_version")
        if before != __version__:
            return f"anylift {before} → {__version__} changed the stage"
        return f"the stage changed (version {old.get('stage_version')} → {parts['stage_version']})"
    for kind, noun in (("options", "option"), ("weights", "weights file"), ("inputs", "input")):
        before, now = old.get(kind) if isinstance(old.get(kind), dict) else {}, parts[kind]
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                values = f": {_word(before.get(name))} → {_word(now.get(name))}" if kind == "options" else ""
                return f"{noun} {name} changed{values}"
    if old.get("backend") == parts["backend"]:
        return "options that this version of anylift has more or fewer"
    return f"backend changed: {_word(old.get('backend'))} → {_word(parts['backend'])}"


def _without_paths(value: Any) -> Any:
    """Plain JSON values, with the name for each path."""
    if isinstance(value, dict):
        return {name: _without_paths(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_paths(one) for one in value]
    return value.name if isinstance(value, Path) else value


def _key(parts: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(parts)).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _label(source: Source) -> dict[str, str]:
    named = {"file": source.value.name} if isinstance(source.value, Path) else {}
    return {**named, "key": source.key}


def _word(value: Any) -> str:
    return "none" if value in (None, "") else str(value)

"""Brings weights that others publish here: `anylift weights fetch`, `import` and `verify`."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from filelock import FileLock, Timeout

from anylift_cli.artifacts.files import DAMAGED, atomic_path, sha256_of, unpacked_limit
from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError
from anylift_cli.progress import SILENT, Progress
from anylift_cli.weights_store.download import INCOMPLETE, Patience, Remote, discard, download
from anylift_cli.weights_store.finding import fetched_folder, weights_folders
from anylift_cli.weights_store.manifest import ExternalFile, ExternalWeights, external_weights, read_manifest

OFFLINE_VARIABLES = ("ANYLIFT_OFFLINE", "HF_HUB_OFFLINE")
ENDPOINT_VARIABLE = "HF_ENDPOINT"
"""Names a mirror of Hugging Face, as for its own tools."""
HUGGING_FACE = "https://huggingface.co/"
RECORD = ".record.json"
LARGEST_MEMBER = 16 << 30
"""Bytes of a file in an archive."""


@dataclass(frozen=True)
class Record:
    """What is known of a fetched or imported file, kept beside it.

    Attributes:
        name: the weights' name in the manifest.
        source: URL or path that it came from.
        size: bytes.
        sha256: of what came, hex.
        published: whether that is the sum which its owner publishes; otherwise it is only what came the first time.
        licence: what was agreed to.
        date: when, ISO 8601.
    """

    name: str
    source: str
    size: int
    sha256: str
    published: bool
    licence: str
    date: str


@dataclass(frozen=True)
class Verdict:
    """What `verify` says of one file: state is "ok", "missing", "damaged" or "unknown" (no sum to compare with)."""

    name: str
    file: str
    state: str
    path: Path | None


def fetch(
    entry: ExternalWeights,
    agree: Callable[[ExternalWeights], bool],
    progress: Progress = SILENT,
    patience: Patience = Patience(),
) -> list[Path]:
    """Download what is missing of `entry`; what is there already is left alone.

    Args:
        agree: asked once, before anything is fetched, where the entry has a gate.

    Raises:
        UsageError: the licence was not agreed to.
        MissingDependencyError: its owner wants a login, or an offline variable is set.
        AnyliftError: no server gives the file, or what came has another size or sum.
    """
    if all(installed(file) for file in entry.files):
        return [installed(file) for file in entry.files]
    if not entry.fetchable:
        wanted = " or ".join(sorted(name for file in entry.files for name in file.names))
        raise MissingDependencyError(
            f"'{entry.name}' can only be had from its owner: {entry.gate or entry.licence}",
            f"get {wanted} at {entry.page}, then `anylift weights import FILE`",
        )
    if variable := next((name for name in OFFLINE_VARIABLES if os.environ.get(name, "").lower() in _TRUE), None):
        raise MissingDependencyError(
            f"'{entry.name}' is not here, and {variable} forbids to fetch it",
            f"unset {variable}, or fetch it elsewhere and `anylift weights import FILE`",
        )
    if entry.gate and not agree(entry):
        raise UsageError(
            f"'{entry.name}': {entry.gate} ({entry.licence})",
            f"read {entry.page}, then give --accept-licence",
        )
    return [installed(file) or _fetch_file(entry, file, progress, patience) for file in entry.files]


def import_file(path: Path, name: str | None = None) -> list[Path]:
    """Copy a file that the user got from its owner, or the known files inside a zip archive, to where it is found.

    Args:
        name: of the weights, where the file's own name does not tell.

    Raises:
        UsageError: nothing in the manifest goes by that name.
        AnyliftError: unreadable, or it differs from the published size or sum.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist" if not path.exists() else f"{path} is a folder, not a file")
    if name is not None and name not in external_weights():
        raise UsageError(f"there are no weights called '{name}'", "`anylift weights list` shows them")
    entries = [entry for entry in external_weights().values() if name in (None, entry.name)]
    known = [(entry, file) for entry in entries for file in entry.files if file.goes_by(path.name)]
    if not known and name is not None and len(entries[0].files) == 1:
        known = [(entries[0], entries[0].files[0])]
    if known:
        return [_place(entry, file, path.name, lambda copy: shutil.copyfile(path, copy)) for entry, file in known[:1]]
    if placed := _import_archive(path, entries):
        return placed
    wanted = ", ".join(sorted(name for entry in entries for file in entry.files for name in file.names))
    raise UsageError(f"{path.name} is no file that anylift knows", f"give its name with --as; known: {wanted}")


def verify(names: list[str]) -> list[Verdict]:
    """Compare what is here with the sums of the manifest, or with those recorded when it came.

    Args:
        names: of external weights or shipped files; all when empty. Weights that are not here are only named when
            asked for.
    """
    verdicts = []
    for folder in weights_folders():
        for file, entry in read_manifest(folder).items():
            if not names or file in names:
                path = folder / file
                state = "missing" if not path.is_file() else _same(sha256_of(path), entry["sha256"])
                verdicts.append(Verdict(file, file, state, path))
    for entry in external_weights().values():
        if names and entry.name not in names:
            continue
        for file in entry.files:
            path = installed(file)
            if path is None:
                verdicts += [Verdict(entry.name, file.file, "missing", None)] if names else []
                continue
            wanted = file.sha256 or getattr(read_record(path), "sha256", "")
            verdicts.append(
                Verdict(entry.name, file.file, _same(sha256_of(path), wanted) if wanted else "unknown", path)
            )
    if unknown := set(names) - {verdict.name for verdict in verdicts}:
        raise UsageError(f"there are no weights called '{min(unknown)}'", "`anylift weights list` shows them")
    return verdicts


def installed(file: ExternalFile) -> Path | None:
    """Where a file lies, or None."""
    return next((folder / file.file for folder in weights_folders() if (folder / file.file).is_file()), None)


def read_record(path: Path) -> Record | None:
    """The record beside a file, if it has a readable one."""
    try:
        return Record(**json.loads(_beside(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


_TRUE = ("1", "true", "yes", "on")


def _same(found: str, wanted: str) -> str:
    return "ok" if found == wanted else "damaged"


def _fetch_file(entry: ExternalWeights, file: ExternalFile, progress: Progress, patience: Patience) -> Path:
    target = fetched_folder() / file.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnyliftError(f"cannot write into {target.parent}: {error.strerror}", "set ANYLIFT_WEIGHTS") from error
    with _only_one(target, progress):
        return installed(file) or _from_first(entry, file, target, progress, patience)


def _only_one(target: Path, progress: Progress) -> FileLock:
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        return lock.acquire(timeout=0).lock
    except Timeout:
        progress.note(f"{target.name}: another anylift is fetching it; waiting")
        return lock


def _from_first(
    entry: ExternalWeights, file: ExternalFile, target: Path, progress: Progress, patience: Patience
) -> Path:
    """From the first URL that gives the whole file."""
    failures = []
    for url in file.urls:
        place = url.replace(HUGGING_FACE, os.environ.get(ENDPOINT_VARIABLE, HUGGING_FACE).rstrip("/") + "/", 1)
        try:
            remote = download(place, target, file.size, progress, patience)
            return _accept(entry, file, target, place, remote, progress)
        except AnyliftError as error:
            failures.append(error)
            progress.note(error.message)
    raise AnyliftError("; ".join(error.message for error in failures), failures[-1].hint)


def _accept(
    entry: ExternalWeights, file: ExternalFile, target: Path, url: str, remote: Remote, progress: Progress
) -> Path:
    """Give a whole download its name, unless it is not what was published."""
    partial = target.with_name(target.name + INCOMPLETE)
    found, wanted = sha256_of(partial), file.sha256 or remote.sha256
    if wanted and found != wanted:
        discard(target)
        raise AnyliftError(
            f"{url}: what came has another sha256 ({found[:12]}…) than published ({wanted[:12]}…); it was thrown away",
            "run the same command again; if it fails again, the file was changed or the connection alters it",
        )
    if not wanted:
        progress.note(f"{file.file}: no sum is published; the sha256 of this first download is recorded: {found}")
    _write_record(entry, target, url, partial.stat().st_size, found, bool(wanted))
    os.replace(partial, target)
    discard(target)
    return target


def _place(entry: ExternalWeights, file: ExternalFile, source: str, copy: Callable[[Path], object]) -> Path:
    target = fetched_folder() / file.file
    with atomic_path(target) as temporary:
        copy(temporary)
        size, found = temporary.stat().st_size, sha256_of(temporary)
        if (file.sha256 and found != file.sha256) or (file.size is not None and size != file.size):
            raise AnyliftError(f"{source} is not the published {file.file}: size or sha256 differ", f"see {entry.page}")
        _write_record(entry, target, source, size, found, bool(file.sha256))
    return target


def _import_archive(path: Path, entries: list[ExternalWeights]) -> list[Path]:
    placed = []
    if not zipfile.is_zipfile(path):
        return placed
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                for entry in entries:
                    for file in entry.files:
                        if file.goes_by(Path(member.filename).name):
                            copy = _extractor(path, archive, member)
                            placed.append(_place(entry, file, f"{path.name}/{member.filename}", copy))
    except DAMAGED as error:
        raise AnyliftError(f"{path} is damaged: {error}", "download it again") from error
    return placed


def _extractor(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[Path], None]:
    limit = unpacked_limit(path.stat().st_size, LARGEST_MEMBER)
    if member.file_size > limit:
        raise AnyliftError(
            f"{path}: {member.filename} unpacks to {member.file_size >> 20} MiB, more than the {limit >> 20} MiB that "
            "an archive of its size may hold",
            "unpack it yourself, if it is what it should be, and import the file",
        )

    def extract(target: Path) -> None:
        with archive.open(member) as source, open(target, "wb") as stream:
            shutil.copyfileobj(source, stream)

    return extract


def _write_record(entry: ExternalWeights, target: Path, source: str, size: int, sha256: str, published: bool) -> None:
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = Record(entry.name, source, size, sha256, published, entry.licence, date)
    with atomic_path(_beside(target)) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def _beside(path: Path) -> Path:
    return path.with_name(path.name + RECORD)

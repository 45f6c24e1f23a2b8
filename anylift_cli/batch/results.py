"""`results.jsonl`: one line for each clip and try, appended whole; the last line of a clip counts."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock

from anylift_cli.batch.storage import file_system, is_url, publish
from anylift_cli.batch.work import Record
from anylift_cli.errors import AnyliftError

RESULTS = "results.jsonl"
_PATTERN = "results*.jsonl"
_EVERY = 20.0
"""Seconds between two uploads of the lines, where they cannot be appended."""
_NUMBER = (int, float, type(None))
_TYPES = {"clip": str, "status": str, "quality": dict, "total_seconds": _NUMBER, "severity": _NUMBER}
"""Of what is read again."""


def results_name(number: int, count: int) -> str:
    """Name of the file that shard `number` of `count` writes: each has its own, on network disks too."""
    return RESULTS if count == 1 else f"results.{number}of{count}.jsonl"


def read_results(place: str) -> dict[str, dict[str, Any]]:
    """The last line of each clip, by its name, of all shards' files. Lines that were cut off are left out."""
    found: dict[str, dict[str, Any]] = {}
    for text in _texts(place):
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if _is_record(record):
                before = found.get(record["clip"])
                if before is None or str(before.get("finished")) <= str(record.get("finished")):
                    found[record["clip"]] = record
    return found


class Log:
    """Appends records to a file on a disk; several processes may do so."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def add(self, record: Record) -> None:
        """Append one line, whole or not at all.

        Raises:
            AnyliftError: the file cannot be written.
        """
        line = json.dumps(_finite(record.as_json()), ensure_ascii=False, allow_nan=False)
        try:
            with FileLock(f"{self.file}.lock"), open(self.file, "ab+") as stream:
                start = "" if _ends_a_line(stream) else "\n"
                stream.write(f"{start}{line}\n".encode("utf-8", "backslashreplace"))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise AnyliftError(
                f"could not write {self.file}: {error.strerror}", "free some space and run the same command again"
            ) from error


class _RemoteLog(Log):
    """The same for a store: the lines are kept here and brought there now and then."""

    def __init__(self, file: Path, url: str) -> None:
        super().__init__(file)
        self._url, self._next = url, 0.0

    def add(self, record: Record) -> None:
        super().add(record)
        if time.monotonic() >= self._next:
            self.bring()

    def bring(self) -> None:
        publish(self.file, self._url)
        self._next = time.monotonic() + _EVERY


@contextmanager
def opened_log(place: str, name: str) -> Iterator[Log]:
    """The log `name` of the batch's folder, for one driver."""
    if not is_url(place):
        yield Log(Path(place, name))
        return
    url = f"{place.rstrip('/')}/{name}"
    system, path = file_system(url)
    with TemporaryDirectory(prefix="anylift-") as scratch:
        log = _RemoteLog(Path(scratch, name), url)
        if system.exists(path):
            log.file.write_bytes(system.cat_file(path))
        try:
            yield log
        finally:
            if log.file.exists():
                log.bring()


def _texts(place: str) -> Sequence[str]:
    if not is_url(place):
        files = sorted(Path(place).glob(_PATTERN))
        return [file.read_text(encoding="utf-8", errors="replace") for file in files]
    system, path = file_system(place)
    return [system.cat_file(file).decode("utf-8", "replace") for file in sorted(system.glob(f"{path}/{_PATTERN}"))]


def _is_record(line: Any) -> bool:
    """Whether a line says what came of a clip."""
    if not isinstance(line, dict) or "clip" not in line:
        return False
    fits = all(isinstance(line[name], kind) for name, kind in _TYPES.items() if name in line)
    return fits and all(isinstance(figures, dict) for figures in line.get("quality", {}).values())


def _ends_a_line(stream: Any) -> bool:
    """Whether the file is empty or ends with a line break: a driver that was killed may have left half a line."""
    if stream.seek(0, os.SEEK_END) == 0:
        return True
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

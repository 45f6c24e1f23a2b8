"""Clips and results that lie elsewhere: brought here, worked on, and brought back whole, by fsspec."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from anylift_cli.request import Request

WHOLE = ("s3", "s3a", "gs", "gcs", "abfs", "az", "oci", "hf", "memory")
"""Protocols of object stores: an object appears there whole or not at all."""
_LAST = "outputs.json"
"""The record of a clip's outputs goes last, so that it never speaks of what is not there yet."""
_ADVICE = "check the address and your rights there"
_LOCK, _PART = ".lock", ".part"


def is_url(place: str) -> bool:
    """Whether `place` is an address for fsspec and not a path."""
    return "://" in place


def file_system(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL, and the path in it.

    Raises:
        MissingDependencyError: the package for this kind of store is not installed.
        UsageError: no such kind.
    """
    try:
        import fsspec
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except ImportError as error:
        raise MissingDependencyError(f"{url} cannot be reached: {error}", "pip install 'anylift-cli[cloud]'") from error
    except ValueError as error:
        known = ", ".join(sorted(fsspec.available_protocols()))
        raise UsageError(f"{url} cannot be reached: {error}", f"known kinds: {known}") from error


@contextmanager
def at_hand(request: Request, source: str, place: str) -> Iterator[Request]:
    """The request with the video and the folder of results on this machine; what is made goes back where it belongs.

    What an earlier run left of this clip is brought too, so that stages are reused wherever they were run. After an
    error the finished stages go back all the same.

    Args:
        request: with paths relative to the batch's folder.
        source: path or URL of the video.
        place: path or URL of the batch's folder.

    Raises:
        AnyliftError: what lies elsewhere cannot be read or written.
    """
    if not is_url(source) and not is_url(place):
        yield below(replace(request, video=Path(source)), Path(place))
        return
    with TemporaryDirectory(prefix="anylift-") as scratch:
        video = Path(source)
        if is_url(source):
            video = Path(scratch, "video", source.rstrip("/").rsplit("/", 1)[-1])
            _fetch(source, video)
        if not is_url(place):
            yield below(replace(request, video=video), Path(place))
            return
        folder = Path(scratch, "out")
        _fetch_earlier(request, place, folder)
        before = _stamps(folder)
        try:
            yield below(replace(request, video=video), folder)
        finally:
            stamps = _stamps(folder)
            changed = [file for file in stamps if before.get(file) != stamps[file] and file.name != _LOCK]
            for file in sorted(changed, key=lambda file: (file.name == _LAST, file)):
                publish(file, f"{place.rstrip('/')}/{file.relative_to(folder).as_posix()}")


def below(request: Request, folder: Path) -> Request:
    """The request with its results below `folder`."""
    return replace(
        request,
        out=folder / request.out,
        work_dir=folder / request.work_dir,
        exports={name: folder / path for name, path in request.exports.items()},
        overlay=request.overlay and folder / request.overlay,
        report=request.report and folder / request.report,
    )


def publish(file: Path, url: str) -> None:
    """Bring a file to a store, where it appears whole or not at all.

    Raises:
        AnyliftError: it cannot be written there.
    """
    system, path = file_system(url)
    whole = bool(set(_protocols(system)) & set(WHOLE))
    first = path if whole else f"{path}.{uuid.uuid4().hex}{_PART}"
    try:
        system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        system.put_file(str(file), first)
        if not whole:
            system.mv(first, path)
    except Exception as error:
        raise AnyliftError(f"could not write {url}: {_said(error)}", _ADVICE) from error


def publish_text(text: str, url: str) -> None:
    """Write a small text file to a store, as `publish` does."""
    with TemporaryDirectory(prefix="anylift-") as scratch:
        file = Path(scratch, "text")
        file.write_text(text, encoding="utf-8", newline="\n")
        publish(file, url)


def _fetch(url: str, file: Path) -> None:
    system, path = file_system(url)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        system.get_file(path, str(file))
    except Exception as error:
        raise AnyliftError(f"could not read {url}: {_said(error)}", _ADVICE) from error


def _fetch_earlier(request: Request, place: str, folder: Path) -> None:
    """Bring what a store holds of this clip: its work folder, and the outputs that the record there names."""
    system, root = file_system(place)
    root = root.rstrip("/")
    system.invalidate_cache()
    try:
        files = system.find(f"{root}/{request.work_dir.as_posix()}")
    except FileNotFoundError:
        return
    for file in files:
        if not file.endswith((_PART, _LOCK)):
            _fetch(system.unstrip_protocol(file), folder / file.removeprefix(root).lstrip("/"))
    for record in sorted((folder / request.work_dir).rglob(_LAST)):
        for name in _recorded(record):
            file = Path(os.path.normpath(record.parent / name))
            if not file.exists() and file.is_relative_to(folder):
                path = f"{root}/{file.relative_to(folder).as_posix()}"
                if system.exists(path):
                    _fetch(system.unstrip_protocol(path), file)


def _recorded(record: Path) -> list[str]:
    try:
        return [str(name) for name in json.loads(record.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file: (file.stat().st_mtime_ns, file.stat().st_size) for file in files}


def _protocols(system: AbstractFileSystem) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _said(error: Exception) -> Any:
    return " ".join(str(error).split()) or type(error).__name__

"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tokenize import TokenError

from anylift_cli.errors import AnyliftError

DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, AssertionError, AttributeError, EOFError, ImportError, LookupError,
    MemoryError, OSError, OverflowError, RecursionError, RuntimeError, SyntaxError, TokenError, TypeError, ValueError,
)  # fmt: skip
"""What the libraries that unpack archives, arrays and pickles raise on damaged and hostile content."""

ALWAYS_UNPACKED, EXPANSION = 256 << 20, 200
"""Bytes that any file may unpack to, and how many times its own size a larger one may."""

UNFINISHED = ".part"
"""Before the suffix of every temporary file."""


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success flush it to disk and rename it to `target`.

    The temporary name keeps the suffix, so that writers that go by it (video muxers) work.

    Raises:
        AnyliftError: the folder cannot be written or the disk is full. `target` is left as it was.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        ending = UNFINISHED + target.suffix
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=ending, dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _write_error(target, error) from error
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise _write_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path, stem: str = "*") -> None:
    """Remove what killed processes left half written in `folder`, of targets with that stem.

    Only for who alone writes them: it takes the files of a living process as well.
    """
    for path in folder.glob(f".{stem}.*{UNFINISHED}*"):
        with suppress(OSError):
            path.unlink()


def unpacked_limit(packed: int, most: int) -> int:
    """Bytes that a file of `packed` bytes may unpack to, at most `most`: enough for data, too few for a zip bomb."""
    return min(most, max(ALWAYS_UNPACKED, EXPANSION * packed))


def sha256_of(path: Path | str) -> str:
    """Content hash of a file, hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def content_key(path: Path) -> str:
    """Hash of a file, or of a folder: the names and contents of all files in it."""
    if path.is_file():
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_error(target: Path, error: OSError) -> AnyliftError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return AnyliftError(
            f"the disk is full: could not write {target}",
            "free some space and run the same command again; finished stages are kept",
        )
    return AnyliftError(
        f"could not write {target}: {error.strerror or error}",
        "choose a folder that you can write to with --out",
    )

"""One file over HTTP: resumed after a break, never longer than announced, complete or not there at all.

Libraries were looked at: pooch starts over after every break, huggingface_hub resumes but only from its own host.
Proxies (`http_proxy`, `https_proxy`, `no_proxy`) and certificates (`SSL_CERT_FILE`) are urllib's business.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from anylift_cli import __version__
from anylift_cli.errors import AnyliftError
from anylift_cli.progress import SILENT, Progress, Task

INCOMPLETE = ".incomplete"
BLOCK = 1 << 18
ATTEMPTS = 5
"""Breaks without a byte gained after which a server is given up."""
STALL_SECONDS = 30.0
PAUSE_SECONDS = 1.0
"""Before the second attempt; doubled for each further one."""
SPARE_BYTES = 64 << 20
"""Disk space to leave free."""


@dataclass
class Remote:
    """What a server said of the file.

    Attributes:
        size: bytes, where it said so.
        sha256: the sum that Hugging Face publishes with its answer (X-Linked-Etag), else "".
        validator: by which a later request can tell whether the file is still the same.
    """

    size: int | None = None
    sha256: str = ""
    validator: str = ""


@dataclass(frozen=True)
class Patience:
    """How long and how often to try.

    Attributes:
        attempts: breaks without a byte gained after which to give up.
        stall: seconds without a byte that count as a break.
        pause: seconds before the second attempt, doubled for each further one.
    """

    attempts: int = ATTEMPTS
    stall: float = STALL_SECONDS
    pause: float = PAUSE_SECONDS


_BREAKS = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError)


class _Broken(Exception):
    """The transfer ended early; what has come is kept, and the next attempt goes on from there."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not from https to http, and reads the sum that Hugging Face sends with one."""

    def __init__(self) -> None:
        self.remote = Remote()

    def redirect_request(self, request, stream, code, message, headers, url):
        if request.full_url.startswith("https:") and not url.startswith("https:"):
            raise AnyliftError(f"{request.full_url} redirects to {url}, which is not encrypted")
        _note_sum(self.remote, headers)
        return super().redirect_request(request, stream, code, message, headers, url)


def download(
    url: str, target: Path, size: int | None = None, progress: Progress = SILENT, patience: Patience = Patience()
) -> Remote:
    """Fetch `url` into `target`.incomplete, going on from what is there, until it is whole; the caller renames it.

    Args:
        size: bytes that it must have, where known.

    Raises:
        AnyliftError: the server cannot be reached, refuses, sends a web page or another size, or the disk is full.
    """
    if not url.startswith(("http://", "https://")):
        raise AnyliftError(f"{url} is not an http address")
    partial = target.with_name(target.name + INCOMPLETE)
    partial.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    with progress.task(target.name, size, "bytes") as task:
        task.advance(_size(partial))
        while True:
            before = _size(partial)
            try:
                return _attempt(url, partial, size, patience.stall, task)
            except _Broken as error:
                failures = 1 if _size(partial) > before else failures + 1
                if failures >= patience.attempts:
                    raise AnyliftError(
                        f"{url}: {error}; gave up after {failures} attempts",
                        "run the same command again to go on from what has come",
                    ) from error
                time.sleep(patience.pause * 2 ** (failures - 1))


def discard(target: Path) -> None:
    """Remove what has come of `target` so far."""
    for suffix in (INCOMPLETE, INCOMPLETE + ".json"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)


def _attempt(url: str, partial: Path, size: int | None, stall: float, task: Task) -> Remote:
    redirects = _Redirects()
    have, validator = _size(partial), _validator(partial)
    headers = {"User-Agent": f"anylift/{__version__}", "Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    try:
        opener = urllib.request.build_opener(redirects)
        with opener.open(urllib.request.Request(url, headers=headers), timeout=stall) as answer:
            return _receive(url, answer, partial, size, redirects.remote, task)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            partial.unlink()
            raise _Broken("the server cannot go on from what has come") from error
        if error.code in (408, 429) or error.code >= 500:
            raise _Broken(f"the server answers {error.code} {error.reason}") from error
        raise AnyliftError(f"{url}: the server answers {error.code} {error.reason}", _advice(error.code)) from error
    except _BREAKS as error:
        raise _Broken(f"the transfer broke off: {getattr(error, 'reason', None) or error or type(error)}") from error
    except OSError as error:
        raise AnyliftError(f"{partial} cannot be written: {error.strerror or error}", "free some space") from error


def _receive(url: str, answer, partial: Path, size: int | None, remote: Remote, task: Task) -> Remote:
    if answer.headers.get_content_type() == "text/html":
        raise AnyliftError(f"{url} sends a web page, not the file", "the file may have moved, or may need a login")
    _note_sum(remote, answer.headers)
    start = _start(answer, partial)
    length = answer.headers.get("Content-Length", "")
    announced = start + int(length) if length.isdigit() else None
    if size is not None and announced is not None and announced != size:
        raise AnyliftError(f"{url} has {announced} bytes, the file should have {size}", "it is another file")
    remote.size = size if size is not None else announced
    remote.validator = _strong_validator(answer.headers)
    _record(partial).write_text(json.dumps({"validator": remote.validator}), encoding="utf-8")
    _check_space(partial.parent, (remote.size or start) - start)
    with open(partial, "ab" if start else "wb") as stream:
        _copy(url, answer, stream, start, remote.size, task)
    if remote.size is not None and _size(partial) < remote.size:
        raise _Broken(f"the transfer ended after {_size(partial)} of {remote.size} bytes")
    remote.size = _size(partial)
    return remote


def _copy(url: str, answer, stream: BinaryIO, place: int, size: int | None, task: Task) -> None:
    while block := answer.read1(BLOCK):
        place += len(block)
        if size is not None and place > size:
            raise AnyliftError(f"{url} sends more than the {size} bytes that the file should have")
        stream.write(block)
        task.advance(len(block))


def _start(answer, partial: Path) -> int:
    """Byte at which the answer begins."""
    if answer.status != 206:
        return 0
    said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if said is None or int(said[1]) != _size(partial):
        partial.unlink()
        raise _Broken("the server goes on from another place than asked")
    return int(said[1])


def _note_sum(remote: Remote, headers) -> None:
    said = (headers.get("X-Linked-Etag") or "").strip('"').lower()
    if re.fullmatch("[0-9a-f]{64}", said):
        remote.sha256 = said


def _strong_validator(headers) -> str:
    tag = headers.get("ETag") or ""
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified") or ""


def _validator(partial: Path) -> str:
    try:
        return str(json.loads(_record(partial).read_text(encoding="utf-8"))["validator"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _record(partial: Path) -> Path:
    return partial.with_name(partial.name + ".json")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise AnyliftError(
            f"{folder} has {free >> 20} MiB free, the file needs {needed + SPARE_BYTES >> 20} MiB with some to spare",
            "free some space, or set ANYLIFT_WEIGHTS to a folder on another disk",
        )


def _advice(code: int) -> str:
    if code in (401, 403):
        return "its owner wants a login: fetch it in a browser, then `anylift weights import FILE`"
    return "the file may have moved; fetch it by hand, then `anylift weights import FILE`"

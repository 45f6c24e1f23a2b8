"""Read binary FBX into a tree of nodes; files come from anywhere, so nothing in them is trusted."""

from __future__ import annotations

import zlib
from pathlib import Path
from struct import Struct
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.export.fbx_binary import ARRAY, ARRAYS, FOOTER_END, FOOTER_ID, MAGIC, RECORD, SCALARS, UINT32, Node

MAX_BYTES = 1 << 30
MAX_DEPTH = 32
VERSIONS = range(7100, 7500)
"""From 7.5 on, offsets have 8 bytes."""


def read_fbx(path: Path | str) -> tuple[Node, ...]:
    """The nodes at the top of a file, values as numpy scalars and arrays, str and bytes.

    Raises:
        AnyliftError: missing, too large, not a binary FBX of versions 7.1 to 7.4, or damaged; with file and place.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AnyliftError(f"{path} is larger than {MAX_BYTES >> 30} GiB; refusing to read it")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "check the path") from error
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}") from error
    return _Reader(path, data).file()


class _Reader:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.data = data
        self.position = 0
        self.unpacked = 0

    def file(self) -> tuple[Node, ...]:
        if self.take(len(MAGIC)) != MAGIC:
            raise AnyliftError(f"{self.path} is not a binary FBX file", "save it as FBX binary 7.4")
        (version,) = self.unpack(UINT32)
        if version not in VERSIONS:
            raise AnyliftError(f"{self.path} is FBX version {version}", "save it as FBX binary 7.4 (2014/2015)")
        nodes = self.nodes(len(self.data), 0)
        self.footer(version)
        return nodes

    def footer(self, version: int) -> None:
        """The last bytes; other writers' ids differ from ours with the time of creation."""
        self.take(len(FOOTER_ID) + 4)
        self.zeros(16 - self.position % 16)
        if self.unpack(UINT32) != (version,):
            raise self.error("the footer names another version")
        if self.take(len(FOOTER_END)) != FOOTER_END or self.position != len(self.data):
            raise self.error("the footer is damaged")

    def nodes(self, end: int, depth: int) -> tuple[Node, ...]:
        """Nodes up to and with the sentinel; those below others must end at `end`."""
        if depth > MAX_DEPTH:
            raise self.error(f"nodes lie more than {MAX_DEPTH} deep")
        found = []
        while node := self.node(end, depth):
            found.append(node)
        if depth and self.position != end:
            raise self.error("a node does not end where it says")
        return tuple(found)

    def node(self, limit: int, depth: int) -> Node | None:
        start = self.position
        end, count, size, length = self.unpack(RECORD)
        if not any((end, count, size, length)):
            return None
        name = self.text(self.take(length))
        if not self.position + size <= end <= limit:
            raise self.error(f"the end of '{name[:40]}' (at {start}) lies outside what holds it")
        stop = self.position + size
        if count > size:
            raise self.error(f"'{name[:40]}' announces more values than bytes")
        values = tuple(self.value(stop) for _ in range(count))
        if self.position != stop:
            raise self.error(f"the values of '{name[:40]}' do not fill the space they announce")
        return Node(name, values, self.nodes(end, depth + 1) if self.position < end else ())

    def value(self, stop: int) -> Any:
        letter = self.take(1, stop)
        if letter in SCALARS:
            kind = np.dtype(SCALARS[letter])
            return np.frombuffer(self.take(kind.itemsize, stop), kind)[0]
        if letter in (b"S", b"R"):
            content = self.take(*self.unpack(UINT32, stop), stop)
            return content if letter == b"R" else self.text(content)
        if letter in ARRAYS:
            return self.array(np.dtype(ARRAYS[letter]), stop)
        raise self.error(f"unknown type of value {letter!r}")

    def array(self, kind: np.dtype, stop: int) -> np.ndarray:
        count, encoding, size = self.unpack(ARRAY, stop)
        content, wanted = self.take(size, stop), count * kind.itemsize
        self.unpacked += wanted
        if self.unpacked > MAX_BYTES:
            raise self.error(f"the arrays unpack to more than {MAX_BYTES >> 30} GiB")
        if encoding == 1:
            content = self.inflate(content, wanted)
        elif encoding:
            raise self.error(f"unknown encoding of an array: {encoding}")
        if len(content) != wanted:
            raise self.error(f"an array announces {wanted} bytes and holds {len(content)}")
        return np.frombuffer(content, kind)

    def inflate(self, content: bytes, wanted: int) -> bytes:
        machine = zlib.decompressobj()
        try:
            plain = machine.decompress(content, wanted + 1)
        except zlib.error as error:
            raise self.error(f"a compressed array is damaged: {error}") from error
        if not machine.eof or machine.unused_data:
            raise self.error("a compressed array is longer or shorter than it says")
        return plain

    def zeros(self, count: int) -> None:
        if any(self.take(count)):
            raise self.error("padding is not zero")

    def unpack(self, form: Struct, stop: int | None = None) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size, stop))

    def take(self, count: int, stop: int | None = None) -> bytes:
        end = self.position + count
        if end > (len(self.data) if stop is None else stop):
            raise self.error("the file ends too early" if stop is None else "a value is longer than its node")
        content = self.data[self.position : end]
        self.position = end
        return content

    def text(self, content: bytes) -> str:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.error("a text is not UTF-8") from error

    def error(self, what: str) -> AnyliftError:
        return AnyliftError(f"{self.path}, byte {self.position}: {what}", "is it a binary FBX file, and complete?")

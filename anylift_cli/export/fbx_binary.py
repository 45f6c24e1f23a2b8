"""Binary FBX 7.4 as a tree of nodes: how it is laid out in bytes.

Autodesk publishes no specification; the layout is the one of Gessler and Barton, "FBX binary file format
specification" (Blender Foundation, 2013, public domain). Readers made by Autodesk check three constants of a file
against each other: its id, the time of its creation, and the first bytes of its footer. They are fixed here, at the
values that Blender's exporter has always written; so the same scene gives the same bytes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np

MAGIC = b"Kaydara FBX Binary  \x00\x1a\x00"
VERSION = 7400
FILE_ID = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")
CREATION_TIME = "1970-01-01 10:00:00:000"
FOOTER_ID = bytes.fromhex("fabcab09d0c8d466b176fb831cf7267e")
FOOTER_END = b"\x00" * 120 + bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")
RECORD = Struct("<IIIB")
"""End offset in the file, number of values, their bytes, length of the name."""
SENTINEL = bytes(RECORD.size)
ARRAY = Struct("<III")
"""Number of elements, encoding (1: zlib), bytes."""
UINT32 = Struct("<I")

SCALARS = {b"C": "?", b"Y": "<i2", b"I": "<i4", b"L": "<i8", b"F": "<f4", b"D": "<f8"}
ARRAYS = {b"b": "?", b"i": "<i4", b"l": "<i8", b"f": "<f4", b"d": "<f8"}
"""numpy types by FBX's letters."""

_SCALAR_LETTERS = {np.dtype(kind): letter for letter, kind in SCALARS.items()}
_ARRAY_LETTERS = {np.dtype(kind): letter for letter, kind in ARRAYS.items()}
_PYTHON_SCALARS = {bool: "?", int: "<i4", float: "<f8"}
_SMALL_ARRAY = 128
_END_MARKED = ("AnimationStack", "AnimationLayer")
"""Nodes that Autodesk's readers want to end in a sentinel though they have no children."""


@dataclass(frozen=True)
class Node:
    """A named list of values with nodes below it.

    Values are numpy scalars and arrays, str, bytes; a Python bool, int or float stands for one of 1, 4 and 8 bytes.
    """

    name: str
    values: tuple[Any, ...] = ()
    children: tuple[Node, ...] = ()

    def __getitem__(self, name: str) -> Node:
        """The first child called `name`.

        Raises:
            KeyError: there is none.
        """
        for child in self.children:
            if child.name == name:
                return child
        raise KeyError(name)

    def all(self, name: str) -> list[Node]:
        """All children called `name`."""
        return [child for child in self.children if child.name == name]


@dataclass(frozen=True)
class Encoded:
    """A value that is in FBX's bytes already, so that what many nodes share is encoded once."""

    data: bytes


def file_bytes(nodes: tuple[Node, ...]) -> bytes:
    """A whole file with `nodes` at its top."""
    parts = [MAGIC, UINT32.pack(VERSION)]
    position = sum(map(len, parts))
    for node in nodes:
        parts.append(_record(node, position))
        position += len(parts[-1])
    parts += [SENTINEL, FOOTER_ID, bytes(4)]
    position += sum(map(len, parts[-3:]))
    parts += [bytes(16 - position % 16), UINT32.pack(VERSION), FOOTER_END]
    return b"".join(parts)


def encode(value: Any) -> Encoded:
    """One value, with its type letter.

    Raises:
        TypeError: FBX has no such type.
    """
    if isinstance(value, Encoded):
        return value
    if isinstance(value, str):
        value = value.encode("utf-8")
        return Encoded(b"S" + UINT32.pack(len(value)) + value)
    if isinstance(value, bytes):
        return Encoded(b"R" + UINT32.pack(len(value)) + value)
    if isinstance(value, np.ndarray):
        data, letter = value.tobytes(), _ARRAY_LETTERS[value.dtype]
        packed = zlib.compress(data, 1) if len(data) > _SMALL_ARRAY else data
        return Encoded(letter + ARRAY.pack(value.size, packed is not data, len(packed)) + packed)
    number = np.asarray(value, _PYTHON_SCALARS.get(type(value)))
    if number.ndim or number.dtype not in _SCALAR_LETTERS:
        raise TypeError(f"FBX cannot hold {type(value).__name__}")
    return Encoded(_SCALAR_LETTERS[number.dtype] + number.tobytes())


def _record(node: Node, start: int) -> bytes:
    name = node.name.encode("ascii")
    values = b"".join(encode(value).data for value in node.values)
    position = start + RECORD.size + len(name) + len(values)
    below = []
    for child in node.children:
        below.append(_record(child, position))
        position += len(below[-1])
    if node.children or not node.values or node.name in _END_MARKED:
        below.append(SENTINEL)
        position += len(SENTINEL)
    return b"".join([RECORD.pack(position, len(node.values), len(values), len(name)), name, values, *below])

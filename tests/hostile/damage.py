"""Damage to files: what broken disks, broken programs and hostile people make of them.

A damage is a function of bytes and a source of randomness. Formats that pack others (zip, JSON, safetensors) are
unpacked, damaged inside and packed again with right sums, so that the damage comes through to the parser behind.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
NUMBERS = (
    b"0", b"-0", b"-1", b"1", b"2", b"1e308", b"-1e308", b"1e999", b"1e-320", b"nan", b"NaN", b"inf", b"-Infinity",
    b"2147483647", b"2147483648", b"4294967295", b"9223372036854775807", b"18446744073709551616", b"9" * 5000, b"0.5",
    b"", b"null", b"[]", b"{}", b'""', b'"a"', b"true", b"-", b"..", b"1,5", b"0x10", b"\xff", b"[" * 3000,
)  # fmt: skip
INTEGERS = (0, 1, -1, 2, 127, 255, 32767, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, 2**63 - 1, -(2**63))
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 10**30, 2**63, float("nan"), float("inf"), "", "a", "9" * 5000,
    "../../etc/passwd", "<script>alert(1)</script>", "\u0000", "\ud800", [], {}, [[]], [1], [1, 2, 3], [None], ["a"],
    {"a": 1}, [[1, 2], [3]], {"frame": 1}, [{}],
)  # fmt: skip
ARRAYS: tuple[Any, ...] = (
    np.array(np.nan), np.array(np.inf), np.array(0.0), np.array(-1), np.zeros(0), np.zeros((0, 4, 4)),
    np.zeros((3, 0, 3)), np.full((4, 4), np.nan), np.array("text"), np.array(["a", "b"]), np.array(b"bytes"),
    np.zeros(3, complex), np.zeros(3, "M8[s]"), np.zeros(2, [("a", "f4")]), np.zeros((2,) * 12), np.ones(7, bool),
    np.array([2**62, -1]), np.full((2, 3, 3), 1e308), np.array(2**63, np.uint64), np.zeros(5, np.float16),
    np.array([None, "C7"], object), np.array({"a": 1}, object), np.zeros((1, 1, 1, 1)),
)  # fmt: skip
Damage = Callable[[bytes, random.Random], bytes]


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    """One to eight bits anywhere."""
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 8) if damaged else 0):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(content: bytes, rng: random.Random) -> bytes:
    """The end is lost."""
    return content[: rng.randint(0, len(content))]


def drop(content: bytes, rng: random.Random) -> bytes:
    """A part in the middle is lost."""
    start = rng.randint(0, len(content))
    return content[:start] + content[start + rng.randint(1, 64) :]


def repeat(content: bytes, rng: random.Random) -> bytes:
    """A part comes several times."""
    start = rng.randint(0, len(content))
    part = content[start : start + rng.randint(1, 200)]
    return content[:start] + part * rng.randint(2, 50) + content[start:]


def put_noise(content: bytes, rng: random.Random) -> bytes:
    """Bytes that mean nothing, over or between what was there."""
    start, noise = rng.randint(0, len(content)), rng.randbytes(rng.randint(1, 64))
    return content[:start] + noise + content[start + rng.choice((0, len(noise))) :]


def put_integer(content: bytes, rng: random.Random) -> bytes:
    """A binary integer at the edge of its range: sizes, counts, offsets."""
    size = rng.choice((1, 2, 4, 8))
    if len(content) < size:
        return content
    value = rng.choice(INTEGERS) & (1 << 8 * size) - 1
    start = rng.randint(0, len(content) - size)
    return content[:start] + value.to_bytes(size, rng.choice(("little", "big"))) + content[start + size :]


def put_number(content: bytes, rng: random.Random) -> bytes:
    """A number in a text becomes another one, or none."""
    found = list(NUMBER.finditer(content))
    if not found:
        return put_integer(content, rng)
    place = rng.choice(found)
    return content[: place.start()] + rng.choice(NUMBERS) + content[place.end() :]


def shuffle_lines(content: bytes, rng: random.Random) -> bytes:
    """A line is lost, doubled, or swapped with another."""
    lines = content.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    way = rng.randrange(3)
    if way == 0:
        del lines[one]
    elif way == 1:
        lines.insert(one, lines[other])
    else:
        lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


PLAIN: tuple[Damage, ...] = (
    flip_bits, cut, drop, repeat, put_noise, put_integer, put_number, put_number, shuffle_lines,
)  # fmt: skip


def damage(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """One to three damages, inside of what the content packs more often than not; now and then a part of another file.

    Args:
        others: whole files to take parts of.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = _damage_once(content, rng, others)
    return content


def _damage_once(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    if rng.random() < 0.05:
        other = rng.choice(others)
        return content[: rng.randint(0, len(content))] + other[rng.randint(0, len(other)) :]
    if rng.random() < 0.75:
        if content.startswith(b"PK\x03\x04"):
            return _inside_zip(content, rng, others)
        if content.lstrip()[:1] in (b"{", b"["):
            return _inside_json(content, rng)
        if content[8:9] == b"{" and len(content) > 16:
            return _inside_safetensors(content, rng)
    return rng.choice(PLAIN)(content, rng)


def _inside_zip(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return rng.choice(PLAIN)(content, rng)
    if not members:
        return content
    name = rng.choice(sorted(members))
    way = rng.random()
    if way < 0.1:
        del members[name]
    elif way < 0.2:
        members[rng.choice(("new.npy", "../../escape.npy", "/root.npy", "a/b.npy", "meta.npy", "x"))] = members[name]
    elif way < 0.5 and name.endswith(".npy"):
        members[name] = _npy(rng.choice(ARRAYS))
    elif way < 0.7 and name == "meta.npy":
        meta = json.dumps(_inside_value(_meta_of(members[name]), rng))
        members[name] = _npy(np.array(meta.encode("utf-8", "replace").decode()))
    elif way < 0.8 and name.endswith(".npy"):
        members[name] = _declared(members[name], rng)
    else:
        members[name] = _damage_once(members[name], rng, others)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, value in members.items():
            archive.writestr(member, value)
    return packed.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def _declared(content: bytes, rng: random.Random) -> bytes:
    """Another shape or type than what follows."""
    shape = tuple(rng.choice((0, 1, 3, 4, 24, 2**31, 2**40, 2**62)) for _ in range(rng.randint(0, 6)))
    header = {"descr": rng.choice(("<f8", "<f4", "|u1", "<i8", "|O", "<U9", "|V4", "<c16")), "fortran_order": False}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {**header, "shape": shape})
    return stream.getvalue() + content[128:]


def _meta_of(content: bytes) -> Any:
    try:
        return json.loads(str(np.load(io.BytesIO(content))))
    except (ValueError, EOFError, OSError, RecursionError):
        return {}


def _inside_json(content: bytes, rng: random.Random) -> bytes:
    try:
        stored = json.loads(content)
    except (ValueError, RecursionError):
        return put_number(content, rng)
    return json.dumps(_inside_value(stored, rng)).encode("utf-8", "replace")


def _inside_value(value: Any, rng: random.Random) -> Any:
    """One place somewhere in a tree of JSON values becomes something else, is lost or is named otherwise."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        copy = value.copy()
        way = rng.random()
        if way < 0.1:
            del copy[key]
        elif way < 0.2 and isinstance(copy, dict):
            copy[rng.choice(("", "a", "9" * 5000, "-1", "\u0000"))] = copy.pop(key)
        else:
            copy[key] = _inside_value(value[key], rng)
        return copy
    return rng.choice(VALUES)


def _inside_safetensors(content: bytes, rng: random.Random) -> bytes:
    (size,) = struct.unpack("<Q", content[:8])
    head, body = content[8 : 8 + size], content[8 + size :]
    try:
        header = json.loads(head)
        manifest = header.get("__metadata__", {}).get("manifest")
        if manifest is not None and rng.random() < 0.7:
            header["__metadata__"]["manifest"] = json.dumps(_inside_value(json.loads(manifest), rng))
        else:
            header = _inside_value(header, rng)
        head = json.dumps(header).encode("utf-8", "replace")
    except (ValueError, AttributeError, TypeError, RecursionError):
        head = put_number(head, rng)
    return struct.pack("<Q", len(head)) + head + body

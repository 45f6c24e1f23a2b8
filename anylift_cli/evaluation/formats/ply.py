"""Vertices of PLY meshes (Turk, "The PLY Polygon File Format", 1994)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.errors import AnyliftError

MAX_BYTES = 1 << 30
TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


def read_ply_vertices(path: Path | str) -> np.ndarray:
    """Vertex positions (V, 3) in the file's unit.

    Raises:
        AnyliftError: missing, too large, or not a PLY file whose first element are vertices with x, y and z.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AnyliftError(f"{path} is larger than {MAX_BYTES >> 30} GiB; refusing to read it")
        head, mark, rest = path.read_bytes().partition(b"end_header")
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}", "check the path") from error
    try:
        lines = [line.split() for line in head.decode("ascii").splitlines() if line.strip()]
        if lines[0] != ["ply"] or not mark:
            raise ValueError("no PLY header")
        order, count, fields = _header(lines)
        body = rest.partition(b"\n")[2]
        if order == "ascii":
            rows = [line.split()[: len(fields)] for line in body.decode("ascii").split("\n")[:count]]
            table = np.array(rows, np.float64)
            columns = [table[:, [name for name, _ in fields].index(axis)] for axis in "xyz"]
        else:
            layout = np.dtype([(name, ORDERS[order] + kind) for name, kind in fields])
            table = np.frombuffer(body, layout, count)
            columns = [table[axis].astype(np.float64) for axis in "xyz"]
        vertices = np.stack(columns, -1)
        if vertices.shape != (count, 3) or not count or not np.isfinite(vertices).all():
            raise ValueError("its vertices are not finite positions")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise AnyliftError(f"{path} is damaged or not a PLY mesh: {error}", "unpack it again") from error
    return vertices


def _header(lines: list[list[str]]) -> tuple[str, int, list[tuple[str, str]]]:
    """Format, number of vertices, and name and type of each of their properties."""
    order = next((words[1] for words in lines if words[0] == "format"), "none")
    starts = [index for index, words in enumerate(lines) if words[0] == "element"]
    first = lines[starts[0]]
    if order not in ORDERS or first[1] != "vertex":
        raise ValueError("an unknown format, or vertices are not its first element")
    stop = starts[1] if len(starts) > 1 else len(lines)
    fields = [(words[2], TYPES[words[1]]) for words in lines[starts[0] : stop] if words[0] == "property"]
    return order, int(first[2]), fields

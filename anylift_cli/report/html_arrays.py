"""Arrays in the form a page embeds them: one compressed run of bytes and an index of what lies where."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

ALIGNMENT = 8
TYPES = ("float32", "uint32", "uint16", "int16", "uint8")
"""What a page reads, each as the typed array of that name."""
UNIT = 32767
"""What 1 is stored as in int16."""


def pack(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], str]:
    """Put arrays behind each other.

    Returns:
        index: type, shape and offset in bytes of each array, by name.
        data: base64 of the gzip-compressed little-endian bytes; the same arrays always give the same text.
    """
    index, parts, offset = {}, [], 0
    for name, value in arrays.items():
        if value.dtype.name not in TYPES:
            raise ValueError(f"{name}: {value.dtype} has no typed array")
        data = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
        index[name] = {"type": value.dtype.name, "shape": list(value.shape), "offset": offset}
        padding = -len(data) % ALIGNMENT
        parts.append(data + bytes(padding))
        offset += len(data) + padding
    return index, base64.b64encode(gzip.compress(b"".join(parts), 6, mtime=0)).decode("ascii")


def quaternions(rotations: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) as quaternions (..., 4) xyzw in int16, 1 being `UNIT`; off by 0.004° at most."""
    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat(canonical=True)
    return np.round(flat * UNIT).astype(np.int16).reshape(*rotations.shape[:-2], 4)

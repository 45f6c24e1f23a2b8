"""Take named arrays out of what a foreign file holds, checking every one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError


def arrays_of(path: Path, kind: str, stored: Any, wanted: dict[str, str], *, finite: bool = True) -> list[np.ndarray]:
    """Arrays of `stored` as float64, in the order of `wanted`.

    Args:
        path: of the file, for messages.
        kind: what the file is, for messages.
        stored: the dictionary that the file should hold.
        wanted: name → space-separated axis sizes; a letter must have one size throughout, "" is a scalar.
        finite: whether NaN and infinities are refused.

    Raises:
        AnyliftError: a missing array, one that is not of numbers, of another shape, or not finite.
    """
    if not isinstance(stored, Mapping):
        raise AnyliftError(f"{path} is not a {kind} file: it holds a {type(stored).__name__}")
    sizes: dict[str, int] = {}
    return [_array(path, kind, stored, name, dims.split(), sizes, finite) for name, dims in wanted.items()]


def _array(
    path: Path, kind: str, stored: Mapping, name: str, dims: list[str], sizes: dict[str, int], finite: bool
) -> np.ndarray:
    if name not in stored:
        raise AnyliftError(f"{path}: '{name}' is missing, which every {kind} file has", "was it written completely?")
    try:
        value = np.asarray(stored[name], np.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AnyliftError(f"{path}: '{name}' is not an array of numbers") from error
    fits = value.ndim == len(dims) and all(
        size == (int(dim) if dim.isdigit() else sizes.setdefault(dim, size))
        for dim, size in zip(dims, value.shape, strict=True)
    )
    if not fits or 0 in value.shape:
        expected = ", ".join(f"{dim}={sizes[dim]}" if dim in sizes else dim for dim in dims)
        raise AnyliftError(f"{path}: '{name}' has shape {value.shape}, a {kind} file has ({expected})")
    if finite and not np.isfinite(value).all():
        raise AnyliftError(f"{path}: '{name}' holds NaN or infinite values")
    return value

"""Parquet files of a bounded size, written a clip at a time, so that memory does not grow with the data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from anylift_cli.errors import AnyliftError, MissingDependencyError

if TYPE_CHECKING:
    import pyarrow

ROWS = 100_000
"""At most in a file, unless one clip has more: about 100 MB."""


def arrow() -> Any:
    """pyarrow with its Parquet module.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError(
            f"Parquet files need pyarrow, which cannot be loaded: {error}", "pip install 'anylift-cli[dataset]'"
        ) from error
    return pyarrow


class Parts:
    """Writes tables of one schema one after the other, each as a row group of its own.

    Args:
        path_of: the file of each part, by its number from 0.
    """

    def __init__(self, path_of: Callable[[int], Path], schema: pyarrow.Schema) -> None:
        self._path_of, self._schema = path_of, schema
        self._part, self._rows, self._writer = -1, 0, None

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._close()

    def write(self, columns: dict[str, Any]) -> int:
        """Write a clip's rows; returns the number of the part that they are in.

        Raises:
            AnyliftError: the disk is full.
        """
        table = arrow().table(columns, schema=self._schema)
        try:
            if self._writer is None or self._rows + len(table) > ROWS:
                self._next()
            self._writer.write_table(table)
        except OSError as error:
            raise AnyliftError(f"could not write {self._path_of(self._part)}: {error}", "free some space") from error
        self._rows += len(table)
        return self._part

    def _next(self) -> None:
        self._close()
        self._part, self._rows = self._part + 1, 0
        path = self._path_of(self._part)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = arrow().parquet.ParquetWriter(path, self._schema, compression="zstd")

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def lists(values: np.ndarray) -> pyarrow.FixedSizeListArray:
    """Rows of `values` (N, …) float32 as Arrow lists of fixed size, nested like the axes."""
    pa = arrow()
    flat = pa.array(np.ascontiguousarray(values, np.float32).reshape(-1))
    for size in reversed(values.shape[1:]):
        flat = pa.FixedSizeListArray.from_arrays(flat, size)
    return flat


def list_type(*sizes: int) -> pyarrow.DataType:
    """The type of what `lists` makes."""
    kind = arrow().float32()
    for size in reversed(sizes):
        kind = arrow().list_(kind, size)
    return kind

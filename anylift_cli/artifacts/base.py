"""The shape every artifact shares: declared arrays, one JSON `meta` string, safe loading, atomic saving."""

from __future__ import annotations

import dataclasses
import json
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.lib import format as npy_format

from anylift_cli.artifacts.files import DAMAGED, atomic_path, unpacked_limit
from anylift_cli.errors import AnyliftError

MAX_TOTAL_BYTES = 8 << 30

A = TypeVar("A", bound="Artifact")


def array(dims: str, dtype: str, unit: str = "", *, finite: bool = True, optional: bool = False) -> Any:
    """Declare an array field of an artifact.

    Args:
        dims: space-separated axis sizes; a letter must have one size throughout the artifact, "" is a scalar.
        dtype: NumPy type that the array is stored as ("f4", "f8", "i8", "?", "U" for text).
        unit: unit of the values, for people ("px", "m", "s", "rad").
        finite: whether NaN and infinities are refused.
        optional: whether the array may be None (and is then absent from the file).
    """
    spec = {"dims": dims.split(), "dtype": dtype, "unit": unit, "finite": finite, "optional": optional}
    if optional:
        return field(default=None, metadata=spec)
    return field(metadata=spec)


@dataclass(kw_only=True)
class Artifact:
    """Base of all artifacts. Subclasses declare `schema`, `version` and fields made by `array`.

    `meta` holds plain JSON values: how the file was made (stage, backend, options, key, timings) and
    whatever a stage has to say that is not an array.
    """

    schema: ClassVar[str]
    version: ClassVar[int]

    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for spec in self.array_fields():
            value = getattr(self, spec.name)
            if value is not None:
                dtype = spec.metadata["dtype"]
                setattr(self, spec.name, np.asarray(value) if dtype == "U" else np.asarray(value, dtype))
        self.validate()

    @classmethod
    def array_fields(cls) -> list[dataclasses.Field]:
        """The declared arrays, in order."""
        return [f for f in dataclasses.fields(cls) if "dims" in f.metadata]

    def validate(self) -> None:
        """Check presence, axes and finiteness.

        Raises:
            AnyliftError: naming the array and what is wrong with it.
        """
        sizes: dict[str, int] = {}
        for spec in self.array_fields():
            value, rule = getattr(self, spec.name), spec.metadata
            if value is None:
                if not rule["optional"]:
                    raise AnyliftError(f"{self.schema}: array '{spec.name}' is missing")
                continue
            expected = "(" + ", ".join(rule["dims"]) + ")"
            if value.ndim != len(rule["dims"]):
                raise AnyliftError(f"{self.schema}: '{spec.name}' has shape {value.shape}, expected {expected}")
            for name, size in zip(rule["dims"], value.shape, strict=True):
                wanted = int(name) if name.isdigit() else sizes.setdefault(name, size)
                if size != wanted:
                    raise AnyliftError(
                        f"{self.schema}: '{spec.name}' has shape {value.shape}, expected {expected} "
                        f"with {name}={wanted}"
                    )
            if rule["finite"] and value.dtype.kind == "f" and not np.isfinite(value).all():
                raise AnyliftError(f"{self.schema}: '{spec.name}' holds NaN or infinite values")

    def frames(self: A, frames: slice) -> A:
        """The same artifact with some frames only: of all arrays with an axis T."""
        changes = {}
        for spec in self.array_fields():
            value, dims = getattr(self, spec.name), spec.metadata["dims"]
            if value is not None and "T" in dims:
                changes[spec.name] = value[(slice(None),) * dims.index("T") + (frames,)]
        return dataclasses.replace(self, **changes)

    def save(self, path: Path | str) -> Path:
        """Validate and write `path` whole or not at all.

        Raises:
            AnyliftError: an invalid artifact, an unwritable folder, a full disk.
        """
        self.validate()
        arrays = {
            spec.name: getattr(self, spec.name) for spec in self.array_fields() if getattr(self, spec.name) is not None
        }
        meta = {**self.meta, "schema": self.schema, "schema_version": self.version}
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, **arrays, meta=np.array(json.dumps(meta)))
        return Path(path)

    @classmethod
    def load(cls: type[A], path: Path | str) -> A:
        """Read and check a file that `save` or another program wrote.

        Raises:
            AnyliftError: missing, damaged, foreign, oversized or pickled content; the file is named.
        """
        path = Path(path)
        arrays = read_npz(path)
        meta = _parse_meta(path, arrays.pop("meta", None))
        if meta.get("schema") != cls.schema:
            found = meta.get("schema") or "a file that anylift did not write"
            raise AnyliftError(
                f"{path} is not an {cls.schema} file: it is {found}", f"`anylift info {path}` shows what it holds"
            )
        if meta.get("schema_version") != cls.version:
            raise AnyliftError(
                f"{path} has {cls.schema} version {meta.get('schema_version')}, this anylift reads {cls.version}",
                _way_to(meta, cls.version),
            )
        known = {spec.name: spec.metadata["dtype"] for spec in cls.array_fields()}
        if unknown := sorted(set(arrays) - set(known)):
            raise AnyliftError(f"{path}: unknown arrays {', '.join(unknown)}", "was it edited by another program?")
        for name, value in arrays.items():
            if value.dtype.kind != np.dtype(known[name]).kind:
                raise AnyliftError(f"{path}: '{name}' is stored as {value.dtype}, expected {known[name]}")
        missing = [
            spec.name for spec in cls.array_fields() if spec.name not in arrays and not spec.metadata["optional"]
        ]
        if missing:
            raise AnyliftError(f"{path}: array '{missing[0]}' is missing", "make the file again")
        try:
            return cls(**arrays, meta=meta)
        except AnyliftError as error:
            raise AnyliftError(f"{path}: {error.message}", error.hint) from error


def read_meta(path: Path | str) -> dict[str, Any]:
    """The `meta` of any artifact, without reading its arrays; {} for an npz that anylift did not write."""
    path = Path(path)
    return _parse_meta(path, read_npz(path, only={"meta"}).get("meta"))


def read_npz(path: Path | str, only: set[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an npz file, read without pickle after the declared sizes were checked.

    Raises:
        AnyliftError: missing, not an npz, damaged, pickled, larger than `MAX_TOTAL_BYTES`, or much larger than the
            file.
    """
    path = Path(path)
    with _named_errors(path):
        with zipfile.ZipFile(path) as archive:
            _check_size(path, _declared(path, archive), only)
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files if only is None or name in only}
    for name, value in found.items():
        if value.dtype.kind == "U" and not _is_text(value):
            raise AnyliftError(f"{path}: '{name}' holds characters that there are none of")
    return found


def _is_text(value: np.ndarray) -> bool:
    """Whether all of its characters are such; numpy does not look at them until it prints one."""
    numbers = np.frombuffer(value.tobytes(), np.dtype(np.uint32).newbyteorder(value.dtype.byteorder))
    return not numbers.size or int(numbers.max()) <= sys.maxunicode


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "check the path, or run the stage that writes it") from error
    except IsADirectoryError as error:
        raise AnyliftError(f"{path} is a folder, not a file") from error
    except PermissionError as error:
        raise AnyliftError(f"{path} cannot be read: permission denied") from error
    except DAMAGED as error:
        raise AnyliftError(
            f"{path} is damaged or not an npz file: {error}", "delete it and run the stage that writes it again"
        ) from error


def declared_arrays(path: Path | str) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array of an npz file, without reading them.

    Raises:
        AnyliftError: as `read_npz`.
    """
    path = Path(path)
    with _named_errors(path), zipfile.ZipFile(path) as archive:
        return _declared(path, archive)


def _declared(path: Path, archive: zipfile.ZipFile) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    declared = {}
    for member in archive.infolist():
        if not member.filename.endswith(".npy"):
            raise AnyliftError(f"{path} holds '{member.filename}', which is not an array")
        with archive.open(member) as stream:
            version = npy_format.read_magic(stream)
            reader = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, _, dtype = reader(stream)
        if dtype.hasobject:
            raise AnyliftError(
                f"{path}: '{member.filename[:-4]}' holds pickled Python objects, which anylift never loads",
                "pickles can run code; ask for a plain npz",
            )
        declared[member.filename[:-4]] = (shape, dtype)
    return declared


def _check_size(path: Path, declared: dict[str, tuple[tuple[int, ...], np.dtype]], only: set[str] | None) -> None:
    limit = unpacked_limit(path.stat().st_size, MAX_TOTAL_BYTES)
    wanted = [declared[name] for name in declared if only is None or name in only]
    sizes = [int(np.prod([length or 1 for length in shape], dtype=object)) * dtype.itemsize for shape, dtype in wanted]
    if sum(sizes) > limit:
        raise AnyliftError(f"{path} declares more than {limit >> 20} MiB of arrays; refusing to read it")


def _way_to(meta: dict[str, Any], version: int) -> str:
    """What to do about a file of another version of a schema."""
    found, writer = meta.get("schema_version"), meta.get("anylift_version")
    if isinstance(found, int) and found > version:
        return f"it was written by anylift {writer or 'of a later version'}: upgrade anylift to read it"
    return "run the same `anylift` command as for the file again: older files are made anew"


def _parse_meta(path: Path, stored: np.ndarray | None) -> dict[str, Any]:
    if stored is None:
        return {}
    try:
        meta = json.loads(str(stored))
    except (ValueError, RecursionError) as error:
        raise AnyliftError(f"{path}: its meta is not valid JSON: {error}") from error
    if not isinstance(meta, dict):
        raise AnyliftError(f"{path}: its meta is not a JSON object")
    return meta

"""Read other tools' pickles without running what is in them: numbers, arrays and containers only.

Objects of chumpy and of scipy's sparse matrices, which SMPL's files hold, become stand-ins that keep only their
numbers; `numpy.asarray` makes arrays of them.
Covers plain pickles, joblib files (uncompressed or zlib, gzip), torch files and `.npy` files that hold an object.
The unpickler is Python's own (`pickle._Unpickler`), because joblib writes its arrays between the opcodes and only that
one can stop there; joblib itself is not needed.
"""

from __future__ import annotations

import codecs
import io
import pickle
import re
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.lib import format as npy_format

from anylift_cli.artifacts.files import DAMAGED, unpacked_limit
from anylift_cli.errors import AnyliftError

MAX_BYTES = 4 << 30
_ZLIB_START, _GZIP_START = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), b"\x1f\x8b"
_DAMAGED = (pickle.UnpicklingError, *DAMAGED)
_MOST_ELEMENTS = 1 << 27
"""Of a sparse matrix that is written out."""
_TRAINERS = ("pytorch_lightning.", "lightning.", "lightning_fabric.")
_PLAIN = "save its numbers with numpy.savez or torch.save instead, or ask the tool that wrote it for a plain file"


def load_pickle(path: Path | str) -> Any:
    """The object in a pickle or a joblib file.

    Raises:
        AnyliftError: missing, damaged, larger than `MAX_BYTES`, or asks for anything but numbers and containers; the
            file and what it asked for are named, and nothing of it was run.
    """
    path = Path(path)
    content = _content(path)
    if content[:2] in _ZLIB_START or content[:2] == _GZIP_START:
        content = _inflated(path, content)
    return _load(path, io.BytesIO(content))


def load_object_array(path: Path | str) -> Any:
    """What `numpy.save` wrote: the array, or the object where the array holds a single one.

    Raises:
        AnyliftError: as for `load_pickle`, or not a `.npy` file.
    """
    path = Path(path)
    return _read_npy(path, io.BytesIO(_content(path)))


def load_npz_member(path: Path | str, name: str) -> Any:
    """As `load_object_array`, of the array `name` of an npz file."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            limit = unpacked_limit(path.stat().st_size, MAX_BYTES)
            if archive.getinfo(f"{name}.npy").file_size > limit:
                raise AnyliftError(f"{path}: '{name}' is larger than {limit >> 20} MiB; refusing to read it")
            content = archive.read(f"{name}.npy")
    except _DAMAGED as error:
        raise AnyliftError(f"{path} is damaged: {error}", "write it again") from error
    return _read_npy(path, io.BytesIO(content))


def load_torch(path: Path | str) -> Any:
    """The object in a `torch.save` file, read by torch with `weights_only`.

    Raises:
        AnyliftError: as for `load_pickle`.
    """
    import torch

    path = Path(path)
    stream = io.BytesIO(_content(path))
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise _ForbiddenName(path, found[1]) from error
        raise AnyliftError(f"{path} is damaged or not a torch file", "write it again") from error


def load_checkpoint(path: Path | str) -> Any:
    """As `load_torch`, of a training snapshot: what it holds of the trainer's own classes becomes empty objects.

    Raises:
        AnyliftError: as for `load_pickle`.
    """
    stand_ins: dict[str, type] = {}
    while True:
        try:
            with _known(list(stand_ins.values())):
                return load_torch(path)
        except _ForbiddenName as error:
            if not error.name.startswith(_TRAINERS) or error.name in stand_ins:
                raise
            module, _, name = error.name.rpartition(".")
            stand_ins[error.name] = type(name, (_Empty,), {"__module__": module})


class _Empty(dict):
    """Takes the place of an object and forgets what it is told."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        pass


def _known(kinds: list[type]) -> AbstractContextManager[Any]:
    """Lets torch unpickle these; torch before 2.5 cannot, and refuses the file."""
    import torch

    known = getattr(torch.serialization, "safe_globals", None)
    return nullcontext() if known is None else known(kinds)


class _ForbiddenName(AnyliftError):
    """A file asks for a class or function called `name`, which was not loaded."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(
            f"{path} asks Python for '{name}', which could run code; it was not loaded and nothing of it was run",
            _PLAIN,
        )
        self.name = name


class _NumpyArrayWrapper:
    """joblib's stand-in for an array whose numbers follow in the stream (joblib/numpy_pickle.py)."""

    subclass: Any
    shape: tuple[int, ...]
    order: str
    dtype: np.dtype
    allow_mmap: bool
    numpy_array_alignment_bytes: int | None = None

    def read(self, unpickler: _SafeUnpickler) -> Any:
        if self.dtype.hasobject:
            return _SafeUnpickler(unpickler.stream).load()
        if self.numpy_array_alignment_bytes is not None:
            unpickler.stream.read(unpickler.stream.read(1)[0])
        return _numbers(unpickler.stream, self.shape, self.dtype, self.order)


class _ForbiddenGlobal(pickle.UnpicklingError):
    pass


class _SafeUnpickler(pickle._Unpickler):
    """An unpickler that knows a short list of globals and leaves their attributes alone."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, encoding="latin1")
        self.stream = stream

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy._core", "numpy.core")
        if (module, name) not in _ALLOWED:
            raise _ForbiddenGlobal(f"{module}.{name}")
        return _ALLOWED[module, name]

    def load_build(self) -> None:
        owner = self.stack[-2]
        if isinstance(owner, np.dtype):
            self.stack[-1] = _in_byte_order(owner, self.stack.pop())
            return
        if isinstance(owner, _StandIn):
            owner.state = _state(self.stack.pop())
            return
        if not isinstance(owner, (np.ndarray, _NumpyArrayWrapper)):
            raise pickle.UnpicklingError(f"sets attributes of a {type(owner).__name__}")
        super().load_build()
        if isinstance(self.stack[-1], _NumpyArrayWrapper):
            self.stack[-1] = self.stack[-1].read(self)

    dispatch[pickle.BUILD[0]] = load_build

    def load_bytearray8(self) -> None:
        """As Python's, which makes room for as many bytes as the file announces before it reads them."""
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(min(size, sys.maxsize))))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


class _StandIn:
    """Keeps the state of an object whose class is not loaded."""

    state: dict[str, Any]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        try:
            return np.asarray(self.numbers(), dtype)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"not the numbers of a {type(self).__name__.strip('_')}: {error}") from error

    def numbers(self) -> np.ndarray:
        """What it stands for, as an array."""
        raise NotImplementedError


class _Chumpy(_StandIn):
    """chumpy.ch.Ch (mattloper/chumpy, ch.py): an array and what autodiff needed."""

    def numbers(self) -> np.ndarray:
        return np.asarray(self.state["x"])


class _ChumpySelection(_StandIn):
    """chumpy.reordering.Select: some elements of another one, in another shape."""

    def numbers(self) -> np.ndarray:
        return np.asarray(self.state["a"]).ravel()[self.state["idxs"]].reshape(self.state["preferred_shape"])


class _SparseColumns(_StandIn):
    """scipy.sparse.csc_matrix; its indices are checked, which scipy leaves to the file."""

    def numbers(self) -> np.ndarray:
        shape = self.state["_shape"] if "_shape" in self.state else self.state["shape"]
        return self.dense(shape)

    def dense(self, shape: tuple[int, int]) -> np.ndarray:
        """All elements, (rows, columns)."""
        rows, columns = shape
        if len(self.state["indptr"]) != columns + 1 or not 0 <= rows * columns <= _MOST_ELEMENTS:
            raise ValueError(f"{shape} elements with {len(self.state['indptr'])} starts")
        matrix = np.zeros(shape)
        column = np.repeat(np.arange(columns), np.diff(self.state["indptr"]))
        np.add.at(matrix, (np.asarray(self.state["indices"], np.int64), column), self.state["data"])
        return matrix


class _SparseRows(_SparseColumns):
    """scipy.sparse.csr_matrix."""

    def dense(self, shape: tuple[int, int]) -> np.ndarray:
        return super().dense(shape[::-1]).T


def _state(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise pickle.UnpicklingError(f"a state that is a {type(value).__name__}")
    return value


def _reconstructed(kind: type, base: type, state: Any) -> _StandIn:
    """Python 2's way to begin an object; only of stand-ins."""
    if not (isinstance(kind, type) and issubclass(kind, _StandIn)) or base is not object:
        raise pickle.UnpicklingError(f"begins a {kind}")
    return kind()


def _encode(text: str, encoding: str) -> bytes:
    """Python 3's way to put bytes into old pickles; only the codec it uses."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the codec {encoding!r}")
    return codecs.latin_1_encode(text)[0]


class _ArrayType:
    """Named by pickled arrays; making one from raw memory is left to `_array`."""


def _array(kind: type, shape: tuple, typecode: Any) -> np.ndarray:
    """An empty array, which the state that follows in the pickle fills."""
    return np.empty(0)


def _dtype(description: str, *_: Any) -> np.dtype:
    """A type of numbers, text or objects; structured ones, whose state could point anywhere, are refused."""
    dtype = np.dtype(str(description))
    if dtype.kind not in "biufcSUO" or dtype.names or dtype.subdtype:
        raise pickle.UnpicklingError(f"arrays of type {description!r}")
    return dtype


def _in_byte_order(dtype: np.dtype, state: tuple) -> np.dtype:
    return dtype if state[1] in ("|", "=") else dtype.newbyteorder(state[1])


def _tensor(storage: Any, offset: int, size: tuple, stride: tuple, *_: Any) -> Any:
    import torch

    return (
        torch.tensor([], dtype=storage.dtype).set_(storage._untyped_storage, offset, tuple(size), tuple(stride)).clone()
    )


def _storage(content: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _allowed() -> dict[tuple[str, str], Any]:
    scalar = np.float32(0).__reduce__()[0]
    frombuffer = np.zeros(1).__reduce_ex__(5)[0]
    plain: tuple[Callable, ...] = (
        bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, slice,
    )  # fmt: skip
    names: dict[tuple[str, str], Any] = {(module, kind.__name__): kind for kind in plain for module in _BUILTINS}
    names |= {
        (module, name): kind
        for name, kind in (("csc_matrix", _SparseColumns), ("csr_matrix", _SparseRows))
        for module in (f"scipy.sparse.{name[:3]}", f"scipy.sparse._{name[:3]}")
    }
    names |= {(module, "_reconstructor"): _reconstructed for module in ("copy_reg", "copyreg")}
    names |= {(module, "object"): object for module in _BUILTINS}
    return names | {
        ("chumpy.ch", "Ch"): _Chumpy,
        ("chumpy.reordering", "Select"): _ChumpySelection,
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): defaultdict,
        ("_codecs", "encode"): _encode,
        ("numpy", "ndarray"): _ArrayType,
        ("numpy", "dtype"): _dtype,
        ("numpy.core.multiarray", "_reconstruct"): _array,
        ("numpy.core.multiarray", "scalar"): scalar,
        ("numpy.core.numeric", "_frombuffer"): frombuffer,
        ("torch._utils", "_rebuild_tensor"): _tensor,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch.storage", "_load_from_bytes"): _storage,
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): _NumpyArrayWrapper,
    }


_BUILTINS = ("builtins", "__builtin__")
_ALLOWED = _allowed()


def _numbers(stream: BinaryIO, shape: tuple[int, ...], dtype: np.dtype, order: str) -> np.ndarray:
    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if not 0 <= size <= MAX_BYTES:
        raise ValueError(f"an array of shape {shape} is too large")
    content = stream.read(size)
    if len(content) != size:
        raise EOFError(f"the file ends within an array of shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape, order=order).copy()


def _read_npy(path: Path, stream: BinaryIO) -> Any:
    try:
        version = npy_format.read_magic(stream)
        reader = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran, dtype = reader(stream)
        if not dtype.hasobject:
            return _numbers(stream, shape, dtype, "F" if fortran else "C")
    except _DAMAGED as error:
        raise AnyliftError(f"{path} is damaged or not an npy file: {error}", "write it again") from error
    array = _load(path, stream)
    if isinstance(array, np.ndarray) and array.shape == () and array.dtype == object:
        return array[()]
    return array


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AnyliftError(f"{path} is larger than {MAX_BYTES >> 30} GiB; refusing to read it")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "check the path") from error
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}") from error


def _inflated(path: Path, content: bytes) -> bytes:
    limit = unpacked_limit(len(content), MAX_BYTES)
    machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        inflated = machine.decompress(content, limit)
    except zlib.error as error:
        raise AnyliftError(f"{path} is damaged: {error}", "write it again") from error
    if machine.unconsumed_tail:
        raise AnyliftError(f"{path} unpacks to more than {limit >> 20} MiB; refusing to read it")
    if not machine.eof:
        raise AnyliftError(f"{path} is damaged: its compressed data ends too early", "write it again")
    return inflated


def _load(path: Path, stream: BinaryIO) -> Any:
    try:
        return _SafeUnpickler(stream).load()
    except _ForbiddenGlobal as error:
        raise _ForbiddenName(path, str(error)) from error
    except _DAMAGED as error:
        raise AnyliftError(f"{path} is damaged or not a pickle: {error}", "write it again") from error

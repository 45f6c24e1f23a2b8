"""Motion files that are damaged, cut off, hostile or no motion files at all."""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from motion_files import (
    JOBLIB_WHAM,
    turned_walk,
    wham_track,
    write_amass,
    write_glamr,
    write_gvhmr,
    write_pickle,
    write_romp_video,
    write_tram,
)

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.take import Take
from anylift_cli.foreign.unpickle import load_object_array, load_pickle, load_torch


@pytest.fixture(scope="module")
def motion(body: BodyModel) -> MotionArtifact:
    return turned_walk(body)


class Hostile:
    """Would create a file when unpickled by Python's own unpickler."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def write_hostile(kind: str, path: Path, marker: Path) -> None:
    trap = {"person_data": Hostile(marker)}
    if kind == "npy":
        np.save(path, trap)
    elif kind == "npz":
        np.savez(path, results=np.array(trap, object))
    elif kind == "pt":
        torch.save(trap, path)
    else:
        content = pickle.dumps(trap, protocol=int(kind[-1]))
        path.write_bytes(zlib.compress(content) if kind.startswith("zlib") else content)


@pytest.mark.parametrize("kind", ["npy", "npz", "pt", "pickle2", "pickle4", "zlib4"])
def test_hostile_files_do_not_run(tmp_path, kind):
    marker, path = tmp_path / "ran", tmp_path / ("file.npz" if kind == "npz" else "file.npy")
    write_hostile(kind, path, marker)
    with pytest.raises(AnyliftError, match=r"system.*nothing of it was run") as caught:
        read_motion(path)
    assert str(path) in caught.value.message and caught.value.hint
    assert not marker.exists()


def test_the_trap_is_real(tmp_path):
    marker = tmp_path / "ran"
    pickle.loads(pickle.dumps(Hostile(marker)))
    assert marker.exists()


def pickled(text: bytes) -> bytes:
    return b"\x80\x02" + text + b"."


@pytest.mark.parametrize(
    "content",
    [
        pickled(b"cbuiltins\neval\nX\x01\x00\x00\x001\x85R"),
        pickled(b"cbuiltins\ngetattr\n"),
        pickled(b"cnumpy\nload\n"),
        pickled(b"cnumpy.core.multiarray\nfromfile\n"),
        pickled(b"ctorch\nload\n"),
        pickled(b"cjoblib.numpy_pickle\nNumpyUnpickler\n"),
        pickled(b"ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb"),
        pickled(b"cnumpy\nndarray\nK\x01\x85R"),
        pickled(b"cnumpy\ndtype\nX\x05\x00\x00\x00i4,i4\x85R"),
    ],
    ids=["eval", "getattr", "load", "fromfile", "torch", "unpickler", "attributes", "raw memory", "structures"],
)
def test_only_numbers_and_containers_are_unpickled(tmp_path, content):
    path = tmp_path / "file.pkl"
    path.write_bytes(content)
    with pytest.raises(AnyliftError):
        load_pickle(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    stored = {
        "c": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big": np.arange(3, dtype=">f4"),
        "text": np.array(["a", "bc"]), "objects": np.array([{"a": 1}, None], object), "scalar": np.float32(1.5),
        "flag": np.bool_(True), "bytes": b"\xff\x00", "set": {1, 2}, "empty": np.zeros((0, 3)),
    }  # fmt: skip
    path = tmp_path / "file.pkl"
    path.write_bytes(pickle.dumps(stored, protocol=protocol))
    loaded, expected = load_pickle(path), pickle.loads(path.read_bytes())
    for name in ("c", "f", "big", "text", "empty"):
        np.testing.assert_array_equal(loaded[name], stored[name])
        assert loaded[name].dtype == expected[name].dtype and loaded[name].shape == stored[name].shape
    assert loaded["objects"].tolist() == [{"a": 1}, None]
    assert (loaded["scalar"], loaded["flag"], loaded["bytes"], loaded["set"]) == (1.5, True, b"\xff\x00", {1, 2})


def test_object_arrays_hold_torch_tensors(tmp_path):
    stored = {"turned": torch.arange(6.0).reshape(2, 3).T, "part": torch.arange(10)[3:5], "flags": torch.tensor([True])}
    np.save(tmp_path / "file.npy", stored)
    loaded = load_object_array(tmp_path / "file.npy")
    for name, value in stored.items():
        assert torch.equal(loaded[name], value)
    np.save(tmp_path / "numbers.npy", np.asfortranarray(np.arange(6).reshape(2, 3)))
    np.testing.assert_array_equal(load_object_array(tmp_path / "numbers.npy"), np.arange(6).reshape(2, 3))


def files_of_every_kind(folder: Path, motion: MotionArtifact) -> list[Path]:
    return [
        motion.save(folder / "motion.npz"),
        write_amass(folder / "amass.npz", motion),
        write_gvhmr(folder / "hmr4d_results.pt", motion),
        write_pickle(folder / "wham_output.pkl", {0: wham_track(motion)}),
        write_glamr(folder / "scene.pkl", motion),
        write_tram(folder / "seq", motion, upright=True),
        write_romp_video(folder / "video_results.npz", motion),
        BvhExporter().write(Take((motion,), ("walk",)), folder / "walk.bvh"),
    ]


def test_changed_bytes_never_end_in_a_traceback(tmp_path, motion):
    """Every second change falls into the first bytes, where headers and names are."""
    rng = np.random.default_rng(0)
    for path in files_of_every_kind(tmp_path, motion):
        content = path.read_bytes()
        for turn in range(10):
            changed = bytearray(content)
            changed[rng.integers(len(content) if turn % 2 else 500)] = rng.integers(256)
            path.write_bytes(changed)
            with contextlib.suppress(AnyliftError):
                read_motion(path)


def test_cut_off_files_of_every_kind_are_named(tmp_path, motion):
    for path in files_of_every_kind(tmp_path, motion):
        content = path.read_bytes()
        for share in (0.3, 0.8, 0.99):
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(AnyliftError) as caught:
                read_motion(path)
            assert path.name in caught.value.message


@pytest.mark.parametrize("compression", JOBLIB_WHAM)
def test_cut_off_joblib_files_are_named(tmp_path, compression):
    path = tmp_path / "wham_output.pkl"
    content = zlib.decompress(base64.b85decode(JOBLIB_WHAM[compression]))
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(AnyliftError, match="wham_output"):
            read_motion(path)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"transl": torch.zeros(5, 3)}, r"'transl' has shape \(5, 3\)"),
        ({"body_pose": torch.full((12, 63), torch.nan)}, "'body_pose' holds NaN"),
        ({"global_orient": ["a", "b"]}, "'global_orient' is not an array of numbers"),
    ],
)
def test_malformed_arrays_are_named(tmp_path, motion, change, complaint):
    with pytest.raises(AnyliftError, match=complaint):
        read_motion(write_gvhmr(tmp_path / "hmr4d_results.pt", motion, **change))


@pytest.mark.parametrize("write", [
    lambda path: path.write_bytes(b""),
    lambda path: path.write_text("a,b\n1,2\n"),
    lambda path: path.write_bytes(pickle.dumps([1, 2, 3])),
    lambda path: np.savez(path, nothing=np.zeros(3)),
    lambda path: torch.save({"weights": torch.zeros(3)}, path),
])  # fmt: skip
def test_files_of_no_known_kind_list_the_kinds(tmp_path, write):
    path = tmp_path / "file.npz"
    write(path)
    with pytest.raises(AnyliftError) as caught:
        read_motion(path)
    for kind in ("GVHMR", "WHAM", "TRAM", "AMASS", "BVH"):
        assert kind in caught.value.hint


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(AnyliftError, match="does not exist"):
        read_motion(tmp_path / "none.npz")
    with pytest.raises(AnyliftError, match="cannot be read"):
        read_motion(tmp_path)
    with pytest.raises(AnyliftError, match="does not exist"):
        load_torch(tmp_path / "none.pt")

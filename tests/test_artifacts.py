from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anylift_cli.artifacts import ARTIFACTS, CamerasArtifact, KeypointsArtifact
from anylift_cli.artifacts.base import read_meta, read_npz
from anylift_cli.artifacts.files import atomic_path, sha256_of
from anylift_cli.errors import AnyliftError


def make_keypoints(persons: int, frames: int, seed: int, local: bool) -> KeypointsArtifact:
    random = np.random.default_rng(seed)
    keypoints = random.normal(size=(persons, frames, 24, 2)).astype("f4")
    keypoints[random.random((persons, frames, 24)) < 0.2] = np.nan
    return KeypointsArtifact(
        keypoints=keypoints,
        confidence=random.random((persons, frames, 24)),
        boxes=random.normal(size=(persons, frames, 4)),
        present=random.random((persons, frames)) < 0.5,
        timestamps=np.arange(frames) / 25,
        frame_index=np.arange(frames),
        image_size=[640, 480],
        local_joints=random.normal(size=(persons, frames, 24, 3)) if local else None,
        meta={"name": "Jürgen 走", "numbers": [1, 2.5, None, True]},
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3), st.integers(0, 40), st.integers(0, 2**31), st.booleans())
def test_round_trip_keeps_every_bit(tmp_path_factory, persons, frames, seed, local):
    made = make_keypoints(persons, frames, seed, local)
    read = KeypointsArtifact.load(made.save(tmp_path_factory.mktemp("round") / "keypoints.npz"))
    for spec in made.array_fields():
        before, after = getattr(made, spec.name), getattr(read, spec.name)
        if before is None:
            assert after is None
        else:
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after)
    assert made.meta.items() <= read.meta.items()


def test_plain_numpy_reads_the_file_without_pickle(tmp_path, cameras):
    with np.load(cameras.save(tmp_path / "cameras.npz"), allow_pickle=False) as stored:
        assert stored["world_from_camera"].shape == (7, 4, 4)
        assert json.loads(str(stored["meta"]))["schema"] == "anylift.cameras"


def test_read_meta(tmp_path, cameras):
    assert read_meta(cameras.save(tmp_path / "cameras.npz"))["reason"] == "größer als nötig"
    np.savez(tmp_path / "foreign.npz", a=np.ones(3))
    assert read_meta(tmp_path / "foreign.npz") == {}


def test_every_artifact_has_its_own_schema():
    assert len(ARTIFACTS) == 5
    assert all(name == kind.schema for name, kind in ARTIFACTS.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"K": np.ones((7, 3, 2))}, r"'K' has shape \(7, 3, 2\), expected \(T, 3, 3\)"),
        ({"K": np.ones((6, 3, 3))}, r"'K' has shape \(6, 3, 3\).* T=7"),
        ({"timestamps": np.ones((7, 1))}, "'timestamps' has shape"),
        ({"up": [0, np.nan, 1]}, "'up' holds NaN"),
        ({"confidence": np.full(7, np.inf)}, "'confidence' holds NaN or infinite"),
        ({"K": None}, "'K' is missing"),
    ],
)
def test_wrong_arrays_are_named(cameras, change, message):
    with pytest.raises(AnyliftError, match=message):
        replace(cameras, **change)


def test_arrays_that_became_wrong_are_not_saved(tmp_path, cameras):
    file = cameras.save(tmp_path / "cameras.npz")
    before = file.read_bytes()
    cameras.up[0] = np.nan
    with pytest.raises(AnyliftError, match="'up' holds NaN"):
        cameras.save(file)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["cameras.npz"]


def stored(cameras: CamerasArtifact, path: Path, **changes) -> Path:
    arrays = read_npz(cameras.save(path))
    np.savez(path, **{name: value for name, value in (arrays | changes).items() if value is not None})
    return path


def meta_of(**changes) -> np.ndarray:
    return np.array(json.dumps({"schema": "anylift.cameras", "schema_version": 1} | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"meta": None}, "a file that anylift did not write"),
        ({"meta": meta_of(schema="anylift.motion")}, "it is anylift.motion"),
        ({"meta": meta_of(schema_version=99)}, "version 99, this anylift reads 1"),
        ({"meta": np.array("{")}, "not valid JSON"),
        ({"meta": np.array("[1]")}, "not a JSON object"),
        ({"K": None}, "'K' is missing"),
        ({"K": np.ones((7, 3, 3), int)}, "'K' is stored as int64, expected f8"),
        ({"up": np.array([0, 0, np.nan])}, "'up' holds NaN"),
        ({"extra": np.ones(3)}, "unknown arrays extra"),
    ],
)
def test_foreign_and_edited_files_are_refused(tmp_path, cameras, changes, message):
    path = stored(cameras, tmp_path / "cameras.npz", **changes)
    with pytest.raises(AnyliftError, match=message) as caught:
        CamerasArtifact.load(path)
    assert str(path) in caught.value.message


class Exploding:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_objects_are_never_loaded(tmp_path, cameras):
    witness = tmp_path / "witness"
    bomb = np.array([Exploding(witness)], dtype=object)
    path = stored(cameras, tmp_path / "cameras.npz", up=bomb)
    for read in (CamerasArtifact.load, read_npz, read_meta):
        with pytest.raises(AnyliftError, match="pickled"):
            read(path)
    assert not witness.exists()


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 1 << 20)})
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("up.npy", header.getvalue() + bytes(1 << 20))
    with pytest.raises(AnyliftError, match="more than 256 MiB"):
        CamerasArtifact.load(path)


def test_members_that_are_no_arrays_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("evil.py", "print(1)")
    with pytest.raises(AnyliftError, match=r"evil\.py"):
        CamerasArtifact.load(tmp_path / "a.npz")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, cameras, kept):
    path = cameras.save(tmp_path / "cameras.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(AnyliftError, match="damaged or not an npz"):
        CamerasArtifact.load(path)


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 99)], ids=["marked as encrypted", "unknown compression"])
def test_odd_zip_features_are_refused(tmp_path, cameras, offset, value):
    path = cameras.save(tmp_path / "cameras.npz")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(content)
    with pytest.raises(AnyliftError, match="damaged or not an npz"):
        CamerasArtifact.load(path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_bytes_give_an_error_or_the_same_arrays(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    made = make_keypoints(1, 2, 0, False)
    path = made.save(folder / "keypoints.npz")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        KeypointsArtifact.load(path)
    except AnyliftError as error:
        assert str(path) in error.message


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_missing_folder_and_empty_file(tmp_path, make):
    path = tmp_path / "cameras.npz"
    make(path)
    with pytest.raises(AnyliftError, match=r"does not exist|is a folder|damaged"):
        CamerasArtifact.load(path)


def test_full_disk_leaves_the_old_file_and_nothing_else(small_disk):
    old = make_keypoints(1, 2, 0, False)
    file = old.save(small_disk / "keypoints.npz")
    before = sha256_of(file)
    with pytest.raises(AnyliftError, match="disk is full"):
        make_keypoints(1, 4000, 0, True).save(file)
    assert sha256_of(file) == before
    assert list(small_disk.iterdir()) == [file]


def test_unwritable_place(tmp_path, cameras):
    (tmp_path / "file").touch()
    with pytest.raises(AnyliftError, match="could not write"):
        cameras.save(tmp_path / "file" / "cameras.npz")


def test_a_failure_while_writing_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_new_files_obey_the_umask(tmp_path, cameras):
    assert cameras.save(tmp_path / "cameras.npz").stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask

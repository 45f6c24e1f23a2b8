"""Files that earlier versions wrote are read as they were meant, and the same input gives the same bytes."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hostile import files
from object_scenes import artifacts_of, box_mesh, box_scene, clicks, film_box

from anylift_cli.artifacts import ARTIFACTS, CamerasArtifact
from anylift_cli.artifacts.base import read_npz
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.stage import run_cameras
from anylift_cli.errors import AnyliftError
from anylift_cli.export.base import exporter
from anylift_cli.export.take import Take
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.stage import run_keypoints
from anylift_cli.objects.base import ObjectFiles, ObjectOptions, Prompts
from anylift_cli.objects.stage import run_objects
from anylift_cli.pipeline import Source
from anylift_cli.plugins import backend_names

GOLDEN = Path(__file__).parent / "golden"
DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"
MADE = {
    "keypoints": files.keypoints, "cameras": files.cameras, "objects": files.objects, "lifted": files.lifted,
    "motion": files.motion,
}  # fmt: skip


def golden_exports() -> list[Path]:
    return sorted(path for path in GOLDEN.iterdir() if path.name.startswith("golden."))


@pytest.mark.parametrize("name", MADE)
def test_golden_artifacts_are_read_as_they_were_meant(name):
    made = MADE[name]()
    read = type(made).load(GOLDEN / f"{name}.npz")
    for spec in made.array_fields():
        before, after = getattr(made, spec.name), getattr(read, spec.name)
        assert (before is None) == (after is None)
        if before is not None:
            np.testing.assert_array_equal(before, after, strict=True)
    assert made.meta.items() <= read.meta.items()
    assert Source.from_artifact(read).key == Source.from_artifact(made).key, "caches of earlier versions would be lost"


def test_there_is_a_golden_file_of_every_artifact():
    assert {f"anylift.{name}" for name in MADE} == ARTIFACTS.keys()


def test_exports_are_written_as_before(tmp_path):
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    written = make.write_exports(tmp_path)
    assert sorted(path.name for path in written) == [path.name for path in golden_exports()]
    for path in written:
        golden = GOLDEN / path.name
        if path.suffix == ".npz":
            _same_arrays(read_npz(path), read_npz(golden))
        else:
            _same_words(path.read_text(encoding="utf-8"), golden.read_text(encoding="utf-8"))


def _same_arrays(now: dict[str, np.ndarray], before: dict[str, np.ndarray]) -> None:
    assert now.keys() == before.keys()
    for name, value in before.items():
        assert now[name].dtype == value.dtype and now[name].shape == value.shape
        if value.dtype.kind == "f":
            np.testing.assert_allclose(now[name], value, atol=1e-5)
        elif name != "meta":
            np.testing.assert_array_equal(now[name], value)


def _same_words(now: str, before: str) -> None:
    """Line by line; numbers to the last digit but one of a millimetre."""
    assert len(now.splitlines()) == len(before.splitlines())
    for line, old in zip(now.splitlines(), before.splitlines(), strict=True):
        words, olds = line.replace(",", " ").split(), old.replace(",", " ").split()
        assert len(words) == len(olds), line
        for word, was in zip(words, olds, strict=True):
            try:
                assert float(word) == pytest.approx(float(was), abs=1e-4)
            except ValueError:
                assert word == was


@pytest.mark.parametrize(("version", "advice"), [(0, "run the same"), (99, "upgrade anylift"), ("x", "run the same")])
def test_other_versions_of_a_schema_say_what_to_do(tmp_path, version, advice):
    arrays = read_npz(GOLDEN / "cameras.npz")
    meta = {**json.loads(str(arrays["meta"])), "schema_version": version, "anylift_version": "7.1"}
    np.savez(tmp_path / "cameras.npz", **{**arrays, "meta": np.array(json.dumps(meta))})
    with pytest.raises(AnyliftError, match=rf"cameras\.npz has anylift.cameras version {version}") as caught:
        CamerasArtifact.load(tmp_path / "cameras.npz")
    assert advice in caught.value.hint


@pytest.mark.parametrize("name", sorted(backend_names("anylift.exporters")))
def test_exporting_twice_gives_the_same_bytes(tmp_path, name):
    pytest.importorskip("pxr", reason="usd-core is not installed") if name == "usd" else None
    writer, take = exporter(name), Take((replace(files.motion(), meta={"body": {"name": "open"}}),), ("person",))
    one, other = (writer.write(take, tmp_path / folder / f"person{writer.suffix}") for folder in "ab")
    assert _content(one) == _content(other)


def _content(path: Path) -> dict[str, bytes]:
    found = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {file.name: file.read_bytes() for file in found}


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name, made in MADE.items():
        one, other = (made().save(tmp_path / f"{name}{copy}.npz") for copy in "ab")
        assert one.read_bytes() == other.read_bytes()


def test_keypoints_and_cameras_are_the_same_twice():
    """With the real estimator and solver. Lift and fit are compared bit for bit in test_random_kills_lose_nothing."""

    def run() -> tuple[str, str]:
        keypoints = run_keypoints(DEMO, KeypointOptions(end=0.4, shot="1"))
        return Source.from_artifact(keypoints).key, Source.from_artifact(
            run_cameras(DEMO, keypoints, CameraOptions())
        ).key

    assert run() == run()


def test_objects_are_the_same_twice(tmp_path):
    scene = box_scene(6)
    film_box(scene, tmp_path / "video.mp4")
    box_mesh().export(tmp_path / "box.obj")
    (tmp_path / "points.json").write_text(json.dumps({"box": clicks(scene, noise=0.5)}))
    prompts = Prompts((ObjectFiles(tmp_path / "box.obj"),), tmp_path / "points.json")
    one, other = (run_objects(tmp_path / "video.mp4", *artifacts_of(scene), prompts, ObjectOptions()) for _ in range(2))
    assert Source.from_artifact(one).key == Source.from_artifact(other).key

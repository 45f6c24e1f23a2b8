"""What `auto` stands for: the best that is here, said and kept, and the same as if it had been named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anylift_cli.artifacts.base import read_meta
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.choosing import best_of
from anylift_cli.errors import MissingDependencyError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.objects.base import ObjectOptions, Prompts
from anylift_cli.pipeline import Source
from anylift_cli.stages import cameras_stage, keypoints_stage, lift_stage, objects_stage
from anylift_cli.weights_store import WEIGHTS_VARIABLE, find_weights


@pytest.fixture
def acme(tmp_path, monkeypatch) -> None:
    """An installed package that brings a keypoint estimator called "acme"."""
    about = tmp_path / "site" / "acme_poses-2.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-poses\nVersion: 2.1\n")
    (about / "entry_points.txt").write_text("[anylift.keypoints]\nacme = acme_poses:Estimator\n")
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "weights"))


def test_the_first_that_lacks_nothing_is_picked_and_the_better_ones_are_named(acme):
    def build(name: str) -> str:
        if name == "acme":
            find_weights("vposer/V02_05.ckpt")
        return f"built {name}"

    choice, built = best_of("anylift.keypoints", ("unheard-of", "acme", "mediapipe"), {}, build)
    assert (choice.name, built) == ("mediapipe", "built mediapipe")
    assert choice.words.startswith("auto picks mediapipe; acme would be better, but weights file 'vposer/V02_05.ckpt'")
    assert "`anylift weights fetch vposer`" in choice.words and "unheard-of" not in choice.words
    lacking = best_of("anylift.keypoints", ("acme", "mediapipe"), {"acme": "no-such-package"}, str)[0]
    assert lacking.words.endswith(
        "acme would be better, but no-such-package is not installed (`pip install no-such-package`)"
    )
    assert (
        best_of("anylift.keypoints", ("acme", "mediapipe"), {"acme": "acme-poses"}, str)[0].words == "auto picks acme"
    )
    with pytest.raises(MissingDependencyError):
        best_of("anylift.keypoints", ("acme",), {}, build)


def test_keypoints_are_made_as_if_the_picked_one_had_been_named(tmp_path):
    video = {"video": Source("v.mp4", "0")}
    auto, named = (keypoints_stage(KeypointOptions(backend)) for backend in ("auto", "mediapipe"))
    assert auto.key_parts(video) == named.key_parts(video)
    assert auto.choice.startswith("auto picks mediapipe") and named.choice == ""


def test_learned_lifter_is_the_default():
    assert lift_stage(LiftOptions("auto")).options.lifter == LiftOptions().lifter == "diffusion"
    assert lift_stage(LiftOptions("optimize")).options.lifter == "optimize"


def test_objects_go_by_the_tracks_that_are_given():
    given, none = Prompts((), tracks=Path("dense_2d_track.pkl")), Prompts(())
    picked = [objects_stage(ObjectOptions("auto"), prompts) for prompts in (given, none)]
    assert [stage.options.others for stage in picked] == ["delta", "lucas-kanade"]
    assert [stage.options.backend for stage in picked] == ["by-shape", "by-shape"]
    assert picked[1].choice.startswith("for all but balls, auto picks lucas-kanade; delta would be better, but")
    assert picked[1].key_parts({}) == objects_stage(ObjectOptions(), none).key_parts({}) != picked[0].key_parts({})


def test_commands_say_what_was_picked_and_the_file_keeps_it(scene_folder, anylift, tmp_path):
    inputs = scene_folder / "keypoints.npz", scene_folder / "cameras.npz"
    done = anylift("lift", *inputs, "--out", "lifted.npz")
    assert done.returncode == 0 and "lift: auto picks diffusion" in " ".join(done.stderr.split()), done.stderr
    meta = read_meta(tmp_path / "lifted.npz")
    assert meta["options"]["lifter"] == "diffusion" and meta["choice"] == "auto picks diffusion"


def test_what_is_picked_for_moving_cameras_counts_for_what_is_reused():
    plain = cameras_stage(CameraOptions())
    assert plain.options.moving == "moving" and plain.choice.startswith("if the camera moves, auto picks ")
    other = replace(plain, options=replace(plain.options, moving="acme"))
    assert other.key_parts({}) != plain.key_parts({})

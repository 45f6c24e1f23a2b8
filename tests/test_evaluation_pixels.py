"""Protocol `pixels`: recorded motion on a rendered person, and what the whole chain makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mocap_files import compact_mocap, write_mocap

from anylift_cli.body.skeleton import K
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.pixels import RenderedTake, build_take, rendered_takes
from anylift_cli.geometry.cameras import project
from anylift_cli.synthetic.scene import Scene

HIPS = [K["left_hip"], K["right_hip"]]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return write_mocap(tmp_path_factory.mktemp("mocap") / "walks.npz")


@pytest.fixture(scope="module")
def takes(file) -> list[RenderedTake]:
    """The 70 frames of the walker of the test split, before a still and a panning camera."""
    return rendered_takes(file, "test", ["static", "dynamic"], frames=60)


@pytest.fixture(scope="module")
def scene(takes) -> Scene:
    return build_take(takes[1])


def test_each_window_has_a_camera_of_each_kind(takes):
    assert [take.spec.name for take in takes] == ["walk_c@0_still", "walk_c@0_pan"]
    assert all((take.spec.seconds, take.spec.fps, take.motion.recording) == (2.0, 30.0, "walk_c") for take in takes)


def test_moving_cameras_take_turns(file):
    cameras = [take.spec.camera for take in rendered_takes(file, "all", ["dynamic"], frames=60)]
    assert cameras == ["pan", "dolly", "zoom"]


def test_the_seed_belongs_to_motion_and_camera(file, takes, tmp_path):
    assert rendered_takes(file, "test", ["static", "dynamic"], frames=60)[0].spec == takes[0].spec
    assert takes[0].spec.seed != takes[1].spec.seed
    other = compact_mocap()
    other["joints"][:, :, 0] += 0.01
    np.savez(tmp_path / "other.npz", **other)
    assert rendered_takes(tmp_path / "other.npz", "test", ["static"], frames=60)[0].spec.seed != takes[0].spec.seed


def test_the_body_does_what_was_recorded(scene, takes):
    recorded = takes[1].motion.points
    begin = recorded[0, HIPS].mean(0) - scene.keypoints3d[0, HIPS].mean(0)
    assert np.linalg.norm((scene.keypoints3d + begin - recorded)[:, HIPS], axis=-1).mean() < 0.02
    known = np.linalg.norm(scene.keypoints3d + begin - recorded, axis=-1)[:, takes[1].motion.known]
    assert known.mean() < 0.03


def test_the_walker_is_on_the_floor_of_the_hall(scene):
    soles = scene.vertices(slice(None))[..., 2].min(1)
    assert abs(np.median(soles)) < 0.03 and soles.min() > -0.06
    assert np.linalg.norm(scene.joints[0, 0, :2]) < 1e-6


def test_the_camera_sees_the_whole_person(scene):
    pixels = project(scene.keypoints3d, scene.world_from_camera, scene.K)
    assert (pixels > 0).all() and (pixels < [scene.spec.width, scene.spec.height]).all()


def test_points_that_nobody_recorded_do_not_pull(takes):
    lost = takes[0].motion.points.copy()
    lost[:, K["nose"]] = np.nan
    whole, missing = build_take(takes[0]), build_take(replace(takes[0], motion=replace(takes[0].motion, points=lost)))
    assert np.linalg.norm(whole.keypoints3d - missing.keypoints3d, axis=-1)[:, HIPS].max() < 0.02


def test_without_clips_the_split_is_named(file):
    with pytest.raises(AnyliftError, match="split 'val'"):
        rendered_takes(file, "val", ["static"])


@pytest.mark.slow
def test_pixels_are_lifted_on_the_command_line(anylift: Callable, file, tmp_path):
    words = ("evaluate", "pixels", file, "--frames", "36", "--lifter", "optimize", "--height", "given")
    found = json.loads(anylift(*words, "--cameras", "static", "--work-dir", "kept", "--json").stdout)
    (row,), (scene,) = found["rows"], found["scenes"]
    assert (row["lifter"], row["cameras"], row["clips"]) == ("optimize", "static", 1)
    assert 5 < row["mpjpe_mm"]["mean"] < 150 and 0 < row["t_root_mm"]["mean"] < 300
    assert scene["scene"] == "walk_c@0_still" and 5 < scene["mpjpe_mm"] < 150
    video = tmp_path / "kept" / "walk_c@0_still" / "video.mp4"
    rendered = video.stat().st_mtime_ns
    again = json.loads(anylift(*words, "--cameras", "static", "--work-dir", "kept", "--json").stdout)
    assert again["rows"][0]["mpjpe_mm"] == row["mpjpe_mm"] and video.stat().st_mtime_ns == rendered
    longer = (*words[:4], "40", *words[5:])
    anylift(*longer, "--cameras", "static", "--work-dir", "kept")
    assert video.stat().st_mtime_ns > rendered

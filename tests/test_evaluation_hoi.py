"""Protocol `hoi`: recorded people and objects, filmed, followed, measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from object_scenes import box_mesh
from scipy.spatial.transform import Rotation

from anylift_cli.body.skeleton import K
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.hoi import (
    APART,
    FRAMES,
    POINTS,
    TOGETHER,
    HoiClip,
    compete,
    hoi_clips,
    object_errors,
    out_of_sight,
    unseen_seconds,
)
from anylift_cli.evaluation.results import rows
from anylift_cli.synthetic.scene import SceneSpec, build_scene

OMOMO = Path(__file__).parents[2] / "shared" / "data" / "hoi" / "omomo_30fps.npz"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A person who carries a box for two seconds, in the layout of the published file; a chair without a mesh."""
    folder = tmp_path_factory.mktemp("hoi")
    scene = build_scene(SceneSpec("carry_still", "carry", "still", seconds=4.0, seed=2))
    pose = scene.boxes[0].world_from_box
    quaternion = Rotation.from_matrix(pose[:, :3, :3]).as_quat()
    twice = {name: np.concatenate([value, value]) for name, value in
             {"joints": scene.joints, "obj_pos": pose[:, :3, 3], "obj_quat_xyzw": quaternion}.items()}  # fmt: skip
    frames = len(pose)
    np.savez(
        folder / "motion.npz", **twice, fps=30, clip_start=[0, frames], clip_len=[frames, frames],
        clip_name=["carry", "sit"], object=["box", "chair"],
    )  # fmt: skip
    box_mesh().export(folder / "box.obj")
    return folder / "motion.npz"


@pytest.fixture(scope="module")
def clip(recorded) -> HoiClip:
    (one,) = hoi_clips(recorded, ["static"], 0, 60)
    return one


def test_clips_hold_people_and_what_they_carry(clip, recorded):
    assert clip.person.action == "box" and clip.person.cameras == "static" and clip.person.points.shape == (60, 24, 3)
    feet = clip.person.points[:, [K["left_big_toe"], K["right_big_toe"]], 2].min(1)
    assert np.abs(np.median(feet)) < 0.05
    assert clip.tracks.shape == (60, POINTS, 2)
    hidden = np.isnan(clip.tracks).all(-1)
    assert 0.3 < hidden.mean() < 0.95, "at least what is on the far side"
    assert (~hidden).sum(1).max() < 0.75 * POINTS
    again = hoi_clips(recorded, ["static"], 0, 60)[0]
    assert np.array_equal(again.tracks, clip.tracks, equal_nan=True)
    with pytest.raises(AnyliftError, match="no clip of 500 frames"):
        hoi_clips(recorded, ["static"], 0, 500)


def test_each_take_is_followed_otherwise(clip, recorded):
    first, second = hoi_clips(recorded, ["static"], 0, 60, takes=2)
    assert np.array_equal(first.tracks, clip.tracks, equal_nan=True)
    assert second.person.recording == first.person.recording and second.person.name != first.person.name
    assert np.nanmax(np.abs(second.tracks - first.tracks)) > 20


def test_the_truth_has_no_error_and_errors_are_what_they_are(clip):
    truth = np.where(np.isfinite(clip.person.points), clip.person.points, 0.0)
    cameras, poses = clip.person.world_from_camera, clip.object.world_from_object
    exact = object_errors(clip, truth, cameras, poses)
    assert max(exact.values()) < 1e-3
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = Rotation.from_euler("z", 70, degrees=True).as_matrix(), (3, -1, 0)
    elsewhere = object_errors(clip, truth @ turn[:3, :3].T + turn[:3, 3], turn @ cameras, turn @ poses)
    assert max(elsewhere.values()) < 1e-3
    shifted = poses.copy()
    shifted[:, 0, 3] += 0.1
    assert object_errors(clip, truth, cameras, shifted) == pytest.approx(
        {"t_root_object_mm": 100, "o_mpjpe_mm": 0, "object_rotation_deg": 0}, abs=1e-3
    )
    tilted = poses.copy()
    tilted[:, :3, :3] = poses[:, :3, :3] @ Rotation.from_euler("x", 10, degrees=True).as_matrix()
    assert object_errors(clip, truth, cameras, tilted)["object_rotation_deg"] == pytest.approx(10, abs=1e-3)


def test_how_long_an_object_is_out_of_sight(clip):
    tracks = np.ones_like(clip.tracks)
    tracks[10:14, 3:], tracks[20:23, 4:], tracks[30:32] = np.nan, np.nan, np.nan
    assert unseen_seconds(replace(clip, tracks=tracks)) == pytest.approx(4 / 30)
    assert unseen_seconds(replace(clip, tracks=np.ones_like(tracks))) == 0


def test_both_ways_are_measured(clip):
    results = compete([clip], "optimize", ["unknown"], 0)
    assert {result.errors.values["object_unseen_s"] for result in results} == {unseen_seconds(clip)}
    seen = [replace(one, errors=replace(one.errors, values={"object_unseen_s": 0.09})) for one in results]
    unseen = [replace(one, errors=replace(one.errors, values={"object_unseen_s": 0.1})) for one in results]
    assert out_of_sight([*seen, *unseen]) == unseen
    summary = {row["lifter"]: row for row in rows(results, 0)}
    assert set(summary) == {f"optimize, {APART}", f"optimize, {TOGETHER}"}
    for row in summary.values():
        assert 0 < row["o_mpjpe_mm"]["mean"] < 60 and 0 < row["t_root_object_mm"]["mean"] < 600
        assert 0 < row["object_rotation_deg"]["mean"] < 12 and row["mpjpe_mm"]["mean"] < 200


@pytest.mark.skipif(not OMOMO.exists(), reason=f"{OMOMO} is not here")
def test_the_published_recordings_are_read():
    clips = hoi_clips(OMOMO, ["static"], 0)
    assert len(clips) == 22 and {clip.object.name for clip in clips} == {"largetable", "plasticbox"}
    assert all(clip.tracks.shape == (FRAMES, POINTS, 2) for clip in clips)

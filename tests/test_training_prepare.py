"""`anylift train prepare`, and all stages from video files to a lifter on the command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from anylift_cli.cameras.base import CameraOptions
from anylift_cli.commands.prepare_videos import TABLE, prepare_videos
from anylift_cli.errors import NothingFoundError, UsageError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.lifting.checkpoint import load_checkpoint
from anylift_cli.progress import SILENT
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.synthetic.writing import write_video
from anylift_cli.training.clips import read_clips
from anylift_cli.training.point_clips import read_point_clips

OPTIONS = KeypointOptions(), CameraOptions("still")
SIZES = ("--width", 32, "--layers", 1, "--steps", 120, "--batch", 8, "--frames", 16, "--rate", 4e-3, "--json")


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    scene = build_scene(SceneSpec("squat", "squat", "still", seconds=3.0, fps=10, width=320, height=180, seed=1))
    return write_video(scene, tmp_path_factory.mktemp("video") / "squat.mp4")


@pytest.fixture(scope="module")
def prepared(video, tmp_path_factory) -> Path:
    """A folder of videos, `videos/`, and what becomes of it, `data/`: a good one, a broken one, a note."""
    folder = tmp_path_factory.mktemp("prepare")
    (folder / "videos" / "gym").mkdir(parents=True)
    shutil.copy(video, folder / "videos" / "gym" / "one.MP4")
    (folder / "videos" / "broken.mp4").write_bytes(b"no video" * 100)
    (folder / "videos" / "readme.txt").write_text("not a video either")
    prepare_videos(folder / "videos", folder / "data", *OPTIONS, SILENT)
    return folder


def table(data: Path) -> list[dict[str, str]]:
    with open(data / TABLE, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_clips_and_a_table_that_tells_what_was_left_out(prepared):
    broken, kept = table(prepared / "data")
    assert broken["clip"] == "broken" and broken["kept"] == "no" and "broken.mp4" in broken["reason"]
    assert kept["clip"] == "gym_one.shot1.person1.part1" and kept["kept"] == "yes" and kept["reason"] == ""
    clips = read_clips(prepared / "data")
    assert list(clips) == ["gym_one.shot1.person1.part1.npz"]
    (clip,) = clips.values()
    assert clip.meta == {**clip.meta, "fps": 30.0, "source": "gym_one"}
    assert 60 <= len(clip.weight) <= 88 and len(clip.weight) / 30 == pytest.approx(float(kept["seconds"]), abs=0.01)
    assert (clip.local_weight > 0).mean() > 0.8, "the estimator's local poses come along"
    height = clip.rays[..., 1].max(1) - clip.rays[..., 1].min(1)
    assert height.min() > 0.1 and height.max() < 2


def test_what_is_there_is_reused_and_what_is_stale_goes(prepared):
    data = prepared / "data"
    stages = sorted((data / "work").rglob("*.npz"))
    assert [path.name for path in stages] == ["cameras.npz", "keypoints.npz"]
    before = [path.stat().st_mtime_ns for path in stages]
    (clip,) = (data / "clips").iterdir()
    stale, foreign = (
        clip.with_name("gym_one.shot2.person1.part1.npz"),
        clip.with_name("gym_one2.shot1.person1.part1.npz"),
    )
    for path in (stale, foreign):
        shutil.copy(clip, path)
    rows = prepare_videos(prepared / "videos", data, *OPTIONS, SILENT)
    assert [bool(row.reason) for row in rows] == [True, False]
    assert [path.stat().st_mtime_ns for path in stages] == before
    assert clip.exists() and not stale.exists() and foreign.exists()
    foreign.unlink()


def test_nothing_to_prepare(tmp_path):
    (tmp_path / "videos").mkdir()
    with pytest.raises(NothingFoundError, match="no video"):
        prepare_videos(tmp_path / "videos", tmp_path / "data", *OPTIONS, SILENT)
    assert not (tmp_path / "data").exists()
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(NothingFoundError, match="no training clip") as caught:
        prepare_videos(tmp_path / "videos", tmp_path / "data", *OPTIONS, SILENT)
    assert TABLE in caught.value.hint and len(table(tmp_path / "data")) == 1
    with pytest.raises(UsageError, match="unknown keypoints backend"):
        prepare_videos(tmp_path / "videos", tmp_path / "data", KeypointOptions("magic"), OPTIONS[1], SILENT)


@pytest.mark.slow
def test_from_videos_to_a_lifter_on_the_command_line(prepared, tmp_path, anylift):
    """One clip of three seconds: too little to be good, enough to run."""
    shutil.copytree(prepared / "videos", tmp_path / "videos")
    shutil.copytree(prepared / "data", tmp_path / "data")

    def run(*arguments: object) -> dict:
        done = anylift("train", *arguments, OMP_NUM_THREADS="1")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    told = run("prepare", "videos", "--out", "data", "--camera", "still", "--json")
    assert told["clips"] == 1 and [row["clip"] for row in told["left_out"]] == ["broken"]
    prior = run("single-view", "data", "--out", "a", *SIZES)["checkpoint"]
    again = anylift("train", "from-mocap", prior, "--out", "x", *SIZES)
    assert again.returncode == 1 and "npz" in again.stderr
    made = run("synthesize", prior, "data", "--out", "clips.npz", "--views", 4, "--passes", 6, "--json")
    assert made["kept"] + sum(made["rejected"].values()) == 6
    clips = read_point_clips(tmp_path / "clips.npz")
    assert len(clips.length) == made["kept"]
    path = run("multi-view", "clips.npz", "--out", "c", *SIZES)["checkpoint"]
    network, manifest = load_checkpoint(tmp_path / path)
    assert network.config.width == 32 and "clips.npz" in manifest["training"]["data"]

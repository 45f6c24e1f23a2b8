"""Folders of results as data sets: what is chosen, how it is divided, what readers find in the files."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from browser import chromium
from motions import keypoints_of, walking

from anylift_cli.artifacts.base import read_npz
from anylift_cli.dataset.choosing import Limits, duplicates, parse_shares, reason_against, split_of
from anylift_cli.dataset.clips import motion_files, read_clip
from anylift_cli.dataset.labels import Labels, read_labels
from anylift_cli.dataset.pack import Packing, pack
from anylift_cli.dataset.parts import Parts, lists
from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.export.amass import SMPLX_REST_PELVIS
from anylift_cli.export.motion_at import evenly

SCRIPT = "<script>alert(1)</script>"
GOOD = {
    "reprojection_px": 3.0, "reprojection_percent": 0.9, "foot_slide_cm_s": 0.1, "jitter_mm": 5.0,
    "max_jump_cm": 20.0, "penetration_cm": 0.2,
}  # fmt: skip
"""Figures that no limit is against."""
ALL = Packing("parquet", labels=Labels(), shares={"train": 1.0})


def leave(folder, name, motion, *, keypoints=None, video="", **figures):
    """What `anylift run` leaves of one person: the motion, and its work folder with figures and keypoints."""
    path = folder / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    motion.save(path)
    stem, _, tail = path.stem.partition(".person")
    tail = tail and f".person{tail}"
    work = path.with_name(f"{stem}.anylift")
    work.mkdir(exist_ok=True)
    shutil.copy(path, work / f"motion{tail}.npz")
    counts = {"frames": len(motion.poses), "frames_present": len(motion.poses)}
    (work / f"quality{tail}.json").write_text(json.dumps({**GOOD, **counts, **figures}))
    if keypoints is not None:
        made = dataclasses.replace(keypoints, meta={"key_parts": {"inputs": {"video": video}}})
        made.save(work / "keypoints.npz")
    return path


@pytest.fixture(scope="module")
def takes(body):
    """Three motions of different lengths, the last at 24 frames/s."""
    third = walking(body, 49, timestamps=np.arange(49) / 24, fps=24.0)
    return walking(body, 40), walking(body, 52, betas=np.array([1.0])), third


@pytest.fixture
def results(takes, tmp_path):
    """Two folders of results: three clips that are good, others that are not."""
    folder = tmp_path / "results"
    leave(folder, "kicks/one", takes[0])
    leave(folder, "kicks/two", takes[1], jitter_mm=20.0)
    leave(folder, "slow", takes[2])
    leave(folder, "kicks/shaking", walking(takes_body(takes), 45), jitter_mm=26.0)
    leave(folder, "kicks/copy of one", takes[0], reprojection_percent=1.5)
    (folder / "damaged.npz").write_bytes(b"PK\x03\x04 no archive")
    np.savez(folder / "not a motion.npz", a=np.zeros(3))
    return folder


def takes_body(takes):
    from anylift_cli.body.parameters import body_of

    return body_of(takes[0])


def table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_good_clips_are_packed_and_every_other_is_named_with_its_reason(results, tmp_path):
    figures = pack(results, tmp_path / "set", ALL)
    assert [row["clip"] for row in table(tmp_path / "set/clips.csv")] == ["kicks/one", "kicks/two", "slow"]
    reasons = {row["clip"]: row["reason"] for row in table(tmp_path / "set/left_out.csv")}
    assert reasons.pop("damaged").startswith("cannot be used")
    assert reasons == {
        "kicks/shaking": "jitter above 25 mm",
        "kicks/copy of one": "the same motion is in it already",
    }
    assert figures["clips"] == 3 and figures["left_out"] == 3
    assert figures["seconds"] == pytest.approx(40 / 30 + 52 / 30 + 49 / 24, abs=0.002)
    assert figures["parts"] == {"train": {"clips": 3, "sources": 3, "frames": 141, "seconds": figures["seconds"]}}


def test_stricter_and_looser_wishes(results, tmp_path):
    names = {}
    for name, limits in {
        "good": Limits("good"), "any": Limits("any"), "mine": Limits("any", figures={"jitter_mm": 19}),
        "long": Limits(seconds=1.5), "sure": Limits(figures={"confidence": 1.01, "jitter_mm": 30}),
    }.items():  # fmt: skip
        try:
            pack(results, tmp_path / name, dataclasses.replace(ALL, limits=limits))
            names[name] = [row["clip"] for row in table(tmp_path / name / "clips.csv")]
        except NothingFoundError as error:
            names[name] = error.message
    assert names["good"] == ["kicks/one", "slow"]
    assert names["any"] == ["kicks/one", "kicks/shaking", "kicks/two", "slow"]
    assert names["mine"] == ["kicks/one", "slow"]
    assert names["long"] == ["kicks/two", "slow"]
    assert "5 confidence below 1.01" in names["sure"]


def test_figures_of_another_file_are_not_believed(body, takes, tmp_path):
    """A motion that was changed after the run is measured anew, against the keypoints of the run."""
    path = leave(tmp_path, "clip", takes[0], keypoints=keypoints_of(takes[0], body), jitter_mm=26.0)
    assert reason_against(read_clip(tmp_path, path), Limits()) == "jitter above 25 mm"
    moved = dataclasses.replace(takes[0], trans=takes[0].trans + np.float32([0, 0.3, 0]))
    moved.save(path)
    figures = read_clip(tmp_path, path).figures
    assert figures["jitter_mm"] < 25 and 5 < figures["reprojection_percent"] < 40
    os.utime(path.with_name("clip.anylift") / "quality.json", (0, 0))
    takes[0].save(path)
    exact = read_clip(tmp_path, path).figures
    assert exact["jitter_mm"] < 25 and exact["reprojection_percent"] < 0.01
    shutil.rmtree(path.with_name("clip.anylift"))
    assert read_clip(tmp_path, path).figures["reprojection_percent"] is None


def test_the_better_lift_of_one_video_stays_and_other_people_and_frames_do_too(body, tmp_path):
    motion = walking(body, 40)
    aside = np.float32([0, 1.5, 0])
    beside = dataclasses.replace(motion, joints=motion.joints + aside, trans=motion.trans + aside)
    shaken = dataclasses.replace(motion, trans=motion.trans + np.float32(0.001))
    later = dataclasses.replace(shaken, frame_index=motion.frame_index + 500, betas=motion.betas + 2)
    keypoints = keypoints_of(motion, body)
    for name, one, video, error in (
        ("a", motion, "V", 1.2), ("b", shaken, "V", 0.8), ("b.person2", beside, "V", 2.0), ("c", later, "V", 2.0),
        ("d", dataclasses.replace(shaken, betas=motion.betas + 1), "W", 2.0),
    ):  # fmt: skip
        leave(tmp_path, name, one, keypoints=keypoints, video=video, reprojection_percent=error)
    clips = [read_clip(tmp_path, path) for path in motion_files(tmp_path)]
    assert [clip.name for clip in clips] == ["a", "b", "b.person2", "c", "d"]
    assert [clip.origin for clip in clips] == ["a", "b", "b", "c", "d"]
    assert duplicates(clips) == duplicates(clips[::-1]) == {"a": "b"}


def test_a_source_is_never_divided_and_its_part_never_changes(takes, tmp_path):
    shares = {"train": 0.5, "val": 0.2, "test": 0.3}
    parts = [split_of(f"video {number}", shares, 0) for number in range(4000)]
    counts = Counter(parts)
    assert all(abs(counts[name] / 4000 - share) < 0.03 for name, share in shares.items())
    assert parts != [split_of(f"video {number}", shares, 1) for number in range(4000)]
    assert {split_of(f"video {number}", {"a": 0, "b": 2}, 0) for number in range(50)} == {"b"}
    for number in range(12):
        leave(tmp_path / "in", f"{number}", dataclasses.replace(takes[0], betas=takes[0].betas + number))
    (tmp_path / "labels.csv").write_text(
        "clip,source\n" + "".join(f"{number},film {number % 3}\n" for number in range(12))
    )
    packing = Packing("parquet", labels=read_labels(tmp_path / "labels.csv"), shares=shares, seed=4)
    pack(tmp_path / "in", tmp_path / "all", packing)
    rows = table(tmp_path / "all/clips.csv")
    assert len({row["split"] for row in rows}) > 1
    assert len({(row["source"], row["split"]) for row in rows}) == 3
    for number in range(1, 12):
        (tmp_path / "in" / f"{number}.npz").unlink()
    pack(tmp_path / "in", tmp_path / "one", packing)
    (row,) = table(tmp_path / "one/clips.csv")
    assert row in rows


def test_parquet_holds_what_the_motions_hold(takes, results, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install pyarrow")
    (tmp_path / "labels.csv").write_text("clip,licence,task\nkicks/*,CC-BY-4.0,kick\nkicks/two,CC0-1.0,\n")
    labels = read_labels(tmp_path / "labels.csv")
    pack(results, tmp_path / "set", dataclasses.replace(ALL, labels=labels, licence="own footage"))
    clips = {row["clip"]: row for row in parquet.read_table(tmp_path / "set/clips.parquet").to_pylist()}
    assert {name: (row["licence"], row["task"]) for name, row in clips.items()} == {
        "kicks/one": ("CC-BY-4.0", "kick"), "kicks/two": ("CC0-1.0", "human motion"),
        "slow": ("own footage", "human motion"),
    }  # fmt: skip
    assert clips["kicks/two"]["jitter_mm"] == 20.0 and clips["kicks/two"]["body"] == "open"
    assert (clips["kicks/two"]["width"], clips["kicks/two"]["height_px"]) == (640, 480)
    np.testing.assert_array_equal(clips["kicks/two"]["betas"], takes[1].betas)
    file = parquet.ParquetFile(tmp_path / "set/frames/train-00000.parquet")
    assert file.num_row_groups == 3
    for number, (name, motion) in enumerate(zip(("kicks/one", "kicks/two", "slow"), takes, strict=True)):
        rows = file.read_row_group(number)
        assert set(rows["clip"].to_pylist()) == {name}
        for array in ("timestamp", "frame_index", "confidence"):
            stored = getattr(motion, {"timestamp": "timestamps"}.get(array, array))
            np.testing.assert_array_equal(rows[array].to_numpy(), stored)
        for array in (
            "trans", "root_orient", "pose_body", "joints", "joint_confidence", "foot_contact", "world_from_camera", "K"
        ):  # fmt: skip
            np.testing.assert_array_equal(rows[array].to_pylist(), getattr(motion, array).astype(np.float32))


def test_lerobot_reads_episodes_tasks_and_statistics(takes, results, tmp_path):
    """Read as lerobot 0.4.4 does (datasets/utils.py: load_tasks, load_episodes, load_stats; check_timestamps_sync)."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install pyarrow")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    (tmp_path / "labels.csv").write_text("clip,task\nkicks/*,kick a ball\n")
    packing = dataclasses.replace(ALL, to="lerobot", labels=read_labels(tmp_path / "labels.csv"))
    out = tmp_path / "set"
    pack(results, out, dataclasses.replace(packing, shares={"train": 0.5, "test": 0.5}, seed=1))
    info = json.loads((out / "meta/info.json").read_text())
    tasks = pandas.read_parquet(out / "meta/tasks.parquet")
    episodes = parquet.read_table(out / "meta/episodes").to_pylist()
    assert info["codebase_version"] == "v3.0" and info["fps"] == 30
    assert tasks.index.name == "task" and sorted(tasks.index) == ["human motion", "kick a ball"]
    assert (info["total_episodes"], info["total_tasks"]) == (3, 2)
    ranges = {name: range(*map(int, text.split(":"))) for name, text in info["splits"].items()}
    data, start = [], 0
    for number, episode in enumerate(episodes):
        assert episode["episode_index"] == number and number in ranges[episode["split"]]
        assert (episode["dataset_from_index"], episode["dataset_to_index"]) == (start, start + episode["length"])
        place = {"chunk_index": episode["data/chunk_index"], "file_index": episode["data/file_index"]}
        rows = parquet.read_table(out / info["data_path"].format(**place), filters=[("episode_index", "=", number)])
        motion = evenly(takes[["kicks/one", "kicks/two", "slow"].index(episode["clip"])], 30.0)
        assert len(rows) == episode["length"] == len(motion.poses)
        assert [tasks.index[index] for index in set(rows["task_index"].to_pylist())] == episode["tasks"]
        state = np.array(rows["observation.state"].to_pylist())
        np.testing.assert_array_equal(state[:, :3], motion.joints[:, 0])
        np.testing.assert_array_equal(state[:, 3:], motion.poses[:, :66])
        np.testing.assert_array_equal(rows["action"].to_pylist(), np.concatenate([state[1:], state[-1:]]))
        np.testing.assert_allclose(np.diff(rows["timestamp"].to_numpy()), 1 / 30, atol=1e-6)
        np.testing.assert_array_equal(rows["index"].to_numpy(), start + np.arange(len(rows)))
        np.testing.assert_allclose(episode["stats/observation.state/mean"], state.mean(0), atol=1e-6)
        start += len(rows)
        data.append(rows)
    assert info["total_frames"] == start
    for name, feature in info["features"].items():
        values = np.concatenate([np.array(rows[name].to_pylist()).reshape(len(rows), -1) for rows in data])
        assert values.shape[1:] == tuple(feature["shape"]) and len(feature["names"] or [0]) == values.shape[1]
        assert {str(rows.schema.field(name).type.value_type if feature["names"] else rows.schema.field(name).type)
                for rows in data} == {{"float32": "float", "int64": "int64"}[feature["dtype"]]}  # fmt: skip
        stats = json.loads((out / "meta/stats.json").read_text())[name]
        for kind, expected in {
            "min": values.min(0),
            "max": values.max(0),
            "mean": values.mean(0),
            "std": values.std(0),
        }.items():
            np.testing.assert_allclose(stats[kind], expected, atol=1e-6)
        assert stats["count"] == [start]


def test_amass_files_are_read_by_the_reader_of_such_files(takes, results, tmp_path):
    pack(results, tmp_path / "set", dataclasses.replace(ALL, to="amass"))
    files = sorted(path.relative_to(tmp_path / "set").as_posix() for path in (tmp_path / "set").rglob("*.npz"))
    assert files == [
        "train/kicks/one/one_stageii.npz", "train/kicks/two/two_stageii.npz", "train/slow/slow_stageii.npz"
    ]  # fmt: skip
    stored = read_npz(tmp_path / "set" / files[1])
    np.testing.assert_array_equal(stored["poses"], takes[1].poses)
    np.testing.assert_allclose(stored["trans"] + SMPLX_REST_PELVIS, takes[1].joints[:, 0], atol=1e-6)
    record = read_motion(tmp_path / "set" / files[2])
    assert record.kind == "AMASS" and record.frame_rate == 30
    assert len(record.people[0].times) == len(evenly(takes[2], 30.0).poses)


def test_a_part_is_not_longer_than_it_may_be(tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install pyarrow")
    monkeypatch.setattr("anylift_cli.dataset.parts.ROWS", 10)
    schema = pyarrow.schema([("x", pyarrow.list_(pyarrow.float32(), 2))])
    with Parts(lambda part: tmp_path / f"{part}.parquet", schema) as parts:
        numbers = [parts.write({"x": lists(np.full((rows, 2), rows))}) for rows in (6, 4, 1, 25, 2)]
    assert numbers == [0, 0, 1, 2, 3]
    lengths = [pyarrow.parquet.read_metadata(tmp_path / f"{part}.parquet").num_rows for part in range(4)]
    assert lengths == [10, 1, 25, 2]


def test_nothing_is_left_of_what_fails(results, tmp_path, monkeypatch):
    monkeypatch.setattr("anylift_cli.dataset.pack.statistics_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pack(results, tmp_path / "set", ALL)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,licence\na,b\n", "no column 'clip'"),
        ("clip,license\na,b\n", "a column 'license'"),
        ("clip,licence\na,b\na,c\n", "two rows of 'a'"),
        ("clip,licence\na,b,c\n", "row of 'a'"),
        ("clip,licence\na\n", "row of 'a'"),
        (b"clip\n\xff\n", "cannot be read"),
    ],
)
def test_labels_that_cannot_be_understood(tmp_path, text, says):
    (tmp_path / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AnyliftError, match=says):
        read_labels(tmp_path / "labels.csv")


@pytest.mark.parametrize("text", ["", "train", "train=-1", "train=0", "train=1,train=1", "../x=1", "a=nan", "a=inf"])
def test_shares_that_cannot_be_understood(text):
    with pytest.raises(UsageError, match="--split"):
        parse_shares(text)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"to": "csv"}, "no layout 'csv'"),
        ({"quality": "best"}, "--quality best"),
        ({"limit": ["jitter=1"]}, "no figure 'jitter'"),
        ({"limit": ["jitter_mm=x"]}, "does not read"),
        ({"folder": Path("nowhere")}, "not a folder"),
        ({"out": Path(__file__).parent}, "is not empty"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_before_any_work(tmp_path, wrong, says):
    from anylift_cli.commands.dataset import pack as command

    options = {"folder": tmp_path, "to": "amass", "out": tmp_path / "set", "split": "train=1", "seconds": 1.0}
    options |= {"quality": "fair", "limit": None, "labels": None, "licence": "", "fps": None, **wrong}
    with pytest.raises(UsageError, match=says):
        command(quiet=True, json=False, device="cpu", seed=0, work_dir=None, force=None, **options)
    assert not (tmp_path / "set").exists()


def test_command(anylift, results, tmp_path):
    arguments = ("dataset", "pack", results, "--to", "parquet", "--out", "set", "--split", "train=1")
    done = anylift(*arguments, "--json", "--limit", "jitter_mm=10", "--licence", SCRIPT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["licences"] == {
        SCRIPT: {"clips": 2, "sources": 2, "frames": 89, "seconds": pytest.approx(40 / 30 + 49 / 24, abs=0.002)}
    }
    page = (tmp_path / "set/statistics.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page


def test_the_page_is_clean_and_fits_a_telephone(results, tmp_path):
    pack(results, tmp_path / "set", ALL)
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 400, "height": 800})
        complaints = []
        page.on("console", lambda said: complaints.append(said.text))
        page.goto((tmp_path / "set/statistics.html").as_uri())
        assert page.inner_text("h1") == "set" and page.locator("figure rect").count() == 24 * 7
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert not complaints

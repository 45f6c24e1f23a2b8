"""Finding clips, sharing them out, and keeping account of them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from anylift_cli import memory
from anylift_cli.batch.clips import Clip, find_clips, in_shard
from anylift_cli.batch.results import Log, opened_log, read_results, results_name
from anylift_cli.batch.work import DONE, FAILED, Record
from anylift_cli.commands.batch import OF_THE_BATCH
from anylift_cli.commands.batch_options import RowOptions
from anylift_cli.commands.run import run
from anylift_cli.errors import UsageError
from anylift_cli.report.batch_page import batch_page
from anylift_cli.warm import Shelf, model


@pytest.fixture
def tree(tmp_path) -> Path:
    """Five videos, by name at least, in a tree with other files and a link that leads out of it and round."""
    folder = tmp_path / "videos"
    for name in ("a.mp4", "a.mov", "day 1/b.MP4", "day 1/later/c.webm", "ü [x].mkv", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "day 1" / "round").symlink_to(folder, target_is_directory=True)
    return folder


def test_a_folders_tree_is_kept_in_the_names(tree):
    clips = find_clips([str(tree)])
    assert [clip.name for clip in clips] == ["a.mov", "a.mp4", "day 1/b", "day 1/later/c", "ü [x]"]
    assert all(Path(clip.source).is_absolute() and Path(clip.source).is_file() for clip in clips)


def test_globs_files_and_folders_go_together_each_clip_once(tree):
    assert [clip.name for clip in find_clips([f"{tree}/*/*.MP4"])] == ["day 1/b"]
    assert [clip.name for clip in find_clips([f"{tree}/**/*.webm"])] == ["day 1/later/c"]
    together = find_clips([str(tree / "ü [x].mkv"), str(tree)])
    assert [clip.name for clip in together].count("ü [x]") == 1
    with pytest.raises(UsageError, match="does not exist"):
        find_clips([str(tree / "no such folder")])


def test_two_folders_that_would_give_one_name_are_refused(tree, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ü [x].mkv").touch()
    with pytest.raises(UsageError, match="both be named"):
        find_clips([str(tree), str(tmp_path / "other")])


def write_csv(path: Path, *rows: dict) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_manifests_say_options_and_names(tree):
    rows = [
        {"video": "a.mp4", "name": "set/first", "height": "1.8", "--start": ""},
        {"video": "day 1/b.MP4", "object_size": "0.5;0.25"},
    ]
    clips = find_clips([str(write_csv(tree / "clips.csv", *rows))])
    assert [(clip.name, dict(clip.options)) for clip in clips] == [
        ("day 1/b", {"object-size": "0.5;0.25"}),
        ("set/first", {"height": "1.8"}),
    ]
    (tree / "clips.jsonl").write_text('{"video": "a.mp4", "height": 1.8}\n\n{"video": "s3://bucket/x/z.mp4"}\n')
    clips = find_clips([str(tree / "clips.jsonl")])
    assert [(clip.name, clip.source) for clip in clips] == [("a", str(tree / "a.mp4")), ("z", "s3://bucket/x/z.mp4")]


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"name": "x"}', "line 1: there is no `video`"),
        ('{"video": "a.mp4", "name": "../../etc/x"}', "leads out of the folder"),
        ('{"video": "a.mp4", "name": "/etc/x"}', "leads out of the folder"),
        ('{"video": "a.mp4", "name": "C:/x"}', "leads out of the folder"),
        ("[1]", "line 1 is no JSON object"),
        ("{", "line 1 is no JSON"),
    ],
)
def test_wrong_manifests_say_where(tmp_path, line, message):
    (tmp_path / "clips.jsonl").write_text(line)
    with pytest.raises(UsageError, match=message):
        find_clips([str(tmp_path / "clips.jsonl")])


def test_a_video_outside_the_manifests_folder_keeps_its_results_inside(tmp_path):
    (tmp_path / "clips.jsonl").write_text('{"video": "../../elsewhere/a.mp4"}')
    (clip,) = find_clips([str(tmp_path / "clips.jsonl")])
    assert clip.name == "a"


def test_shards_cover_all_clips_and_do_not_depend_on_the_others():
    clips = [Clip(f"clip{number}", f"{number}.mp4") for number in range(300)]
    shards = [in_shard(clips, number, 3) for number in (1, 2, 3)]
    assert sorted(clip.name for shard in shards for clip in shard) == sorted(clip.name for clip in clips)
    assert all(70 < len(shard) < 130 for shard in shards)
    assert in_shard(clips[:50], 2, 3) == [clip for clip in shards[1] if clip in clips[:50]]


def test_a_number_of_thousands_of_digits_is_the_rows_fault():
    clip = Clip("a", "a.mp4", {"person": "9" * 5000})
    with pytest.raises(UsageError, match="neither a number"):
        RowOptions(run, OF_THE_BATCH).values(clip)


def test_a_video_whose_name_is_no_text_is_kept_account_of(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    clip = Clip(name, f"/{name}.mp4")
    assert sum(in_shard([clip], number, 3) == [clip] for number in (1, 2, 3)) == 1
    Log(tmp_path / "results.jsonl").add(Record(name, clip.source, FAILED))
    assert read_results(str(tmp_path))[name]["video"] == clip.source


def test_rows_are_read_as_the_command_line_is(tmp_path):
    (tmp_path / "points.npz").touch()
    rows = RowOptions(run, OF_THE_BATCH)
    clip = Clip(
        "a",
        "a.mp4",
        {"height": 1.8, "camera": "points.npz", "backend": "mediapipe", "flip-test": "no", "object-size": "0.5;1"},
        str(tmp_path),
    )
    assert rows.values(clip) == {
        "height": 1.8,
        "camera": str(tmp_path / "points.npz"),
        "backend": "mediapipe",
        "flip_test": False,
        "object_size": [0.5, 1.0],
    }
    assert rows.values(replace(clip, options={"flip-test": True})) == {"flip_test": True}
    for options in ({"height": "9"}, {"person": "nobody"}, {"start": "-1"}):
        with pytest.raises(UsageError, match=f"a: .*{next(iter(options))}"):
            rows.values(replace(clip, options=options))
    for name in ("out", "overlay", "hight"):
        with pytest.raises(UsageError, match=f"column {name} is no option"):
            rows.check_names([replace(clip, options={name: "x"})])


def record(clip: str, status: str = DONE, **more) -> Record:
    return Record(clip, f"/videos/{clip}.mp4", status, **{"finished": "2026-01-01T00:00:00+00:00", **more})


_APPEND = """
import sys
from pathlib import Path
from anylift_cli.batch.results import Log
from anylift_cli.batch.work import Record
log = Log(Path(sys.argv[1]))
for number in range(200):
    log.add(Record(f"{sys.argv[2]}{number}", "x" * 5000, "done", finished=f"{number:04d}"))
"""


def test_two_processes_append_to_one_file(tmp_path):
    command = [sys.executable, "-c", _APPEND, str(tmp_path / "results.jsonl")]
    writers = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["clip"] for line in lines) == sorted(f"{n}{i}" for n in "ab" for i in range(200))


def test_the_last_line_of_a_clip_counts_in_all_shards_files(tmp_path):
    Log(tmp_path / results_name(1, 2)).add(record("a", FAILED, reason="full"))
    Log(tmp_path / results_name(2, 2)).add(record("b"))
    Log(tmp_path / results_name(1, 1)).add(record("a", severity=float("nan"), finished="2026-01-02T00:00:00+00:00"))
    found = read_results(str(tmp_path))
    assert {name: one["status"] for name, one in found.items()} == {"a": DONE, "b": DONE}
    assert found["a"]["severity"] is None


def test_half_a_line_of_a_killed_driver_is_left_out_and_spoils_nothing(tmp_path):
    log = Log(tmp_path / "results.jsonl")
    log.add(record("a"))
    whole = log.file.read_bytes()
    for cut in (1, 20, len(whole) - 1):
        log.file.write_bytes(whole + whole[:cut])
        log.add(record("b"))
        assert {"a", "b"} <= read_results(str(tmp_path)).keys()


def test_lines_go_to_a_store_and_on_from_what_is_there(tmp_path):
    place = f"file://{tmp_path}/out"
    for name in ("a", "b"):
        with opened_log(place, "results.jsonl") as log:
            log.add(record(name))
    assert read_results(place).keys() == {"a", "b"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.jsonl"]


def test_the_page_shows_the_worst_first_and_runs_nothing_of_a_name():
    figures = {"reprojection_percent": 1.0, "frames": 10, "frames_present": 10}
    records = [
        record("fine", rating="good", severity=-1.0, quality={"fine.npz": figures}).as_json(),
        record("nobody", "empty", exit_code=3).as_json(),
        record('<img src=x onerror="alert(1)">', FAILED, exit_code=1, reason="<script>alert(1)</script>").as_json(),
        record("weak", rating="poor", severity=2.0, quality={'w"eak#?.npz': figures}, thumbnail="w eak.jpg").as_json(),
    ]
    page = batch_page("<b>title</b>", records)
    order = [page.index(words) for words in ("&lt;script", ">weak<", ">fine<", ">nobody<")]
    assert order == sorted(order)
    assert "<script" not in page and "<img src=x" not in page and "<b>" not in page
    assert 'href="./w%22eak%23%3F.npz"' in page and 'src="./w%20eak.jpg"' in page
    assert "default-src 'none'" in page and "4 clips" in page


class Closing:
    """A model that says when it is freed."""

    def __init__(self, name: str, closed: list[str]) -> None:
        self.name, self._closed = name, closed

    def close(self) -> None:
        self._closed.append(self.name)


def test_models_stay_on_a_shelf_and_only_there():
    closed: list[str] = []

    def used(name: str) -> Closing:
        with model("keypoints", name, lambda: Closing(name, closed)) as one:
            return one

    assert used("a") is not used("a")
    assert closed == ["a", "a"]
    shelf = Shelf()
    with shelf.in_use():
        first = used("b")
        assert used("b") is first and closed == ["a", "a"]
        assert used("c") is not first and closed == ["a", "a", "b"]
        with pytest.raises(ValueError), model("keypoints", "c", lambda: Closing("never", closed)):
            raise ValueError
        assert closed == ["a", "a", "b", "c"]
        last = used("c")
        assert last.name == "c" and len(closed) == 4
    shelf.close()
    assert closed == ["a", "a", "b", "c", "c"]


def test_memory_that_is_left(monkeypatch, tmp_path):
    assert 0 < memory.available() <= psutil.virtual_memory().total
    group = tmp_path / "job"
    group.mkdir()
    for name, text in (
        ("memory.max", "3000000"),
        ("memory.current", "2500000"),
        ("memory.stat", "inactive_file 500000"),
    ):
        (group / name).write_text(text)
    monkeypatch.setattr(memory, "_GROUPS", group)
    assert memory.available() == 1_000_000


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rules for names")
def test_a_dry_run_lists_and_touches_nothing(anylift, tree, tmp_path):
    write_csv(tree / "clips.csv", {"video": "a.mp4", "height": "1.8"}, {"video": "day 1/b.MP4"})
    done = anylift("batch", tree / "clips.csv", "--out", tmp_path / "out", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert [(clip["clip"], clip["before"]) for clip in json.loads(done.stdout)["clips"]] == [
        ("a", "new"),
        ("day 1/b", "new"),
    ]
    assert not (tmp_path / "out").exists()
    done = anylift("batch", tree, "--out", tmp_path / "out", "--shard", "4/3")
    assert done.returncode == 2 and "is no shard" in done.stderr

"""`anylift export` and `anylift info` on BVH files, from the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from motions import make_motion, walking

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.chain import Request, export_motions
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.export.base import GROUP, exporter, exporter_of, takes_of
from anylift_cli.export.bvh import BvhExporter
from anylift_cli.export.bvh_reader import read_bvh
from anylift_cli.export.inputs import read_take
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.export.targets import TARGETS, export_options
from anylift_cli.meshes.reading import read_mesh
from anylift_cli.pipeline import UNCHANGED, Source
from anylift_cli.plugins import backend_names

DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


@pytest.fixture
def work_folder(body, tmp_path):
    """Three persons, the third of whom comes after the second also when there are ten."""
    folder = tmp_path / "squats.anylift"
    walking(body, 4).save(folder / "motion.npz")
    walking(body, 5).save(folder / "motion.person10.npz")
    make_motion(body, np.zeros((6, 22, 3)), np.ones((6, 3))).save(folder / "motion.person2.npz")
    (folder / "motion.backup.npz").write_bytes(b"no motion")
    (folder / "keypoints.npz").write_bytes(b"no motion")
    return folder


def carrying(body, frames=3):
    motion = walking(body, frames)
    pose = np.tile(np.eye(4), (1, frames, 1, 1))
    return dataclasses.replace(motion, object_names=np.array(["a = box"]), world_from_object=pose)


def test_export_of_one_motion(anylift, scene_folder, tmp_path):
    done = anylift("export", scene_folder / "motion.npz", "--to", "bvh", "--out", "new folder", "--json")
    assert json.loads(done.stdout) == {"files": ["new folder/motion.bvh"]}
    assert (tmp_path / "new folder" / "motion.bvh").read_text().startswith("HIERARCHY")


def test_formats_by_comma_and_repeat_with_a_target_that_options_win_over(anylift, scene_folder, tmp_path):
    done = anylift(
        "export", scene_folder / "motion.npz", "--to", "bvh, bvh", "--to", "bvh", "--target", "unreal",
        "--names", "smpl", "--unit", "m", "--fps", "20", "--out", "[red]",
    )  # fmt: skip
    assert done.stdout == "[red]/motion.bvh\n"
    bvh = read_bvh(tmp_path / "[red]" / "motion.bvh")
    assert bvh.names[:2] == ("root", "pelvis") and bvh.frame_time == pytest.approx(1 / 20)
    size = np.ptp(bvh.rest(), axis=0)
    assert 1.2 < size[2] < 1.9 and size[1] < 0.5, "z up, metres"
    assert size[0] < 1.4, "arms down"


def test_a_work_folder_stands_for_its_persons(anylift, work_folder, tmp_path):
    done = anylift("export", work_folder, "--to", "bvh", "--out", "out", "--json")
    names = ["squats.bvh", "squats.person2.bvh", "squats.person10.bvh"]
    assert json.loads(done.stdout) == {"files": [f"out/{name}" for name in names]}
    assert [len(read_bvh(tmp_path / "out" / name).frames) for name in names] == [4, 6, 5]


def test_persons_of_the_same_name_become_distinct(body, tmp_path):
    for folder in ("a", "b"):
        walking(body, 2).save(tmp_path / folder / "walk.npz")
    walking(body, 2).save(tmp_path / "WALK.npz")
    files = [tmp_path / "a" / "walk.npz", tmp_path / "b" / "walk.npz", tmp_path / "WALK.npz"]
    assert read_take(files, ExportOptions(), {}).names == ("walk", "walk-2", "WALK-3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "wings"], "unknown exporters backend 'wings'"),
        (["--to", "bvh", "--unit", "ell"], "--unit ell is none of m, cm"),
        (["--to", "bvh", "--object-mesh", "box.obj"], "does not read NAME=FILE"),
        (["--to", "bvh", "--object-mesh", "box=box.obj"], "there is no object 'box'"),
    ],
)
def test_wrong_options_write_nothing(anylift, scene_folder, tmp_path, words, message):
    done = anylift("export", scene_folder / "motion.npz", *words, "--out", "out", COLUMNS="200")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


HOSTILE = ("../<b>\"q\" & 'q'</b>;${x} 踊る ‮rtl\x00\n" + "x" * 300, "")


@pytest.mark.parametrize("name", backend_names(GROUP))
def test_every_format_writes_whoever_it_is(body, tmp_path, name):
    """Two persons with names that no file should break on; nothing but the named files is there afterwards."""
    one = exporter(name)
    take = Take((carrying(body), walking(body, 5)), HOSTILE, ExportOptions(fps=24))
    for number, part in enumerate(takes_of(take, one.one_person)):
        path = tmp_path / str(number) / f"motion{one.suffix}"
        assert one.write(part, path) == path
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        assert path.is_dir() or path.stat().st_size > 100
    assert exporter_of(tmp_path / f"walk{one.suffix.upper()}").name == name


def test_a_run_writes_persons_together_or_apart_and_only_what_changed(body, tmp_path):
    """FBX holds everyone, so it is made again when one person changes or leaves; BVH is one person's."""
    first, second = walking(body, 4), walking(body, 5)
    files = {"glb": tmp_path / "all.glb", "amass": tmp_path / "x.amass.npz"}
    request = Request(tmp_path / "v.mp4", tmp_path / "w.npz", tmp_path, exports=files)

    def run(*motions):
        outcomes = export_motions(request, [Source.from_artifact(motion) for motion in motions])
        return {outcome.file.name: outcome.why for outcome in outcomes}

    new = "not there yet"
    assert run(first, second) == {
        "w.bvh": new, "w.person2.bvh": new, "all.glb": new, "x.amass.npz": new, "x.person2.amass.npz": new,
    }  # fmt: skip
    assert set(run(first, second).values()) == {UNCHANGED}
    assert run(first) == {
        "w.bvh": UNCHANGED, "all.glb": "number of persons changed", "x.amass.npz": UNCHANGED,
    }  # fmt: skip
    second.trans = second.trans + 1
    assert run(first, second)["w.bvh"] == UNCHANGED
    assert run(first, walking(body, 6)) == {
        "w.bvh": UNCHANGED, "x.amass.npz": UNCHANGED,
        **dict.fromkeys(("w.person2.bvh", "all.glb", "x.person2.amass.npz"), "motion.person2.npz changed"),
    }  # fmt: skip


@pytest.mark.slow
def test_run_writes_what_its_options_name(anylift, tmp_path):
    words = (
        "run", DEMO, "--end", "0.3", "--out", "out/walk.GLB", "--bvh", "bones.bvh", "--report", "page.html", "--json",
    )  # fmt: skip
    (shot,) = json.loads(anylift(*words).stdout)["shots"]
    assert [step["file"] for step in shot["steps"] if step["step"] == "export"] == [
        "out/walk.npz", "bones.bvh", "out/walk.GLB",
    ]  # fmt: skip
    motion = MotionArtifact.load(tmp_path / "out" / "walk.npz")
    assert len(read_bvh(tmp_path / "bones.bvh").frames) == len(motion.poses)
    assert (tmp_path / "out" / "walk.GLB").read_bytes()[:4] == b"glTF"
    assert "demo.mp4" in (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / "out" / "walk.GLB").unlink()
    (shot,) = json.loads(anylift(*words).stdout)["shots"]
    assert [step["file"] for step in shot["steps"] if not step["reused"]] == ["out/walk.GLB"]


def test_what_is_no_motion_is_refused(anylift, tmp_path):
    (tmp_path / "walk.bvh").write_text("HIERARCHY")
    for path, message in (
        ("", "no motion.npz in the folder"),
        ("none.npz", "does not exist"),
        ("walk.bvh", "walk.bvh, line 1"),
    ):
        with pytest.raises(AnyliftError, match=message):
            read_take([tmp_path / path], ExportOptions(), {})
    done = anylift("export", "walk.bvh", "--to", "bvh", "--out", "out")
    assert done.returncode == 1 and "is it a BVH file" in done.stderr
    assert not (tmp_path / "out").exists()


def test_targets():
    assert export_options() == ExportOptions()
    assert export_options("unreal", rest="t-pose", up=None) == dataclasses.replace(TARGETS["unreal"], rest="t-pose")
    for target in TARGETS:
        assert export_options(target, fps=24.0).fps == 24
    with pytest.raises(UsageError, match="unknown target 'wings'"):
        export_options("wings")
    for wrong in ({"rest": "i-pose"}, {"names": "latin"}, {"root": "head"}, {"up": "x"}, {"metres_per_unit": 0.0254}):
        (name,) = wrong
        with pytest.raises(UsageError, match=f"{name} cannot be"):
            export_options("maya", **wrong)


def test_meshes_of_objects(body, tmp_path):
    motion = carrying(body).save(tmp_path / "walk.npz")
    mesh = tmp_path / "box.obj"
    mesh.write_text(TRIANGLE)
    prop = read_take([motion], ExportOptions(metres_per_unit=1.0), {"a = box": mesh}).scene.props[0]
    assert prop.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert prop.faces.tolist() == [[0, 1, 2]]
    with pytest.raises(UsageError, match="there is no object 'ball'") as error:
        read_take([motion], ExportOptions(), {"ball": mesh})
    assert error.value.hint == "the objects are: a = box"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.obj", None),
        ("noise.glb", bytes(range(256))),
        ("noise.stl", b"solid"),
        ("text.ply", b"ply\nformat"),
        ("points.obj", b"v 0 0 0\nv 1 0 0\n"),
        ("nan.obj", TRIANGLE.replace("1", "nan", 1).encode()),
        ("mesh.unknown", TRIANGLE.encode()),
    ],
)
def test_meshes_that_are_none(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(AnyliftError) as error:
        read_mesh(tmp_path / name)
    assert name in error.value.message


def test_info_of_a_bvh(anylift, body, tmp_path):
    BvhExporter().write(Take((walking(body, 30),), ("walk",)), tmp_path / "walk.bvh")
    about = json.loads(anylift("info", "walk.bvh", "--json").stdout)
    assert (about["kind"], about["frames"], len(about["joints"])) == ("bvh", 30, 24)
    assert about["fps"] == pytest.approx(30) and about["duration"] == pytest.approx(1)
    assert about["joints"][1] == {
        "name": "left_hip", "parent": 0, "channels": ["Zrotation", "Yrotation", "Xrotation"],
    }  # fmt: skip
    assert about["size"][1] == pytest.approx(170, abs=10), "head to toes of a body of 1.7 m in centimetres"
    assert about["root_max"][0] - about["root_min"][0] == pytest.approx(110 * 29 / 30, abs=0.1)
    shown = anylift("info", "walk.bvh").stdout
    assert "24 joints" in shown and "pelvis (moves)" in shown and "left_hip\n" in shown


def test_info_of_odd_bvh_files(anylift, tmp_path):
    joint = "{{\nOFFSET 0 1 0\nCHANNELS 0\n{}}}\n"
    inner = ""
    for _ in range(900):
        inner = "JOINT [red]same\n" + joint.format(inner)
    (tmp_path / "deep.BVH").write_text(
        "HIERARCHY\nROOT [red]same\n" + joint.format(inner) + "MOTION\nFrames: 0\nFrame Time: 1\n"
    )
    done = anylift("info", "deep.BVH")
    assert done.returncode == 0
    assert "901 joints" in done.stdout and "[red]same" in done.stdout
    (tmp_path / "broken.bvh").write_text("HIERARCHY\n")
    assert "broken.bvh, line 1: the file ends too early" in anylift("info", "broken.bvh").stderr

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import anylift_cli
from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, LiftedArtifact, MotionArtifact

COMMANDS = ("run", "keypoints", "cameras", "lift", "fit", "export", "info", "synthesize")
COMMON = ("--json", "--device", "--seed", "--work-dir", "--force", "--quiet")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_common_options(anylift, command):
    done = anylift(command, "--help", COLUMNS="200")
    assert done.returncode == 0
    assert f"Example: anylift {command} " in done.stdout
    for option in COMMON:
        assert option in done.stdout


def test_help_lists_every_command(anylift):
    done = anylift("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout
    assert "Exit codes" in done.stdout


def test_version(anylift):
    assert anylift("--version").stdout == f"anylift {anylift_cli.__version__}\n"


def test_the_console_script_is_the_same_program(tmp_path):
    script = Path(sys.executable).with_name("anylift")
    assert subprocess.run([script, "--version"], capture_output=True, text=True).stdout.startswith("anylift ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("anylift ru", {"run"}),
        ("anylift run --force ov", {"overlay"}),
        ("anylift run --camera m", {"moving"}),
        ("anylift export --to b", {"bvh"}),
    ],
)
def test_shell_completion(words, expected):
    script = "import sys; sys.argv = ['anylift']; from anylift_cli.__main__ import main; main()"
    completed = subprocess.run(
        [sys.executable, "-c", script],
        env={"_ANYLIFT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
        capture_output=True,
        text=True,
    )
    assert set(completed.stdout.split()) >= expected, completed.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument"),
        (["run", "v.mp4", "--person", "nobody"], "neither a number"),
        (["run", "v.mp4", "--person", "0"], "neither a number"),
        (["run", "v.mp4", "--shot", "-1"], "neither a number"),
        (["run", "v.mp4", "--start", "-2"], "0 or more"),
        (["run", "v.mp4", "--start", "nan"], "0 or more"),
        (["run", "v.mp4", "--start", "2", "--end", "1"], "--end 1 is not after --start 2"),
        (["run", "v.mp4", "--fov", "200"], "'--fov'"),
        (["run", "v.mp4", "--focal", "900", "--fov", "60"], "both given"),
        (["run", "v.mp4", "--height", "178"], "'--height'"),
        (["run", "v.mp4", "--force", "everything"], "everything"),
        (["lift", "only-one.npz"], "Missing argument"),
        (["export", "motion.npz"], "Missing option"),
        (["dance"], "dance"),
    ],
)
def test_wrong_usage(anylift, arguments, message):
    done = anylift(*arguments, COLUMNS="200")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backend", "magic"], "unknown keypoints backend 'magic'"),
        (["--camera", "magic"], "unknown cameras backend 'magic'"),
        (["--lifter", "magic"], "unknown lifters backend 'magic'"),
        (["--body", "magic.npz"], "the body file magic.npz does not exist"),
        (["--device", "warp"], "--device warp cannot be used"),
        (["--out", "motion.mov"], "must end with .npz or the suffix of an export format"),
        (["--out", "walk.bvh", "--bvh", "other.bvh"], "are both bvh files"),
        (["--bvh", "motion.npz"], "--out and --bvh are both motion.npz"),
        (["--bvh", "video.mp4"], "is the input itself"),
        (["--overlay", "video.mp4"], "is the input itself"),
    ],
)
def test_wrong_options_of_run_are_refused_before_any_work(anylift, tmp_path, scene_folder, options, message):
    (tmp_path / "video.mp4").write_bytes((scene_folder / "video.mp4").read_bytes())
    before = (tmp_path / "video.mp4").read_bytes()
    done = anylift("run", "video.mp4", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]
    assert (tmp_path / "video.mp4").read_bytes() == before


def test_info_of_an_artifact(anylift, scene_folder):
    file = scene_folder / "keypoints.npz"
    about = json.loads(anylift("info", file, "--json").stdout)
    assert about["kind"] == "anylift.keypoints"
    assert about["problem"] is None
    arrays = {array["name"]: array for array in about["arrays"]}
    made = KeypointsArtifact.load(file)
    assert arrays["keypoints"]["shape"] == list(made.keypoints.shape)
    assert arrays["keypoints"]["unit"] == "px"
    assert arrays["keypoints"]["dtype"] == "float32"
    assert arrays["keypoints"]["max"] == pytest.approx(np.nanmax(made.keypoints))
    assert arrays["keypoints"]["missing"] == pytest.approx(np.isnan(made.keypoints).mean())
    table = anylift("info", file).stdout
    assert "keypoints" in table
    assert "px" in table


def test_info_of_a_foreign_npz_a_broken_artifact_and_a_video(anylift, tmp_path, scene_folder, cameras):
    np.savez(tmp_path / "amass.npz", trans=np.zeros((4, 3)), gender=np.array("neutral"))
    about = json.loads(anylift("info", "amass.npz", "--json").stdout)
    assert about["kind"] == "npz"
    assert {array["name"]: array["shape"] for array in about["arrays"]} == {"trans": [4, 3], "gender": []}

    with np.load(cameras.save(tmp_path / "cameras.npz")) as stored:
        np.savez(tmp_path / "broken.npz", **{**stored, "up": np.full(3, np.nan)})
    about = json.loads(anylift("info", "broken.npz", "--json").stdout)
    assert "'up' holds NaN" in about["problem"]

    about = json.loads(anylift("info", scene_folder / "video.mp4", "--json").stdout)
    assert (about["kind"], about["width"], about["height"], about["frame_count"]) == ("video", 320, 180, 5)
    assert "h264" in anylift("info", scene_folder / "video.mp4").stdout


def test_a_stage_command_reuses_what_is_valid(anylift, scene_folder, tmp_path):
    inputs = (scene_folder / "video.mp4", scene_folder / "keypoints.npz")

    def cameras(*options):
        return json.loads(
            anylift("cameras", *inputs, "--camera", "still", "--work-dir", "w", "--json", *options).stdout
        )

    assert cameras() | {"seconds": 0} == {
        "stage": "cameras", "file": "w/cameras.npz", "reused": False, "why": "not there yet", "seconds": 0,
    }  # fmt: skip
    assert cameras()["reused"]
    assert cameras("--force", "cameras")["why"] == "--force cameras"
    assert cameras("--fov", "60")["why"] == "option fov changed: none → 60.0"
    made = CamerasArtifact.load(tmp_path / "w" / "cameras.npz")
    assert made.meta["options"] == {"backend": "still", "focal": None, "fov": 60.0, "moving": "moving"}
    assert made.K[0, 0, 0] == pytest.approx(160 / np.tan(np.radians(30)))


@pytest.mark.slow
def test_stage_commands_pass_files_on(anylift, scene_folder, tmp_path):
    keypoints, cameras = scene_folder / "keypoints.npz", scene_folder / "cameras.npz"
    done = anylift("lift", keypoints, cameras, "--out", "lifted.npz", "--seed", "3", "--json")
    assert json.loads(done.stdout)["why"] == "not there yet"
    assert LiftedArtifact.load(tmp_path / "lifted.npz").meta["options"]["seed"] == 3
    done = anylift("fit", "lifted.npz", keypoints, "--out", "motion.npz", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(MotionArtifact.load(tmp_path / "motion.npz").poses) == 5


def test_synthesize(anylift, tmp_path):
    assert "walk_pan" in json.loads(anylift("synthesize", "list", "--json").stdout)["scenes"]
    done = anylift("synthesize", "nothing_at_all")
    assert done.returncode == 2
    assert "unknown scene" in done.stderr


def test_debug_shows_the_traceback(anylift):
    done = anylift("info", "missing.npz", ANYLIFT_DEBUG="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr

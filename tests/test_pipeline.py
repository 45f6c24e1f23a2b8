from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import anylift_cli.pipeline
from anylift_cli.artifacts import CamerasArtifact
from anylift_cli.artifacts.base import read_meta
from anylift_cli.chain import numbered
from anylift_cli.errors import AnyliftError, Interrupted
from anylift_cli.outputs import make_output
from anylift_cli.pipeline import Source, Stage, run_stage, work_folder
from anylift_cli.progress import SILENT


@dataclass(frozen=True)
class Turn:
    factor: float = 2.0
    word: str | None = None
    device: str = "cpu"


@dataclass
class Chain:
    """Two real stages over a text file: its numbers as timestamps, then their multiples."""

    folder: Path
    first: Stage = None
    second: Stage = None
    calls: list[str] = field(default_factory=list)

    def __post_init__(self):
        def read(video, options, progress):
            self.calls.append("read")
            return make(np.loadtxt(video, ndmin=1) // 1)

        def multiply(cameras, options, progress):
            self.calls.append("multiply")
            return make(cameras.timestamps * options.factor)

        self.first = Stage("read", 1, CamerasArtifact, read, Turn())
        self.second = Stage("multiply", 1, CamerasArtifact, multiply, Turn(), "times 1.0", {"table": "ab"})
        self.video.write_text("1 2 3")

    @property
    def video(self) -> Path:
        return self.folder / "video.txt"

    def run(self, forced: str = "") -> tuple[str, str, list[float]]:
        """Why each of the two ran, and the result."""
        inputs = {"video": Source.from_file(self.video)}
        read, one = run_stage(self.first, inputs, self.folder / "first.npz", forced=forced)
        inputs = {"first": Source.from_artifact(read)}
        multiplied, two = run_stage(self.second, inputs, self.folder / "second.npz")
        assert [one.reused, two.reused] == [name not in self.calls for name in ("read", "multiply")]
        self.calls.clear()
        return one.why, two.why, multiplied.timestamps.tolist()


def make(timestamps: np.ndarray) -> CamerasArtifact:
    frames = len(timestamps)
    return CamerasArtifact(
        world_from_camera=np.tile(np.eye(4), (frames, 1, 1)),
        K=np.tile(np.eye(3), (frames, 1, 1)),
        confidence=np.ones(frames),
        up=[0, -1, 0],
        timestamps=timestamps,
        image_size=[4, 3],
        meta={"motion": "still"},
    )


@pytest.fixture
def chain(tmp_path) -> Chain:
    chain = Chain(tmp_path)
    assert chain.run() == ("not there yet", "not there yet", [2, 4, 6])
    return chain


def test_the_second_run_does_nothing(chain):
    before = {path: path.stat().st_mtime_ns for path in chain.folder.iterdir()}
    assert chain.run() == ("nothing changed", "nothing changed", [2, 4, 6])
    assert before == {path: path.stat().st_mtime_ns for path in chain.folder.iterdir()}


def test_a_changed_option_reruns_that_stage(chain):
    chain.second = replace(chain.second, options=Turn(factor=3.0))
    assert chain.run() == ("nothing changed", "option factor changed: 2.0 → 3.0", [3, 6, 9])
    chain.second = replace(chain.second, options=Turn(factor=3.0, word="x"))
    assert chain.run()[1] == "option word changed: none → x"


def test_the_device_is_no_change(chain):
    chain.second = replace(chain.second, options=Turn(device="cuda"))
    assert chain.run()[1] == "nothing changed"


def test_a_changed_input_reruns_what_follows(chain):
    chain.video.write_text("5 6")
    assert chain.run() == ("input video changed", "input first changed", [10, 12])


def test_a_rerun_that_gives_the_same_leaves_what_follows(chain):
    chain.video.write_text("1.5 2.5 3.5")
    assert chain.run() == ("input video changed", "nothing changed", [2, 4, 6])


def test_force(chain):
    assert chain.run(forced="--force read")[:2] == ("--force read", "nothing changed")


def test_a_file_edited_by_hand_is_kept_and_reruns_what_follows(chain):
    edited = CamerasArtifact.load(chain.folder / "first.npz")
    edited.timestamps[:] = [7, 8, 9]
    edited.save(chain.folder / "first.npz")
    assert chain.run() == ("nothing changed", "input first changed", [14, 16, 18])


def test_a_meta_edited_by_hand_counts_as_a_change(chain):
    edited = CamerasArtifact.load(chain.folder / "first.npz")
    edited.meta["motion"] = "moving"
    edited.save(chain.folder / "first.npz")
    assert chain.run()[1] == "input first changed"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", None])
def test_damaged_files_are_made_again(chain, content):
    file = chain.folder / "second.npz"
    file.write_bytes(file.read_bytes()[:-50] if content is None else content)
    why = chain.run()[1]
    assert "second.npz is damaged" in why
    assert chain.run()[1] == "nothing changed"


def test_a_file_of_another_program_is_made_again(chain):
    make(np.zeros(3)).save(chain.folder / "second.npz")
    assert chain.run()[1:] == ("the file there was made by another program", [2, 4, 6])


def test_a_new_version_of_the_stage(chain, monkeypatch):
    chain.second = replace(chain.second, version=2)
    assert chain.run()[1] == "the stage changed (version 1 → 2)"
    monkeypatch.setattr(anylift_cli.pipeline, "__version__", "9.0")
    chain.second = replace(chain.second, version=3)
    assert chain.run()[1].endswith("→ 9.0 changed the stage")
    monkeypatch.setattr(anylift_cli.pipeline, "__version__", "10.0")
    assert chain.run()[1] == "nothing changed"


def test_new_weights_and_backends(chain):
    chain.second = replace(chain.second, weights={"table": "cd"})
    assert chain.run()[1] == "weights file table changed"
    chain.second = replace(chain.second, backend="times 1.1")
    assert chain.run()[1] == "backend changed: times 1.0 → times 1.1"


def test_provenance(chain):
    meta = read_meta(chain.folder / "second.npz")
    assert meta["stage"] == "multiply"
    assert meta["options"] == {"factor": 2.0, "word": None, "device": "cpu"}
    assert meta["key_parts"]["backend"] == "times 1.0"
    assert meta["inputs"]["first"]["key"] == meta["key_parts"]["inputs"]["first"]
    assert meta["seconds"] >= 0
    assert meta["created"].endswith("+00:00")
    assert read_meta(chain.folder / "first.npz")["inputs"]["video"]["file"] == "video.txt"


def test_a_failing_stage_keeps_the_old_file(chain):
    def fail(*arguments):
        raise AnyliftError("it failed")

    chain.second = replace(chain.second, function=fail, options=Turn(factor=5.0))
    before = (chain.folder / "second.npz").read_bytes()
    with pytest.raises(AnyliftError, match="it failed"):
        chain.run()
    assert (chain.folder / "second.npz").read_bytes() == before


def test_ctrl_c_says_what_is_kept(tmp_path):
    with pytest.raises(Interrupted, match="finished stages are kept in") as caught, work_folder(tmp_path / "work"):
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    with work_folder(tmp_path / "work"):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_dropped_by_a_finalizer_stops_after_the_stage(chain):
    class Finalized:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def read(video, options, progress):
        Finalized()
        return make(np.ones(2))

    chain.first = replace(chain.first, function=read)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted), work_folder(chain.folder):
        chain.run(forced="asked for")
    assert CamerasArtifact.load(chain.folder / "first.npz").timestamps.tolist() == [1, 1]
    assert chain.calls == []
    assert signal.getsignal(signal.SIGINT) == before
    with work_folder(chain.folder):
        assert chain.run() == ("nothing changed", "input first changed", [2, 2])


HOLD = """
import sys, time
from pathlib import Path
from anylift_cli.pipeline import work_folder
with work_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_runs_never_share_a_folder_and_a_killed_one_frees_it(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AnyliftError, match="another anylift run is using"), work_folder(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with work_folder(tmp_path):
        pass


@pytest.fixture
def output(tmp_path):
    file, record = tmp_path / "a.bvh", tmp_path / "outputs.json"

    def run(forced: str = "", **made_from: str) -> str:
        started = file.stat().st_mtime_ns if file.exists() else 0
        outcome = make_output("export", file, made_from, lambda: file.write_text("content"), record, forced)
        assert outcome.reused == (file.stat().st_mtime_ns == started)
        return outcome.why

    run.file, run.record = file, record
    assert run(motion="1") == "not there yet"
    time.sleep(0.01)
    return run


def test_outputs_are_kept_while_they_hold(output):
    assert output(motion="1") == "nothing changed"
    assert output(motion="2") == "motion changed"
    assert output("--force export", motion="2") == "--force export"
    output.file.write_text("edited")
    assert output(motion="2") == "a.bvh was changed by something else"
    output.file.unlink()
    assert output(motion="2") == "not there yet"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_record_is_no_harm(output, content):
    output.record.write_text(content)
    assert output(motion="1") == "a.bvh was made by something else"
    assert json.loads(output.record.read_text())


def test_names_of_further_persons_and_shots():
    assert numbered(Path("a/motion.npz")) == Path("a/motion.npz")
    assert numbered(Path("a/motion.npz"), person=2) == Path("a/motion.person2.npz")
    assert numbered(Path("m.v1.npz"), shot=3) == Path("m.v1.shot3.npz")
    assert numbered(numbered(Path("m.npz"), shot=3), person=2) == Path("m.shot3.person2.npz")


def test_silent_progress_is_the_default(chain):
    assert chain.first.function(chain.video, Turn(), SILENT).timestamps.tolist() == [1, 2, 3]

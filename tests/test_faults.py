"""Full disks, folders that only can be read, clocks that jump, kills, rivals: nothing lost, nothing half accepted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hostile import files

from anylift_cli.artifacts import CamerasArtifact
from anylift_cli.artifacts.files import UNFINISHED, atomic_path, sha256_of
from anylift_cli.errors import AnyliftError
from anylift_cli.outputs import make_output
from anylift_cli.pipeline import Source, Stage, run_stage, work_folder

SOAK = Path(__file__).parents[1] / "benchmarks" / "soak.py"


def mounted(folder: Path, options: str) -> bool:
    """Whether a file system in memory could be mounted there."""
    try:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture
def few_files(tmp_path) -> Iterator[Path]:
    """A disk with room for bytes, but for no more than one further file."""
    folder = tmp_path / "few files"
    folder.mkdir()
    if not mounted(folder, "size=1m,nr_inodes=3"):
        pytest.skip("a small file system can only be mounted by root, with `mount` at hand")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def read_only(tmp_path) -> Iterator[Path]:
    """A disk with a finished artifact that cannot be written, not even by root."""
    folder = tmp_path / "read only"
    folder.mkdir()
    if not mounted(folder, "size=1m"):
        pytest.skip("a file system can only be mounted by root, with `mount` at hand")
    files.cameras().save(folder / "cameras.npz")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@dataclass(frozen=True)
class NoOptions:
    """Of a stage that has none."""


def copying_stage() -> Stage:
    """Gives the same cameras whatever it is given."""
    return Stage("copy", 1, CamerasArtifact, lambda *_: files.cameras(), NoOptions())


def test_a_disk_without_room_for_another_file(few_files):
    (few_files / "one").touch()
    (few_files / "two").touch()
    with pytest.raises(AnyliftError, match=r"disk is full.*cameras\.npz") as caught:
        files.cameras().save(few_files / "cameras.npz")
    assert "run the same command again" in caught.value.hint
    assert sorted(path.name for path in few_files.iterdir()) == ["one", "two"]


def test_a_disk_that_fills_up_while_an_output_is_written(small_disk):
    file, record = small_disk / "a.bvh", small_disk / "outputs.json"

    def write(size: int) -> None:
        with atomic_path(file) as temporary:
            temporary.write_bytes(b"x" * size)

    make_output("export", file, {"motion": "1"}, lambda: write(100), record)
    before = sha256_of(file), record.read_bytes()
    with pytest.raises(AnyliftError, match=r"disk is full.*a\.bvh"):
        make_output("export", file, {"motion": "2"}, lambda: write(1 << 20), record)
    assert (sha256_of(file), record.read_bytes()) == before
    assert make_output("export", file, {"motion": "1"}, lambda: write(1), record).reused


def test_a_disk_that_is_full_when_the_record_is_written(small_disk):
    """The output itself is there; without its record it is made again."""
    file, record = small_disk / "a.bvh", small_disk / "outputs.json"

    def write() -> None:
        file.write_bytes(b"x" * 1000)
        with pytest.raises(OSError):
            (small_disk / "filler").write_bytes(bytes(1 << 20))

    with pytest.raises(AnyliftError, match=r"disk is full.*outputs\.json"):
        make_output("export", file, {"motion": "1"}, write, record)
    (small_disk / "filler").unlink()
    assert not record.exists()
    assert make_output("export", file, {"motion": "1"}, lambda: file.write_bytes(b"y"), record).why == (
        "a.bvh was made by something else"
    )


def test_a_folder_that_can_only_be_read(read_only):
    with pytest.raises(AnyliftError, match="read only") as caught, work_folder(read_only):
        pass
    assert "--work-dir" in caught.value.hint
    with pytest.raises(AnyliftError, match=r"could not write .*cameras\.npz: Read-only") as caught:
        files.cameras().save(read_only / "cameras.npz")
    assert "--out" in caught.value.hint
    assert CamerasArtifact.load(read_only / "cameras.npz").meta["motion"] == "moving"


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from hostile import files
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
from anylift_cli.errors import AnyliftError
try:
    files.motion().save(sys.argv[2])
except AnyliftError as error:
    print(error.message)
"""


def test_a_write_that_is_stopped_half_way_leaves_the_old_file(tmp_path):
    files.motion().save(tmp_path / "motion.npz")
    before = sha256_of(tmp_path / "motion.npz")
    command = [sys.executable, "-c", LIMITED, str(Path(__file__).parent), str(tmp_path / "motion.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "could not write" in done.stdout and "motion.npz" in done.stdout
    assert sha256_of(tmp_path / "motion.npz") == before
    assert [path.name for path in tmp_path.iterdir()] == ["motion.npz"]


@pytest.mark.parametrize("seconds", [0, 4_102_444_800], ids=["1970", "2100"])
def test_clocks_do_not_matter(tmp_path, seconds):
    """What is valid is told by content: files from the future or from long ago are kept, and inputs as well."""
    (tmp_path / "video").write_text("pixels")
    stage = copying_stage()

    def run() -> str:
        inputs = {"video": Source.from_file(tmp_path / "video")}
        return run_stage(stage, inputs, tmp_path / "cameras.npz")[1].why

    assert run() == "not there yet"
    for path in tmp_path.iterdir():
        os.utime(path, (seconds, seconds))
    assert run() == "nothing changed"
    (tmp_path / "video").write_text("others")
    os.utime(tmp_path / "video", (seconds, seconds))
    assert run() == "input video changed"


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from hostile import files
made = files.cameras()
made.meta["writer"] = sys.argv[3]
for number in range(60):
    made.confidence[:] = number
    made.save(sys.argv[2])
"""


def test_two_writers_of_one_file_and_a_reader(tmp_path):
    """Each reading gives one writer's whole file, whoever was last."""
    path = files.cameras().save(tmp_path / "cameras.npz")
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), str(path)]
    writers = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    while any(writer.poll() is None for writer in writers):
        read = CamerasArtifact.load(path)
        assert len(np.unique(read.confidence)) == 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert CamerasArtifact.load(path).confidence[0] == 59
    assert [one.name for one in tmp_path.iterdir()] == ["cameras.npz"]


def test_what_killed_runs_left_half_written_is_cleared_away(tmp_path):
    half, own = tmp_path / f".lifted.x1y2z3w4{UNFINISHED}.npz", tmp_path / ".notes"
    half.write_bytes(b"PK"), own.write_text("keep")
    with work_folder(tmp_path):
        assert not half.exists()
    assert own.exists()
    output, other = tmp_path / f".a.x1{UNFINISHED}.bvh", tmp_path / f".b.x1{UNFINISHED}.bvh"
    output.touch(), other.touch()
    make_output("export", tmp_path / "a.bvh", {}, lambda: (tmp_path / "a.bvh").touch(), tmp_path / "outputs.json")
    assert not output.exists() and other.exists(), "only its own"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts the processor time of another process as Linux does")
def test_random_kills_lose_nothing(tmp_path):
    command = [sys.executable, str(SOAK), "--out", str(tmp_path / "soak"), "--kills", "8"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("8 kills") and done.stdout.endswith("nothing lost\n")

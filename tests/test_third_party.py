"""The set-up scripts of programs with environments of their own, with stand-ins for git, conda, pip and so on: where
they stop, what they leave, and that they go on after a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from anylift_cli.foreign.tools import DELTA, INSTALLED, MEGASAM, VIPE, Tool, lacking

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the scripts are for a Unix shell")

OTHER_CUDA = {MEGASAM: "nvcc is not of CUDA 11.8", VIPE: "nvcc is not of CUDA 12", DELTA: ""}
"""What a script says to the nvcc of a new machine, CUDA 13."""
OWN_CUDA = {MEGASAM: "11.8", VIPE: "12.8", DELTA: "13.0"}
PYTHON = """
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"
  for name in python vipe gdown; do cp "$0" "$3/bin/$name"; done
fi
for word in "$@"; do case "$word" in *.incomplete) touch "$word";; esac; done
"""
CONDA = """
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/bin"
cp "${0%conda}python3" "$2/bin/python"
"""
GIT = """
[ "$1" = clone ] || exit 0
mkdir -p "$3/.git" "$3/base" "$3/checkpoints" "$3/camera_tracking_scripts"
touch "$3/checkpoints/megasam_final.pth" "$3/camera_tracking_scripts/test_demo.py" "$3/demo_2d.py"
"""
CURL = 'while [ "$1" != --output ]; do shift; done\nprintf weights > "$2"'
PROGRAMS = {
    "nvidia-smi": "echo 'GPU 0: Stand-in (UUID: GPU-0)'", "c++": "", "git": GIT, "conda": CONDA, "curl": CURL,
    "python3": PYTHON, "python3.10": PYTHON, "sha256sum": "cat > /dev/null",
}  # fmt: skip
tools = pytest.mark.parametrize("tool", OTHER_CUDA, ids=lambda tool: tool.name)


@pytest.fixture
def set_up(tmp_path, monkeypatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a tool's script on a machine where only these programs are; None for one that is not."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "grep", "mkdir", "rm", "mv", "cp", "touch", "cat"):
        (programs / name).symlink_to(shutil.which(name))
    bash = shutil.which("bash")
    monkeypatch.setenv("ANYLIFT_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("PATH", str(programs))

    def run(tool: Tool, cuda: str, **others: str | None) -> subprocess.CompletedProcess[str]:
        told = {"nvcc": f"echo 'Cuda compilation tools, release {cuda}, V{cuda}.89'"}
        for name, script in (PROGRAMS | told | others).items():
            (programs / name).unlink(missing_ok=True)
            if script is not None:
                log = f'echo "${{0##*/}} $*" >> "{tmp_path}/log"'
                (programs / name).write_text(f"#!/bin/sh\n{log}\n{script}\n")
                (programs / name).chmod(0o755)
        return subprocess.run([bash, tool.setup.removeprefix("bash ")], capture_output=True, text=True, timeout=60)

    return run


@tools
def test_nothing_is_made_where_something_is_missing(tool, set_up, tmp_path):
    own = OWN_CUDA[tool]
    refused = {
        "nvidia-smi shows no GPU": set_up(tool, own, **{"nvidia-smi": "exit 9"}),
        "nvidia-smi is not installed": set_up(tool, own, **{"nvidia-smi": None}),
    }
    if OTHER_CUDA[tool]:
        refused[OTHER_CUDA[tool]] = set_up(tool, "13.0")
        refused["nvcc is not installed"] = set_up(tool, own, nvcc=None)
    for reason, done in refused.items():
        assert done.returncode == 4 and f"error: {reason}" in done.stderr
    assert not (tmp_path / "tools").exists()


@tools
def test_what_a_script_leaves_is_what_the_bridge_needs(tool, set_up):
    done = set_up(tool, OWN_CUDA[tool])
    assert done.returncode == 0, done.stderr
    assert lacking(tool) == ("", "") and len((tool.folder / INSTALLED).read_text().split()) == 1


@tools
def test_a_script_goes_on_after_a_failure(tool, set_up, tmp_path):
    """The last check fails, as where PyTorch sees no GPU; what was made before is not made again."""
    failing = PYTHON + 'case "$*" in "- " | "-" | *cuda.is_available*) exit 1;; esac\n'
    done = set_up(tool, OWN_CUDA[tool], **{"python3": failing, "python3.10": failing})
    assert done.returncode == 1 and not (tool.folder / INSTALLED).exists() and lacking(tool)[0]
    for program in tool.folder.glob("env/bin/*"):
        program.write_text(f"#!/bin/sh\n{PYTHON}")
    assert set_up(tool, OWN_CUDA[tool]).returncode == 0 and lacking(tool) == ("", "")
    log = (tmp_path / "log").read_text()
    made_once = {MEGASAM: ["git clone", "conda env create", "curl"], VIPE: ["-m venv"], DELTA: ["git clone", "-m venv"]}
    assert [log.count(words) for words in made_once[tool]] == [1] * len(made_once[tool])


def test_weights_of_another_sum_are_not_taken(set_up):
    """Depth Anything's, for MegaSaM: the sum is that of the published file, which the stand-in does not give."""
    done = set_up(MEGASAM, "11.8", sha256sum='echo "FAILED" >&2\nexit 1')
    assert done.returncode == 1 and "FAILED" in done.stderr
    assert not (MEGASAM.folder / INSTALLED).exists()
    assert not (MEGASAM.folder / "repo/Depth-Anything/checkpoints/depth_anything_vitl14.pth").exists()

"""Programs of others that live in environments of their own: where they are, what they lack, and how they are run.

A tool is a folder that its `third_party/NAME/setup.sh` fills: `env/` (its Python), mostly `repo/` (its code and
weights), and last of all `installed`, a line that says which version that is. Nothing of it is imported here.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import platformdirs

from anylift_cli.errors import AnyliftError, MissingDependencyError

TOOLS_VARIABLE = "ANYLIFT_TOOLS"
INSTALLED = "installed"
LAST_LINES = 8
"""Of a tool's log, in the message about its failure."""
PATIENCE = 10.0
"""Seconds that a tool has to end after it was asked to."""
OWN_ENVIRONMENT = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX")
"""Variables of our environment that would lead another Python astray."""


@dataclass(frozen=True)
class Tool:
    """A program in an environment of its own.

    Attributes:
        name: of the backend, and of its folder.
        title: for people to read.
        stage: which stage it works for.
        licence: of its code and weights.
        needs: files in its folder without which it cannot run.
        gpu: whether it runs on an NVIDIA GPU only.
    """

    name: str
    title: str
    stage: str
    licence: str
    needs: tuple[str, ...]
    gpu: bool = True

    @property
    def folder(self) -> Path:
        """Where it is, or would be."""
        return tools_folder() / self.name

    @property
    def python(self) -> Path:
        """Its own Python."""
        return self.folder / "env" / "bin" / "python"

    @property
    def setup(self) -> str:
        """The command that sets it up."""
        script = Path(str(resources.files("anylift_cli.third_party"))) / self.name / "setup.sh"
        return f"bash {shlex.quote(str(script))}"


MEGASAM = Tool(
    "megasam",
    "MegaSaM",
    "cameras",
    "Apache-2.0; UniDepth and its weights CC BY-NC 4.0",
    (
        "env/bin/python",
        "repo/camera_tracking_scripts/test_demo.py",
        "repo/checkpoints/megasam_final.pth",
        "repo/Depth-Anything/checkpoints/depth_anything_vitl14.pth",
    ),
)
VIPE = Tool(
    "vipe",
    "ViPE",
    "cameras",
    "Apache-2.0; UniDepth and its weights CC BY-NC 4.0",
    ("env/bin/python", "env/bin/vipe"),
)
DELTA = Tool(
    "delta",
    "DELTA",
    "objects",
    "of Snap Inc., in its repository",
    ("env/bin/python", "repo/demo_2d.py", "repo/checkpoints/densetrack2d.pth"),
)
MMPOSE = Tool("vitpose-mmpose", "mmpose", "keypoints", "Apache-2.0", ("env/bin/python",), gpu=False)
TOOLS = {tool.name: tool for tool in (MEGASAM, VIPE, DELTA, MMPOSE)}


def tools_folder() -> Path:
    """Where tools are set up: `$ANYLIFT_TOOLS`, else the platform's folder for programs' data."""
    chosen = os.environ.get(TOOLS_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_data_path("anylift", appauthor=False) / "tools"


def lacking(tool: Tool) -> tuple[str, str]:
    """What `tool` lacks on this machine, and the command that helps; ("", "") when it can run."""
    if not (tool.folder / INSTALLED).is_file():
        return f"{tool.title} is not set up in {tool.folder}", tool.setup
    for name in tool.needs:
        if not (tool.folder / name).is_file():
            return f"{tool.folder / name} is not there", tool.setup
    if tool.gpu and not gpus():
        return "an NVIDIA GPU: `nvidia-smi` shows none", ""
    return "", ""


def require(tool: Tool) -> str:
    """The version of a tool that can run.

    Raises:
        MissingDependencyError: it is not set up, or not whole, or there is no GPU for it.
    """
    missing, way = lacking(tool)
    if missing:
        elsewhere = "run it on a machine with one, and give the file that it writes"
        raise MissingDependencyError(f"{tool.title} cannot run: {missing}", f"`{way}`" if way else elsewhere)
    return (tool.folder / INSTALLED).read_text(encoding="utf-8").strip()


def gpus() -> list[str]:
    """NVIDIA's GPUs as their driver names them; none without a driver."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line for line in listed.stdout.splitlines() if line.startswith("GPU ")] if listed.returncode == 0 else []


def run_tool(
    tool: Tool, command: Sequence[str | Path], log: Path, *, cwd: Path, variables: Mapping[str, str] | None = None
) -> None:
    """Run one command of a tool to its end; what it prints is added to `log`.

    Ctrl-C, or whatever else ends the wait, ends the command and all that it started.

    Args:
        variables: of the environment, beside those of this process that do not concern Python.

    Raises:
        AnyliftError: it cannot be started, or failed; with the last lines of its log.
    """
    words = [str(word) for word in command]
    with open(log, "ab") as stream:
        stream.write(f"$ {shlex.join(words)}\n".encode())
        stream.flush()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, cwd=cwd,
                env={**environment_of(tool), **(variables or {})}, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            raise AnyliftError(
                f"{tool.title} cannot be started: {error}", f"set it up again: `{tool.setup}`"
            ) from error
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    if code != 0:
        how = f"was ended by signal {-code} (9: out of memory)" if code < 0 else f"stopped with code {code}"
        raise AnyliftError(f"{tool.title} {how}; its last lines:\n{last_lines(log)}", f"its whole log: {log}")


def environment_of(tool: Tool) -> dict[str, str]:
    """Variables for a tool's process: ours, without those that concern Python, and its own programs first."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN_ENVIRONMENT}
    environment["PATH"] = os.pathsep.join([str(tool.python.parent), environment.get("PATH", os.defpath)])
    return environment


def _end(process: subprocess.Popen) -> None:
    """Ask a process and all that it started to end, and end what has not ended after `PATIENCE`."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def last_lines(log: Path) -> str:
    """The end of a log, to be shown."""
    with open(log, "rb") as stream:
        stream.seek(max(0, log.stat().st_size - (1 << 16)))
        lines = re.split(r"[\r\n]+", stream.read().decode(errors="replace"))
    return "\n".join(f"  {line}" for line in [line for line in lines if line.strip()][-LAST_LINES:])

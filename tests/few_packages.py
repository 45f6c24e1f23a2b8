"""Runs the command line as on a machine with a GPU: torch, numpy, typer, rich, safetensors and TensorBoard alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ABSENT = ("scipy", "cv2", "trimesh", "matplotlib", "mediapipe", "platformdirs", "smplx", "PIL", "av", "scenedetect")
PROGRAM = "import sys; sys.modules.update(dict.fromkeys({!r})); from anylift_cli.__main__ import main; main()"


def run_with_few_packages(folder: Path, *words: str | Path) -> None:
    """Run `anylift WORDS` in a folder, and fail where it fails."""
    command = [sys.executable, "-c", PROGRAM.format(ABSENT), *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr

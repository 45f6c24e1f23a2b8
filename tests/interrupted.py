"""Trainings that are killed or that diverge, for tests of what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import AnyliftError
from anylift_cli.training.loop import STATE_FILE, LoopConfig

_BEGIN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
"""


def killed_at_first_state(script: str, folder: Path) -> None:
    """Run a training as a process of its own until it has left a state in its folder, and kill it."""
    process = subprocess.Popen([sys.executable, "-c", _BEGIN + script], env={**os.environ, "OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 120
    while not (folder / STATE_FILE).exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert process.poll() is None
    process.kill()
    assert process.wait() != 0, "it was over before it could be killed"


def diverged_after_a_good_state(train: Callable[[LoopConfig], Path], loop: LoopConfig, folder: Path) -> None:
    """Fifty steps as they should be, then at a rate that no network survives: state and checkpoint stay.

    Args:
        train: trains in `folder` and returns the checkpoint.
    """
    checkpoint = train(replace(loop, steps=50))
    before = sha256_of(folder / STATE_FILE), sha256_of(checkpoint)
    with pytest.raises(AnyliftError, match="not finite") as caught:
        train(replace(loop, steps=100, rate=1e30))
    assert STATE_FILE in caught.value.hint and "lower the learning rate" in caught.value.hint
    assert (sha256_of(folder / STATE_FILE), sha256_of(checkpoint)) == before
    assert torch.load(folder / STATE_FILE, weights_only=True)["step"] == 50

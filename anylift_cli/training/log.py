"""Figures of a training: one JSON line each in a file, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path

LOG_FILE = "log.jsonl"


class TrainingLog:
    """Appends to a folder's log; what a training wrote after the state that it resumes from is dropped.

    Attributes:
        first_loss: the first loss that was logged; infinite before one is.
    """

    def __init__(self, folder: Path, begin: int) -> None:
        self.path = folder / LOG_FILE
        kept = [line for line in _lines(self.path) if _step(line) <= begin]
        self.path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self.first_loss = next((row["loss"] for row in map(json.loads, kept) if "loss" in row), math.inf)
        self.board = None
        if find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(folder / "tensorboard", purge_step=begin + 1)

    def write(self, row: dict[str, float]) -> None:
        """Log a row of figures; `row["step"]` says after which step."""
        if math.isinf(self.first_loss):
            self.first_loss = row.get("loss", math.inf)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, row["step"])


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _step(line: str) -> float:
    """The step of a row; infinity for one that a killed training left half written."""
    try:
        return json.loads(line)["step"]
    except json.JSONDecodeError:
        return math.inf

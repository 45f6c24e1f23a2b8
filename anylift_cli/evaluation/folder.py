"""The folder that an evaluation leaves behind: rows, clips and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.evaluation.plots import write_plots
from anylift_cli.evaluation.results import ClipResult, write_csv


def write_folder(results: Sequence[ClipResult], rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write rows.json, clips.csv and the pictures of `write_plots` in plots/.

    Raises:
        AnyliftError: the folder cannot be written.
    """
    write_csv(results, folder / "clips.csv")
    with atomic_path(folder / "rows.json") as temporary:
        temporary.write_text(json.dumps({"rows": list(rows)}, indent=1) + "\n", encoding="utf-8")
    write_plots(results, folder / "plots")

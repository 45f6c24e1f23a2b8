"""Makes the golden files beside it: `python tests/golden/make.py`, after a change of a format that is meant.

They are what this version writes of a small known clip. Later versions must read them, or say what to do about them,
and write the same (tests/test_golden.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile import files

from anylift_cli.export.base import exporter
from anylift_cli.export.take import Take

FOLDER = Path(__file__).parent
EXPORTS = ("amass", "bvh", "csv", "holosoma", "trc", "tum")
"""Formats without a mesh, whose files are small."""


def write_exports(folder: Path) -> list[Path]:
    """The motion in each of `EXPORTS`."""
    take = Take((files.motion(),), ("golden",))
    writers = map(exporter, EXPORTS)
    return [writer.write(take, folder / f"golden{writer.suffix}") for writer in writers]


def main() -> None:
    """Write them all."""
    for path in [*files.artifacts(FOLDER), *write_exports(FOLDER)]:
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()

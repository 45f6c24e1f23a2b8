"""`anylift export`: a motion file to other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anylift_cli.commands import options as opt


@opt.command
def export(
    common: opt.Common,
    motion: Annotated[Path, typer.Argument(metavar="MOTION.npz", help="Made by `anylift run` or `anylift fit`.")],
    to: Annotated[
        list[str],
        typer.Option(metavar="FORMAT", autocompletion=opt.backends("anylift.exporters"), help="bvh. Repeatable."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the new files.")] = Path(),
) -> None:
    """Write a motion in other formats, under its own name.

    Example: anylift export motion.npz --to bvh --out exported
    """
    from anylift_cli.artifacts import MotionArtifact
    from anylift_cli.export.base import write_motion
    from anylift_cli.pipeline import check_writable

    loaded = MotionArtifact.load(motion)
    check_writable(out, "--out")
    files = write_motion(loaded, to, out / motion.stem)
    common.show({"files": [str(file) for file in files]}, lambda: "\n".join(map(str, files)))

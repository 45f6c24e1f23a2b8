"""`anylift synthesize`: scenes with exact ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anylift_cli.commands import options as opt


@opt.command
def synthesize(
    common: opt.Common,
    scene: Annotated[str, typer.Argument(metavar="SCENE", help="Name of a scene, or 'list' for all names.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the new files.")] = Path("scene"),
) -> None:
    """Make a scene with exact ground truth: video, keypoints, cameras and motion.

    Example: anylift synthesize list; anylift synthesize walk_pan --out walk_pan
    """
    from anylift_cli.synthetic.scene import SCENES, synthesize

    if scene == "list":
        common.show({"scenes": sorted(SCENES)}, lambda: "\n".join(sorted(SCENES)))
        return

    from anylift_cli.pipeline import check_writable

    check_writable(out, "--out")
    files = synthesize(scene, out, common.progress)
    common.show({name: str(file) for name, file in files.items()}, lambda: "\n".join(map(str, files.values())))

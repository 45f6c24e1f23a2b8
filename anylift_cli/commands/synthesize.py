"""`anylift synthesize`: scenes with exact ground truth."""

from __future__ import annotations

from dataclasses import replace
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

    --seed other than 0 makes a variant of the scene: other clothes, body shape and room.

    Example: anylift synthesize walk_pan --out walk_pan
    """
    from anylift_cli.synthetic.scene import SCENES, scene_spec

    if scene == "list":
        common.show({"scenes": list(SCENES)}, lambda: "\n".join(SCENES))
        return

    from anylift_cli.checks import check_writable
    from anylift_cli.synthetic.writing import synthesize

    spec = scene_spec(scene)
    if common.seed:
        spec = replace(spec, seed=common.seed)
    check_writable(out, "--out")
    files = synthesize(spec, out, common.progress)
    common.show({name: str(file) for name, file in files.items()}, lambda: "\n".join(map(str, files.values())))

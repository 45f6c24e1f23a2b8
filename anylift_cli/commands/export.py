"""`anylift export`: motion files to other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anylift_cli.commands import options as opt
from anylift_cli.errors import UsageError

_LOOK = "How files are written"
_CHOICE = {"rich_help_panel": _LOOK, "show_default": False}


@opt.command
def export(
    common: opt.Common,
    motions: Annotated[
        list[Path],
        typer.Argument(
            metavar="MOTION...",
            help="Files made by `anylift run`, `fit` or `edit`, BVH files, or a run's work folder with all its "
            "persons. Several are several persons of one scene.",
        ),
    ],
    to: Annotated[
        list[str],
        typer.Option(
            metavar="FORMAT,...",
            autocompletion=opt.backends("anylift.exporters"),
            help="bvh, fbx, glb, usd; amass, holosoma, trc, csv; cameras: tum, colmap. Repeatable.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the new files.")] = Path(),
    separate: Annotated[bool, typer.Option("--separate", help="One file per person in every format.")] = False,
    object_mesh: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Mesh of an object of the motion, in metres. Repeatable."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="blender|maya|unreal|unity|mixamo|metahuman",
            help="The program that opens the files; sets the options below, of which those given win.",
            **_CHOICE,
        ),
    ] = None,
    rest: Annotated[str | None, typer.Option(metavar="t-pose|a-pose", help="Default: t-pose.", **_CHOICE)] = None,
    names: Annotated[
        str | None, typer.Option(metavar="smpl|mixamo|humanik|unreal", help="Of joints. Default: smpl.", **_CHOICE)
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            metavar="pelvis|ground",
            help="The joint that carries the person: the pelvis, or one more on the floor. Default: pelvis.",
            **_CHOICE,
        ),
    ] = None,
    up: Annotated[str | None, typer.Option(metavar="y|z", help="The vertical axis. Default: y.", **_CHOICE)] = None,
    unit: Annotated[str | None, typer.Option(metavar="m|cm", help="Default: cm.", **_CHOICE)] = None,
    fps: Annotated[
        float | None,
        typer.Option(min=1, max=1000, help="Frames per second. Default: the motion's.", **_CHOICE),
    ] = None,
) -> None:
    """Write motions in other formats, under their own names.

    Example: anylift export motion.npz --to fbx,glb --target unreal --out exported
    """
    from rich.markup import escape

    from anylift_cli.checks import check_writable
    from anylift_cli.export.base import exporter, write_take
    from anylift_cli.export.inputs import read_take
    from anylift_cli.export.targets import UNITS, export_options

    formats = list(dict.fromkeys(name.strip() for part in to for name in part.split(",")))
    for name in formats:
        exporter(name)
    if unit is not None and unit not in UNITS:
        raise UsageError(f"--unit {unit} is none of {', '.join(UNITS)}")
    options = export_options(
        target, rest=rest, names=names, root=root, up=up, metres_per_unit=unit and UNITS[unit], fps=fps
    )
    take = read_take(motions, options, _meshes(object_mesh or []))
    check_writable(out, "--out")
    files = write_take(take, formats, out, separate)
    common.show({"files": [str(file) for file in files]}, lambda: escape("\n".join(map(str, files))))


def _meshes(words: list[str]) -> dict[str, Path]:
    meshes = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not (name and equals and file):
            raise UsageError(f"--object-mesh {word} does not read NAME=FILE", "try --object-mesh box=box.obj")
        meshes[name] = Path(file)
    return meshes

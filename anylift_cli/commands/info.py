"""`anylift info`: what is in a file and how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from anylift_cli.commands import options as opt

MAX_JOINTS = 500
"""That are drawn as a tree; --json has them all."""


@opt.command
def info(
    common: opt.Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An artifact, any .npz file, a BVH file, or a video.")],
) -> None:
    """Show what a file holds, and how it was made.

    Arrays of an artifact with shape, type, unit and range; joints of a BVH file; frames of a video.

    Example: anylift info motion.npz
    """
    from anylift_cli.describe import describe

    about = describe(file)
    common.show(about, lambda: {"video": _video, "bvh": _bvh}.get(about["kind"], _npz)(about))


def _npz(about: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    arrays = Table("array", "shape", "type", "unit", "min", "mean", "max", "missing", box=None)
    for array in about["arrays"]:
        arrays.add_row(
            array["name"],
            "×".join(map(str, array["shape"])) or escape(array.get("value", "scalar")),
            array["dtype"],
            array["unit"],
            *(f"{array[key]:.4g}" if key in array else "" for key in ("min", "mean", "max")),
            f"{array['missing']:.1%}" if array.get("missing") else "",
        )
    meta = Table("made", "", box=None)
    for name, value in about["meta"].items():
        meta.add_row(name, escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    problem = [f"[bold red]problem:[/] {escape(about['problem'])}"] if about["problem"] else []
    return Group(f"[bold]{escape(about['file'])}[/]: {about['kind']}", *problem, "", arrays, "", meta)


def _bvh(about: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.tree import Tree

    facts = Table("BVH", escape(about["file"]), box=None)
    for name in ("frames", "fps", "duration"):
        facts.add_row(name, f"{about[name]:.6g}")
    for name, words in (("size", "size at rest"), ("root_min", "root from"), ("root_max", "root to")):
        if about[name]:
            facts.add_row(f"{words} (file's unit)", "  ".join(f"{value:.6g}" for value in about[name]))
    tree = Tree(f"{len(about['joints'])} joints")
    branches: list[Tree] = []
    for joint in about["joints"][:MAX_JOINTS]:
        moves = " (moves)" if any(channel.endswith("position") for channel in joint["channels"]) else ""
        parent = branches[joint["parent"]] if joint["parent"] >= 0 else tree
        branches.append(parent.add(escape(joint["name"]) + moves))
    return Group(facts, "", tree)


def _video(about: dict[str, Any]) -> Any:
    from rich.table import Table

    facts = Table("video", about["file"], box=None)
    for name in ("width", "height", "rotation", "duration", "frame_count", "fps", "codec", "focal_35mm"):
        facts.add_row(name, str(about[name]))
    return facts

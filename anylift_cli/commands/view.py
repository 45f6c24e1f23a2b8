"""`anylift view`: a motion as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anylift_cli.commands import options as opt

if TYPE_CHECKING:
    from anylift_cli.report.html import ReportSources

EARLIER = ("keypoints", "cameras", "objects", "lifted")
"""Artifacts that a report reads besides the motions."""


def _mesh_words(words: list[str]) -> list[str]:
    for word in words:
        name, _, file = word.partition("=")
        if not (name and file):
            raise typer.BadParameter(f"'{word}' does not read NAME=FILE, such as box=box.obj.")
    return words


@opt.command
def view(
    common: opt.Common,
    motions: Annotated[
        list[Path],
        typer.Argument(
            metavar="MOTION...",
            help="Motion files of one video, one per person, or a run's work folder with all its persons.",
        ),
    ],
    video: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The video, to be shown beside the motion.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The page.")] = Path("report.html"),
    object_mesh: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE", callback=_mesh_words, help="Mesh of an object of the motion, in metres. Repeatable."
        ),
    ] = [],  # noqa: B006
    serve: Annotated[
        bool, typer.Option("--serve", help="Also serve the page on this machine and open it in the browser.")
    ] = False,
) -> None:
    """Write a page that shows a motion: the video, a 3D view, timelines, the weakest seconds.

    The page is one file that needs no network. The detected points and what is said of earlier stages come from
    --work-dir, which is the folder NAME.anylift beside NAME.npz when it is not given.

    Example: anylift view squats.npz --video squats.mp4 --out squats.html
    """
    from rich.markup import escape

    from anylift_cli.checks import check_output
    from anylift_cli.report.html import write_report

    check_output(out, "--out", *motions, *([video] if video is not None else []))
    write_report(_sources(common, motions, video, object_mesh), out, common.progress)
    common.show({"report": str(out), "bytes": out.stat().st_size}, lambda: escape(str(out)))
    if serve:
        from anylift_cli.report.html_server import serve_page

        serve_page(out, lambda address: common.progress.note(f"{address} (Ctrl-C ends it)"))


def _sources(common: opt.Common, motions: list[Path], video: Path | None, meshes: list[str]) -> ReportSources:
    from anylift_cli.artifacts import KeypointsArtifact
    from anylift_cli.artifacts.base import read_meta
    from anylift_cli.errors import UsageError
    from anylift_cli.export.inputs import WORK_FOLDER, read_take
    from anylift_cli.export.take import ExportOptions
    from anylift_cli.report.html import ReportSources

    named = dict(word.split("=", 1) for word in meshes)
    take = read_take(motions, ExportOptions(), {name: Path(file) for name, file in named.items()})
    first = motions[0]
    folder = common.work_dir or (first if first.is_dir() else first.with_suffix(WORK_FOLDER))
    earlier = {name: file for name in EARLIER if (file := folder / f"{name}.npz").exists()}
    if common.work_dir is not None and "keypoints" not in earlier:
        raise UsageError(f"--work-dir {folder} holds no keypoints.npz", "give the work folder of `anylift run`")
    keypoints = KeypointsArtifact.load(earlier["keypoints"]) if earlier else None
    metas = tuple(read_meta(file) for file in earlier.values())
    return ReportSources(take, (video or first).name, keypoints, video, metas)

"""`anylift run`: video in, motion out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anylift_cli.commands import options as opt

if TYPE_CHECKING:
    from anylift_cli.chain import ShotResult
    from anylift_cli.request import Request

FIGURES = {
    "reprojection_percent": "reprojection error, % of the person's height",
    "reprojection_px": "reprojection error, px",
    "foot_slide_cm_s": "foot slide in contact, cm/s",
    "jitter_mm": "jitter, mm",
    "max_jump_cm": "largest jump between frames, cm",
    "penetration_cm": "floor penetration, cm",
    "frames_present": "frames with the person",
    "frames": "frames",
}

FILES = ("video", "out", "exports", "overlay", "report")
"""Parameters of `request_of` that say where files are; the others are options of the chain."""

FOLDERS = ("colmap",)
"""Formats that are no single file, which `run` could keep up to date."""


def request_of(
    common: opt.Common,
    video: Path,
    out: Path,
    exports: Mapping[str, Path],
    overlay: Path | None,
    report: Path | None,
    person: opt.Person = "main",
    shot: opt.ShotOrAll = "auto",
    start: opt.Start = None,
    end: opt.End = None,
    backend: opt.Backend = "auto",
    local_poses: opt.LocalPoses = None,
    keypoints_model: opt.KeypointsModel = None,
    flip_test: opt.FlipTest = False,
    camera: opt.Camera = "auto",
    focal: opt.Focal = None,
    fov: opt.Fov = None,
    lifter: opt.Lifter = "auto",
    quality: opt.Quality = "fast",
    height: opt.Height = None,
    body: opt.Body = "open",
    prior: opt.Prior = "open",
    objects: opt.Objects = None,
    object_size: opt.ObjectSizes = None,
    points: opt.Points = None,
    mask: opt.Masks = None,
    object_tracker: opt.ObjectTracker = "auto",
    object_tracks: opt.ObjectTracks = None,
    object_category: opt.Categories = None,
    joint: opt.JointNetwork = "default",
    contacts: opt.Contacts = "hands,body,floor",
) -> Request:
    """What the options of `run` ask for.

    Args:
        out: the motion file.
        exports: file of each further format.

    Raises:
        UsageError: options that contradict each other.
    """
    opt.check_focal(focal, fov)
    opt.check_range(start, end)
    prompts = opt.prompts_of(objects, object_size, mask, points, object_tracks)
    opt.check_categories(objects, object_category)

    from anylift_cli.cameras.base import CameraOptions
    from anylift_cli.fitting.base import FitOptions
    from anylift_cli.keypoints.base import KeypointOptions
    from anylift_cli.objects.base import ObjectOptions
    from anylift_cli.request import Request

    return Request(
        video=video,
        out=out,
        work_dir=common.work_dir or out.with_suffix(".anylift"),
        keypoints=KeypointOptions(
            backend, person, shot, start, end, opt.text_of(local_poses), keypoints_model, flip_test, common.device
        ),
        cameras=CameraOptions(camera, focal, fov),
        objects=ObjectOptions(object_tracker),
        prompts=prompts,
        lift=opt.lift_options_of(lifter, quality, height, common, object_category, joint),
        fit=FitOptions(0, body, height, opt.contacts_of(contacts), common.device, common.seed, prior=prior),
        exports=exports,
        overlay=overlay,
        report=report,
        force=common.force or (),
    )


@opt.command
@opt.with_options_of(request_of, leave_out=FILES)
def run(
    common: opt.Common,
    video: opt.Video,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="The motion file, .npz; or a file of an export format, such as .fbx, with the motion file beside it.",
        ),
    ] = Path("motion.npz"),
    overlay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also draw the result over the video, as .mp4.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a page to look at: video, 3D view, timelines, as .html."),
    ] = None,
    bvh: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the BVH file goes; default: beside --out.")
    ] = None,
    fbx: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write an FBX file.")] = None,
    glb: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a binary glTF file.")] = None,
    usd: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a USD file.")] = None,
    **given: Any,
) -> None:
    """Lift a video to 3D motion.

    Stages that are still valid from an earlier run are reused; the table at the end says which were run, and why.

    With --person all or --shot all, further results go beside --out as NAME.person2.npz and NAME.shot2.npz; FBX, glTF
    and USD files hold all persons of a shot. `anylift export` has the choices of axes, unit, names and rest pose.

    With --object, things that people handle are followed too and come into the same world; docs/hoi.md tells how.

    Example: anylift run squats.mp4 --out squats.npz --overlay squats_overlay.mp4
    """
    from anylift_cli.chain import run_chain

    motion, exports = _files(out, {"bvh": bvh, "fbx": fbx, "glb": glb, "usd": usd})
    request = request_of(common, video, motion, exports, overlay, report, **given)
    shots = run_chain(request, common.progress)
    common.show(_as_json(request.video, request.work_dir, shots), lambda: _tables(shots))


def _files(out: Path, asked: dict[str, Path | None]) -> tuple[Path, dict[str, Path]]:
    """The motion file, and the file of each format that was asked for by an option or by the suffix of --out."""
    from anylift_cli.errors import UsageError
    from anylift_cli.export.base import exporter_of

    exports = {name: path for name, path in asked.items() if path is not None}
    one = exporter_of(out)
    if one is None:
        return out, exports
    if one.name in FOLDERS:
        raise UsageError(
            f"--out {out} would be a folder", f"use `anylift export motion.npz --to {one.name}` afterwards"
        )
    if one.name in exports:
        raise UsageError(
            f"--out {out} and --{one.name} {exports[one.name]} are both {one.name} files", "give one of them"
        )
    return out.with_name(out.name[: -len(one.suffix)] + ".npz"), {**exports, one.name: out}


def _as_json(video: Path, work_dir: Path, shots: list[ShotResult]) -> dict[str, Any]:
    return {
        "video": str(video),
        "work_dir": str(work_dir),
        "shots": [
            {
                "shot": shot.number,
                "steps": [
                    {
                        "step": outcome.name,
                        "file": str(outcome.file),
                        "reused": outcome.reused,
                        "why": outcome.why,
                        "seconds": round(outcome.seconds, 3),
                    }
                    for outcome in shot.outcomes
                ],
                "quality": {str(file): figures for file, figures in shot.quality.items()},
            }
            for shot in shots
        ],
    }


def _tables(shots: list[ShotResult]) -> Any:
    from rich.console import Group
    from rich.table import Table

    tables = []
    for shot in shots:
        steps = Table("step", "", "why", "s", "file", title=shot.number and f"shot {shot.number}", box=None)
        for outcome in shot.outcomes:
            done = "reused" if outcome.reused else "[bold]run[/]"
            seconds = "" if outcome.reused else f"{outcome.seconds:.1f}"
            steps.add_row(outcome.name, done, outcome.why, seconds, str(outcome.file))
        quality = Table("", *(file.name for file in shot.quality), box=None)
        for name, words in FIGURES.items():
            quality.add_row(words, *(_figure(figures.get(name)) for figures in shot.quality.values()))
        tables += [steps, "", quality]
    return Group(*tables)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"

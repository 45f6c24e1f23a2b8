"""`anylift keypoints`, `cameras`, `objects`, `lift`, `fit`: one stage, from files to a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anylift_cli.commands import options as opt
from anylift_cli.errors import UsageError

if TYPE_CHECKING:
    from anylift_cli.objects.base import Prompts
    from anylift_cli.pipeline import Outcome, Source, Stage

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Default: the stage's file in --work-dir, or in this folder."),
]
KeypointsFile = Annotated[Path, typer.Argument(metavar="KEYPOINTS.npz", help="Made by `anylift keypoints`.")]
CamerasFile = Annotated[Path, typer.Argument(metavar="CAMERAS.npz", help="Made by `anylift cameras`.")]
LiftedFile = Annotated[Path, typer.Argument(metavar="LIFTED.npz", help="Made by `anylift lift`.")]


@opt.command
def keypoints(
    common: opt.Common,
    video: opt.Video,
    out: Out = None,
    person: opt.Person = "main",
    shot: opt.Shot = "auto",
    start: opt.Start = None,
    end: opt.End = None,
    backend: opt.Backend = "auto",
    local_poses: opt.LocalPoses = None,
    keypoints_model: opt.KeypointsModel = None,
    flip_test: opt.FlipTest = False,
) -> None:
    """Find the 2D points of each person.

    Example: anylift keypoints squats.mp4 --out keypoints.npz
    """
    opt.check_range(start, end)

    from anylift_cli.keypoints.base import KeypointOptions
    from anylift_cli.stages import keypoints_stage

    options = KeypointOptions(
        backend, person, shot, start, end, opt.text_of(local_poses), keypoints_model, flip_test, common.device
    )
    _run(common, lambda: keypoints_stage(options), {"video": video}, out, "keypoints.npz")


@opt.command
def cameras(
    common: opt.Common,
    video: opt.Video,
    keypoints: KeypointsFile,
    out: Out = None,
    camera: opt.CameraAlone = "auto",
    focal: opt.Focal = None,
    fov: opt.Fov = None,
) -> None:
    """Solve the camera of each frame, people masked out.

    Example: anylift cameras squats.mp4 keypoints.npz --out cameras.npz --fov 60
    """
    opt.check_focal(focal, fov)

    from anylift_cli.cameras.base import CameraOptions
    from anylift_cli.stages import cameras_stage

    options = CameraOptions(camera, focal, fov)
    inputs = {"video": video, "keypoints": keypoints}
    _run(common, lambda: cameras_stage(options), inputs, out, "cameras.npz")


@opt.command
def objects(
    common: opt.Common,
    video: opt.Video,
    keypoints: Annotated[
        Path | None, typer.Argument(metavar="KEYPOINTS.npz", help="Made by `anylift keypoints`.")
    ] = None,
    cameras: Annotated[Path | None, typer.Argument(metavar="CAMERAS.npz", help="Made by `anylift cameras`.")] = None,
    meshes: opt.Objects = None,
    out: Out = None,
    object_size: opt.ObjectSizes = None,
    points: opt.Points = None,
    mask: opt.Masks = None,
    object_tracker: opt.ObjectTrackerAlone = "auto",
    object_tracks: opt.ObjectTracks = None,
    pick: Annotated[
        bool,
        typer.Option(
            "--pick",
            help="Click where the objects are, on a page in the browser, and save that to --points (points.json).",
            rich_help_panel="Objects",
        ),
    ] = False,
) -> None:
    """Follow objects whose meshes are known.

    The file holds points on them, and where they are before the camera, in every frame. With --pick nothing is
    followed: a page shows the video and the meshes, and saves what is clicked; it needs no keypoints and cameras, and
    knows the lens better with them.

    Example: anylift objects carry.mp4 keypoints.npz cameras.npz --object box.obj --points points.json
    """
    prompts = opt.prompts_of(meshes, object_size, mask, points, object_tracks)
    if prompts is None:
        raise UsageError("no object was named", "give the mesh of each with --object")
    if pick:
        _pick(common, video, keypoints, cameras, prompts)
        return
    if keypoints is None or cameras is None:
        raise UsageError(
            "an object is followed with keypoints and cameras", "give KEYPOINTS.npz and CAMERAS.npz after the video"
        )

    from anylift_cli.objects.base import ObjectOptions
    from anylift_cli.stages import objects_stage, prompts_source

    options = ObjectOptions(object_tracker)
    inputs = {"video": video, "keypoints": keypoints, "cameras": cameras}
    _run(
        common,
        lambda: objects_stage(options, prompts),
        inputs,
        out,
        "objects.npz",
        lambda: {"prompts": prompts_source(prompts)},
    )


@opt.command
def lift(
    common: opt.Common,
    keypoints: KeypointsFile,
    cameras: CamerasFile,
    out: Out = None,
    lifter: opt.Lifter = "auto",
    quality: opt.Quality = "fast",
    height: opt.Height = None,
    objects: Annotated[
        Path | None,
        typer.Option(
            metavar="OBJECTS.npz", help="Made by `anylift objects`: what hides people's legs; see --object-category."
        ),
    ] = None,
    object_category: opt.Categories = None,
    joint: opt.JointNetwork = "default",
) -> None:
    """Lift the 2D points to 3D in the metric, gravity-aligned world.

    Example: anylift lift keypoints.npz cameras.npz --out lifted.npz --height 1.78
    """
    from anylift_cli.stages import lift_stage, lift_with_objects_stage

    if objects is None and object_category is not None:
        raise UsageError("--object-category is about objects", "give --objects as well")
    options = opt.lift_options_of(lifter, quality, height, common, object_category, joint)
    inputs = {"keypoints": keypoints, "cameras": cameras}
    inputs |= {} if objects is None else {"objects": objects}
    build = lift_stage if objects is None else lift_with_objects_stage
    _run(common, lambda: build(options), inputs, out, "lifted.npz")


@opt.command
def fit(
    common: opt.Common,
    lifted: LiftedFile,
    keypoints: KeypointsFile,
    out: Out = None,
    person: Annotated[int, typer.Option(metavar="N", min=1, help="Which person of the lifted file.")] = 1,
    height: opt.Height = None,
    body: opt.Body = "open",
    prior: opt.Prior = "open",
    objects: Annotated[
        Path | None,
        typer.Option(metavar="OBJECTS.npz", help="Made by `anylift objects`: fit people and objects together."),
    ] = None,
    contacts: opt.Contacts = "hands,body,floor",
) -> None:
    """Fit the body: one shape, a pose per frame, feet on the floor.

    Example: anylift fit lifted.npz keypoints.npz --out motion.npz
    """
    from anylift_cli.fitting.base import FitOptions
    from anylift_cli.stages import fit_stage

    options = FitOptions(person - 1, body, height, opt.contacts_of(contacts), common.device, common.seed, prior=prior)
    inputs = {"lifted": lifted, "keypoints": keypoints}
    inputs |= {} if objects is None else {"objects": objects}
    _run(common, lambda: fit_stage(options, with_objects=objects is not None), inputs, out, "motion.npz")


def _pick(common: opt.Common, video: Path, keypoints: Path | None, cameras: Path | None, prompts: Prompts) -> None:
    """Let someone click where objects are."""
    from rich.markup import escape

    from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
    from anylift_cli.checks import check_output
    from anylift_cli.objects.prompts import read_points
    from anylift_cli.picking.server import serve_picking
    from anylift_cli.picking.session import PickSession, lens_of

    out = prompts.points or Path("points.json")
    check_output(out, "--points", video, *(one.mesh for one in prompts.objects))
    lens = lens_of(
        video,
        None if keypoints is None else KeypointsArtifact.load(keypoints),
        None if cameras is None else CamerasArtifact.load(cameras),
    )
    session = PickSession(video, prompts, lens, out)
    serve_picking(session, lambda address: common.progress.note(f"{address} (its Done or Ctrl-C ends it)"))
    stored = read_points(out) if out.exists() else {}
    clicked = {name: [entry.get("frame", 0) for entry in entries] for name, entries in stored.items()}
    common.show({"points": str(out), "frames": clicked}, lambda: escape(str(out) if clicked else "nothing was saved"))


def _run(
    common: opt.Common,
    build: Callable[[], Stage],
    inputs: dict[str, Path],
    out: Path | None,
    default: str,
    more: Callable[[], dict[str, Source]] = dict,
) -> None:
    """Run the stage that `build` makes, on files and on what `more` makes of other options."""
    from anylift_cli.checks import check_device, check_output
    from anylift_cli.pipeline import run_stage

    out = out or (common.work_dir or Path()) / default
    sources = {name: _source(name, path) for name, path in inputs.items()} | more()
    check_output(out, "--out", *inputs.values())
    check_device(common.device)
    stage = build()
    forced = f"--force {stage.name}" if stage.name in (common.force or ()) else ""
    _, outcome = run_stage(stage, sources, out, common.progress, forced)
    common.show(_as_json(outcome), lambda: f"{outcome.name}: {_words(outcome)} → {outcome.file}")


def _source(name: str, path: Path) -> Source:
    from anylift_cli.artifacts import ARTIFACTS
    from anylift_cli.pipeline import Source

    if name == "video":
        from anylift_cli.video import probe

        probe(path)
        return Source.from_file(path)
    return Source.from_artifact(ARTIFACTS[f"anylift.{name}"].load(path))


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "stage": outcome.name,
        "file": str(outcome.file),
        "reused": outcome.reused,
        "why": outcome.why,
        "seconds": round(outcome.seconds, 3),
    }


def _words(outcome: Outcome) -> str:
    return "reused, nothing changed" if outcome.reused else f"run in {outcome.seconds:.1f} s ({outcome.why})"

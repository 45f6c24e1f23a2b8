"""`anylift evaluate …`: how far results are from the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anylift_cli.commands import options as opt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from anylift_cli.evaluation.clips import EvaluationClip
    from anylift_cli.evaluation.filming import Motion
    from anylift_cli.evaluation.results import ClipResult
    from anylift_cli.evaluation.running import Contender
    from anylift_cli.evaluation.scenes import SceneResult
    from anylift_cli.synthetic.scene import SceneSpec

SCENES_FOLDER = Path("out/synthetic")
TAKES_FOLDER = Path("out/pixels")

evaluate = typer.Typer(
    name="evaluate", no_args_is_help=True, help="Measure lifters and other tools' results against the truth.",
    rich_markup_mode="rich", add_completion=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

Cameras = Annotated[str, typer.Option(metavar="KINDS", help="static, dynamic, or both with a comma.")]
Lifters = Annotated[
    list[str] | None,
    typer.Option(
        "--lifter", metavar="NAME|PATH",
        help="A lifter, a checkpoint, or 'default' (what `anylift run` uses); repeatable. Default: all lifters "
        "and baselines.",
    ),
]  # fmt: skip
SceneLifters = Annotated[
    list[str] | None,
    typer.Option("--lifter", metavar="NAME|PATH", help="A lifter or a checkpoint; repeatable. Default: 'default'."),
]
Motions = Annotated[
    Path, typer.Argument(metavar="MOTION", help="Compact mocap npz, an AMASS npz or BVH file, or a folder of these.")
]
Split = Annotated[str, typer.Option(metavar="train|test|all", help="Which clips.")]
Heights = Annotated[
    str, typer.Option(metavar="given|unknown|both", help="Whether lifters are told the person's height.")
]
Evidence = Annotated[
    str,
    typer.Option(
        metavar="2d|2d+local", help="2D points alone, or with simulated points of a single-image 3D estimator."
    ),
]
Takes = Annotated[
    int, typer.Option(min=1, help="Film each motion so often with each kind of camera, every time seen otherwise.")
]
SmplFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="SMPL body file; the open body of mean shape when not given.")
]
Folder = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for clips.csv, rows.json and plots.")
]


@evaluate.command()
@opt.command
def mocap(
    common: opt.Common,
    motion: Motions,
    split: Split = "test",
    cameras: Cameras = "static,dynamic",
    frames: Annotated[int, typer.Option(min=8, help="Length of a window; the paper's protocols take 120.")] = 60,
    takes: Takes = 1,
    lifter: Lifters = None,
    height: Heights = "both",
    evidence: Evidence = "2d",
    out: Folder = None,
) -> None:
    """Motion capture seen by virtual cameras, with a detector's noise and a camera estimator's errors.

    Example: anylift evaluate mocap cmu_30fps.npz --split test --cameras static,dynamic
    """
    from anylift_cli.evaluation.baselines import BASELINES
    from anylift_cli.evaluation.mocap import mocap_clips

    contenders = _contenders(lifter, height, evidence, list(BASELINES))
    clips = mocap_clips(motion, split, cameras.split(","), common.seed, frames, takes=takes)
    _contest(common, clips, contenders, out)


@evaluate.command()
@opt.command
def synthetic(
    common: opt.Common,
    scenes: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCENE", help="Names as in `anylift synthesize list`. Default: all of them."),
    ] = None,
    takes: Annotated[int, typer.Option(min=1, help="Render each scene so often, with other people and rooms.")] = 1,
    lifter: SceneLifters = None,
    height: Heights = "unknown",
    out: Folder = None,
) -> None:
    """The whole chain from the pixels of rendered scenes. Scenes and artifacts are kept in --work-dir and reused.

    Example: anylift evaluate synthetic walk_pan squat_orbit --lifter optimize --lifter diffusion
    """
    from anylift_cli.evaluation.scenes import scene_takes
    from anylift_cli.synthetic.scene import SCENES, scene_spec
    from anylift_cli.synthetic.writing import synthesize

    heights, lifters = _heights(height), _named(lifter)
    specs = [spec for name in dict.fromkeys(scenes or SCENES) for spec in scene_takes(scene_spec(name), takes)]
    folder = common.work_dir or SCENES_FOLDER
    for spec in specs:
        _render_once(spec, folder, lambda place, spec=spec: synthesize(spec, place, common.progress))
    measured = [_lift_scene(common, folder, spec, one, told) for one in lifters for told in heights for spec in specs]
    _show_scenes(common, measured, out)


@evaluate.command()
@opt.command
def pixels(
    common: opt.Common,
    motion: Motions,
    split: Split = "test",
    cameras: Cameras = "static,dynamic",
    frames: Annotated[int, typer.Option(min=30, help="Length of a scene.")] = 120,
    lifter: SceneLifters = None,
    height: Heights = "unknown",
    out: Folder = None,
) -> None:
    """Motion capture done by a rendered person, from pixels through the whole chain; --work-dir keeps and reuses it.

    Example: anylift evaluate pixels cmu_30fps.npz --lifter optimize --lifter diffusion --height given
    """
    from anylift_cli.evaluation.pixels import build_take, rendered_takes
    from anylift_cli.synthetic.writing import write_scene

    heights, lifters = _heights(height), _named(lifter)
    takes = rendered_takes(motion, split, _kinds(cameras), frames)
    folder = common.work_dir or TAKES_FOLDER
    measured = []
    for take in takes:
        _render_once(
            take.spec,
            folder,
            lambda place, take=take: write_scene(build_take(take, common.progress), place, common.progress),
        )
        lifted = [_lift_scene(common, folder, take.spec, one, told) for one in lifters for told in heights]
        told_of = {"action": take.motion.action, "recording": take.motion.recording}
        measured += [replace(scene, clip=replace(scene.clip, **told_of)) for scene in lifted]
    _show_scenes(common, measured, out)


@evaluate.command()
@opt.command
def aist(
    common: opt.Common,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The unpacked annotations of AIST++.")],
    split: Annotated[str, typer.Option(metavar="train|val|test", help="Which sequences.")] = "test",
    camera: Annotated[str, typer.Option(metavar="c01…c09", help="View that gives the detections.")] = "c01",
    cameras: Cameras = "static,dynamic",
    lifter: Lifters = None,
    height: Heights = "both",
    body: SmplFile = None,
    out: Folder = None,
) -> None:
    """Dance from AIST++: its own detections (static), or virtual cameras before its true motion (dynamic).

    Example: anylift evaluate aist aist_plusplus --body SMPL_MALE.npz
    """
    from anylift_cli.evaluation.aist import read_aist
    from anylift_cli.evaluation.published import AIST, AIST_COLUMNS, published

    contenders = _contenders(lifter, height, "2d", _baselines_without_local_points())
    clips = [
        clip
        for film in _films(common, cameras)
        for clip in read_aist(folder, split, camera=camera, body=body, film=film)
    ]
    _contest(common, clips, contenders, out, lambda: published(AIST, AIST_COLUMNS))


@evaluate.command()
@opt.command
def behave(
    common: opt.Common,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The unpacked data set.")],
    split: Annotated[str, typer.Option(metavar="train|test", help="Which sequences.")] = "test",
    camera: Annotated[int, typer.Option(min=0, max=3, help="Kinect that looks.")] = 1,
    cameras: Cameras = "static,dynamic",
    lifter: Lifters = None,
    height: Heights = "both",
    body: SmplFile = None,
    out: Folder = None,
) -> None:
    """People with boxes, chairs and tables from BEHAVE, seen without a detector's errors (static) or filmed (dynamic).

    The people are measured, not yet the objects.

    Example: anylift evaluate behave BEHAVE --cameras static
    """
    from anylift_cli.evaluation.behave import read_behave
    from anylift_cli.evaluation.published import BEHAVE, BEHAVE_COLUMNS, published

    contenders = _contenders(lifter, height, "2d", _baselines_without_local_points())
    clips = [
        clip.person
        for film in _films(common, cameras)
        for clip in read_behave(folder, split, camera=camera, body=body, film=film)
    ]
    _contest(common, clips, contenders, out, lambda: published(BEHAVE, BEHAVE_COLUMNS))


@evaluate.command()
@opt.command
def hoi(
    common: opt.Common,
    motion: Annotated[
        Path, typer.Argument(metavar="FILE", help="Motion of people and objects, with the objects' meshes beside it.")
    ],
    cameras: Cameras = "static,dynamic",
    lifter: Annotated[str, typer.Option(metavar="NAME|PATH", help="A lifter, a checkpoint, or 'default'.")] = "default",
    height: Heights = "unknown",
    frames: Annotated[int, typer.Option(min=30, help="Length of a clip.")] = 120,
    joint: Annotated[
        str, typer.Option(metavar="default|none|PATH", help="Checkpoint of a joint network; the shipped one, if any.")
    ] = "default",
    takes: Takes = 1,
    every: Annotated[int, typer.Option(min=1, help="Take one clip in so many.")] = 1,
    out: Folder = None,
) -> None:
    """People and what they carry, under virtual cameras: lifted apart, in one world, and by a joint network.

    Example: anylift evaluate hoi omomo_30fps.npz --cameras static,dynamic --json
    """
    from rich.console import Group

    from anylift_cli.evaluation.hoi import APART, compete, hoi_clips, out_of_sight
    from anylift_cli.evaluation.published import BEHAVE, BEHAVE_COLUMNS, published
    from anylift_cli.evaluation.results import over_all_cameras, paired_rows, table
    from anylift_cli.lifting.base import LiftOptions, joint_checkpoint

    kinds = _kinds(cameras)
    heights = _heights(height)
    clips = hoi_clips(motion, kinds, common.seed, frames, takes)[::every]
    network = joint_checkpoint(joint)
    name = LiftOptions().lifter if lifter == "default" else lifter
    results = compete(clips, name, heights, common.seed, network, common.progress)
    summary = _summarise(common, results, out)
    together = over_all_cameras(results)
    gains, unseen = (paired_rows(some, f"{name}, {APART}", common.seed) for some in (together, out_of_sight(together)))
    common.show(
        {"rows": summary, "differences": gains, "differences_out_of_sight": unseen},
        lambda: Group(
            table(summary),
            table(gains, "All clips"),
            table(unseen, "Clips whose object is out of sight for a while"),
            published(BEHAVE, BEHAVE_COLUMNS),
        ),
    )


@evaluate.command()
@opt.command
def compare(
    common: opt.Common,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Motion files of any tools.")],
    truth: Annotated[str, typer.Option(metavar="FILE", help="The true motion; a clip of mocap is FILE.npz#CLIP.")],
    fps: Annotated[
        float | None, typer.Option(min=1, help="Frames per second of files that do not say; 30 when not given.")
    ] = None,
    shift: Annotated[float, typer.Option(metavar="SECONDS", help="Added to the times of the truth.")] = 0.0,
    body: SmplFile = None,
    out: Folder = None,
) -> None:
    """Motion files of several tools (ours, AMASS, GVHMR, WHAM, TRAM, GLAMR, ROMP, BVH) against one truth.

    Example: anylift evaluate compare motion.npz hmr4d_results.pt --truth truth.npz
    """
    from rich.console import Group
    from rich.text import Text

    from anylift_cli.evaluation.compare import compare as compared
    from anylift_cli.evaluation.results import table

    found = compared(files, truth, fps=fps, shift=shift, body=body)
    summary = _summarise(common, found.results, out)
    shared = {"points": found.points, "seconds": found.seconds, "notes": found.notes}
    common.show({"rows": summary, **shared}, lambda: Group(table(summary), *map(Text, found.notes)))


def _render_once(spec: SceneSpec, folder: Path, render: Callable[[Path], object]) -> None:
    """Have the scene in a folder of its own below `folder`; one that was rendered of the same spec stays."""
    from dataclasses import asdict

    from anylift_cli.artifacts.base import read_meta

    place = folder / spec.name
    if not (place / "video.mp4").exists() or read_meta(place / "motion.npz").get("scene") != asdict(spec):
        render(place)


def _lift_scene(common: opt.Common, scenes: Path, spec: SceneSpec, lifter: str, height: str) -> SceneResult:
    """Lift a rendered scene, and add the chain's own figures to the comparison."""
    from anylift_cli.artifacts import CamerasArtifact, MotionArtifact
    from anylift_cli.artifacts.base import read_meta
    from anylift_cli.chain import Request, run_chain
    from anylift_cli.evaluation.scenes import measure_scene
    from anylift_cli.fitting.base import FitOptions
    from anylift_cli.lifting.base import LiftOptions

    folder = scenes / spec.name
    truth = MotionArtifact.load(folder / "motion.npz")
    metres = float(truth.height) if height == "given" else None
    out = folder / f"{Path(lifter).stem}-height-{height}" / "motion.npz"
    request = Request(
        folder / "video.mp4", out, folder / "motion.anylift",
        lift=LiftOptions(lifter, metres, device=common.device, seed=common.seed),
        fit=FitOptions(height=metres, device=common.device, seed=common.seed),
        force=common.force or (),
    )  # fmt: skip
    (shot,) = run_chain(request, common.progress)
    stages = ("keypoints", "cameras", "lifted", "motion")
    seconds = sum(read_meta(request.work_dir / f"{stage}.npz")["seconds"] for stage in stages)
    cameras = CamerasArtifact.load(request.work_dir / "cameras.npz")
    true_cameras = CamerasArtifact.load(folder / "cameras.npz")
    motion = MotionArtifact.load(out)
    measured = measure_scene(spec, motion, cameras, truth, true_cameras, lifter, height, seconds)
    own = {figure: shot.quality[out][figure] for figure in ("reprojection_percent", "foot_slide_cm_s", "jitter_mm")}
    return replace(measured, figures={**measured.figures, **own})


def _show_scenes(common: opt.Common, measured: Sequence[SceneResult], out: Path | None) -> None:
    from rich.console import Group

    from anylift_cli.evaluation.results import over_all_cameras, paired_rows, table
    from anylift_cli.evaluation.scenes import scene_table

    results = [scene.clip for scene in measured]
    summary = _summarise(common, results, out)
    gains = paired_rows(over_all_cameras(results), results[0].lifter, common.seed)
    figures = [scene.figures for scene in measured]
    shown = [scene_table(figures), table(summary), *([table(gains)] if gains else [])]
    common.show({"scenes": figures, "rows": summary, "differences": gains}, lambda: Group(*shown))


def _named(lifters: list[str] | None) -> list[str]:
    """Each lifter once, the default by its name."""
    from anylift_cli.lifting.base import LiftOptions

    default = LiftOptions().lifter
    return list(dict.fromkeys(default if name == "default" else name for name in lifters or ("default",)))


def _heights(height: str) -> tuple[str, ...]:
    from anylift_cli.errors import UsageError

    if height not in ("given", "unknown", "both"):
        raise UsageError(f"--height {height} is none of given, unknown, both")
    return ("given", "unknown") if height == "both" else (height,)


def _films(common: opt.Common, cameras: str) -> list[Callable[[Motion], EvaluationClip] | None]:
    """For each kind of cameras what films the true motion; None where the data set's own camera does."""
    from functools import partial

    from anylift_cli.evaluation.filming import film
    from anylift_cli.evaluation.mocap import mean_lengths

    kinds = _kinds(cameras)
    filmed = partial(film, cameras="dynamic", seed=common.seed, mean_lengths=mean_lengths())
    return [filmed if kind == "dynamic" else None for kind in kinds]


def _kinds(cameras: str) -> list[str]:
    from anylift_cli.errors import UsageError
    from anylift_cli.evaluation.mocap import CAMERAS

    kinds = cameras.split(",")
    if unknown := set(kinds) - set(CAMERAS):
        raise UsageError(f"no cameras called {', '.join(sorted(unknown))}", f"choose of {', '.join(CAMERAS)}")
    return kinds


def _baselines_without_local_points() -> list[str]:
    """Data sets hold no points of a single-image 3D estimator."""
    from anylift_cli.evaluation.baselines import BASELINES, PlacedLandmarks

    return [name for name in BASELINES if name != PlacedLandmarks.name]


def _contenders(lifters: list[str] | None, height: str, evidence: str, baselines: Sequence[str]) -> list[Contender]:
    """Each lifter with each knowledge of the height; baselines are told it only."""
    from anylift_cli.errors import UsageError
    from anylift_cli.evaluation.baselines import BASELINES
    from anylift_cli.evaluation.running import EVIDENCE, Contender

    heights = _heights(height)
    if evidence not in EVIDENCE:
        raise UsageError(f"--evidence {evidence} is none of {', '.join(EVIDENCE)}")
    if unfit := [name for name in lifters or () if name in BASELINES and name not in baselines]:
        raise UsageError(f"--lifter {unfit[0]} needs what this data set does not hold", "leave it out")
    names = _named(lifters or ["default", "optimize", "diffusion"])
    contenders = [Contender(name, told, evidence) for name in names for told in heights]
    if lifters is None:
        contenders += [Contender(name, heights[0], evidence) for name in baselines]
    return contenders


def _contest(
    common: opt.Common,
    clips: list[EvaluationClip],
    contenders: list[Contender],
    out: Path | None,
    below: Callable[[], Table] | None = None,
) -> None:
    """Measure, and show the table with what stands `below` it."""
    from rich.console import Group

    from anylift_cli.errors import AnyliftError
    from anylift_cli.evaluation.results import table
    from anylift_cli.evaluation.running import contest

    if not clips:
        raise AnyliftError(
            "there is no clip to measure",
            "short sequences and people who leave the picture are left out; choose another --split or --camera",
        )
    summary = _summarise(common, contest(clips, contenders, common.seed, common.progress), out)
    common.show({"rows": summary}, lambda: Group(table(summary), *([below()] if below else [])))


def _summarise(common: opt.Common, results: Sequence[ClipResult], out: Path | None) -> list[dict[str, Any]]:
    """Rows of the results, which with --out are also written to its folder."""
    from anylift_cli.evaluation.results import over_all_cameras, rows

    summary = rows(over_all_cameras(results), common.seed)
    if out is not None:
        from anylift_cli.evaluation.folder import write_folder

        write_folder(results, summary, out)
    return summary

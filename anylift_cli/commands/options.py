"""Options that commands share, and the wrapper that gives every command the common ones."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from anylift_cli.errors import Interrupted, UsageError
from anylift_cli.progress import Progress
from anylift_cli.steps import Step

if TYPE_CHECKING:
    from anylift_cli.lifting.base import LiftOptions
    from anylift_cli.objects.base import Prompts

_COMMON = "Common options"


@dataclass(frozen=True, kw_only=True)
class Common:
    """The options that every command takes; a command to which one means nothing ignores it."""

    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on stdout.", rich_help_panel=_COMMON)
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, no tables; only errors.", rich_help_panel=_COMMON)
    ] = False
    device: Annotated[str, typer.Option(help="Torch device: cpu, cuda, cuda:1, mps.", rich_help_panel=_COMMON)] = "cpu"
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.", rich_help_panel=_COMMON)] = 0
    work_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the artifacts that later runs reuse.", rich_help_panel=_COMMON),
    ] = None
    force: Annotated[
        list[Step] | None,
        typer.Option(
            metavar="STAGE",
            help=f"Run this stage again, and what follows it: {', '.join(step.value for step in Step)}. Repeatable.",
            rich_help_panel=_COMMON,
        ),
    ] = None

    @property
    def progress(self) -> Progress:
        """Bars and notes on stderr, or nothing with --quiet."""
        from anylift_cli.console import RichProgress

        return RichProgress(self.quiet)

    def show(self, result: dict[str, Any], table: Callable[[], Any]) -> None:
        """Print a command's result on stdout: `result` as JSON, or what `table` makes for people to read."""
        from anylift_cli.console import print_json, stdout

        if self.json:
            print_json(result)
        elif not self.quiet:
            stdout.print(table())


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a Typer command of `function(common, ...)`: its own options first, then those of `Common`."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    hints = get_type_hints(Common, include_extras=True)
    names = [option.name for option in dataclasses.fields(Common)]
    common = [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=hints[option.name]
        )
        for option in dataclasses.fields(Common)
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    @functools.wraps(function)
    def run(**given: Any) -> None:
        shared = Common(**{name: given.pop(name) for name in names})
        try:
            function(shared, **given)
        except KeyboardInterrupt as error:
            raise Interrupted("stopped; no file was left half written") from error

    run.__signature__ = inspect.Signature([*own, *common])
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *common]}
    return run


def with_options_of(
    source: Callable[..., Any], leave_out: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a function `(common, ..., **given)` take, as `given`, the options of `source(common, ...)` too."""

    def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
        """With their annotations evaluated; that of the result may name what only type checkers know."""
        found = inspect.signature(function).parameters.values()
        names = function.__globals__
        return [one.replace(annotation=eval(one.annotation, names)) for one in found]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in parameters(function) if one.kind is not inspect.Parameter.VAR_KEYWORD]
        more = [one for one in parameters(source)[1:] if one.name not in leave_out]
        keyword = inspect.Parameter.KEYWORD_ONLY
        together = [own[0], *(one.replace(kind=keyword) for one in [*own[1:], *more])]
        function.__signature__ = inspect.Signature(together)
        return function

    return decorate


def backends(group: str, *more: str) -> Callable[[], list[str]]:
    """Shell completion: the names in an entry-point group, and `more`."""

    def names() -> list[str]:
        from anylift_cli.plugins import backend_names

        return sorted({*backend_names(group), *more})

    return names


def _number_or(*words: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in words and not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0):
            raise typer.BadParameter(f"'{value}' is neither a number from 1 on nor {' nor '.join(words)}.")
        return value

    return check


def _one_of(*words: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in words:
            raise typer.BadParameter(f"'{value}' is none of {', '.join(words)}.")
        return value

    return check


def _time(value: float | None) -> float | None:
    if value is not None and not 0 <= value < float("inf"):
        raise typer.BadParameter("give seconds from the begin of the video, 0 or more.")
    return value


def text_of(path: Path | None) -> str | None:
    """A path as options of stages, which are JSON, hold it."""
    return None if path is None else str(path)


def check_focal(focal: float | None, fov: float | None) -> None:
    """Raise UsageError when both are given."""
    if focal is not None and fov is not None:
        raise UsageError("--focal and --fov were both given", "give one of the two")


def check_range(start: float | None, end: float | None) -> None:
    """Raise UsageError for a range without length."""
    if end is not None and end <= (start or 0):
        raise UsageError(f"--end {end:g} is not after --start {start or 0:g}", "give a later --end")


Video = Annotated[Path, typer.Argument(metavar="VIDEO", help="The video file.")]
Person = Annotated[
    str,
    typer.Option(
        metavar="main|all|N", callback=_number_or("main", "all"), help="The most prominent person, all, or the N-th."
    ),
]
Shot = Annotated[
    str,
    typer.Option(
        metavar="auto|N",
        callback=_number_or("auto"),
        help="The longest shot with a person, or the N-th shot of the video.",
    ),
]
ShotOrAll = Annotated[
    str,
    typer.Option(
        metavar="auto|all|N",
        callback=_number_or("auto", "all"),
        help="The longest shot with a person, each shot, or the N-th shot of the video.",
    ),
]
Start = Annotated[float | None, typer.Option(metavar="SECONDS", callback=_time, help="Begin here.")]
End = Annotated[float | None, typer.Option(metavar="SECONDS", callback=_time, help="End here.")]
Backend = Annotated[
    str,
    typer.Option(
        "--keypoints",
        "--backend",
        metavar="NAME|PATH",
        autocompletion=backends("anylift.keypoints", "auto"),
        help="Keypoint estimator: mediapipe, vitpose, vitpose-mmpose, or auto for the best one that is here; or "
        "keypoints that exist already: a file or folder of OpenPose, COCO, AlphaPose, mmpose, easy_ViTPose, Sports2D "
        "or anylift.",
    ),
]
LocalPoses = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="3D people of another tool for the same video, in place of the estimator's 3D points: the result file or "
        "folder of GVHMR, WHAM, TRAM, GLAMR or ROMP.",
    ),
]
KeypointsModel = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR",
        help="Network of ViTPose: the name of its weights, or a folder. Default: the largest that is here.",
    ),
]
FlipTest = Annotated[bool, typer.Option("--flip-test", help="ViTPose looks at each person mirrored too.")]
_CAMERA = {
    "metavar": "KIND|PATH",
    "autocompletion": backends("anylift.cameras"),
    "help": "How the camera moves: auto, still, rotating (pans and zooms from one place) or moving; a program that "
    "solves it: megasam, vipe; or a solved path: a file or folder of MegaSaM, ViPE, COLMAP, TUM, KITTI, TRAM or "
    "anylift.",
}
Camera = Annotated[str, typer.Option("--cameras", "--camera", **_CAMERA)]
CameraAlone = Annotated[str, typer.Option("--cameras", "--camera", "--backend", **_CAMERA)]
Focal = Annotated[float | None, typer.Option(metavar="PX", min=1, help="Focal length in pixels, when known.")]
Fov = Annotated[float | None, typer.Option(metavar="DEG", min=2, max=169, help="Horizontal field of view, when known.")]
Lifter = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        autocompletion=backends("anylift.lifters", "auto"),
        help="How to lift to 3D: auto for the best that is here, a name, or a checkpoint.",
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        metavar="fast|balanced|best",
        callback=_one_of("fast", "balanced", "best"),
        help="How long a diffusion lifter takes: more passes, and several samples that tell how sure it is.",
    ),
]
Height = Annotated[
    float | None,
    typer.Option(metavar="M", min=0.5, max=2.5, help="Standing height of the person, when known: fixes the scale."),
]
Body = Annotated[
    str,
    typer.Option(
        metavar="open|NAME|FILE",
        help="The body that ships with anylift; a file of SMPL, SMPL-H or SMPL-X, or the name that `anylift weights "
        "list` has for it, such as smpl-neutral.",
    ),
]
Prior = Annotated[
    str,
    typer.Option(
        metavar="open|vposer|PATH",
        help="How people hold themselves, for the fit of the body: the prior that ships with anylift, or VPoser v2, by "
        "name when imported, or the path of its folder or snapshot.",
    ),
]
_OBJECTS = {"rich_help_panel": "Objects"}
Objects = Annotated[
    list[Path] | None,
    typer.Option(
        "--object", metavar="MESH", help="Mesh of an object to follow, named after its file. Repeatable.", **_OBJECTS
    ),
]
ObjectSizes = Annotated[
    list[float] | None,
    typer.Option(
        "--object-size", metavar="M", help="Longest side of each --object in metres, in their order; 0 if unknown. "
        "Default: the mesh is in metres.", **_OBJECTS,
    ),
]  # fmt: skip
Points = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Points of the objects clicked in the first frame, as JSON.", **_OBJECTS),
]
Masks = Annotated[
    list[Path] | None,
    typer.Option(
        "--mask",
        metavar="IMAGE",
        help="Bright where the object is in the first frame; one for each --object.",
        **_OBJECTS,
    ),
]
_TRACKER = {
    "metavar": "NAME",
    "autocompletion": backends("anylift.objects", "auto"),
    "help": "What follows the objects: auto, by-shape (balls by colour, others by points), or delta, a program.",
    **_OBJECTS,
}
ObjectTracker = Annotated[str, typer.Option("--object-tracker", **_TRACKER)]
ObjectTrackerAlone = Annotated[str, typer.Option("--object-tracker", "--tracker", "--backend", **_TRACKER)]
ObjectTracks = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Point tracks of DELTA, for the tracker delta; without them DELTA is run.", **_OBJECTS
    ),
]
Categories = Annotated[
    list[str] | None,
    typer.Option(
        "--object-category", metavar="box|chair|table", help="Lift each --object, in their order, together with the "
        "person, by the joint network; one for all will do.", **_OBJECTS,
    ),
]  # fmt: skip
JointNetwork = Annotated[
    str,
    typer.Option(
        "--joint", metavar="default|PATH", help="Joint network for --object-category: the shipped one by default.",
        **_OBJECTS,
    ),
]  # fmt: skip
Contacts = Annotated[
    str,
    typer.Option(
        metavar="hands,body,floor|none", help="Which contacts count: hands hold and carry objects, the body stays "
        "outside of them, resting objects stand on the floor.", **_OBJECTS,
    ),
]  # fmt: skip


def contacts_of(names: str) -> tuple[str, ...]:
    """The contacts that `names` lists.

    Raises:
        UsageError: one that does not exist.
    """
    from anylift_cli.fitting.base import CONTACTS

    chosen = [] if names == "none" else [name.strip() for name in names.split(",")]
    if unknown := sorted(set(chosen) - set(CONTACTS)):
        raise UsageError(
            f"--contacts {names}: there is no '{unknown[0]}'", f"choose from {', '.join(CONTACTS)}, or none"
        )
    return tuple(name for name in CONTACTS if name in chosen)


def lift_options_of(
    lifter: str, quality: str, height: float | None, common: Common, categories: list[str] | None, joint: str
) -> LiftOptions:
    """Options of the lift stage, with objects where categories of them are named.

    Raises:
        UsageError: a joint network without a category.
    """
    from anylift_cli.lifting.base import JointOptions, LiftOptions

    options = (lifter, height, quality, common.device, common.seed)
    if not categories:
        if joint != "default":
            raise UsageError(f"--joint {joint} is for objects of a category", "give --object-category")
        return LiftOptions(*options)
    return JointOptions(*options, tuple(categories), joint)


def check_categories(meshes: list[Path] | None, categories: list[str] | None) -> None:
    """Raise UsageError for categories of objects that are not named."""
    if len(categories or []) > len(meshes or []):
        raise UsageError(
            f"there are {len(meshes or [])} --object and {len(categories or [])} --object-category",
            "give one --object-category for each --object, or one for all",
        )


def prompts_of(
    meshes: list[Path] | None,
    sizes: list[float] | None,
    masks: list[Path] | None,
    points: Path | None,
    tracks: Path | None,
) -> Prompts | None:
    """What was said of objects; None where there are none.

    Raises:
        UsageError: sizes or masks that do not go with the objects, or without any.
    """
    from anylift_cli.objects.base import ObjectFiles, Prompts

    if not meshes:
        if sizes or masks or points or tracks:
            raise UsageError("objects were described, but none was named", "give the mesh of each with --object")
        return None
    for option, values in (("--object-size", sizes), ("--mask", masks)):
        if values and len(values) != len(meshes):
            raise UsageError(
                f"there are {len(meshes)} --object and {len(values)} {option}", f"give one {option} for each --object"
            )
    objects = zip(meshes, sizes or [None] * len(meshes), masks or [None] * len(meshes), strict=True)
    return Prompts(tuple(ObjectFiles(*one) for one in objects), points, tracks)

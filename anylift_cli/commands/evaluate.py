"""`anylift evaluate …`: how far results are from the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anylift_cli.commands import options as opt

if TYPE_CHECKING:
    from anylift_cli.evaluation.clips import EvaluationClip
    from anylift_cli.evaluation.results import ClipResult
    from anylift_cli.evaluation.running import Contender

evaluate = typer.Typer(
    name="evaluate", no_args_is_help=True, help="Measure lifters and other tools' results against the truth.",
    rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip

Cameras = Annotated[str, typer.Option(metavar="KINDS", help="static, dynamic, or both with a comma.")]
Lifters = Annotated[
    list[str] | None,
    typer.Option(
        "--lifter", metavar="NAME|PATH",
        help="A lifter, a checkpoint, or 'default' (what `anylift run` uses); repeatable. Default: the default lifter "
        "and all baselines.",
    ),
]  # fmt: skip
Heights = Annotated[
    str, typer.Option(metavar="given|unknown|both", help="Whether lifters are told the person's height.")
]
Evidence = Annotated[
    str,
    typer.Option(
        metavar="2d|2d+local", help="2D points alone, or with simulated points of a single-image 3D estimator."
    ),
]
Folder = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for clips.csv, rows.json and plots.")
]


@evaluate.command()
@opt.command
def mocap(
    common: opt.Common,
    motion: Annotated[Path, typer.Argument(metavar="MOTION", help="Compact mocap npz.")],
    split: Annotated[str, typer.Option(metavar="train|test|all", help="Which clips.")] = "test",
    cameras: Cameras = "static,dynamic",
    lifter: Lifters = None,
    height: Heights = "both",
    evidence: Evidence = "2d",
    out: Folder = None,
) -> None:
    """Motion capture seen by virtual cameras, with a detector's noise and a camera estimator's errors.

    Example: anylift evaluate mocap cmu_30fps.npz --split test --cameras static,dynamic
    """
    from anylift_cli.evaluation.mocap import mocap_clips

    clips = mocap_clips(motion, split, cameras.split(","), common.seed)
    _contest(common, clips, _contenders(lifter, height, evidence), out)


def _contenders(lifters: list[str] | None, height: str, evidence: str) -> list[Contender]:
    """Each lifter with each knowledge of the height; baselines are told it only."""
    from anylift_cli.errors import UsageError
    from anylift_cli.evaluation.baselines import BASELINES
    from anylift_cli.evaluation.running import EVIDENCE, Contender
    from anylift_cli.lifting.base import LiftOptions

    if height not in ("given", "unknown", "both"):
        raise UsageError(f"--height {height} is none of given, unknown, both")
    if evidence not in EVIDENCE:
        raise UsageError(f"--evidence {evidence} is none of {', '.join(EVIDENCE)}")
    default = LiftOptions().lifter
    heights = ("given", "unknown") if height == "both" else (height,)
    names = [default if name == "default" else name for name in lifters or ("default", "optimize")]
    contenders = [Contender(name, told, evidence) for name in dict.fromkeys(names) for told in heights]
    if lifters is None:
        contenders += [Contender(name, heights[0], evidence) for name in BASELINES]
    return contenders


def _contest(common: opt.Common, clips: list[EvaluationClip], contenders: list[Contender], out: Path | None) -> None:
    from anylift_cli.evaluation.running import contest

    _report(common, contest(clips, contenders, common.seed, common.progress), out)


def _report(common: opt.Common, results: list[ClipResult], out: Path | None) -> None:
    from anylift_cli.evaluation.results import rows, table

    summary = rows(results, common.seed)
    if out is not None:
        from anylift_cli.evaluation.folder import write_folder

        write_folder(results, summary, out)
    common.show({"rows": summary}, lambda: table(summary))

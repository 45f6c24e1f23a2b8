"""`anylift edit`: a cleaner, shorter, turned or mirrored motion."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from anylift_cli.commands import options as opt
from anylift_cli.errors import UsageError

FIGURES = {
    "frames": "frames",
    "seconds": "seconds from first to last frame",
    "foot_slide_cm_s": "foot slide in contact, cm/s",
    "jitter_mm": "jitter, mm",
    "penetration_cm": "floor penetration, cm",
    "heading_deg": "faces at first, degrees from x to y",
    "seam_deg": "seam of the loop: joint that turns most, degrees",
    "seam_cm": "seam of the loop: height of the pelvis, cm",
    "seam_cm_s": "seam of the loop: velocity of the pelvis, cm/s",
}


def _seconds(text: str) -> float | None:
    if not text.strip():
        return None
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number to work with.")
    return value


def _span(text: str | None) -> str | None:
    if text is not None:
        try:
            start, end = map(_seconds, text.split(":"))
        except ValueError as error:
            raise typer.BadParameter(f"'{text}' is not START:END in seconds; either may be left out.") from error
        if start is not None and end is not None and end < start:
            raise typer.BadParameter(f"'{text}' ends before it starts.")
    return text


def _height(text: str | None) -> str | None:
    if text not in (None, "auto"):
        try:
            finite = math.isfinite(float(text))
        except ValueError:
            finite = False
        if not finite:
            raise typer.BadParameter(f"'{text}' is neither a number of metres nor auto.")
    return text


@opt.command
def edit(
    common: opt.Common,
    motion: Annotated[Path, typer.Argument(metavar="MOTION.npz", help="Made by `anylift run` or `anylift fit`.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="NEW.npz", help="The edited motion.")],
    body: Annotated[
        str | None,
        typer.Option(
            metavar="open|NAME|FILE", help="Be for this body, as in `anylift run`; joints stay where they are."
        ),
    ] = None,
    trim: Annotated[
        str | None,
        typer.Option(metavar="START:END", callback=_span, help="Keep these seconds of the video; 2: is from 2 s on."),
    ] = None,
    retime: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR", callback=_finite, min=0.001, help="Last this many times as long: 2 is half as fast."
        ),
    ] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Left for right, and the camera with it.")] = False,
    heading: Annotated[
        float | None,
        typer.Option(metavar="DEG", callback=_finite, help="Face this way in the first frame: 0 is x, 90 is y."),
    ] = None,
    floor: Annotated[
        str | None,
        typer.Option(
            metavar="auto|METRES", callback=_height, help="Put what the feet stand on, or this height, at z = 0."
        ),
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", callback=_finite, min=0, help="Average over this time; planted feet stay where they are."
        ),
    ] = None,
    foot_lock: Annotated[
        float | None, typer.Option(metavar="0..1", min=0, max=1, help="Keep planted feet from sliding: 1 entirely.")
    ] = None,
    loop: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", callback=_finite, min=0, help="Bend the last seconds to the first pose; 0 only measures."
        ),
    ] = None,
) -> None:
    """Change a motion, and measure what each change does.

    Steps are applied in the order in which this help lists them.

    Example: anylift edit motion.npz --out clean.npz --smooth 0.2 --foot-lock 1 --floor auto
    """
    from anylift_cli.editing.plan import Edits

    steps = Edits(
        body=body,
        trim=None if trim is None else tuple(map(_seconds, trim.split(":"))),
        retime=retime,
        mirror=mirror or None,
        heading=heading,
        floor=floor if floor in (None, "auto") else float(floor),
        smooth=smooth,
        foot_lock=foot_lock,
        loop=loop,
    ).steps()
    if not steps:
        raise UsageError("nothing to do", "say what to change; `anylift edit --help` lists the steps")
    if out.suffix != ".npz":
        raise UsageError(f"--out {out} must end with .npz", "`anylift export` writes other formats")
    if out.resolve() == motion.resolve():
        raise UsageError("--out is the motion itself", "name another file, so that the original stays")

    from anylift_cli.artifacts import MotionArtifact
    from anylift_cli.checks import check_writable
    from anylift_cli.editing.plan import apply, signed

    loaded = MotionArtifact.load(motion)
    check_writable(out.parent, "--out")
    edited, measured = apply(loaded, steps)
    signed(edited, motion, steps).save(out)
    result = {
        "file": str(out),
        "before": measured[0],
        "steps": [
            {"step": step.name, "value": step.value, "after": after}
            for step, after in zip(steps, measured[1:], strict=True)
        ],
    }
    common.show(result, lambda: _table(result))


def _table(result: dict[str, Any]) -> Any:
    from rich.table import Table

    steps = result["steps"]
    table = Table("", "before", *(f"after {step['step'].replace('_', '-')}" for step in steps), box=None)
    for name, words in FIGURES.items():
        columns = [result["before"], *(step["after"] for step in steps)]
        table.add_row(words, *("-" if column[name] is None else f"{column[name]:g}" for column in columns))
    return table

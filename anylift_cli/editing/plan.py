"""Several edits one after the other, each with its effect, and what the result says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anylift_cli import __version__
from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.files import sha256_of
from anylift_cli.body.foot_lock import lock_feet
from anylift_cli.editing.looping import loop
from anylift_cli.editing.measure import figures
from anylift_cli.editing.mirroring import mirror
from anylift_cli.editing.placement import face, set_floor
from anylift_cli.editing.smoothing import smooth
from anylift_cli.editing.timing import retime, trim

_MADE_BY_A_STAGE = ("key", "key_parts", "stage", "options", "inputs", "seconds", "created")
"""What tells the chain that a file is a stage's own result; an edited one is not."""


@dataclass(frozen=True)
class Edit:
    """One step: its name, its value in plain JSON, and what it does."""

    name: str
    value: Any
    apply: Callable[[MotionArtifact], MotionArtifact]


@dataclass(frozen=True)
class Edits:
    """What is wanted of a motion; None for what is not. The order of the attributes is that of the steps.

    Attributes:
        trim: first and last second of the video to keep, None for the motion's own.
        retime: how many times as long it lasts.
        mirror: left for right.
        heading: degrees that the person faces in the first frame.
        floor: m that become z = 0, or "auto".
        smooth: seconds.
        foot_lock: 0 … 1.
        loop: seconds of the end that are bent to the begin.
    """

    trim: tuple[float | None, float | None] | None = None
    retime: float | None = None
    mirror: bool | None = None
    heading: float | None = None
    floor: float | str | None = None
    smooth: float | None = None
    foot_lock: float | None = None
    loop: float | None = None

    def steps(self) -> list[Edit]:
        """What is wanted, in order."""
        functions: dict[str, Callable[[MotionArtifact, Any], MotionArtifact]] = {
            "trim": lambda motion, span: trim(motion, *span),
            "retime": retime,
            "mirror": lambda motion, _: mirror(motion),
            "heading": face,
            "floor": lambda motion, height: set_floor(motion, None if height == "auto" else height),
            "smooth": smooth,
            "foot_lock": lock_feet,
            "loop": loop,
        }
        wanted = {name: getattr(self, name) for name in functions}
        return [
            Edit(name, value, lambda motion, name=name, value=value: functions[name](motion, value))
            for name, value in wanted.items()
            if value is not None
        ]


def apply(motion: MotionArtifact, steps: Sequence[Edit]) -> tuple[MotionArtifact, list[dict[str, float | None]]]:
    """The edited motion, and its figures before the first step and after each.

    Raises:
        UsageError: a value that a step cannot take.
        AnyliftError: a step is not possible with this motion, or its body is not installed.
    """
    measured = [figures(motion)]
    for step in steps:
        motion = step.apply(motion)
        measured.append(figures(motion))
    return motion, measured


def signed(motion: MotionArtifact, source: Path, steps: Sequence[Edit]) -> MotionArtifact:
    """`motion` whose meta says that it is the file `source` after `steps`, and what that one was before."""
    kept = {name: value for name, value in motion.meta.items() if name not in _MADE_BY_A_STAGE}
    record = {
        "file": source.name,
        "sha256": sha256_of(source),
        "key": motion.meta.get("key"),
        "steps": {step.name: step.value for step in steps},
        "anylift_version": __version__,
    }
    before = motion.meta.get("edits")
    return replace(motion, meta={**kept, "edits": [*(before if isinstance(before, list) else ()), record]})

"""What a run of the chain is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anylift_cli.cameras.base import CameraOptions
from anylift_cli.fitting.base import FitOptions
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.objects.base import ObjectOptions, Prompts
from anylift_cli.steps import Step


@dataclass(frozen=True)
class Request:
    """What to lift, how, and where to put it.

    Attributes:
        video: the file.
        out: the motion file, `.npz`. More persons and shots go beside it: `NAME.shot2.person2.npz`.
        work_dir: folder of the artifacts.
        keypoints, cameras, objects, lift, fit: options of the stages; `keypoints.shot` may also be "all".
        prompts: the objects to follow, or None. With them, `lift` may be `JointOptions`.
        exports: file of each further format, by the format's name; "bvh" goes beside `out` if it is not named. Formats
            that hold several persons get them all in one file.
        overlay: video to draw, or None.
        report: page to write, or None.
        force: steps to run in any case, with what follows.
    """

    video: Path
    out: Path
    work_dir: Path
    keypoints: KeypointOptions = field(default_factory=KeypointOptions)
    cameras: CameraOptions = field(default_factory=CameraOptions)
    objects: ObjectOptions = field(default_factory=ObjectOptions)
    prompts: Prompts | None = None
    lift: LiftOptions = field(default_factory=LiftOptions)
    fit: FitOptions = field(default_factory=FitOptions)
    exports: Mapping[str, Path] = field(default_factory=dict)
    overlay: Path | None = None
    report: Path | None = None
    force: Collection[Step] = ()

    @property
    def files(self) -> dict[str, Path]:
        """`exports` with the BVH file."""
        return {"bvh": self.out.with_suffix(".bvh"), **self.exports}

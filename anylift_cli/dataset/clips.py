"""What lies in a folder of results: each motion with its figures, and the video that it came from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.artifacts import KeypointsArtifact, MotionArtifact
from anylift_cli.artifacts.base import read_meta
from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import AnyliftError
from anylift_cli.export.inputs import WORK_FOLDER
from anylift_cli.geometry.cameras import project

_NAME = re.compile(r"(?P<stem>.+?)(\.shot(?P<shot>\d+))?(\.person(?P<person>\d+))?")
_CONTENT = ("poses", "trans", "betas", "timestamps")


@dataclass(frozen=True)
class Clip:
    """One person's motion in one shot, as far as choosing needs it.

    Attributes:
        name: of the file below the folder, with slashes and without suffix; unique.
        path: the motion file.
        origin: `name` without shot and person: what came from one video has the same.
        video: sha256 of the video, "" where no work folder tells.
        content: sha256 of the arrays that make the motion.
        frames, seconds, fps: its length; frames/s as in the file.
        frame_index: (T,) frames of the video.
        root_pixels: (T, 2) where the pelvis is in the picture.
        extent: the person's median height in the picture, px.
        figures: of `report.quality`, with the mean `confidence`; None where there was nothing to measure.
    """

    name: str
    path: Path
    origin: str
    video: str
    content: str
    frames: int
    seconds: float
    fps: float
    frame_index: np.ndarray
    root_pixels: np.ndarray
    extent: float
    figures: dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What a run keeps of one motion: the folder of its shot, and what its files are called for that person."""

    folder: Path
    tail: str

    @classmethod
    def of(cls, motion: Path) -> Work:
        """The work folder beside a motion file; it need not be there."""
        parts = _parts(motion.stem)
        folder = motion.with_name(parts["stem"] + WORK_FOLDER)
        of_shot = folder / f"shot{parts['shot'] or 1}"
        tail = f".person{parts['person']}" if parts["person"] else ""
        return cls(of_shot if of_shot.is_dir() else folder, tail)

    @property
    def motion(self) -> Path:
        return self.folder / f"motion{self.tail}.npz"

    @property
    def quality(self) -> Path:
        return self.folder / f"quality{self.tail}.json"

    @property
    def keypoints(self) -> Path:
        return self.folder / "keypoints.npz"


def motion_files(folder: Path) -> Iterator[Path]:
    """The motions below `folder` in the order of their names, without those in work folders and hidden ones.

    Files that cannot be read are among them, other `.npz` files are not.
    """
    for path in sorted(folder.rglob("*.npz")):
        inner = path.relative_to(folder)
        if any(part.startswith(".") or part.endswith(WORK_FOLDER) for part in inner.parts):
            continue
        try:
            known = read_meta(path).get("schema") == MotionArtifact.schema
        except AnyliftError:
            known = True
        if known:
            yield path


def clip_name(folder: Path, path: Path) -> str:
    """The name of a motion file below `folder`."""
    return path.relative_to(folder).with_suffix("").as_posix()


def read_clip(folder: Path, path: Path) -> Clip:
    """One clip of `folder`.

    Raises:
        AnyliftError: a damaged file, or a motion whose body is not installed and whose figures are not at hand.
    """
    motion, work = MotionArtifact.load(path), Work.of(path)
    pixels = project(motion.joints.astype(np.float64), motion.world_from_camera, motion.K)
    name = clip_name(folder, path)
    return Clip(
        name=name,
        path=path,
        origin=(path.relative_to(folder).parent / _parts(path.stem)["stem"]).as_posix(),
        video=_video_of(work),
        content=_content_of(motion),
        frames=len(motion.poses),
        seconds=float(motion.timestamps[-1] - motion.timestamps[0] + 1 / motion.fps),
        fps=float(motion.fps),
        frame_index=motion.frame_index,
        root_pixels=pixels[:, 0].astype(np.float32),
        extent=float(np.median(np.ptp(pixels[..., 1], axis=1))),
        figures=_figures_of(motion, path, work),
    )


def _parts(stem: str) -> dict[str, str | None]:
    return _NAME.fullmatch(stem).groupdict()


def _video_of(work: Work) -> str:
    try:
        return read_meta(work.keypoints)["key_parts"]["inputs"]["video"]
    except (AnyliftError, KeyError, TypeError):
        return ""


def _content_of(motion: MotionArtifact) -> str:
    digest = hashlib.sha256()
    for name in _CONTENT:
        digest.update(np.ascontiguousarray(getattr(motion, name)).tobytes())
    return digest.hexdigest()


def _figures_of(motion: MotionArtifact, path: Path, work: Work) -> dict[str, Any]:
    """Those that the run left, if they are of this very file; otherwise measured now."""
    figures = _remembered(path, work)
    if figures is None:
        from anylift_cli.body.parameters import body_of
        from anylift_cli.report.quality import measure

        figures, _ = measure(motion, _keypoints_of(motion, work), body_of(motion), motion.meta.get("person", 0))
    return {**figures, "confidence": round(float(motion.confidence.mean()), 3)}


def _remembered(path: Path, work: Work) -> dict[str, Any] | None:
    try:
        figures = json.loads(work.quality.read_text(encoding="utf-8"))
        newer = work.quality.stat().st_mtime >= work.motion.stat().st_mtime
        same = newer and sha256_of(work.motion) == sha256_of(path)
    except (OSError, ValueError):
        return None
    return figures if same and isinstance(figures, dict) and {"frames", "frames_present"} <= set(figures) else None


def _keypoints_of(motion: MotionArtifact, work: Work) -> KeypointsArtifact | None:
    """The keypoints of the run, unless they are not there or of other people."""
    try:
        keypoints = KeypointsArtifact.load(work.keypoints)
    except AnyliftError:
        return None
    return keypoints if motion.meta.get("person", 0) in range(len(keypoints.present)) else None

"""A clip as part of a data set, and the protocol of what writes data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.dataset.choosing import FIGURES
from anylift_cli.dataset.clips import Clip
from anylift_cli.dataset.labels import Label
from anylift_cli.progress import Progress


@dataclass(frozen=True)
class Entry:
    """A clip that was chosen, the part of the data set that it belongs to, and what is said of it."""

    clip: Clip
    split: str
    label: Label

    def load(self) -> MotionArtifact:
        """The motion itself.

        Raises:
            AnyliftError: the file has gone or been damaged since it was chosen.
        """
        return MotionArtifact.load(self.clip.path)

    def row(self) -> dict[str, Any]:
        """What a table says of the clip, plain values; None where there was nothing to measure."""
        clip, label = self.clip, self.label
        return {
            "clip": clip.name,
            "split": self.split,
            "licence": label.licence,
            "source": label.source,
            "task": label.task,
            "frames": clip.frames,
            "seconds": round(clip.seconds, 3),
            "fps": round(clip.fps, 4),
            **{name: clip.figures.get(name) for name in FIGURES},
            "frames_present": clip.figures["frames_present"],
            "video_sha256": clip.video,
            "motion_sha256": clip.content,
        }


class Writer(Protocol):
    """Writes the motions of a data set in one layout."""

    def __call__(self, entries: Sequence[Entry], folder: Path, fps: float | None, progress: Progress) -> None:
        """Write `entries`, in the order of their parts, into the empty `folder`, at `fps` or the layout's own rate.

        Raises:
            AnyliftError: a motion that the layout cannot hold, or a full disk.
        """
        ...

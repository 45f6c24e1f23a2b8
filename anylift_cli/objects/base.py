"""What every tracker of objects is given and offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
    from anylift_cli.meshes.reading import Mesh
    from anylift_cli.progress import Progress

BY_SHAPE = "by-shape"


@dataclass(frozen=True)
class ObjectOptions:
    """Options of the objects stage.

    Attributes:
        backend: entry point of the group `anylift.objects`.
        points: at most so many points are followed on an object at a time.
        others: backend that "by-shape" gives everything to that is no ball.
    """

    backend: str = BY_SHAPE
    points: int = 80
    others: str = "lucas-kanade"


@dataclass(frozen=True)
class ObjectFiles:
    """What a user knows of one object.

    Attributes:
        mesh: file.
        size: longest side of the mesh in metres, 0 where unknown, None where the mesh is in metres.
        mask: image that is bright where the object is in the first frame, or None.
    """

    mesh: Path
    size: float | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class Prompts:
    """All objects of a video.

    Attributes:
        objects: one or more.
        points: file with clicked points or poses (`objects/prompts.py`), or None.
        tracks: file of another tool's point tracks, for the backends that read one, or None.
    """

    objects: tuple[ObjectFiles, ...]
    points: Path | None = None
    tracks: Path | None = None

    @property
    def files(self) -> list[Path]:
        """Every file that is read."""
        named = [file for one in self.objects for file in (one.mesh, one.mask)]
        return [file for file in (*named, self.points, self.tracks) if file is not None]


@dataclass(frozen=True)
class Anchor:
    """A frame in which it is known where an object is: `row` of the clip, `camera_from_object` (4, 4) m."""

    row: int
    camera_from_object: np.ndarray


@dataclass(frozen=True)
class Target:
    """An object to be followed: its name, its mesh, and at least one frame in which its place is known."""

    name: str
    mesh: Mesh
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True)
class ObjectTrack:
    """What a tracker found of one object.

    Attributes:
        points3d: (M, 3) m, in the object's axes.
        points2d: (T, M, 2) px, NaN where not seen.
        camera_from_object: (T, 4, 4) m, NaN where the object was not found.
        confidence: (T,) 0..1.
    """

    points3d: np.ndarray
    points2d: np.ndarray
    camera_from_object: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class Footage:
    """What trackers look at.

    Attributes:
        video: the file.
        keypoints, cameras: of the same frames, `keypoints.frame_index`.
        tracks: file of another tool's point tracks, for the trackers that read one, or None.
    """

    video: Path
    keypoints: KeypointsArtifact
    cameras: CamerasArtifact
    tracks: Path | None = None


class ObjectTracker(Protocol):
    """A backend of the group `anylift.objects`; made of its `ObjectOptions`.

    Attributes:
        name: for provenance, with the version of the model or library.
        reads_tracks: whether it takes `Footage.tracks`.
    """

    name: str
    reads_tracks: bool

    def track(self, footage: Footage, targets: Sequence[Target], progress: Progress) -> list[ObjectTrack]:
        """Follow every target over all frames.

        Raises:
            AnyliftError: the video, or a file that this tracker reads, cannot be read.
        """
        ...

"""Another tool's keypoints in the place of an estimator, so that the tracker follows people through them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP, K
from anylift_cli.keypoints.base import Pose, Region
from anylift_cli.keypoints.imports.layouts import Detection
from anylift_cli.keypoints.imports.read import read_keypoints
from anylift_cli.video import Frame, VideoInfo

SEEN = 0.3
"""Confidence from which a point counts for the size of a person."""
MARGIN = 1.25
TORSOS = 4.0
"""A region is at least this many torso sides wide, shoulder to hip: the points of one who crouches say too little."""
FARTHEST = 0.5
"""Distance, in sizes of the region plus the logarithm of their ratio, at which a pose is somebody else's."""


class ImportedPoses:
    """People that another tool found; `estimate` gives the one nearest to a region, whoever that is."""

    def __init__(self, path: Path, info: VideoInfo) -> None:
        kind, self._found = read_keypoints(path, info)
        self._width = info.width
        self.name = f"{kind} ({path.name})"

    def find(self, frame: Frame, tile: tuple[int, int, int, int]) -> list[Region]:
        """Everybody whose middle lies in the tile, most certain first."""
        left, top, right, bottom = tile
        poses = sorted(self._poses(frame), key=lambda pose: -pose.confidence.sum())
        regions = [pose.region for pose in poses]
        return [region for region in regions if left <= region.x < right and top <= region.y < bottom]

    def estimate(self, frame: Frame, region: Region) -> Pose | None:
        """The nearest person, None where nobody is near."""
        poses = self._poses(frame)
        distances = [_distance(pose.region, region) for pose in poses]
        nearest = int(np.argmin(distances)) if distances else 0
        return poses[nearest] if distances and distances[nearest] < FARTHEST else None

    def close(self) -> None:
        """Nothing to free."""

    def _poses(self, frame: Frame) -> list[Pose]:
        scale = frame.image.shape[1] / self._width
        poses = (_pose(person, scale) for person in self._found.get(frame.index, []))
        return [pose for pose in poses if pose is not None]


def _pose(person: Detection, scale: float) -> Pose | None:
    points = person.points * np.float32(scale)
    seen = points[person.confidence >= SEEN]
    if len(seen) < 2:
        return None
    low, high = seen.min(0), seen.max(0)
    hips = points[[LEFT_HIP, RIGHT_HIP]].mean(0)
    x, y = hips if np.isfinite(hips).all() else (low + high) / 2
    sides = [np.linalg.norm(points[K[f"{side}_shoulder"]] - points[K[f"{side}_hip"]]) for side in ("left", "right")]
    size = max(MARGIN * float((high - low).max()), TORSOS * float(np.nan_to_num(sides).max()))
    return Pose(points, person.confidence, person.local_joints, Region(float(x), float(y), size))


def _distance(a: Region, b: Region) -> float:
    return float(np.hypot(a.x - b.x, a.y - b.y) / max(a.size, b.size) + abs(np.log(a.size / b.size)))

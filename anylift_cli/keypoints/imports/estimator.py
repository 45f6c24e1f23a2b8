"""Another tool's keypoints in the place of an estimator, so that the tracker follows people through them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anylift_cli.keypoints.base import KeypointOptions, Pose, Region, check_no_model
from anylift_cli.keypoints.imports.layouts import Detection
from anylift_cli.keypoints.imports.read import read_keypoints
from anylift_cli.keypoints.regions import region_of
from anylift_cli.video import Frame, VideoInfo

FARTHEST = 0.5
"""Distance, in sizes of the region plus the logarithm of their ratio, at which a pose is somebody else's."""


class ImportedPoses:
    """People that another tool found; `estimate` gives the one nearest to each region, whoever that is."""

    def __init__(self, options: KeypointOptions, info: VideoInfo) -> None:
        path = Path(options.backend)
        check_no_model(options, str(path))
        kind, self._found = read_keypoints(path, info)
        self._width = info.width
        self.name = f"{kind} ({path.name})"

    def find(self, frame: Frame, tile: tuple[int, int, int, int]) -> list[Region]:
        """Everybody whose middle lies in the tile, most certain first."""
        left, top, right, bottom = tile
        poses = sorted(self._poses(frame), key=lambda pose: -pose.confidence.sum())
        regions = [pose.region for pose in poses]
        return [region for region in regions if left <= region.x < right and top <= region.y < bottom]

    def estimate(self, frame: Frame, regions: Sequence[Region]) -> list[Pose | None]:
        """The person nearest to each region, None where nobody is near."""
        poses = self._poses(frame)
        return [_nearest(poses, region) for region in regions]

    def close(self) -> None:
        """Nothing to free."""

    def _poses(self, frame: Frame) -> list[Pose]:
        scale = frame.image.shape[1] / self._width
        poses = (_pose(person, scale) for person in self._found.get(frame.index, []))
        return [pose for pose in poses if pose is not None]


def _nearest(poses: list[Pose], region: Region) -> Pose | None:
    distances = [_distance(pose.region, region) for pose in poses]
    nearest = int(np.argmin(distances)) if distances else 0
    return poses[nearest] if distances and distances[nearest] < FARTHEST else None


def _pose(person: Detection, scale: float) -> Pose | None:
    points = person.points * np.float32(scale)
    region = region_of(points, person.confidence)
    return None if region is None else Pose(points, person.confidence, person.local_joints, region)


def _distance(a: Region, b: Region) -> float:
    return float(np.hypot(a.x - b.x, a.y - b.y) / max(a.size, b.size) + abs(np.log(a.size / b.size)))

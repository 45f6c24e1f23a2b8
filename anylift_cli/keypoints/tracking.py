"""Follows every person through one shot, frame by frame, and never hands a track from one person to another."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from anylift_cli.keypoints.appearance import appearance, likeness
from anylift_cli.keypoints.base import Pose, PoseEstimator, Region
from anylift_cli.keypoints.plausibility import can_follow, is_same_person, is_whole_person, similarity

SAME_CLOTHES = 0.8
"""Likeness from which a person who comes back is taken for one seen before."""
PATIENCE = 0.5
"""Seconds for which a lost person is still looked for at the last place."""
LOOK_BACK = 0.5
"""Seconds of frames kept to follow a newly found person backwards."""
SCAN_PERIOD = 1.0
"""Seconds in which the whole image is searched once for people not yet followed."""


@dataclass
class Track:
    """One person: poses by position in the shot."""

    poses: dict[int, Pose] = field(default_factory=dict)
    look: np.ndarray | None = None
    last: int = -1
    active: bool = True

    def add(self, position: int, pose: Pose, look: np.ndarray | None) -> None:
        self.poses[position] = pose
        self.last = max(self.last, position)
        if look is not None:
            self.look = look if self.look is None else 0.95 * self.look + 0.05 * look


class Tracker:
    """Feed it the frames of one shot in order; `tracks` holds everybody found so far.

    Args:
        estimator: finds and estimates.
        max_people: how many are followed at the same time, the largest first.
    """

    def __init__(self, estimator: PoseEstimator, max_people: int) -> None:
        self.tracks: list[Track] = []
        self.times: list[float] = []
        self._estimator = estimator
        self._max_people = max_people
        self._recent: deque[np.ndarray] = deque()
        self._tiles: list[tuple[int, int, int, int]] = []
        self._next_scan = 0.0

    def step(self, image: np.ndarray, time: float) -> None:
        """Take the next frame: RGB image and its time in seconds."""
        self.times.append(time)
        self._recent.append(image)
        while len(self._recent) > 2 and self.times[-1] - self.times[-len(self._recent)] > LOOK_BACK:
            self._recent.popleft()
        position = len(self.times) - 1
        self._follow(image, position)
        self._search(image, position)

    def _follow(self, image: np.ndarray, position: int) -> None:
        claims: list[tuple[float, Track, Pose, np.ndarray | None]] = []
        for track in self._active():
            before = track.poses[track.last]
            pose = self._estimate(image, before.region)
            if pose is None or not can_follow(before, pose, self.times[position] - self.times[track.last]):
                continue
            look = appearance(image, pose)
            alike = 1.0 if look is None or track.look is None else likeness(look, track.look)
            claims.append((alike * (0.5 + similarity(before, pose)), track, pose, look))
        claims.sort(key=lambda claim: -claim[0])
        taken: list[Pose] = []
        for _, track, pose, look in claims:
            if not any(is_same_person(pose, other) for other in taken):
                taken.append(pose)
                track.add(position, pose, look)
        for track in self._active():
            if self.times[position] - self.times[track.last] > PATIENCE:
                track.active = False

    def _search(self, image: np.ndarray, position: int) -> None:
        if self.times[position] < self._next_scan:
            return
        if not self._tiles:
            self._tiles = _tiles(image.shape[1], image.shape[0])
            self._round = len(self._tiles)
        left, top, right, bottom = self._tiles.pop(0)
        self._next_scan = self.times[position] + SCAN_PERIOD / self._round
        for region in self._estimator.find(np.ascontiguousarray(image[top:bottom, left:right])):
            self._welcome(image, position, Region(region.x + left, region.y + top, region.size, region.rotation))

    def _welcome(self, image: np.ndarray, position: int, region: Region) -> None:
        followed = [track.poses[track.last] for track in self._active()]
        if len(followed) >= self._max_people:
            return
        if any(np.hypot(p.region.x - region.x, p.region.y - region.y) < 0.1 * region.size for p in followed):
            return
        pose = self._estimate(image, region)
        if pose is None or any(is_same_person(pose, other) for other in followed):
            return
        look = appearance(image, pose)
        track = self._known(pose, look, position)
        if track is None:
            track = Track()
            self.tracks.append(track)
        track.active = True
        track.add(position, pose, look)
        self._follow_back(track, position)

    def _known(self, pose: Pose, look: np.ndarray | None, position: int) -> Track | None:
        """The track of a person who was lost and is seen again, if it is clear who."""
        if look is None:
            return None
        candidates = [
            (likeness(look, track.look), index)
            for index, track in enumerate(self.tracks)
            if not track.active
            and track.look is not None
            and can_follow(track.poses[track.last], pose, self.times[position] - self.times[track.last])
        ]
        best, index = max(candidates, default=(0.0, -1))
        return self.tracks[index] if best >= SAME_CLOTHES else None

    def _follow_back(self, track: Track, position: int) -> None:
        for back in range(1, len(self._recent)):
            earlier = position - back
            if earlier in track.poses:
                return
            after, image = track.poses[earlier + 1], self._recent[-1 - back]
            pose = self._estimate(image, after.region)
            if pose is None or not can_follow(after, pose, self.times[earlier + 1] - self.times[earlier]):
                return
            others = (other.poses.get(earlier) for other in self.tracks if other is not track)
            if any(other is not None and is_same_person(pose, other) for other in others):
                return
            track.add(earlier, pose, appearance(image, pose))

    def _estimate(self, image: np.ndarray, region: Region) -> Pose | None:
        pose = self._estimator.estimate(image, region)
        return pose if pose is not None and is_whole_person(pose) else None

    def _active(self) -> list[Track]:
        return [track for track in self.tracks if track.active]


def _tiles(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Parts of the image to search one after the other: all of it, then overlapping squares. xyxy px."""
    side = min(width, height)
    tiles = [(0, 0, width, height)]
    for size in (side, (side * 3) // 5):
        columns = 1 + int(np.ceil((width - size) / (0.75 * size)))
        rows = 1 + int(np.ceil((height - size) / (0.75 * size)))
        for y in np.linspace(0, height - size, rows).astype(int).tolist():
            for x in np.linspace(0, width - size, columns).astype(int).tolist():
                tiles.append((x, y, x + size, y + size))
    return tiles

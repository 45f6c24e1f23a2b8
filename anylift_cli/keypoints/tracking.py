"""Follows every person through one shot, frame by frame, and never hands a track from one person to another."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from anylift_cli.keypoints.appearance import appearance, likeness
from anylift_cli.keypoints.base import Pose, PoseEstimator, Region
from anylift_cli.keypoints.plausibility import can_follow, is_believable, is_same_person, is_whole_person, similarity
from anylift_cli.video import Frame

SOON = 1.0
SAME_CLOTHES, SAME_CLOTHES_SOON = 0.8, 0.65
"""Likeness from which a person who comes back, late or within `SOON` seconds, is one seen before."""
NEXT_CLOTHES = 0.3
"""Likeness from one frame to the next, which motion blur and bending lower; two people reach 0.2 to 0.5."""
LONGEST_ABSENCE = 5.0
"""Seconds after which clothes do not tell who it is: the next person in black may be another."""
PATIENCE = 0.5
"""Seconds for which a lost person is still looked for at the last place."""
LOOK_BACK = 0.5
"""Seconds of frames kept to follow a newly found person backwards."""
SEARCH_PERIOD = 1.0
"""Seconds in which the whole image is searched once for people not yet followed; sooner while there are none."""
MUCH_LARGER = 1.25


@dataclass
class Track:
    """One person.

    Attributes:
        poses: by position in the shot.
        look: running mean of `appearance`.
        last: position of the last pose.
        active: whether the next frame is looked at.
    """

    poses: dict[int, Pose] = field(default_factory=dict)
    look: np.ndarray | None = None
    last: int = -1
    active: bool = True

    def add(self, position: int, pose: Pose, look: np.ndarray | None) -> None:
        self.poses[position] = pose
        self.last = max(self.last, position)
        if look is not None:
            self.look = look if self.look is None else 0.95 * self.look + 0.05 * look

    def join(self, later: Track) -> None:
        """Take over a track of the same person; `later` begins after this one's end."""
        self.poses.update(later.poses)
        self.last, self.look, self.active = later.last, later.look, True


class Tracker:
    """Feed it the frames of one shot in order; `tracks` holds everybody found so far.

    Args:
        estimator: finds and estimates.
        max_people: how many are followed at the same time; a much larger newcomer replaces the smallest.
        pool: at least one thread, which searches.
    """

    def __init__(self, estimator: PoseEstimator, max_people: int, pool: ThreadPoolExecutor) -> None:
        self.tracks: list[Track] = []
        self.times: list[float] = []
        self._estimator = estimator
        self._max_people = max_people
        self._pool = pool
        self._recent: deque[Frame] = deque()
        self._searched = 0
        self._next_search = -np.inf

    def step(self, frame: Frame) -> None:
        """Take the next frame."""
        self.times.append(frame.time)
        self._recent.append(frame)
        while len(self._recent) > 2 and frame.time - self.times[-len(self._recent)] > LOOK_BACK:
            self._recent.popleft()
        position = len(self.times) - 1
        search = self._pool.submit(self._search, frame)
        self._follow(frame, position)
        for region in search.result():
            self._welcome(frame, position, region)

    def _follow(self, frame: Frame, position: int) -> None:
        claims: list[tuple[float, Track, Pose, np.ndarray | None]] = []
        time, tracks = self.times[position], [track for track in self.tracks if track.active]
        before = [track.poses[track.last] for track in tracks]
        poses = self._estimate(frame, [pose.region for pose in before])
        for track, last, pose in zip(tracks, before, poses, strict=True):
            if pose is None or not can_follow(last, pose, time - self.times[track.last]):
                continue
            look = appearance(frame.image, pose)
            alike = NEXT_CLOTHES if look is None or track.look is None else likeness(look, track.look)
            if alike < (NEXT_CLOTHES if track.last == position - 1 else SAME_CLOTHES_SOON):
                continue
            claims.append((alike * (0.5 + similarity(last, pose)), track, pose, look))
        claims.sort(key=lambda claim: -claim[0])
        taken: list[Pose] = []
        for _, track, pose, look in claims:
            if not any(is_same_person(pose, other) for other in taken):
                taken.append(pose)
                track.add(position, pose, look)
        for track in tracks:
            track.active = time - self.times[track.last] <= PATIENCE

    def _search(self, frame: Frame) -> list[Region]:
        """Where people may be, in the part of the image whose turn it is."""
        if frame.time < self._next_search and any(track.active for track in self.tracks):
            return []
        tiles = _tiles(frame.image.shape[1], frame.image.shape[0])
        tile = tiles[self._searched % len(tiles)]
        self._searched += 1
        if self._searched >= len(tiles):
            self._next_search = frame.time + SEARCH_PERIOD / len(tiles)
        return self._estimator.find(frame, tile)

    def _welcome(self, frame: Frame, position: int, region: Region) -> None:
        """Begin, or take up again, the track of the person in a region, unless it is one being followed."""
        seen = [track for track in self.tracks if track.last == position]
        smallest = min(seen, key=lambda track: track.poses[position].region.size, default=None)
        full = len(seen) >= self._max_people
        if full and region.size < MUCH_LARGER * smallest.poses[position].region.size:
            return
        [pose] = self._estimate(frame, [region])
        if pose is None or not is_whole_person(pose):
            return
        if any(is_same_person(pose, track.poses[position]) for track in seen):
            return
        newcomer = Track()
        newcomer.add(position, pose, appearance(frame.image, pose))
        self._follow_back(newcomer, position)
        known = self._known(newcomer, position)
        if known is None:
            self.tracks.append(newcomer)
        else:
            known.join(newcomer)
        if full:
            smallest.active = False

    def _known(self, newcomer: Track, position: int) -> Track | None:
        """The track of a person who was lost and is seen again, if it is clear who."""
        first = min(newcomer.poses)
        best, best_likeness = None, 0.0
        for track in self.tracks:
            if track.last >= first or track.look is None or newcomer.look is None:
                continue
            gap = self.times[first] - self.times[track.last]
            if gap > LONGEST_ABSENCE:
                continue
            alike = likeness(newcomer.look, track.look)
            enough = SAME_CLOTHES_SOON if gap < SOON else SAME_CLOTHES
            if alike > max(best_likeness, enough) and can_follow(track.poses[track.last], newcomer.poses[first], gap):
                best, best_likeness = track, alike
        return best

    def _follow_back(self, track: Track, position: int) -> None:
        for back in range(1, len(self._recent)):
            earlier = position - back
            if earlier in track.poses:
                return
            after, frame = track.poses[earlier + 1], self._recent[-1 - back]
            [pose] = self._estimate(frame, [after.region])
            if pose is None or not can_follow(after, pose, self.times[earlier + 1] - self.times[earlier]):
                return
            others = (other.poses.get(earlier) for other in self.tracks if other is not track)
            if any(other is not None and is_same_person(pose, other) for other in others):
                return
            track.add(earlier, pose, appearance(frame.image, pose))

    def _estimate(self, frame: Frame, regions: list[Region]) -> list[Pose | None]:
        poses = self._estimator.estimate(frame, regions) if regions else []
        return [pose if pose is not None and is_believable(pose) else None for pose in poses]


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

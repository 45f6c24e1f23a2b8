"""Gives each object to the tracker for its shape: balls to the one for balls, all others to another one."""

from __future__ import annotations

from collections.abc import Sequence

from anylift_cli.meshes.balls import ball_of
from anylift_cli.objects.ball import BallTracker
from anylift_cli.objects.base import Footage, ObjectOptions, ObjectTrack, ObjectTracker, Target
from anylift_cli.plugins import load_backend
from anylift_cli.progress import Progress


class ByShape:
    """The default tracker."""

    def __init__(self, options: ObjectOptions) -> None:
        others: ObjectTracker = load_backend("anylift.objects", options.others)(options)
        self._trackers: tuple[ObjectTracker, ObjectTracker] = (others, BallTracker(options))
        self.name = "; balls by ".join(tracker.name for tracker in self._trackers)
        self.reads_tracks = others.reads_tracks

    def track(self, footage: Footage, targets: Sequence[Target], progress: Progress) -> list[ObjectTrack]:
        """See `ObjectTracker.track`."""
        round_ones = [ball_of(target.mesh.vertices, target.mesh.faces) is not None for target in targets]
        tracks: dict[int, ObjectTrack] = {}
        for number, tracker in enumerate(self._trackers):
            mine = [index for index, is_round in enumerate(round_ones) if is_round == bool(number)]
            if mine:
                found = tracker.track(footage, [targets[index] for index in mine], progress)
                tracks |= dict(zip(mine, found, strict=True))
        return [tracks[index] for index in range(len(targets))]

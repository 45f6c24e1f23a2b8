"""Gives each object to the tracker for its shape: balls to the one for balls, all others to Lucas-Kanade."""

from __future__ import annotations

from pathlib import Path

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.meshes.balls import ball_of
from anylift_cli.objects.ball import BallTracker
from anylift_cli.objects.base import ObjectOptions, ObjectTrack, ObjectTracker, Prompts, Target
from anylift_cli.objects.lucas_kanade import LucasKanade
from anylift_cli.progress import Progress


class ByShape:
    """The default tracker."""

    def __init__(self) -> None:
        self._trackers: tuple[ObjectTracker, ObjectTracker] = (LucasKanade(), BallTracker())
        self.name = "; balls by ".join(tracker.name for tracker in self._trackers)

    def track(
        self,
        video: Path,
        targets: list[Target],
        keypoints: KeypointsArtifact,
        cameras: CamerasArtifact,
        prompts: Prompts,
        options: ObjectOptions,
        progress: Progress,
    ) -> list[ObjectTrack]:
        """See `ObjectTracker.track`."""
        round_ones = [ball_of(target.mesh.vertices, target.mesh.faces) is not None for target in targets]
        tracks: dict[int, ObjectTrack] = {}
        for number, tracker in enumerate(self._trackers):
            mine = [index for index, is_round in enumerate(round_ones) if is_round == bool(number)]
            if mine:
                chosen = [targets[index] for index in mine]
                found = tracker.track(video, chosen, keypoints, cameras, prompts, options, progress)
                tracks |= dict(zip(mine, found, strict=True))
        return [tracks[index] for index in range(len(targets))]

"""Follows balls: discs of a ball's own colours, whose size says how far away it is.

A ball has no corner that points could be followed on when it spins, and how it is turned cannot be seen: its
orientation stays what it was in the world. What it looks like is learned where its place is known; then every frame is
searched for discs, and the cheapest path through all of them is the ball's.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.body.skeleton import K
from anylift_cli.errors import UsageError
from anylift_cli.geometry.cameras import project_camera, transform
from anylift_cli.meshes.balls import Ball, ball_of, centre_from_outline, outline
from anylift_cli.objects.base import Footage, ObjectOptions, ObjectTrack, Target
from anylift_cli.objects.colours import Colours
from anylift_cli.objects.disc_paths import best_path
from anylift_cli.objects.discs import Discs, find_discs, fit_disc
from anylift_cli.progress import Progress
from anylift_cli.video import read_frames_at

MAX_SIZE = 1920
_RADIUS = 32.0
"""px: balls are looked at this large at most."""
_OWN, _NEAR_FROM, _NEAR_TO = 0.9, 1.25, 4.0
"""Of the radius: what surely is the ball, and what surrounds it."""
_CALM = 0.1
"""Seconds over which its distance changes evenly."""
_LEAST_WEIGHT = 0.01
"""Of a place that was clicked where nothing speaks for it."""
_UNSURE, _SURE = 0.35, 0.7
"""Scores at which nothing, and at which everything, speaks for a disc."""
_HEAD = tuple(K[name] for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear"))
_HEAD_RADIUS, _OF_A_HEAD = 0.06, 0.6
"""Of the height of the person in the image: how far a head reaches; and what is left of the score of a disc on one,
for heads are round too."""


class BallTracker:
    """Needs no weights; for meshes that are spheres."""

    def __init__(self, options: ObjectOptions) -> None:
        self.name = f"discs of the ball's colours (opencv {cv2.__version__})"
        self.reads_tracks = False

    def track(self, footage: Footage, targets: Sequence[Target], progress: Progress) -> list[ObjectTrack]:
        """See `ObjectTracker.track`.

        Raises:
            UsageError: an object that is no ball.
        """
        video, keypoints = footage.video, footage.keypoints
        scale = min(1.0, MAX_SIZE / int(keypoints.image_size.max()))
        lenses = np.diag([scale, scale, 1.0]) @ footage.cameras.K
        seekers = [_Seeker(target, lenses) for target in targets]
        rows = sorted({anchor.row for target in targets for anchor in target.anchors})
        for row, frame in zip(rows, read_frames_at(video, keypoints.frame_index[rows], MAX_SIZE), strict=True):
            for seeker in seekers:
                seeker.learn(row, frame.image)
        with progress.task("objects: looking for balls", total=len(lenses)) as task:
            for row, frame in enumerate(read_frames_at(video, keypoints.frame_index, MAX_SIZE)):
                heads = _heads(keypoints, row) * scale
                for seeker in seekers:
                    seeker.look(row, frame.image, heads)
                task.advance()
        return [seeker.result(footage.cameras, scale) for seeker in seekers]


class _Seeker:
    """One ball; all in pixels of frames whose intrinsics are `lenses` (T, 3, 3)."""

    def __init__(self, target: Target, lenses: np.ndarray) -> None:
        ball = ball_of(target.mesh.vertices, target.mesh.faces)
        if ball is None:
            raise UsageError(f"'{target.name}' is no ball", "leave out --object-tracker, or give by-shape")
        self._ball: Ball = ball
        self._lenses = lenses
        self._anchors = {anchor.row: anchor.camera_from_object for anchor in target.anchors}
        self._known = {row: _disc_of(pose, ball, lenses[row]) for row, pose in self._anchors.items()}
        self._radius = float(np.median([disc[2] for disc in self._known.values()]))
        self._zoom = min(1.0, _RADIUS / self._radius)
        self._colours = Colours()
        self._frames: list[Discs] = []

    def learn(self, row: int, image: np.ndarray) -> None:
        """Learn what the ball looks like in a frame in which its place is known."""
        if row not in self._known:
            return
        x, y, radius = self._known[row]
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        away = np.hypot(columns + 0.5 - x, rows + 0.5 - y) / radius
        self._colours.learn(image, away < _OWN, (away > _NEAR_FROM) & (away < _NEAR_TO))

    def look(self, row: int, image: np.ndarray, heads: np.ndarray) -> None:
        """Find the discs of the next frame; where the ball's place is known, that one. `heads` (P, 3) are circles."""
        small = cv2.resize(image, None, fx=self._zoom, fy=self._zoom, interpolation=cv2.INTER_AREA)
        likeness = self._colours.likeness(small)
        if row in self._known:
            _, score = fit_disc(likeness, self._known[row] * self._zoom)
            self._frames.append(Discs(self._known[row][None], np.array([score])))
            return
        found = find_discs(likeness, self._radius * self._zoom)
        places = found.places / self._zoom
        off = np.linalg.norm(places[:, None, :2] - heads[:, :2], axis=-1)
        on_head = (off < heads[:, 2]).any(1) & (places[:, None, 2] < 2 * heads[:, 2]).any(1)
        self._frames.append(Discs(places, found.score * np.where(on_head, _OF_A_HEAD, 1.0)))

    def result(self, cameras: CamerasArtifact, scale: float) -> ObjectTrack:
        """The ball's path, with its distance calmed, and its middle and the ends of its axes as points."""
        chosen = best_path(self._frames, cameras.timestamps, dict.fromkeys(self._known, 0))
        frames = len(chosen)
        centres, score = np.full((frames, 3), np.nan), np.zeros(frames)
        for row in np.flatnonzero(chosen >= 0):
            place = self._frames[row].places[chosen[row]]
            centre = centre_from_outline(_ring(place), self._lenses[row], self._ball.radius)
            if centre is not None:
                centres[row], score[row] = centre, self._frames[row].score[chosen[row]]
        centres = _calmed(centres, score, cameras.timestamps)
        poses = self._poses(centres, cameras.world_from_camera)
        points = self._ball.middle + self._ball.radius * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
        pixels = project_camera(transform(poses, points), self._lenses) / scale
        return ObjectTrack(points, pixels, poses, ((score - _UNSURE) / (_SURE - _UNSURE)).clip(0, 1) * (score > 0))

    def _poses(self, centres: np.ndarray, world_from_camera: np.ndarray) -> np.ndarray:
        """`camera_from_object` (T, 4, 4) with an orientation that stays as it was in the last frame it was known in."""
        rows = np.array(sorted(self._anchors))
        poses = np.tile(np.eye(4), (len(centres), 1, 1))
        for row in range(len(centres)):
            anchor = rows[max(int(np.searchsorted(rows, row, "right")) - 1, 0)]
            turn = world_from_camera[row, :3, :3].T @ world_from_camera[anchor, :3, :3]
            poses[row, :3, :3] = turn @ self._anchors[anchor][:3, :3]
        poses[:, :3, 3] = centres - poses[:, :3, :3] @ self._ball.middle
        poses[~np.isfinite(centres).all(1)] = np.nan
        return poses


def _heads(keypoints: KeypointsArtifact, row: int) -> np.ndarray:
    """Circles (P, 3) x px, y px, radius px where people's heads are."""
    heads = []
    for points, confidence in zip(keypoints.keypoints[:, row], keypoints.confidence[:, row], strict=True):
        face = [index for index in _HEAD if confidence[index] > 0]
        if face:
            height = float(np.ptp(points[confidence > 0, 1]))
            heads.append([*points[face].mean(0), _HEAD_RADIUS * height])
    return np.array(heads).reshape(-1, 3)


def _disc_of(pose: np.ndarray, ball: Ball, K: np.ndarray) -> np.ndarray:
    """The circle (x, y, radius) px that a ball at a pose is seen as."""
    rim = outline(K, pose[:3, :3] @ ball.middle + pose[:3, 3], ball.radius)
    return np.append(rim.mean(0), np.linalg.norm(rim - rim.mean(0), axis=1).mean())


def _ring(place: np.ndarray, count: int = 16) -> np.ndarray:
    turn = 2 * np.pi * np.arange(count) / count
    return place[:2] + place[2] * np.stack([np.cos(turn), np.sin(turn)], -1)


def _calmed(centres: np.ndarray, score: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Places (T, 3) before the camera, each with the distance that a line through those around it says.

    A rim that is off by half a pixel is centimetres of distance, but a tenth of that to the side.
    """
    calm = centres.copy()
    known = np.flatnonzero(np.isfinite(centres).all(1))
    distance = np.linalg.norm(centres[known], axis=1)
    for row, away in zip(known, distance, strict=True):
        seconds = times[known] - times[row]
        weight = (score[known] + _LEAST_WEIGHT) ** 2 * np.exp(-0.5 * (seconds / _CALM) ** 2)
        for _ in range(3):
            mean = np.average(seconds, weights=weight)
            level = np.average(np.log(distance), weights=weight)
            spread = np.average((seconds - mean) ** 2, weights=weight)
            slope = np.average((seconds - mean) * np.log(distance), weights=weight) / (spread + _CALM**2 / 20)
            miss = np.log(distance) - level - slope * (seconds - mean)
            weight = weight / (1 + (miss / 0.05) ** 2)
        calm[row] *= np.exp(level - slope * mean) / away
    return calm

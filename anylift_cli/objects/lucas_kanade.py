"""Follows corners on an object by pyramidal Lucas-Kanade, held together by the pose that they all must agree with.

A corner found where the mesh is seen has a place on the mesh. Corners are followed from frame to frame and back; those
that do not return, or do not fit the pose of the others, are given up. Where too few are left on what is seen of the
object, new ones are taken. An object that is lost is looked for by the features of its earlier views.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.body.skeleton import K as POINT
from anylift_cli.meshes.reading import Mesh
from anylift_cli.meshes.surface import cast, spread
from anylift_cli.objects.base import Footage, ObjectOptions, ObjectTrack, Target
from anylift_cli.objects.features import Recogniser
from anylift_cli.objects.patches import Still, settled
from anylift_cli.objects.pnp import PointPose, pose_from_points
from anylift_cli.objects.track_poses import LEAST_INLIERS, enough, track_confidence
from anylift_cli.progress import Progress
from anylift_cli.rendering.silhouette import silhouette
from anylift_cli.video import read_frames_at

MAX_SIZE = 1920
LK = {
    "winSize": (15, 15),
    "maxLevel": 3,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.005),
}
_ROUND_TRIP = 0.7
_TOLERANCE = 2.5
"""px by which a followed corner may be off the pose of the others."""
_RENEW_BELOW = 0.6
"""Share of the corners wanted below which new ones are looked for."""
_NEW_VIEW = np.cos(np.radians(20.0))
_MOST_TRACKS = 400
_LOOK_EVERY = 3
"""Frames between two looks for a lost object."""
_ARM = 0.06
"""Half the width of a forearm as a share of the height of the person in the image."""


class LucasKanade:
    """Needs no weights; for whatever has texture."""

    def __init__(self, options: ObjectOptions) -> None:
        self._wanted = options.points
        self.name = f"lucas-kanade (opencv {cv2.__version__})"
        self.reads_tracks = False

    def track(self, footage: Footage, targets: Sequence[Target], progress: Progress) -> list[ObjectTrack]:
        """See `ObjectTracker.track`."""
        video, keypoints = footage.video, footage.keypoints
        scale = min(1.0, MAX_SIZE / int(keypoints.image_size.max()))
        K = np.diag([scale, scale, 1.0]) @ footage.cameras.K
        followers = [_Follower(target, len(K), self._wanted) for target in targets]
        rows = sorted({anchor.row for target in targets for anchor in target.anchors})
        for row, frame in zip(rows, read_frames_at(video, keypoints.frame_index[rows], MAX_SIZE), strict=True):
            grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
            free = _without_arms(grey.shape, keypoints, row, scale)
            for follower in followers:
                follower.study(row, grey, free, K[row])
        with progress.task("objects: following points", total=len(K)) as task:
            for row, frame in enumerate(read_frames_at(video, keypoints.frame_index, MAX_SIZE)):
                grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
                free = _without_arms(grey.shape, keypoints, row, scale)
                for follower in followers:
                    follower.step(row, grey, free, K[row])
                task.advance()
        return [follower.result(scale) for follower in followers]


class _Follower:
    """One object."""

    def __init__(self, target: Target, frames: int, wanted: int) -> None:
        self._mesh: Mesh = target.mesh
        self._anchors = {anchor.row: anchor.camera_from_object for anchor in target.anchors}
        self._wanted = wanted
        self._recogniser = Recogniser()
        self._views: list[np.ndarray] = []
        self._pose: np.ndarray | None = None
        self._previous: np.ndarray | None = None
        self._points3d = np.zeros((0, 3))
        self._places = np.zeros((0, 2), np.float32)
        self._numbers = np.zeros(0, int)
        self._known: list[np.ndarray] = []
        self._outward = np.zeros((0, 3))
        self._taken = np.zeros(0, int)
        self._stills: dict[int, Still] = {}
        self._sightings: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._poses = np.full((frames, 4, 4), np.nan)
        self._confidence = np.zeros(frames)

    def study(self, row: int, grey: np.ndarray, free: np.ndarray, K: np.ndarray) -> None:
        """Learn what the object looks like in a frame in which its place is known."""
        if row in self._anchors:
            pose = self._anchors[row]
            self._recogniser.learn(grey, self._shown(grey, free, pose, K), self._mesh, pose, K)
            self._views.append(pose)

    def step(self, row: int, grey: np.ndarray, free: np.ndarray, K: np.ndarray) -> None:
        """Follow the object into the next frame."""
        if row in self._anchors:
            self._forget()
            found = PointPose(self._anchors[row], np.ones(0, bool), 0.0)
        elif self._pose is not None:
            found = self._follow(grey, K)
        else:
            looked = row % _LOOK_EVERY == 0
            found = self._recogniser.find(grey, K, _TOLERANCE) if looked else None
            self._forget()
        self._pose = None if found is None else found.camera_from_object
        if found is not None:
            self._poses[row] = found.camera_from_object
            if len(self._points3d) < _RENEW_BELOW * self._wanted:
                self._renew(row, grey, free, K)
            self._confidence[row] = track_confidence(len(self._points3d), found.error)
            self._sightings.append((row, self._numbers.copy(), self._places + 0.5))
        self._previous = grey

    def result(self, scale: float) -> ObjectTrack:
        """The longest tracks, in pixels of the whole image."""
        frames, count = len(self._poses), sum(map(len, self._known))
        points3d = np.concatenate([np.zeros((0, 3)), *self._known])
        lengths = np.zeros(count, int)
        for _, numbers, _ in self._sightings:
            lengths[numbers] += 1
        kept = np.sort(np.argsort(-lengths, kind="stable")[:_MOST_TRACKS])
        kept = kept[lengths[kept] > 1]
        column = np.full(count, -1)
        column[kept] = np.arange(len(kept))
        points2d = np.full((frames, len(kept), 2), np.nan)
        for row, numbers, places in self._sightings:
            chosen = column[numbers] >= 0
            points2d[row, column[numbers[chosen]]] = places[chosen] / scale
        return ObjectTrack(points3d[kept], points2d, self._poses, self._confidence)

    def _follow(self, grey: np.ndarray, K: np.ndarray) -> PointPose | None:
        if len(self._places) < LEAST_INLIERS:
            return None
        there, ok, _ = cv2.calcOpticalFlowPyrLK(self._previous, grey, self._places, None, **LK)
        back, back_ok, _ = cv2.calcOpticalFlowPyrLK(grey, self._previous, there, None, **LK)
        height, width = grey.shape
        good = (ok[:, 0] > 0) & (back_ok[:, 0] > 0) & (np.linalg.norm(back - self._places, axis=1) < _ROUND_TRIP)
        good &= ((there >= 1) & (there < (width - 2, height - 2))).all(1)
        followed = int(good.sum())
        if followed < LEAST_INLIERS:
            return None
        found = pose_from_points(
            self._points3d[good], (there[good] + 0.5).astype(np.float64), K, near=self._pose, tolerance=_TOLERANCE
        )
        if found is None or not enough(found, followed):
            return None
        self._keep(np.flatnonzero(good)[found.inliers], there)
        self._drop_hidden(found.camera_from_object)
        return self._settle(grey, K, found)

    def _settle(self, grey: np.ndarray, K: np.ndarray, found: PointPose) -> PointPose:
        """The pose by what the points looked like when they were taken, which does not slip; as found where few do."""
        places = np.full((len(self._taken), 2), np.nan)
        for row in np.unique(self._taken):
            own = self._taken == row
            around = self._points3d[own], self._outward[own]
            places[own] = settled(self._stills[row], *around, grey, found.camera_from_object, K)
        known = np.flatnonzero(np.isfinite(places).all(1))
        if len(known) < max(LEAST_INLIERS, len(places) / 2):
            return found
        better = pose_from_points(
            self._points3d[known], places[known], K, near=found.camera_from_object, tolerance=_TOLERANCE
        )
        if better is None or not enough(better, len(known)):
            return found
        self._keep(known[better.inliers], np.float32(places - 0.5))
        return better

    def _keep(self, chosen: np.ndarray, places: np.ndarray) -> None:
        self._points3d, self._numbers = self._points3d[chosen], self._numbers[chosen]
        self._outward, self._taken = self._outward[chosen], self._taken[chosen]
        self._places = np.ascontiguousarray(places[chosen])

    def _drop_hidden(self, pose: np.ndarray) -> None:
        """Give up points whose side of the object has turned away."""
        sight = self._points3d @ pose[:3, :3].T + pose[:3, 3]
        sight = sight / np.linalg.norm(sight, axis=1, keepdims=True)
        facing = -(sight * (self._outward @ pose[:3, :3].T)).sum(1)
        self._keep(np.flatnonzero(facing > np.cos(np.radians(82.0))), self._places)

    def _forget(self) -> None:
        self._keep(np.zeros(0, int), self._places)

    def _shown(self, grey: np.ndarray, free: np.ndarray, pose: np.ndarray, K: np.ndarray) -> np.ndarray:
        """Where the object is to be seen, clear of its outline and of arms."""
        mask = silhouette(self._mesh.vertices, self._mesh.faces, pose, K, grey.shape[::-1])
        return cv2.erode(mask, np.ones((5, 5), np.uint8)) & free

    def _renew(self, row: int, grey: np.ndarray, free: np.ndarray, K: np.ndarray) -> None:
        """Take new corners where there are none."""
        shown = self._shown(grey, free, self._pose, K)
        for x, y in self._places:
            cv2.circle(shown, (round(float(x)), round(float(y))), 4, 0, cv2.FILLED)
        corners = cv2.goodFeaturesToTrack(grey, 4 * self._wanted, 0.005, 4, mask=shown, blockSize=3)
        if corners is None:
            return
        corners = cv2.cornerSubPix(
            grey, corners, (3, 3), (-1, -1), (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01)
        )[:, 0]
        points, faces = cast(self._mesh.vertices, self._mesh.faces, self._pose, K, corners.astype(np.float64) + 0.5)
        hit = np.flatnonzero(faces >= 0)
        hit = hit[spread(points[hit], self._wanted - len(self._points3d))]
        if not len(hit):
            return
        count = sum(map(len, self._known))
        self._known.append(points[hit])
        outward = _towards(self._mesh, faces[hit], points[hit], self._pose)
        self._outward = np.concatenate([self._outward, outward])
        self._stills = {taken: still for taken, still in self._stills.items() if taken in self._taken}
        self._stills[row] = Still.around(grey, corners[hit] + 0.5, self._pose, K)
        self._taken = np.concatenate([self._taken, np.full(len(hit), row)])
        self._points3d = np.concatenate([self._points3d, points[hit]])
        self._places = np.ascontiguousarray(np.concatenate([self._places, corners[hit]]))
        self._numbers = np.concatenate([self._numbers, count + np.arange(len(hit))])
        if all(_direction(self._pose) @ _direction(view) < _NEW_VIEW for view in self._views):
            self._recogniser.learn(grey, shown, self._mesh, self._pose, K)
            self._views.append(self._pose)


def _direction(pose: np.ndarray) -> np.ndarray:
    """From the object to the camera, in the object's axes (3,)."""
    towards = -pose[:3, :3].T @ pose[:3, 3]
    return towards / np.linalg.norm(towards)


def _towards(mesh: Mesh, faces: np.ndarray, points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) of faces, on the side that the camera sees."""
    a, b, c = (mesh.vertices[mesh.faces[faces, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
    sight = points + pose[:3, :3].T @ pose[:3, 3]
    return np.where((sight * normal).sum(1, keepdims=True) > 0, -normal, normal)


def _without_arms(shape: tuple[int, int], keypoints: KeypointsArtifact, row: int, scale: float) -> np.ndarray:
    """uint8 mask: 0 where forearms and hands are, which move on their own, 255 elsewhere."""
    free = np.full(shape, 255, np.uint8)
    for points, confidence in zip(keypoints.keypoints[:, row], keypoints.confidence[:, row], strict=True):
        seen = points[confidence > 0]
        if len(seen) < 2:
            continue
        width = max(3, round(2 * _ARM * float(np.ptp(seen[:, 1])) * scale))
        for side in ("left", "right"):
            elbow, wrist = (points[POINT[f"{side}_{joint}"]] * scale for joint in ("elbow", "wrist"))
            if np.isfinite(elbow).all() and np.isfinite(wrist).all():
                hand = wrist + 0.4 * (wrist - elbow)
                ends = [tuple(int(v) for v in np.round(p).clip(-1e5, 1e5)) for p in (elbow, hand)]
                cv2.line(free, *ends, 0, width)
    return free

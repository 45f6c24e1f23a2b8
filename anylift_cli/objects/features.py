"""Points on an object that can be recognised later: SIFT features with their places on the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anylift_cli.meshes.reading import Mesh
from anylift_cli.meshes.surface import cast
from anylift_cli.objects.pnp import PointPose, pose_from_points

_FEATURES = 1500
_RATIO = 0.8
_LEAST = 8


@dataclass(frozen=True)
class View:
    """One sight of an object: `points3d` (N, 3) m and `descriptors` (N, 128)."""

    points3d: np.ndarray
    descriptors: np.ndarray


class Recogniser:
    """Finds an object again by features of its earlier views."""

    def __init__(self) -> None:
        self._sift = cv2.SIFT_create(nfeatures=_FEATURES, contrastThreshold=0.02)
        self._matcher = cv2.BFMatcher(cv2.NORM_L2)
        self.views: list[View] = []

    def learn(self, grey: np.ndarray, shown: np.ndarray, mesh: Mesh, pose: np.ndarray, K: np.ndarray) -> None:
        """Remember what the object looks like in an image, where `shown` (height, width) uint8 is not 0."""
        found, descriptors = self._sift.detectAndCompute(grey, shown)
        if descriptors is None:
            return
        pixels = np.array([one.pt for one in found]) + 0.5
        points, _ = cast(mesh.vertices, mesh.faces, pose, K, pixels)
        hit = np.isfinite(points).all(1)
        if hit.sum() >= _LEAST:
            self.views.append(View(points[hit], descriptors[hit]))

    def find(self, grey: np.ndarray, K: np.ndarray, tolerance: float) -> PointPose | None:
        """Where the object is in an image, by the view that most features agree with; None where too few do."""
        found, descriptors = self._sift.detectAndCompute(grey, None)
        if descriptors is None or not self.views:
            return None
        pixels = np.array([one.pt for one in found]) + 0.5
        poses = [self._by_view(view, pixels, descriptors, K, tolerance) for view in self.views]
        known = [pose for pose in poses if pose is not None]
        return max(known, key=lambda pose: int(pose.inliers.sum()), default=None)

    def _by_view(
        self, view: View, pixels: np.ndarray, descriptors: np.ndarray, K: np.ndarray, tolerance: float
    ) -> PointPose | None:
        pairs = [
            pair[0]
            for pair in self._matcher.knnMatch(view.descriptors, descriptors, k=2)
            if len(pair) == 2 and pair[0].distance < _RATIO * pair[1].distance
        ]
        if len(pairs) < _LEAST:
            return None
        points = view.points3d[[pair.queryIdx for pair in pairs]]
        pose = pose_from_points(points, pixels[[pair.trainIdx for pair in pairs]], K, tolerance=tolerance)
        return pose if pose is not None and pose.inliers.sum() >= _LEAST else None

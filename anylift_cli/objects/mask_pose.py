"""Where an object is whose outline is known: the pose of the mesh that fills a mask best (ALGORITHM 5, after P C.2)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.meshes.surface import sampled
from anylift_cli.objects.base import Anchor

_SIDE = 96
"""Pixels of the square in which outlines are compared."""
_STARTS, _BEST = 400, 6
_LEAST_PIXELS = 60
_GOOD = 0.75


def anchor_from_mask(path: Path, mesh_vertices: np.ndarray, faces: np.ndarray, K: np.ndarray) -> Anchor:
    """The pose in the first frame whose outline overlaps most with a mask.

    An outline does not tell front from back: symmetric objects get one of their poses.

    Args:
        path: image of the size of the video's frames, bright where the object is.
        mesh_vertices, faces: (V, 3) m, (F, 3).
        K: (3, 3) px.

    Raises:
        AnyliftError: the image cannot be read.
        UsageError: an empty mask, or one that no pose fills.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise AnyliftError(f"{path} cannot be read as an image", "give a .png of the size of the video")
    expected = tuple(round(2 * float(side)) for side in K[:2, 2])
    if abs(image.shape[1] - expected[0]) > 1 or abs(image.shape[0] - expected[1]) > 1:
        raise UsageError(
            f"the mask {path} has {image.shape[1]}x{image.shape[0]} pixels, the video {expected[0]}x{expected[1]}",
            "make a mask of the video's own size",
        )
    mask = image > 127
    if mask.sum() < _LEAST_PIXELS:
        raise UsageError(f"the mask {path} marks {int(mask.sum())} pixels", "mark the object in white on black")
    pose, overlap = pose_from_mask(mask, mesh_vertices, faces, K)
    if overlap < _GOOD:
        raise UsageError(
            f"no pose of the mesh fills the mask {path}: the best one overlaps by {overlap:.0%}",
            "mark the whole object, use a first frame in which nothing hides it, or click points with --points",
        )
    return Anchor(0, pose)


def pose_from_mask(
    mask: np.ndarray, vertices: np.ndarray, faces: np.ndarray, K: np.ndarray
) -> tuple[np.ndarray, float]:
    """`camera_from_object` (4, 4) and the overlap (intersection over union) of the best pose found."""
    rows, columns = np.nonzero(mask)
    low = np.array([columns.min(), rows.min()], float)
    size = max(np.ptp(columns), np.ptp(rows)) + 1.0
    margin = 0.25 * size
    zoom = _SIDE / (size + 2 * margin)
    window = np.array([[zoom, 0, -zoom * (low[0] - margin)], [0, zoom, -zoom * (low[1] - margin)]])
    small = cv2.warpAffine(mask.astype(np.float32), window, (_SIDE, _SIDE), flags=cv2.INTER_AREA) > 0.5
    near = np.diag([1.0, 1.0, 1.0])
    near[:2] = window
    seen_by = near @ K
    middle = (vertices.min(0) + vertices.max(0)) / 2
    cloud = sampled(vertices - middle, faces, 2500)
    target = np.array([small.nonzero()[1].mean() + 0.5, small.nonzero()[0].mean() + 0.5])
    ray = np.linalg.solve(seen_by, np.append(target, 1.0))

    def placed(turn: Rotation, log_depth: float, side: np.ndarray) -> np.ndarray:
        pose = np.eye(4)
        pose[:3, :3] = turn.as_matrix()
        pose[:3, 3] = (ray + np.append(side, 0)) * np.exp(log_depth)
        return pose

    def overlap(pose: np.ndarray) -> float:
        outline = _outline(cloud @ pose[:3, :3].T + pose[:3, 3], seen_by)
        return float((outline & small).sum() / max((outline | small).sum(), 1))

    found = []
    for turn in Rotation.random(_STARTS, random_state=0):
        depth = np.log(np.linalg.norm(cloud, axis=1).max() * seen_by[0, 0] / (_SIDE / 3))
        for _ in range(2):
            outline = _outline(cloud @ turn.as_matrix().T + ray * np.exp(depth), seen_by)
            depth += 0.5 * np.log(max(outline.sum(), 1) / small.sum())
        found.append((overlap(placed(turn, depth, np.zeros(2))), turn, depth))
    found.sort(key=lambda one: -one[0])
    best = (0.0, np.eye(4))
    for _, turn, depth in found[:_BEST]:

        def miss(x: np.ndarray, turn: Rotation = turn, depth: float = depth) -> float:
            return -overlap(placed(Rotation.from_rotvec(x[:3]) * turn, depth + x[3], x[4:]))

        steps = np.vstack([np.zeros(6), np.diag([0.25, 0.25, 0.25, 0.05, 0.01, 0.01])])
        options = {"maxfev": 400, "initial_simplex": steps, "xatol": 1e-3, "fatol": 1e-4}
        result = minimize(miss, np.zeros(6), method="Nelder-Mead", options=options)
        pose = placed(Rotation.from_rotvec(result.x[:3]) * turn, depth + result.x[3], result.x[4:])
        best = max(best, (-float(result.fun), pose), key=lambda one: one[0])
    overlap_found, pose = best
    pose[:3, 3] -= pose[:3, :3] @ middle
    return pose, overlap_found


def _outline(cloud: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Mask of a cloud of surface points in the camera, gaps closed."""
    pixels = cloud @ K.T
    x, y = (pixels[:, i] / pixels[:, 2].clip(1e-3) for i in (0, 1))
    inside = (x >= 0) & (x < _SIDE) & (y >= 0) & (y < _SIDE)
    image = np.zeros((_SIDE, _SIDE), np.uint8)
    image[y[inside].astype(int), x[inside].astype(int)] = 1
    return cv2.morphologyEx(image, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0

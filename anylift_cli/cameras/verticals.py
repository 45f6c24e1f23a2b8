"""Which way is up by the upright edges of buildings and furniture: they meet in the vertical's vanishing point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.geometry.cameras import rays
from anylift_cli.video import read_frames_at

UPRIGHT_EDGES = "upright edges"
UNSURE = ("assumed", "camera x axes")
"""Sources of the vertical that edges know better."""
_PICTURES, _FRAMES = 5, 300
"""So many pictures are looked at, of so many frames: a video's first seconds show what stands in it."""

_LONG_SIDE = 960
_SHORTEST = 0.04
"""Of the image's longer side, of an edge that counts."""
_STEEP = np.radians(35)
"""Edges farther from the image's own vertical are none of upright things."""
_NOISE = np.radians(0.7)
"""Standard deviation of an edge's direction."""
_AGREE = 2.0 * _NOISE
_PITCH, _ROLL = np.radians(np.arange(-50, 50.1, 0.5)), np.radians(np.arange(-10, 10.1, 0.5))
_PRIOR = np.radians([25.0, 5.0])
"""Standard deviations of pitch and roll of cameras that people hold or put up."""
_ENOUGH = 1.2
"""Total length of the edges that agree, in heights of the image, per image."""
_SHARE = 0.45
"""Of the length of all steep edges, that must agree."""
_CERTAIN = np.radians(2.5)
"""Largest standard deviation of the pitch."""


@dataclass(frozen=True)
class Edges:
    """Steep edges: unit rays to their middles (N, 3), unit normals of the planes of their rays (N, 3), both in the
    world's axes, and lengths (N,) in heights of the image."""

    middle: np.ndarray
    normal: np.ndarray
    length: np.ndarray


@dataclass(frozen=True)
class Vertical:
    """Up (3,) in the world; standard deviation of its pitch, radians; length of the edges it rests on, in heights of
    the image, per image."""

    up: np.ndarray
    deviation: float
    support: float


def with_vertical(video: Path, keypoints: KeypointsArtifact, cameras: CamerasArtifact) -> CamerasArtifact:
    """Cameras whose vertical is only assumed, with the one that upright edges in the video show, if they do.

    Raises:
        AnyliftError: the video cannot be read.
    """
    if cameras.meta.get("up_source") not in UNSURE:
        return cameras
    rows = np.unique(np.linspace(0, min(len(keypoints.frame_index), _FRAMES) - 1, _PICTURES).round().astype(int))
    rotations = cameras.world_from_camera[:, :3, :3]
    pictures = []
    for row, frame in zip(rows, read_frames_at(video, keypoints.frame_index[rows], max_size=_LONG_SIDE), strict=True):
        scale = frame.image.shape[1] / cameras.image_size[0]
        K = np.diag([scale, scale, 1.0]) @ cameras.K[row]
        boxes = [box * scale for box in keypoints.boxes[:, row] if np.isfinite(box).all()]
        pictures.append(steep_edges(frame.image, K, rotations[row], boxes))
    vertical = find_vertical(pictures, rotations[rows[len(rows) // 2]])
    if vertical is None:
        return cameras
    figures = {
        **cameras.meta.get("figures", {}),
        "upright_edges_heights": vertical.support,
        "pitch_deviation_deg": float(np.degrees(vertical.deviation)),
    }
    return replace(cameras, up=vertical.up, meta={**cameras.meta, "up_source": UPRIGHT_EDGES, "figures": figures})


def steep_edges(image: np.ndarray, K: np.ndarray, rotation: np.ndarray, hidden: Sequence[np.ndarray] = ()) -> Edges:
    """Straight edges of an RGB image that are roughly upright in it.

    Args:
        K: (3, 3) intrinsics of this very image.
        rotation: (3, 3) world-from-camera.
        hidden: boxes (4,) x0, y0, x1, y1 in pixels whose edges do not count: people.
    """
    height, width = image.shape[:2]
    found = cv2.createLineSegmentDetector().detect(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]
    ends = (np.zeros((0, 4)) if found is None else found[:, 0].astype(np.float64)).reshape(-1, 2, 2)
    along = ends[:, 1] - ends[:, 0]
    length, middle = np.linalg.norm(along, axis=-1), ends.mean(1)
    chosen = (length > _SHORTEST * max(height, width)) & (np.abs(along[:, 0]) < np.tan(_STEEP) * np.abs(along[:, 1]))
    for x0, y0, x1, y1 in hidden:
        chosen &= ~((middle[:, 0] > x0) & (middle[:, 0] < x1) & (middle[:, 1] > y0) & (middle[:, 1] < y1))
    directions = rays(ends[chosen], K)
    directions = _unit(np.concatenate([directions, np.ones((*directions.shape[:2], 1))], -1)) @ rotation.T
    normal = _unit(np.cross(directions[:, 0], directions[:, 1]))
    return Edges(_unit(directions.sum(1)), normal, length[chosen] / height)


def find_vertical(pictures: Sequence[Edges], rotation: np.ndarray) -> Vertical | None:
    """The direction that most steep edges share, None where too few do.

    Args:
        pictures: edges of each picture.
        rotation: (3, 3) world-from-camera of a camera in their middle, to which pitch and roll belong.
    """
    middle = np.concatenate([edges.middle for edges in pictures])
    normal = np.concatenate([edges.normal for edges in pictures])
    length = np.concatenate([edges.length for edges in pictures])
    total = length.sum()
    if total < _ENOUGH * len(pictures):
        return None

    def miss(tilts: np.ndarray) -> np.ndarray:
        """Angles (C, N) between edges and the vertical's image at their middles."""
        up = _tilted(tilts) @ rotation.T
        sine = (up @ normal.T) / np.linalg.norm(np.cross(middle[None], up[:, None]), axis=-1).clip(1e-6)
        return np.arcsin(sine.clip(-1, 1))

    grid = np.stack(np.meshgrid(_PITCH, _ROLL, indexing="ij"), -1).reshape(-1, 2)
    score = np.concatenate([_agreement(miss(part)) @ length for part in np.array_split(grid, 64)])
    best = grid[np.argmax(score * np.exp(-0.5 * np.square(grid / _PRIOR).sum(-1)))]
    for _ in range(5):
        weight = length * _agreement(miss(best[None])[0])
        steps = best + 1e-4 * np.eye(2)
        jacobian = (miss(steps) - miss(best[None])).T / 1e-4
        information = (jacobian.T * weight) @ jacobian
        best = best - np.linalg.solve(information + 1e-6 * np.eye(2), (jacobian.T * weight) @ miss(best[None])[0])
    agree = np.abs(miss(best[None])[0]) < _AGREE
    support, share = length[agree].sum() / len(pictures), length[agree].sum() / total
    number = agree.sum() / len(pictures) * weight / weight.sum()
    covariance = _NOISE**2 * np.linalg.inv((jacobian.T * number) @ jacobian + 1e-9 * np.eye(2))
    deviation = float(np.sqrt(covariance[0, 0]))
    if support < _ENOUGH or share < _SHARE or deviation > _CERTAIN:
        return None
    return Vertical((_tilted(best[None]) @ rotation.T)[0], deviation, float(support))


def _agreement(miss: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * np.square(miss / _NOISE))


def _tilted(tilts: np.ndarray) -> np.ndarray:
    """Up (C, 3) in the axes of a camera that looks down by the pitch and leans right by the roll of (C, 2)."""
    pitch, roll = tilts.T
    return np.stack([-np.cos(pitch) * np.sin(roll), -np.cos(pitch) * np.cos(roll), -np.sin(pitch)], -1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-12)

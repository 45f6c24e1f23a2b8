"""Similarities between two paths of the same camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Similarity:
    """Takes a point x of one world to another: scale · rotation · x + translation; rotation (3, 3)."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def of_poses(self, world_from_camera: np.ndarray) -> np.ndarray:
        """Camera poses (..., 4, 4) in the other world; they stay rigid."""
        moved = world_from_camera.copy()
        moved[..., :3, :3] = self.rotation @ world_from_camera[..., :3, :3]
        moved[..., :3, 3] = self.scale * world_from_camera[..., :3, 3] @ self.rotation.T + self.translation
        return moved


def similarity_of_paths(target: np.ndarray, source: np.ndarray, scale: float | None = None) -> Similarity:
    """The similarity that takes `source` to `target` with the least squared error.

    The rotation is that of the orientations alone, which it is known from even where the camera stays in place or goes
    straight on; scale and translation are those of the places.

    Args:
        target, source: (N, 4, 4) `world_from_camera` at the same moments, in two worlds.
        scale: known scale; None to find it, which needs a camera that moves.
    """
    rotation = Rotation.from_matrix(target[:, :3, :3] @ source[:, :3, :3].swapaxes(1, 2)).mean().as_matrix()
    places, turned = target[:, :3, 3], source[:, :3, 3] @ rotation.T
    if scale is None:
        centred, turned_centred = places - places.mean(0), turned - turned.mean(0)
        scale = float((centred * turned_centred).sum() / (turned_centred**2).sum())
    return Similarity(scale, rotation, (places - scale * turned).mean(0))

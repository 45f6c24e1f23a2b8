"""Which meshes are balls, and where a ball is whose outline is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anylift_cli.geometry.cameras import project_camera
from anylift_cli.meshes.surface import sampled

LEAST_OUTLINE = 3
"""Points of an outline that fix a ball of known radius."""
_SAMPLES = 1000
_OFF = 0.07
"""Of the radius: how far the surface may be from a sphere. A football's panels are 3 % off, a cube's sides 40 %."""
_LOPSIDED = 0.2
"""Length of the mean direction of the surface: 0 for a ball, 0.5 for a bowl."""


@dataclass(frozen=True)
class Ball:
    """A sphere in a mesh's axes: `middle` (3,) m, `radius` m."""

    middle: np.ndarray
    radius: float


def ball_of(vertices: np.ndarray, faces: np.ndarray) -> Ball | None:
    """The ball that a mesh is, or None. A small hole does not matter, half a ball is none.

    Args:
        vertices, faces: (V, 3) m, (F, 3).
    """
    surface = sampled(vertices, faces, _SAMPLES)
    shift = surface.mean(0)
    system = np.concatenate([2 * (surface - shift), np.ones((_SAMPLES, 1))], 1)
    solved = np.linalg.lstsq(system, ((surface - shift) ** 2).sum(1), rcond=None)[0]
    middle, square = solved[:3] + shift, float(solved[3] + solved[:3] @ solved[:3])
    if square <= 0:
        return None
    away = surface - middle
    distance = np.linalg.norm(away, axis=1)
    off = np.quantile(np.abs(distance / np.sqrt(square) - 1), 0.98)
    lopsided = np.linalg.norm((away / np.maximum(distance, 1e-12)[:, None]).mean(0))
    return Ball(middle, float(np.sqrt(square))) if off < _OFF and lopsided < _LOPSIDED else None


def centre_from_outline(pixels: np.ndarray, K: np.ndarray, radius: float) -> np.ndarray | None:
    """Where the middle of a ball is before the camera (3,) m, by points of its outline; None where no ball fits.

    Lines of sight that touch a ball lie on a cone: the cosine between each and the cone's axis is the same, which is
    linear in the axis divided by it.

    Args:
        pixels: (N, 2), three or more.
        K: (3, 3) px.
        radius: m.
    """
    sight = _sight(pixels, K)
    axis, _, rank, _ = np.linalg.lstsq(sight, np.ones(len(sight)), rcond=1e-9)
    length = float(np.linalg.norm(axis))
    if rank < 3 or length <= 1 + 1e-9 or axis[2] <= 0:
        return None
    return axis / length * radius / np.sqrt(1 - 1 / length**2)


def outline_miss(pixels: np.ndarray, K: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """How far points (N, 2) px are from the outline of a ball at `centre` (3,) m: (N,) px, negative inside."""
    distance = float(np.linalg.norm(centre))
    angle = np.arccos((_sight(pixels, K) @ (centre / distance)).clip(-1, 1))
    return (angle - np.arcsin(min(radius / distance, 1.0))) * K[0, 0]


def outline(K: np.ndarray, centre: np.ndarray, radius: float, count: int = 48) -> np.ndarray:
    """Points (count, 2) px of the outline of a ball that lies before the camera."""
    distance = float(np.linalg.norm(centre))
    axis = centre / distance
    side = np.cross(axis, [0.0, 1.0, 0.0] if abs(axis[1]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    turn = 2 * np.pi * np.arange(count)[:, None] / count
    sine = min(radius / distance, 1.0)
    rim = np.cos(turn) * side + np.sin(turn) * np.cross(axis, side)
    return project_camera(np.sqrt(1 - sine**2) * axis + sine * rim, K)


def _sight(pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Unit vectors (N, 3) of lines of sight."""
    rays = np.concatenate([(pixels - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(pixels), 1))], 1)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)

"""Cameras that film a person: on a tripod, panning, zooming, travelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from anylift_cli.geometry.cameras import intrinsics_matrix, look_at, project
from anylift_cli.synthetic.footsteps import ease

PERSON_HEIGHT = 1.75
MARGIN = 0.03
"""Share of the image that stays free between the person and the border."""


@dataclass(frozen=True)
class Shot:
    """What a camera path may depend on.

    Attributes:
        time: (T,) seconds.
        joints: (T, J, 3) metres, the person.
        size: width, height, pixels.
        azimuth: radians, direction from the person to the camera.
        elevation: metres, height of the camera.
        focal: in image widths.
        fill: share of the image height that a standing person takes.
    """

    time: np.ndarray
    joints: np.ndarray
    size: tuple[int, int]
    azimuth: float
    elevation: float
    focal: float
    fill: float

    @property
    def share(self) -> np.ndarray:
        """(T,) 0..1 through the shot."""
        return (self.time - self.time[0]) / (self.time[-1] - self.time[0])

    @property
    def distance(self) -> float:
        """At which a standing person fills `fill`, metres."""
        return self.focal * self.size[0] * PERSON_HEIGHT / (self.fill * self.size[1])

    def follow(self, seconds: float) -> np.ndarray:
        """Middle of the person's extent (T, 3), smoothed over `seconds`."""
        middle = (self.joints.min(1) + self.joints.max(1)) / 2
        middle[:, 2] = 0.5 * middle[:, 2] + 0.42
        step = self.time[1] - self.time[0]
        return gaussian_filter1d(middle, seconds / step, axis=0, mode="nearest")

    def middle(self) -> np.ndarray:
        """Middle of everything the person does (3,)."""
        flat = self.joints.reshape(-1, 3)
        return np.array([*(flat.min(0) + flat.max(0))[:2] / 2, 0.88])

    def seat(self, distance: float, turn: np.ndarray | float = 0.0) -> np.ndarray:
        """Offset (..., 3) from a point on the floor to the camera, at `azimuth` + `turn`."""
        angle = self.azimuth + np.asarray(turn, float)
        height = np.broadcast_to(self.elevation, angle.shape)
        return np.stack([distance * np.cos(angle), distance * np.sin(angle), height], -1)


Path = Callable[[Shot, float], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""(shot, distance) → positions (T, 3), points looked at (T, 3), focal (T,) in widths."""


def still(shot: Shot, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tripod that nobody touches."""
    ones = np.ones((len(shot.time), 1))
    target = shot.middle()
    return ones * (target * [1, 1, 0] + shot.seat(distance)), ones * target, ones[:, 0] * shot.focal


def pan(shot: Shot, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tripod whose head follows the person, late and not quite."""
    position, _, focal = still(shot, distance)
    drift = 0.12 * np.sin(2 * np.pi * shot.time / 3.7)[:, None] * [0, 0, 1]
    return position, shot.follow(0.3) + drift, focal


def zoom(shot: Shot, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tripod that zooms in by half, and pans a little."""
    position, target, focal = still(shot, distance)
    follow = 0.5 * target + 0.5 * shot.follow(0.6)
    across = np.array([-np.sin(shot.azimuth), np.cos(shot.azimuth), 0.1])
    sweep = 0.35 * np.sin(2 * np.pi * shot.time / 5.3)[:, None] * across
    return position, follow + sweep, focal * (0.80 + 0.38 * ease(shot.share * 1.1 - 0.05))


def dolly(shot: Shot, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A slider: along a straight line past the person, turning to keep them in view."""
    across = np.array([-np.sin(shot.azimuth), np.cos(shot.azimuth), 0.0])
    position, _, focal = still(shot, distance)
    travel = (2.4 * ease(shot.share) - 1.2)[:, None] * across
    return position + travel, shot.follow(0.35), focal


def orbit(shot: Shot, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An arc of 55° around the person."""
    follow = shot.follow(0.6)
    centre = follow.mean(0) * [1, 1, 0] + 0.4 * (follow - follow.mean(0)) * [1, 1, 0]
    seat = shot.seat(distance, np.deg2rad(55) * (ease(shot.share) - 0.5))
    return centre + seat, follow, np.full(len(shot.time), shot.focal)


def handheld(shot: Shot, distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Somebody walks along with the person, with the bob of their steps."""
    follow = shot.follow(0.5)
    walked = follow.mean(0) * [1, 1, 0] + 0.75 * (follow - follow.mean(0)) * [1, 1, 0]
    turn = np.deg2rad(14) * np.sin(2 * np.pi * shot.time / 6.5)
    closer = distance * (1 - 0.10 * ease(shot.share))
    seat = shot.seat(1.0, turn) * np.stack([closer, closer, np.ones_like(closer)], -1)
    bob = np.stack([np.sin(2 * np.pi * shot.time * f + p) for f, p in ((0.9, 0.3), (0.95, 1.7), (1.85, 0.6))], -1)
    shake = np.stack([np.sin(2 * np.pi * shot.time * f + p) for f, p in ((0.7, 1.0), (1.1, 2.0), (1.6, 0.1))], -1)
    return walked + seat + bob * [0.03, 0.03, 0.018], follow + 0.03 * shake, np.full(len(shot.time), shot.focal)


CAMERAS: dict[str, tuple[Path, str]] = {
    "still": (still, "still"),
    "pan": (pan, "rotating"),
    "zoom": (zoom, "rotating"),
    "dolly": (dolly, "moving"),
    "orbit": (orbit, "moving"),
    "handheld": (handheld, "moving"),
}
"""Path and kind of camera (`CamerasArtifact.meta["motion"]`) by name."""


def film(name: str, shot: Shot) -> tuple[np.ndarray, np.ndarray]:
    """`world_from_camera` (T, 4, 4) and K (T, 3, 3) of a named camera, far enough to keep the person in the image."""
    path, _ = CAMERAS[name]
    distance = shot.distance
    for _ in range(16):
        position, target, focal = path(shot, distance)
        world_from_camera = look_at(position, target)
        K = intrinsics_matrix(focal * shot.size[0], *shot.size)
        share = project(shot.joints, world_from_camera, K) / np.array(shot.size)
        if share.min() > MARGIN and share.max() < 1 - MARGIN:
            break
        distance *= 1.05
    return world_from_camera, K

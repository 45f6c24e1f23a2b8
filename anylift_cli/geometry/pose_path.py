"""The smoothest path of a rigid body that agrees with the points seen on it: Gauss-Newton on SE(3), one banded solve.

Unknown are a turn w and a shift v of each frame's pose, R ← exp(w) R, t ← t + v. Points seen, places to keep and
accelerations tie each frame to at most its two neighbours on either side, so that time and memory grow with the number
of frames only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from anylift_cli.geometry.cameras import transform

_NEAREST = 0.05
"""Metres before the camera within which a point says nothing."""
_OUTLIER = 4.0
"""Standard deviations at which a sighting levels off."""


@dataclass(frozen=True)
class Sightings:
    """Points of a body seen in T frames.

    Attributes:
        points3d: (M, 3) in the body's axes, m.
        points2d: (T, M, 2) px; anything where `weight` is 0.
        weight: (T, M) 0 where a point is not seen.
        camera_from_world: (T, 4, 4).
        K: (T, 3, 3) px.
        pixel: standard deviation of a sighting, px; those far beyond it level off (Geman-McClure).
    """

    points3d: np.ndarray
    points2d: np.ndarray
    weight: np.ndarray
    camera_from_world: np.ndarray
    K: np.ndarray
    pixel: float = 1.0


@dataclass(frozen=True)
class Places:
    """Points of a body and where they should be, A in each frame.

    Attributes:
        points: (T, A, 3) in the body's axes, m.
        targets: (T, A, 3) in the world, m.
        precision: (T, A, 3) 1/m² along each world axis; 0 where there is no wish.
    """

    points: np.ndarray
    targets: np.ndarray
    precision: np.ndarray

    def along(self, other: Places) -> Places:
        """These and others."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Places(*(np.concatenate(pair, 1) for pair in pairs))


@dataclass(frozen=True)
class Ease:
    """How smoothly a body moves.

    Attributes:
        acceleration, spin: deviations of its acceleration, m/s², and of its angular acceleration, rad/s².
        speed, turning: deviations of its speed, m/s, and of its angular velocity, rad/s, within a second: a wish to
            stay that is too weak to matter where it is seen, and keeps it from running on where it is not.
    """

    acceleration: float = 6.0
    spin: float = 20.0
    speed: float = 0.3
    turning: float = 0.6


def fit_pose_path(
    start: np.ndarray,
    seen: Sightings,
    times: np.ndarray,
    ease: Ease = Ease(),
    places: Places | None = None,
    rounds: int = 25,
) -> np.ndarray:
    """Poses (T, 4, 4) `world_from_body` near `start` with the least energy; every term in standard deviations.

    Args:
        start: (T, 4, 4), finite; frames without a sighting may be anywhere near.
        times: (T,) seconds, ascending.
    """
    poses, damping = start.copy(), 1e-3
    links = _Links.of(times)
    energy = _energy(poses, seen, links, ease, places)
    for _ in range(rounds):
        blocks, gradient = _normal_equations(poses, seen, links, ease, places)
        step = _solve(blocks, gradient, damping)
        tried = moved(poses, step)
        cost = _energy(tried, seen, links, ease, places)
        if cost <= energy:
            done = energy - cost < 1e-7 * max(energy, 1e-12)
            poses, energy, damping = tried, cost, max(damping / 5, 1e-9)
            if done:
                break
        else:
            damping *= 10
            if damping > 1e6:
                break
    return poses


def moved(poses: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Poses (T, 4, 4) shifted by `step[:, :3]` m and turned by `step[:, 3:]` rad about the world's axes."""
    result = poses.copy()
    result[:, :3, 3] += step[:, :3]
    result[:, :3, :3] = Rotation.from_rotvec(step[:, 3:]).as_matrix() @ poses[:, :3, :3]
    return result


def filled_poses(poses: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Poses (T, 4, 4) with frames of NaN taken from their neighbours: straight paths, even turns, still at the ends.

    At least one frame must be known.
    """
    known = np.flatnonzero(np.isfinite(poses).all((1, 2)))
    filled = np.tile(np.eye(4), (len(poses), 1, 1))
    for axis in range(3):
        filled[:, axis, 3] = np.interp(times, times[known], poses[known, axis, 3])
    after = np.searchsorted(known, np.arange(len(poses))).clip(0, len(known) - 1)
    right, left = known[after], known[(after - 1).clip(0)]
    left = np.where(np.arange(len(poses)) >= right, right, left)
    left = np.where(np.arange(len(poses)) < known[0], right, left)
    share = (times - times[left]) / np.where(right > left, times[right] - times[left], 1)
    first = Rotation.from_matrix(poses[left, :3, :3])
    turn = (Rotation.from_matrix(poses[right, :3, :3]) * first.inv()).as_rotvec()
    filled[:, :3, :3] = (Rotation.from_rotvec(share.clip(0, 1)[:, None] * turn) * first).as_matrix()
    return filled


@dataclass(frozen=True)
class _Links:
    """Coefficients (T - 2, 3) of second and (T - 1,) of first derivatives, and how long frames last (T,)."""

    second: np.ndarray
    first: np.ndarray
    duration: np.ndarray

    @classmethod
    def of(cls, times: np.ndarray) -> _Links:
        step = np.diff(times).clip(1e-4)
        middle = (step[1:] + step[:-1]) / 2
        second = np.stack([1 / step[:-1], -1 / step[:-1] - 1 / step[1:], 1 / step[1:]], -1) / middle[:, None]
        return cls(second, 1 / step, np.gradient(times) if len(times) > 1 else np.ones(1))


def _motion(poses: np.ndarray, links: _Links) -> tuple[np.ndarray, np.ndarray]:
    """Velocities (T - 1, 6) and accelerations (T - 2, 6): metres, then radians."""
    rotation = Rotation.from_matrix(poses[:, :3, :3])
    turn = (rotation[1:] * rotation[:-1].inv()).as_rotvec() if len(poses) > 1 else np.zeros((0, 3))
    velocity = np.concatenate([np.diff(poses[:, :3, 3], axis=0), turn], 1) * links.first[:, None]
    middle = (1 / links.first[1:] + 1 / links.first[:-1]) / 2
    return velocity, np.diff(velocity, axis=0) / middle[:, None]


def _deviations(ease: Ease) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.repeat([ease.speed, ease.turning], 3),
        np.repeat([ease.acceleration, ease.spin], 3),
    )


def _misses(poses: np.ndarray, seen: Sightings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arms R p (T, M, 3), points in the camera (T, M, 3), residuals (T, M, 2) in standard deviations."""
    arms = seen.points3d @ poses[:, :3, :3].swapaxes(-1, -2)
    camera = transform(seen.camera_from_world, arms + poses[:, None, :3, 3])
    depth = camera[..., 2:].clip(_NEAREST)
    focal, centre = seen.K[:, None, [0, 1], [0, 1]], seen.K[:, None, :2, 2]
    miss = (
        camera[..., :2] / depth * focal + centre - np.where(seen.weight[..., None] > 0, seen.points2d, 0.0)
    ) / seen.pixel
    return arms, camera, np.where(seen.weight[..., None] > 0, miss, 0.0)


def _robust(square: np.ndarray) -> np.ndarray:
    return square / (1 + square / _OUTLIER**2)


def _energy(poses: np.ndarray, seen: Sightings, links: _Links, ease: Ease, places: Places | None) -> float:
    _, _, miss = _misses(poses, seen)
    total = (seen.weight * _robust((miss**2).sum(-1))).sum()
    slow, even = _deviations(ease)
    velocity, acceleration = _motion(poses, links)
    total += ((velocity / slow) ** 2 / links.first[:, None]).sum()
    total += ((acceleration / even) ** 2).sum()
    if places is not None:
        off = transform(poses, places.points) - places.targets
        total += (places.precision * off**2).sum()
    return float(total)


def _normal_equations(
    poses: np.ndarray, seen: Sightings, links: _Links, ease: Ease, places: Places | None
) -> tuple[np.ndarray, np.ndarray]:
    """Blocks (T, 3, 6, 6) of each frame with itself, the next and the one after, and the gradient (T, 6)."""
    frames = len(poses)
    blocks, gradient = np.zeros((frames, 3, 6, 6)), np.zeros((frames, 6))
    arms, camera, miss = _misses(poses, seen)
    trust = seen.weight / (1 + (miss**2).sum(-1) / _OUTLIER**2) ** 2
    depth = camera[..., 2].clip(_NEAREST)
    flat = np.zeros((*depth.shape, 2, 3))
    for axis in range(2):
        scale = seen.K[:, None, axis, axis] / depth / seen.pixel
        flat[..., axis, axis] = scale
        flat[..., axis, 2] = -scale * camera[..., axis] / depth
    by_place = flat @ seen.camera_from_world[:, None, :3, :3]
    jacobian = np.concatenate([by_place, -by_place @ _cross(arms)], -1)
    _add(blocks, gradient, jacobian, miss, trust[..., None] * np.ones(2))
    if places is not None:
        arms = places.points @ poses[:, :3, :3].swapaxes(-1, -2)
        off = arms + poses[:, None, :3, 3] - places.targets
        jacobian = np.concatenate([np.broadcast_to(np.eye(3), (*arms.shape, 3)), -_cross(arms)], -1)
        _add(blocks, gradient, jacobian, off, places.precision)
    slow, even = _deviations(ease)
    velocity, acceleration = _motion(poses, links)
    if frames > 1:
        strength = 1 / (slow**2 * np.ones((frames - 1, 1))) / links.first[:, None]
        _link(blocks, gradient, np.stack([-links.first, links.first], -1), velocity, strength)
    if frames > 2:
        _link(blocks, gradient, links.second, acceleration, np.broadcast_to(1 / even**2, acceleration.shape))
    return blocks, gradient


def _add(
    blocks: np.ndarray, gradient: np.ndarray, jacobian: np.ndarray, residual: np.ndarray, weight: np.ndarray
) -> None:
    """Enter residuals (T, N, D) of single frames with jacobians (T, N, D, 6) and weights (T, N, D)."""
    weighted = jacobian * weight[..., None]
    blocks[:, 0] += np.einsum("tnda,tndb->tab", weighted, jacobian, optimize=True)
    gradient += np.einsum("tnda,tnd->ta", weighted, residual, optimize=True)


def _link(
    blocks: np.ndarray, gradient: np.ndarray, coefficients: np.ndarray, residual: np.ndarray, strength: np.ndarray
) -> None:
    """Enter differences (N, 6) between neighbours: `coefficients` (N, 2 or 3), `strength` (N, 6)."""
    count, width = coefficients.shape
    axes = np.arange(6)
    for i in range(width):
        gradient[i : i + count] += coefficients[:, i, None] * strength * residual
        for j in range(i, width):
            blocks[i : i + count, j - i, axes, axes] += (coefficients[:, i] * coefficients[:, j])[:, None] * strength


def _solve(blocks: np.ndarray, gradient: np.ndarray, damping: float) -> np.ndarray:
    """The step (T, 6) down the gradient."""
    frames = len(blocks)
    size = 6 * frames
    banded = np.zeros((18, size))
    rows, columns = (a.ravel() for a in np.meshgrid(np.arange(6), np.arange(6), indexing="ij"))
    for ahead in range(min(3, frames)):
        for row, column in zip(rows, columns, strict=True):
            if ahead == 0 and column < row:
                continue
            offset = 6 * ahead + column - row
            at = 6 * np.arange(frames - ahead) + row + offset
            banded[17 - offset, at] = blocks[: frames - ahead, ahead, row, column]
    banded[17] += damping * banded[17] + 1e-9
    return -solveh_banded(banded, gradient.ravel()).reshape(frames, 6)


def _cross(vectors: np.ndarray) -> np.ndarray:
    """Cross-product matrices (..., 3, 3) of (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)

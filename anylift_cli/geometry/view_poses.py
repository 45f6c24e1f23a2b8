"""The pose of a rigid body whose points were triangulated from several views (ALGORITHM 5; AnyLift, S1-S5).

The paper starts every frame from one pair of points (S1-S2) and refines rotations, translations and one scale by Adam
(S3-S5). Both steps have closed forms: a shared scale and the best rotation of each frame alternate (Umeyama 1991), and
what remains, points that are wrong and motion that is smooth, is a few rounds of reweighted least squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from anylift_cli.geometry.alignment import align_points
from anylift_cli.geometry.pose_path import filled_poses, moved

_ALTERNATIONS = 8
_ROUNDS = 15
_LEAST_POINTS = 3
_LEVELS_OFF = 3.0
"""Deviations at which a point levels off (Geman-McClure)."""


@dataclass(frozen=True)
class ViewPoses:
    """Poses (T, 4, 4) of a body `scale` times as large as its points say: q = scale · R p + t."""

    poses: np.ndarray
    scale: float


def poses_from_points(
    points: np.ndarray, placed: np.ndarray, weight: np.ndarray, times: np.ndarray, *, scale: float | None = None
) -> ViewPoses:
    """The closed form: the best rigid pose of each frame, and one scale for all.

    Frames with fewer than three points on their own lie between their neighbours.

    Args:
        points: (M, 3) in the body's axes.
        placed: (T, M, 3) where they were triangulated; anything where `weight` is 0.
        weight: (T, M), 0 where a point is not known.
        times: (T,) seconds.
        scale: when it is known.

    Raises:
        ValueError: no frame has three points.
    """
    known = (weight > 0).sum(1) >= _LEAST_POINTS
    if not known.any():
        raise ValueError("no frame has three points")
    weights = torch.as_tensor(weight[known], dtype=torch.float64)
    target = torch.as_tensor(np.where(weight[known, :, None] > 0, placed[known], 0.0))
    source = torch.as_tensor(points, dtype=torch.float64).expand_as(target)
    factor = scale if scale is not None else _median_ratio(points, placed[known], weight[known])
    for _ in range(_ALTERNATIONS):
        _, turn, shift = align_points(factor * source, target, weights, with_scale=False)
        if scale is not None:
            break
        arms = _centred(source, weights) @ turn.transpose(-1, -2)
        offsets = _centred(target, weights)
        factor = float((weights[..., None] * arms * offsets).sum() / (weights[..., None] * arms**2).sum())
    poses = np.full((len(placed), 4, 4), np.nan)
    poses[known] = np.eye(4)
    poses[known, :3, :3], poses[known, :3, 3] = turn.numpy(), shift.numpy()
    return ViewPoses(filled_poses(poses, times), float(factor))


def refine_poses(
    start: ViewPoses,
    points: np.ndarray,
    placed: np.ndarray,
    weight: np.ndarray,
    deviation: float = 0.03,
    turn: float = 0.1,
    step: float = 0.05,
    *,
    with_scale: bool = True,
) -> ViewPoses:
    """The refinement: points that are off count less, and neighbouring frames are alike (S3-S5).

    Args:
        points, placed, weight: see `poses_from_points`.
        deviation: of a placed point, m.
        turn, step: deviations of the turn, rad, and of the shift, m, from one frame to the next.
        with_scale: whether the scale is refined too.
    """
    poses, scale = start.poses, start.scale
    known = weight > 0
    target = np.where(known[..., None], placed, 0.0)
    for _ in range(_ROUNDS):
        arms = scale * points @ poses[:, :3, :3].swapaxes(-1, -2)
        off = np.where(known[..., None], arms + poses[:, None, :3, 3] - target, 0.0)
        square = (off**2).sum(-1) / deviation**2
        trust = weight / (1 + square / _LEVELS_OFF**2) ** 2 / deviation**2
        change = _step(poses, arms, off, trust, turn, step)
        poses = moved(poses, change)
        if with_scale:
            arms = points @ poses[:, :3, :3].swapaxes(-1, -2)
            wanted = np.where(known[..., None], target - poses[:, None, :3, 3], 0.0)
            scale = float((trust[..., None] * arms * wanted).sum() / (trust[..., None] * arms**2).sum())
        if np.abs(change).max() < 1e-7:
            break
    return ViewPoses(poses, scale)


def _step(
    poses: np.ndarray, arms: np.ndarray, off: np.ndarray, trust: np.ndarray, turn: float, step: float
) -> np.ndarray:
    """Gauss-Newton shifts and turns (T, 6); neighbours are tied, so the system has a band of eleven."""
    frames = len(poses)
    x, y, z = np.moveaxis(arms, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)
    jacobian = np.concatenate([np.broadcast_to(np.eye(3), cross.shape), -cross], -1)
    own = np.einsum("tmda,tm,tmdb->tab", jacobian, trust, jacobian, optimize=True)
    gradient = np.einsum("tmda,tm,tmd->ta", jacobian, trust, off, optimize=True)
    tie = np.repeat([1 / step**2, 1 / turn**2], 3)
    if frames > 1:
        rotation = Rotation.from_matrix(poses[:, :3, :3])
        between = (rotation[1:] * rotation[:-1].inv()).as_rotvec()
        between = np.concatenate([np.diff(poses[:, :3, 3], axis=0), between], 1) * tie
        gradient[1:] += between
        gradient[:-1] -= between
    neighbours = np.full(frames, 2.0)
    neighbours[[0, -1]] = 1.0 if frames > 1 else 0.0
    own += neighbours[:, None, None] * np.diag(tie)
    band = np.zeros((7, 6 * frames))
    for row in range(6):
        for column in range(row, 6):
            band[6 - (column - row), column::6] = own[:, row, column]
        band[0, 6 + row :: 6] = -tie[row]
    band[6] += 1e-9
    return -solveh_banded(band, gradient.ravel()).reshape(frames, 6)


def _median_ratio(points: np.ndarray, placed: np.ndarray, weight: np.ndarray) -> float:
    """Median over frames and pairs of points of how far apart they are, seen and true (S1 for all pairs)."""
    first, second = np.triu_indices(len(points), 1)
    true = np.linalg.norm(points[first] - points[second], axis=-1)
    apart = np.linalg.norm(placed[:, first] - placed[:, second], axis=-1)
    both = (weight[:, first] > 0) & (weight[:, second] > 0) & (true > 1e-9)
    return float(np.median((apart / np.where(true > 1e-9, true, 1.0))[both]))


def _centred(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    share = weights / weights.sum(-1, keepdim=True)
    return values - (share[..., None] * values).sum(-2, keepdim=True)

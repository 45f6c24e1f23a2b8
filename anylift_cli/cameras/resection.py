"""Cameras of all frames from the cameras of some: triangulate followed corners, then resect every frame."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from anylift_cli.cameras.tracking import Link, Tracks
from anylift_cli.geometry.cameras import invert

FIT_PX = 1.5
LOSS_PX = 1.0
MIN_POINTS = 10
ITERATIONS = 10


@dataclass(frozen=True)
class Resection:
    """Poses of all frames.

    Attributes:
        world_from_camera: (T, 4, 4), unit of the known poses.
        confidence: (T,); 0.1 where a pose is interpolated.
        explained: share of the followed points that lie within `FIT_PX` of their predicted place.
        median_residual: px, over the same points.
        median_depth: of the triangulated points in front of their key frame's camera.
    """

    world_from_camera: np.ndarray
    confidence: np.ndarray
    explained: float
    median_residual: float
    median_depth: float


def resect(tracks: Tracks, known: dict[int, np.ndarray], focal: float, guide: np.ndarray) -> Resection:
    """Place every frame of `tracks` in the world of the `known` poses (frame → world_from_camera).

    Args:
        tracks: correspondences, principal point in the image centre.
        known: at least two poses; they triangulate the points and are then refined like all others.
        focal: working pixels.
        guide: rotations (T, 3, 3) in any world, for frames between and beyond the known ones.
    """
    camera_from_world = invert(interpolate_poses(known, guide))
    views = _views(tracks, focal)
    points = {key: _triangulate(rays, camera_from_world, known) for key, rays in views.items()}
    confidence = np.full(tracks.frame_count, 0.1)
    errors = [np.zeros(0)]
    for frame, (seen_points, seen_rays) in _observed(views, points).items():
        if len(seen_points) >= MIN_POINTS:
            camera_from_world[frame] = _place(camera_from_world[frame], seen_points, seen_rays, LOSS_PX / focal)
        error = focal * _reprojection(camera_from_world[frame], seen_points, seen_rays)
        confidence[frame] = np.clip((error < FIT_PX).sum() / 30, 0.1, 1)
        errors.append(error)
    pooled = np.concatenate(errors)
    unknown = sum(np.isfinite(ray[:, 0]).sum() for rays in views.values() for ray in rays.values()) - len(pooled)
    pooled = np.append(pooled, np.full(unknown, np.inf))
    depth = np.concatenate([_depths(points[key], camera_from_world[key]) for key in views])
    return Resection(
        invert(camera_from_world),
        confidence,
        float((pooled < FIT_PX).mean()),
        float(np.median(pooled)),
        float(np.median(depth[depth > 0])) if (depth > 0).any() else 1.0,
    )


def interpolate_poses(known: dict[int, np.ndarray], guide: np.ndarray) -> np.ndarray:
    """Poses (T, 4, 4) of all frames: straight lines between known positions, turning as the guide turns.

    Args:
        known: frame → world_from_camera; before the first and after the last the position is held.
        guide: rotations (T, 3, 3) of all frames in any world, each as good as its neighbours say; what they lack
            to the known ones is shared out by slerp.
    """
    frames = np.array(sorted(known))
    given = np.stack([known[frame] for frame in frames])
    at = np.arange(len(guide)).clip(frames[0], frames[-1])
    lack = Rotation.from_matrix(given[:, :3, :3] @ guide[frames].swapaxes(1, 2))
    poses = np.tile(np.eye(4), (len(guide), 1, 1))
    poses[:, :3, :3] = Slerp(frames, lack)(at).as_matrix() @ guide
    for axis in range(3):
        poses[:, axis, 3] = np.interp(at, frames, given[:, axis, 3])
    return poses


def _views(tracks: Tracks, focal: float) -> dict[int, dict[int, np.ndarray]]:
    """Key frame → frame → rays (x/z, y/z) of the key frame's N corners there, (N, 2), NaN where unseen."""
    groups: dict[int, list[Link]] = {}
    for link in tracks.links:
        groups.setdefault(link.first, []).append(link)
    centre = np.array(tracks.size) / 2
    views = {}
    for key, group in groups.items():
        corners = np.unique(np.concatenate([link.points[:, 0] for link in group]), axis=0)
        number = {tuple(corner): i for i, corner in enumerate(corners)}
        views[key] = {key: (corners.astype(np.float64) - centre) / focal}
        for link in group:
            rays = np.full((len(corners), 2), np.nan)
            rays[[number[tuple(corner)] for corner in link.points[:, 0]]] = (link.points[:, 1] - centre) / focal
            views[key][link.second] = rays
    return views


def _triangulate(rays: dict[int, np.ndarray], camera_from_world: np.ndarray, known: Container[int]) -> np.ndarray:
    """Homogeneous world points (N, 4) of unit length by the direct linear transform; points at infinity are fine.

    Only `known` frames count; points that fewer than two of them see are NaN.
    """
    frames = [frame for frame in rays if frame in known]
    if len(frames) < 2:
        return np.full((len(next(iter(rays.values()))), 4), np.nan)
    ray, pose = np.stack([rays[frame] for frame in frames], 1), camera_from_world[frames]
    seen = np.isfinite(ray[..., 0])
    rows = np.nan_to_num(ray)[..., None] * pose[:, None, 2] - pose[:, :2]
    system = (rows * seen[..., None, None]).reshape(len(ray), -1, 4)
    _, vectors = np.linalg.eigh(system.swapaxes(1, 2) @ system)
    return np.where(seen.sum(1, keepdims=True) >= 2, vectors[:, :, 0], np.nan)


def _observed(
    views: dict[int, dict[int, np.ndarray]], points: dict[int, np.ndarray]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Frame → all points (N, 4) it sees and their rays (N, 2)."""
    gathered: dict[int, list[np.ndarray]] = {}
    for key, rays in views.items():
        for frame, ray in rays.items():
            known = np.isfinite(ray[:, 0]) & np.isfinite(points[key][:, 0])
            gathered.setdefault(frame, []).append(np.concatenate([points[key][known], ray[known]], 1))
    stacked = {frame: np.concatenate(parts) for frame, parts in gathered.items()}
    return {frame: (both[:, :4], both[:, 4:]) for frame, both in stacked.items()}


def _depths(points: np.ndarray, camera_from_world: np.ndarray) -> np.ndarray:
    points = points[np.isfinite(points[:, 0]) & (np.abs(points[:, 3]) > 1e-6)]
    return (points @ camera_from_world[2]) / points[:, 3]


def _reprojection(camera_from_world: np.ndarray, points: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Distance (N,) on the plane z = 1; NaN where a point or its ray is unknown."""
    seen = points @ camera_from_world[:3].T
    return np.linalg.norm(seen[:, :2] / seen[:, 2:] - rays, axis=1)


def _place(pose: np.ndarray, points: np.ndarray, rays: np.ndarray, loss: float) -> np.ndarray:
    """camera_from_world (4, 4) by Gauss-Newton with a Cauchy loss from a nearby start."""
    pose = pose.copy()
    for _ in range(ITERATIONS):
        seen = points @ pose[:3].T
        x, y, z = seen.T
        zero = np.zeros_like(x)
        by_point = np.stack([np.stack([1 / z, zero, -x / z**2], -1), np.stack([zero, 1 / z, -y / z**2], -1)], -2)
        skew = np.stack([np.stack([zero, z, -y], -1), np.stack([-z, zero, x], -1), np.stack([y, -x, zero], -1)], -2)
        jacobian = by_point @ np.concatenate([skew, points[:, 3, None, None] * np.eye(3)], -1)
        error = seen[:, :2] / z[:, None] - rays
        weight = 1 / (1 + (error**2).sum(-1) / loss**2)
        normal = np.einsum("n,nki,nkj->ij", weight, jacobian, jacobian)
        gradient = np.einsum("n,nki,nk->i", weight, jacobian, error)
        step = np.linalg.solve(normal + 1e-9 * np.trace(normal) * np.eye(6), -gradient)
        turn = Rotation.from_rotvec(step[:3]).as_matrix()
        pose[:3] = turn @ pose[:3]
        pose[:3, 3] += step[3:]
        if np.abs(step).max() < 1e-8:
            break
    return pose

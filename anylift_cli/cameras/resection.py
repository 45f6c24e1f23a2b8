"""Cameras of all frames from the cameras of some: triangulate followed corners, then resect every other frame."""

from __future__ import annotations

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
        known: at least two poses; they are kept.
        focal: working pixels.
        guide: rotations (T, 3, 3) in any world, for frames between and beyond the known ones.
    """
    poses = interpolate_poses(known, guide)
    confidence = np.full(tracks.frame_count, 0.1)
    confidence[list(known)] = 1
    errors, depths = [], []
    centre = np.array(tracks.size) / 2
    for group in _by_key(tracks.links):
        rays = _rays_of_corners(group, centre, focal)
        key = group[0].first
        anchors = [f for f in [key, *[link.second for link in group]] if f in known]
        if len(anchors) < 2:
            errors.extend(np.full(len(link.points), np.inf) for link in group)
            continue
        camera_from_world = invert(poses)
        points = _triangulate([rays[f] for f in anchors], camera_from_world[anchors])
        depths.append(_depths(points, camera_from_world[key]))
        for frame in [key, *[link.second for link in group]]:
            usable = np.isfinite(rays[frame][:, 0]) & np.isfinite(points[:, 0])
            if frame not in known and usable.sum() >= MIN_POINTS:
                camera_from_world[frame] = _place(
                    camera_from_world[frame], points[usable], rays[frame][usable], LOSS_PX / focal
                )
                poses[frame] = invert(camera_from_world[frame])
            error = focal * _reprojection(camera_from_world[frame], points, rays[frame])
            if frame not in known:
                confidence[frame] = np.clip((error < FIT_PX).sum() / 30, 0.1, 1)
            if frame != key:
                errors.append(np.nan_to_num(error[np.isfinite(rays[frame][:, 0])], nan=np.inf))
    pooled = np.concatenate(errors)
    depth = np.concatenate(depths) if depths else np.zeros(0)
    return Resection(
        poses,
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


def _by_key(links: list[Link]) -> list[list[Link]]:
    groups: dict[int, list[Link]] = {}
    for link in links:
        groups.setdefault(link.first, []).append(link)
    return list(groups.values())


def _rays_of_corners(group: list[Link], centre: np.ndarray, focal: float) -> dict[int, np.ndarray]:
    """Frame → rays (x/z, y/z) of the N corners of one key frame, (N, 2), NaN where unseen."""
    corners = np.unique(np.concatenate([link.points[:, 0] for link in group]), axis=0)
    number = {tuple(corner): i for i, corner in enumerate(corners)}
    rays = {group[0].first: (corners.astype(np.float64) - centre) / focal}
    for link in group:
        table = np.full((len(corners), 2), np.nan)
        table[[number[tuple(corner)] for corner in link.points[:, 0]]] = (link.points[:, 1] - centre) / focal
        rays[link.second] = table
    return rays


def _triangulate(rays: list[np.ndarray], camera_from_world: np.ndarray) -> np.ndarray:
    """Homogeneous world points (N, 4) of unit length by the direct linear transform; points at infinity are fine."""
    rows = []
    for ray, pose in zip(rays, camera_from_world, strict=True):
        seen = np.isfinite(ray[:, :1, None])
        ray = np.nan_to_num(ray)[..., None]
        rows.append(np.where(seen, ray * pose[2] - pose[:2], 0))
    system = np.concatenate(rows, axis=1)
    _, _, vt = np.linalg.svd(system)
    points = vt[:, 3]
    determined = np.isfinite(np.stack(rays)[..., 0]).sum(0) >= 2
    return np.where(determined[:, None], points, np.nan)


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

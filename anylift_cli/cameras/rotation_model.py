"""Rotating and zooming cameras: where a pixel of one frame appears in another, and the bundle over all frames.

A frame is a rotation (camera axes to world) and a log focal length in working pixels; the principal point is the
image centre. The bundle is an own Gauss-Newton because its normal equations are tiny blocks on a sparse graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial.transform import Rotation

from anylift_cli.cameras.tracking import Link

LOSS_SCALE = 0.7
REST_SIGMA = 0.1
ZOOM_SIGMA = 0.004
MOST_POINTS = 60_000
POINTS_PER_LINK = (8, 60)


@dataclass
class RotationPath:
    """`rotations` (T, 3, 3) world_from_camera, `log_focal` (T,) of working pixels."""

    rotations: np.ndarray
    log_focal: np.ndarray


@dataclass(frozen=True)
class Observations:
    """All links in flat arrays: points (N, 2) relative to the image centre, frames (N,), link starts (L + 1,)."""

    first: np.ndarray
    second: np.ndarray
    first_points: np.ndarray
    second_points: np.ndarray
    starts: np.ndarray

    @classmethod
    def from_links(cls, links: list[Link], size: tuple[int, int]) -> Observations:
        """Gather points of each link, evenly picked, `MOST_POINTS` in all: bounded memory, however long the shot."""
        most = int(np.clip(MOST_POINTS / len(links), *POINTS_PER_LINK))
        chosen = [
            link.points[np.linspace(0, len(link.points) - 1, min(most, len(link.points))).astype(int)] for link in links
        ]
        counts = [len(points) for points in chosen]
        points = np.concatenate(chosen).astype(np.float64) - np.array(size) / 2
        return cls(
            np.repeat([link.first for link in links], counts),
            np.repeat([link.second for link in links], counts),
            points[:, 0],
            points[:, 1],
            np.concatenate([[0], np.cumsum(counts)]),
        )


def rotation_between_views(
    first: np.ndarray, second: np.ndarray, first_focal: np.ndarray, second_focal: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Closed-form rotation (..., 3, 3) that takes rays of the first view to the second (Kabsch on unit rays).

    Args:
        first, second: (..., N, 2) pixels from the image centre.
        first_focal, second_focal: (...) pixels.
        weights: (..., N).
    """
    a, b = unit_rays(first, first_focal[..., None]), unit_rays(second, second_focal[..., None])
    u, _, vt = np.linalg.svd(np.einsum("...n,...ni,...nj->...ij", weights, b, a))
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[..., None]
    return u @ vt


def unit_rays(points: np.ndarray, focal: np.ndarray) -> np.ndarray:
    """Unit directions (..., 3) of pixels from the image centre (..., 2)."""
    rays = np.concatenate([points / focal[..., None], np.ones((*points.shape[:-1], 1))], -1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def residuals(path: RotationPath, seen: Observations) -> np.ndarray:
    """Predicted minus observed pixels in the second frames, (N, 2)."""
    return _predict(path, seen)[0] - seen.second_points


def refine(
    path: RotationPath, seen: Observations, *, level: bool, zoom: bool, iterations: int = 12
) -> tuple[RotationPath, float]:
    """Robust bundle adjustment of all rotations and, where asked, of the focal length.

    Args:
        path: initial values; the first frame's rotation is kept.
        seen: correspondences.
        level: whether the focal length of the whole shot is unknown.
        zoom: whether the focal length changes within the shot (smoothly) by unknown ratios.
        iterations: Gauss-Newton steps; Cauchy loss of scale `LOSS_SCALE` px.

    Returns:
        The refined path and the relative standard deviation of the first frame's focal length, noise taken from
        the residuals (0 when it was not an unknown).
    """
    basis = _unknowns(len(path.rotations), level, zoom)
    path = RotationPath(path.rotations, path.log_focal)
    for _ in range(iterations):
        normal, gradient = _normal_equations(path, seen, zoom)
        step = (basis @ spsolve(_reduced(basis, normal), -(basis.T @ gradient))).reshape(-1, 4)
        path.rotations = path.rotations @ Rotation.from_rotvec(step[:, :3]).as_matrix()
        path.log_focal = path.log_focal + np.clip(step[:, 3], -0.3, 0.3)
        if np.abs(step).max() < 1e-7:
            break
    if not level:
        return path, 0.0
    last = np.zeros(basis.shape[1])
    last[-1] = 1
    variance = spsolve(_reduced(basis, _normal_equations(path, seen, zoom)[0]), last)[-1]
    return path, float(np.sqrt(max(variance, 0)))


def _reduced(basis: sparse.csr_matrix, normal: sparse.csr_matrix) -> sparse.csc_matrix:
    reduced = (basis.T @ normal @ basis).tocsc()
    return reduced + sparse.diags(1e-9 * reduced.diagonal() + 1e-6).tocsc()


def _predict(path: RotationPath, seen: Observations) -> tuple[np.ndarray, ...]:
    focal = np.exp(path.log_focal)
    rays = np.concatenate([seen.first_points / focal[seen.first, None], np.ones((len(seen.first), 1))], 1)
    relative = path.rotations.swapaxes(1, 2)[seen.second] @ path.rotations[seen.first]
    turned = np.einsum("nij,nj->ni", relative, rays)
    turned[:, 2] = np.maximum(turned[:, 2], 0.05)
    pixels = focal[seen.second, None] * turned[:, :2] / turned[:, 2:]
    return pixels, rays, relative, turned, focal


def _unknowns(frames: int, level: bool, zoom: bool) -> sparse.csr_matrix:
    """Map from the unknowns to (rotation vector, log focal) of every frame; frame 0 does not rotate.

    The last unknown, if `level`, is the log focal length of all frames; the ones before it, if `zoom`, are what
    the frames after the first add to it.
    """
    column = np.arange(4 * frames).reshape(frames, 4)
    rows = [column[1:, :3].ravel()]
    unknown = [np.arange(3 * (frames - 1))]
    if zoom:
        rows.append(column[1:, 3])
        unknown.append(3 * (frames - 1) + np.arange(frames - 1))
    if level:
        rows.append(column[:, 3])
        unknown.append(np.full(frames, (4 if zoom else 3) * (frames - 1)))
    rows, unknown = np.concatenate(rows), np.concatenate(unknown)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, unknown)), (4 * frames, unknown.max(initial=-1) + 1))


def _normal_equations(path: RotationPath, seen: Observations, zoom: bool) -> tuple[sparse.csr_matrix, np.ndarray]:
    pixels, rays, relative, turned, focals = _predict(path, seen)
    error = pixels - seen.second_points
    x, y, z = turned.T
    zero = np.zeros_like(x)
    scale = (focals[seen.second] / z)[:, None, None]
    by_turned = scale * np.stack([np.stack([1 + zero, zero, -x / z], -1), np.stack([zero, 1 + zero, -y / z], -1)], -2)
    jacobian = np.empty((len(x), 2, 8))
    jacobian[:, :, :3] = by_turned @ -(relative @ _skew(rays))
    flat = rays.copy()
    flat[:, 2] = 0
    jacobian[:, :, 3] = -np.einsum("nij,nj->ni", by_turned @ relative, flat)
    jacobian[:, :, 4:7] = by_turned @ _skew(turned)
    jacobian[:, :, 7] = pixels

    noise = max(np.median(np.abs(error)) * 1.48, 0.05)
    weight = 1 / (1 + (error**2).sum(-1) / LOSS_SCALE**2) / noise**2
    weighted = jacobian * weight[:, None, None]
    blocks = np.add.reduceat(weighted.swapaxes(1, 2) @ jacobian, seen.starts[:-1])
    pulls = np.add.reduceat(np.einsum("nki,nk->ni", weighted, error), seen.starts[:-1])
    index = np.concatenate(
        [4 * seen.first[seen.starts[:-1], None] + np.arange(4), 4 * seen.second[seen.starts[:-1], None] + np.arange(4)],
        1,
    )
    frames = len(path.rotations)
    rows, columns = np.broadcast_to(index[:, :, None], blocks.shape), np.broadcast_to(index[:, None], blocks.shape)
    normal = sparse.csr_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), (4 * frames, 4 * frames))
    gradient = np.bincount(index.ravel(), pulls.ravel(), 4 * frames)
    prior, prior_error = _priors(path, zoom)
    return normal + prior.T @ prior, gradient + prior.T @ prior_error


def _priors(path: RotationPath, zoom: bool) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Weak pulls that decide only what no point does: neighbouring frames look the same way, zoom is smooth."""
    frames = len(path.rotations)
    column = np.arange(4 * frames).reshape(frames, 4)
    between = Rotation.from_matrix(path.rotations[:-1].swapaxes(1, 2) @ path.rotations[1:]).as_rotvec()
    step = np.arange(3 * (frames - 1))
    shape = (len(step), 4 * frames)
    rest = sparse.csr_matrix((np.ones(len(step)), (step, column[1:, :3].ravel())), shape)
    rest = (rest - sparse.csr_matrix((np.ones(len(step)), (step, column[:-1, :3].ravel())), shape)) / REST_SIGMA
    rows, errors = [rest], [between.ravel() / REST_SIGMA]
    if zoom and frames > 2:
        second = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(frames - 2, frames)) / ZOOM_SIGMA
        pick = sparse.csr_matrix((np.ones(frames), (np.arange(frames), column[:, 3])), (frames, 4 * frames))
        rows.append(second @ pick)
        errors.append(second @ path.log_focal)
    return sparse.vstack(rows).tocsr(), np.concatenate(errors)


def _skew(vectors: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)

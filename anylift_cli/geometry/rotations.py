"""Rotations in torch, differentiable everywhere. Matrices act on column vectors: x' = R x."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from anylift_cli.geometry.vectors import dot, unit


def matrix_from_axis_angle(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula, (..., 3) radians → (..., 3, 3); smooth at zero."""
    angle2 = (axis_angle**2).sum(-1)[..., None, None]
    small = angle2 < 1e-8
    safe = torch.where(small, torch.ones_like(angle2), angle2)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - angle2 / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - angle2 / 24, (1 - angle.cos()) / safe)
    cross = skew(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * cross + cosine * (cross @ cross)


def axis_angle_from_matrix(matrix: Tensor) -> Tensor:
    """(..., 3, 3) → (..., 3) radians with angle in [0, π]."""
    return axis_angle_from_quaternion(quaternion_from_matrix(matrix))


def quaternion_from_matrix(matrix: Tensor) -> Tensor:
    """(..., 3, 3) → unit quaternion (..., 4) in wxyz order with w ≥ 0."""
    m = matrix
    diagonal = m.diagonal(dim1=-2, dim2=-1)
    trace = diagonal.sum(-1)
    four_squares = torch.stack([1 + trace, *(1 + 2 * diagonal[..., i] - trace for i in range(3))], -1)
    off = torch.stack(
        [
            m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1],
            m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2],
        ], -1,
    )  # fmt: skip
    wx, wy, wz, xy, xz, yz = off.unbind(-1)
    candidates = torch.stack(
        [
            torch.stack([four_squares[..., 0], wx, wy, wz], -1),
            torch.stack([wx, four_squares[..., 1], xy, xz], -1),
            torch.stack([wy, xy, four_squares[..., 2], yz], -1),
            torch.stack([wz, xz, yz, four_squares[..., 3]], -1),
        ], -2,
    )  # fmt: skip
    best = four_squares.argmax(-1)[..., None, None].expand(*four_squares.shape[:-1], 1, 4)
    quaternion = normalize(candidates.gather(-2, best).squeeze(-2), dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def axis_angle_from_quaternion(quaternion_wxyz: Tensor) -> Tensor:
    """Unit quaternion (..., 4), wxyz with w ≥ 0 → axis-angle (..., 3)."""
    vector = quaternion_wxyz[..., 1:]
    norm = vector.norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(norm, quaternion_wxyz[..., :1])
    scale = torch.where(norm < 1e-7, torch.full_like(norm, 2.0), angle / norm.clamp_min(1e-12))
    return vector * scale


def matrix_from_quaternion(quaternion_wxyz: Tensor) -> Tensor:
    """Quaternion (..., 4), wxyz, any length → (..., 3, 3)."""
    w, x, y, z = normalize(quaternion_wxyz, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def matrix_from_6d(six: Tensor) -> Tensor:
    """First two columns, not necessarily orthonormal, (..., 6) → (..., 3, 3) (Zhou et al., CVPR 2019)."""
    first = unit(six[..., :3])
    second = unit(six[..., 3:] - dot(first, six[..., 3:])[..., None] * first)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def six_d_from_matrix(matrix: Tensor) -> Tensor:
    """(..., 3, 3) → its first two columns, (..., 6)."""
    return torch.cat([matrix[..., :, 0], matrix[..., :, 1]], -1)


def skew(vector: Tensor) -> Tensor:
    """Cross-product matrix of (..., 3) → (..., 3, 3)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack(
        [torch.stack([zero, -z, y], -1), torch.stack([z, zero, -x], -1), torch.stack([-y, x, zero], -1)], -2
    )


def rotation_between(source: Tensor, target: Tensor) -> Tensor:
    """The smallest rotation that turns direction `source` into `target`, (..., 3) each → (..., 3, 3).

    Opposite directions turn by π about an arbitrary perpendicular axis.
    """
    source, target = normalize(source, dim=-1), normalize(target, dim=-1)
    cosine = (source * target).sum(-1, keepdim=True)
    helper = torch.where(source[..., :1].abs() < 0.9, _axis(source, 0), _axis(source, 1))
    perpendicular = normalize(torch.linalg.cross(source, helper), dim=-1)
    half = torch.where(cosine < -1 + 1e-6, perpendicular, torch.linalg.cross(source, target))
    w = torch.where(cosine < -1 + 1e-6, torch.zeros_like(cosine), 1 + cosine)
    return matrix_from_quaternion(torch.cat([w, half], -1))


def turn_to_ray(ray: Tensor) -> Tensor:
    """The smallest turn of a camera that then looks along x/z, y/z (..., 2) → (..., 3, 3).

    It takes points from the turned camera's axes to the camera's own.
    """
    gaze = torch.cat([ray, torch.ones_like(ray[..., :1])], -1)
    return rotation_between(_axis(gaze, 2), gaze)


def _axis(like: Tensor, index: int) -> Tensor:
    axis = torch.zeros_like(like)
    axis[..., index] = 1
    return axis

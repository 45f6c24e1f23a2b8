"""How people hold their bodies: a mixture of Gaussians over bone directions, learned from motion capture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.skeleton import BODY24, LEFT_HIP, RIGHT_HIP, K
from anylift_cli.geometry.vectors import combined, dot, squared_length, unit
from anylift_cli.weights_store import find_weights

PRIOR_FILE = "pose_prior.npz"

_SEGMENTS = tuple(
    (K[start], K[end])
    for start, end in (
        ("right_shoulder", "left_shoulder"),
        ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
        ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("right_ankle", "right_big_toe"),
        ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("left_ankle", "left_big_toe"),
    )
)  # fmt: skip
FEATURES = 3 * len(_SEGMENTS)
_DIFFERENCE = torch.zeros(len(_SEGMENTS), len(BODY24))
for _row, (_start, _end) in enumerate(_SEGMENTS):
    _DIFFERENCE[_row, _start], _DIFFERENCE[_row, _end] = -1, 1


def torso_frame(points: Tensor) -> Tensor:
    """Axes of the trunk: columns left, up (mid hip to neck) and front of `body24` points (..., 24, 3) → (..., 3, 3)."""
    left = unit(points[..., LEFT_HIP, :] - points[..., RIGHT_HIP, :])
    upward = points[..., K["neck"], :] - 0.5 * (points[..., LEFT_HIP, :] + points[..., RIGHT_HIP, :])
    upward = unit(upward - dot(upward, left)[..., None] * left)
    return torch.stack([left, upward, torch.linalg.cross(left, upward)], -1)


def bone_directions(points: Tensor) -> Tensor:
    """Unit directions of limbs and shoulder line in the trunk's axes, (..., 24, 3) → (..., FEATURES)."""
    return (unit(combined(_DIFFERENCE.to(points), points)) @ torso_frame(points)).flatten(-2)


@dataclass(frozen=True)
class PosePrior:
    """Mixture of M Gaussians over `bone_directions`: log weights (M,), means (M, F), inverse Cholesky (M, F, F)."""

    log_weights: Tensor
    means: Tensor
    whitening: Tensor

    @classmethod
    def load(cls, path: Path | str | None = None, device: str = "cpu") -> PosePrior:
        """Read the shipped prior, or another one made by `anylift_cli.body.prior_training`."""
        stored = read_npz(find_weights(PRIOR_FILE) if path is None else path)
        return cls.from_moments(stored["weights"], stored["means"], stored["covariances"], device)

    @classmethod
    def from_moments(
        cls, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, device: str = "cpu"
    ) -> PosePrior:
        """From mixture weights (M,), means (M, F) and covariances (M, F, F)."""
        cholesky = torch.linalg.cholesky(torch.as_tensor(covariances, dtype=torch.float64))
        identity = torch.eye(cholesky.shape[-1], dtype=torch.float64)
        whitening = torch.linalg.solve_triangular(cholesky, identity.expand_as(cholesky), upper=False)
        parts = (torch.as_tensor(weights, dtype=torch.float64).log(), torch.as_tensor(means), whitening)
        return cls(*(part.to(device, torch.float32) for part in parts))

    @cached_property
    def _offset(self) -> Tensor:
        return torch.einsum("mgf,mf->mg", self.whitening, self.means)

    @cached_property
    def _log_peaks(self) -> Tensor:
        log_det = self.whitening.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return self.log_weights + log_det - 0.5 * FEATURES * math.log(2 * math.pi)

    def log_density(self, features: Tensor) -> Tensor:
        """Log density of `bone_directions` features (..., F) → (...)."""
        whitened = (features @ self.whitening.flatten(0, 1).T).unflatten(-1, self._offset.shape) - self._offset
        return torch.logsumexp(self._log_peaks - 0.5 * squared_length(whitened), dim=-1)

    def energy(self, points: Tensor) -> Tensor:
        """How unusual `body24` poses (..., 24, 3) are: 0 at the densest mean, growing like σ²/2, (...)."""
        return self._log_peaks.max() - self.log_density(bone_directions(points))

    def body_energy(self, points: Tensor, pose: Tensor) -> Tensor:
        """`energy` of a posed body; its rotations do not matter."""
        return self.energy(points)

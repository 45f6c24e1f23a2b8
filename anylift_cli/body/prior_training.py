"""Train the pose prior: `python -m anylift_cli.body.prior_training MOCAP.npz ... --out weights/pose_prior.npz`.

Expectation maximisation for a Gaussian mixture over `prior.bone_directions`, on every frame and its mirror image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anylift_cli.artifacts.base import read_npz
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.prior import PosePrior, bone_directions
from anylift_cli.body.skeleton import BODY24, BODY24_FROM_SMPL_JOINT, BODY24_MIRROR, J, K

COVARIANCE_FLOOR = 0.05**2


def body24_from_smpl_joints(joints: np.ndarray) -> np.ndarray:
    """The `body24` points that SMPL joints (..., 24, 3) determine; face, small toes and heels are NaN.

    The foot joint stands for the big toe and the neck is the mean of the shoulders.
    """
    points = np.full((*joints.shape[:-2], len(BODY24), 3), np.nan, np.float32)
    for name, joint in BODY24_FROM_SMPL_JOINT.items():
        points[..., K[name], :] = joints[..., joint, :]
    for side in ("left", "right"):
        points[..., K[f"{side}_big_toe"], :] = joints[..., J[f"{side}_foot"], :]
    points[..., K["neck"], :] = 0.5 * (points[..., K["left_shoulder"], :] + points[..., K["right_shoulder"], :])
    return points


def training_features(files: list[Path]) -> Tensor:
    """Features (N, F) of all training frames of compact mocap files, each frame also mirrored."""
    features = []
    for path in files:
        stored = read_npz(path)
        joints = np.concatenate(
            [
                stored["joints"][start : start + length]
                for start, length, split in zip(stored["clip_start"], stored["clip_len"], stored["split"], strict=True)
                if split == "train"
            ]
        )
        points = torch.from_numpy(np.nan_to_num(body24_from_smpl_joints(joints)))
        mirrored = points[:, list(BODY24_MIRROR)] * torch.tensor([-1.0, 1.0, 1.0])
        features += [bone_directions(points), bone_directions(mirrored)]
    stacked = torch.cat(features)
    return stacked[torch.isfinite(stacked).all(-1)]


def fit_mixture(
    features: Tensor, components: int, iterations: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights (M,), means (M, F) and covariances (M, F, F) by expectation maximisation."""
    generator = torch.Generator().manual_seed(seed)
    count, width = features.shape
    means = features[torch.randperm(count, generator=generator)[:components]]
    nearest = torch.cdist(features, means).argmin(-1)
    responsibility = torch.nn.functional.one_hot(nearest, components).float()
    floor = COVARIANCE_FLOOR * torch.eye(width, dtype=torch.float64)
    for _ in range(iterations):
        mass = responsibility.sum(0).clamp_min(1.0)
        means = (responsibility.T @ features) / mass[:, None]
        covariances = torch.stack(
            [
                ((responsibility[:, m, None] * (features - means[m])).T @ (features - means[m]) / mass[m]).double()
                + floor
                for m in range(components)
            ]
        )
        weights = (mass / mass.sum()).double()
        prior = PosePrior.from_moments(weights, means, covariances)
        log_joint = torch.stack(
            [
                PosePrior(prior.log_weights[m : m + 1], prior.means[m : m + 1], prior.whitening[m : m + 1]).log_density(
                    features
                )
                for m in range(components)
            ],
            -1,
        )
        responsibility = log_joint.softmax(-1)
    return weights.numpy(), means.double().numpy(), covariances.numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mocap", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--components", type=int, default=24)
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    features = training_features(options.mocap)
    weights, means, covariances = fit_mixture(features, options.components, options.iterations, options.seed)
    moments = {"weights": weights, "means": means, "covariances": covariances}
    with atomic_path(options.out) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **{name: value.astype(np.float32) for name, value in moments.items()})
    print(f"{options.out}: {options.components} components from {len(features)} poses")


if __name__ == "__main__":
    main()

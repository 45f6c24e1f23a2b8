"""Errors of motion and cameras against ground truth. Pure NumPy functions; lengths in metres, angles in degrees."""

from __future__ import annotations

import numpy as np
import torch

from anylift_cli.geometry.alignment import align_points


def yaw_between(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Rotation about z (3, 3) that best takes camera orientations `predicted` (T, 3, 3) to `truth` (T, 3, 3).

    Worlds with z up agree but for this heading.
    """
    difference = np.einsum("tij,tkj->ik", truth, predicted)
    angle = np.arctan2(difference[1, 0] - difference[0, 1], difference[0, 0] + difference[1, 1])
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def mpjpe(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of root-centred joints (T, J, 3), joint 0 the root; no further alignment."""
    difference = (predicted - predicted[:, :1]) - (truth - truth[:, :1])
    return float(np.linalg.norm(difference, axis=-1).mean())


def pa_mpjpe(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean joint distance after the best similarity of each frame (Procrustes), (T, J, 3)."""
    source, target = torch.as_tensor(predicted, dtype=torch.float64), torch.as_tensor(truth, dtype=torch.float64)
    scale, rotation, translation = align_points(source, target, with_scale=True)
    moved = scale[:, None, None] * source @ rotation.transpose(-1, -2) + translation[:, None]
    return float((moved - target).norm(dim=-1).mean())


def root_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of root paths (T, 3) after their first frames were brought together."""
    return float(np.linalg.norm((predicted - predicted[0]) - (truth - truth[0]), axis=-1).mean())


def path_length(path: np.ndarray) -> float:
    """Length of a path (T, 3)."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum())


def rotation_errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Angles (T,) in degrees between camera turns since the first frame, orientations (T, 3, 3)."""
    turned = predicted[0].T @ predicted
    expected = truth[0].T @ truth
    cosine = (np.einsum("tij,tij->t", turned, expected) - 1) / 2
    sine = np.linalg.norm(turned - expected, axis=(-2, -1)) / (2 * np.sqrt(2))
    return np.degrees(np.where(cosine > 0, 2 * np.arcsin(np.clip(sine, 0, 1)), np.arccos(np.clip(cosine, -1, 1))))


def gravity_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Median angle in degrees between the verticals of two worlds with z up, as the cameras (T, 3, 3) see them."""
    cosine = (predicted[:, 2] * truth[:, 2]).sum(-1)
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def focal_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Median relative error of the focal lengths of intrinsics (T, 3, 3)."""
    return float(np.median(np.abs(predicted[:, 0, 0] / truth[:, 0, 0] - 1)))

"""What a network is told about each frame: the input view, the camera, gravity and the size root."""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.skeleton import BODY24
from anylift_cli.lifting.canonical import DISTANCE, FOCAL, Canonical
from anylift_cli.lifting.views import input_view

CAMERA = slice(3 * len(BODY24), 3 * len(BODY24) + 12)
"""Columns that hold the camera trajectory C."""
WIDTH = 3 * len(BODY24) + 12 + 3 + 3 + 3


def conditions(seen: Canonical) -> Tensor:
    """(B, T, WIDTH): 2D points and confidence, C (12 numbers), up, the size root's gaze, depth and path."""
    points = input_view(seen.rays, seen.weight, seen.root)
    camera = seen.camera_from_first[..., :3, :4].clone()
    camera[..., 3] /= DISTANCE
    depth = seen.root[..., 2:]
    gaze = seen.root[..., :2] / depth * FOCAL
    rotation, translation = seen.camera_from_first[..., :3, :3], seen.camera_from_first[..., :3, 3]
    path = ((seen.root - translation)[..., None, :] @ rotation)[..., 0, :] / DISTANCE
    path = path - path.new_tensor([0.0, 0.0, 1.0])
    parts = [points.flatten(2), seen.weight, camera.flatten(2), seen.up, gaze, (depth / DISTANCE).log(), path]
    return torch.cat(parts, -1)

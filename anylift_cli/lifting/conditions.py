"""What a network is told about each frame: the input view, camera, gravity, size root, an estimator's points."""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.skeleton import BODY24
from anylift_cli.lifting.canonical import DISTANCE, FOCAL, Canonical
from anylift_cli.lifting.views import input_view

CAMERA = slice(3 * len(BODY24), 3 * len(BODY24) + 12)
"""Columns that hold the camera trajectory C."""
PATH = slice(CAMERA.stop + 6, CAMERA.stop + 9)
"""Columns that hold the path of the size root."""
LOCAL = slice(PATH.stop, PATH.stop + 4 * len(BODY24))
"""Columns that hold an estimator's points."""
PARTS = {"camera": (CAMERA, PATH), "local": (LOCAL,)}
"""What a network can be trained without, to see what it is worth."""
WIDTH = 3 * len(BODY24) + 12 + 3 + 3 + 3 + 4 * len(BODY24)


def conditions(seen: Canonical) -> Tensor:
    """(B, T, WIDTH): 2D points and confidence, C (12 numbers), up, size root's gaze, depth, path, local points."""
    points = input_view(seen.rays, seen.weight, seen.root)
    camera = seen.camera_from_first[..., :3, :4].clone()
    camera[..., 3] /= DISTANCE
    depth = seen.root[..., 2:]
    gaze = seen.root[..., :2] / depth * FOCAL
    rotation, translation = seen.camera_from_first[..., :3, :3], seen.camera_from_first[..., :3, 3]
    path = ((seen.root - translation)[..., None, :] @ rotation)[..., 0, :] / DISTANCE
    path = path - path.new_tensor([0.0, 0.0, 1.0])
    local = seen.local * (seen.local_weight > 0)[..., None]
    parts = [points.flatten(2), seen.weight, camera.flatten(2), seen.up, gaze, (depth / DISTANCE).log(), path]
    parts += [local.flatten(2), seen.local_weight]
    return torch.cat(parts, -1)

"""One person's evidence as the networks see it: turned to the middle of the picture, in units of their distance.

The camera rig is re-oriented by one rotation that puts the first root on the optical axis (ALGORITHM 1.4, exact for
moving cameras), and lengths are divided so that this root lies `DISTANCE` away. The root's depth over time comes from
apparent size (ALGORITHM 8.5 step 1); everything else is told relative to that size root.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anylift_cli.geometry.cameras import invert
from anylift_cli.geometry.rotations import rotation_between
from anylift_cli.lifting.observation import ROOT, root_of
from anylift_cli.lifting.size import averaged, size_depth

DISTANCE = 3.0
"""Depth of the first root, canonical units."""
FOCAL = 1.85
"""Network coordinates are rays times this: a person at `DISTANCE` is about one unit high."""

_GAZE_WINDOW = 0.02


@dataclass(frozen=True)
class Canonical:
    """B windows of T frames; lengths in canonical units, `unit` metres each.

    Attributes:
        rays: (B, T, 24, 2) in the re-oriented cameras; 0 where unobserved.
        weight: (B, T, 24) confidence; 0 where unobserved.
        camera_from_first: (B, T, 4, 4) from the first re-oriented camera's axes, the paper's C.
        up: (B, T, 3) world's up in each re-oriented camera.
        root: (B, T, 3) size root in each re-oriented camera.
        local: (B, T, 24, 3) an estimator's root-centred points in the re-oriented camera's axes, 0 where unknown.
        local_weight: (B, T, 24) trust in them.
        unit: (B,) metres per canonical unit.
        world_from_first: (B, 4, 4) metric world from the first re-oriented camera (translation in metres).
    """

    rays: Tensor
    weight: Tensor
    camera_from_first: Tensor
    up: Tensor
    root: Tensor
    local: Tensor
    local_weight: Tensor
    unit: Tensor
    world_from_first: Tensor

    def to_world(self, local: Tensor) -> Tensor:
        """Points (B, T, N, 3) in canonical units relative to the size root, camera axes → metric world."""
        inside = local + self.root[..., None, :]
        rotation, translation = self.camera_from_first[..., :3, :3], self.camera_from_first[..., None, :3, 3]
        first = (inside - translation) @ rotation
        metric = first * self.unit[:, None, None, None]
        turn, centre = self.world_from_first[:, None, :3, :3], self.world_from_first[:, None, None, :3, 3]
        return metric @ turn.transpose(-1, -2) + centre

    def from_camera(self, points: Tensor, world_from_camera: Tensor) -> Tensor:
        """Points (B, T, N, 3) m before the given cameras (B, T, 4, 4) → canonical units relative to the size root."""
        turn = world_from_camera[:, :1, :3, :3].transpose(-1, -2) @ self.world_from_first[:, None, :3, :3]
        return points @ turn / self.unit[:, None, None, None] - self.root[..., None, :]

    def from_world(self, points: Tensor) -> Tensor:
        """Metric world points (B, T, N, 3) → canonical units relative to the size root, camera axes."""
        turn, centre = self.world_from_first[:, None, :3, :3], self.world_from_first[:, None, None, :3, 3]
        first = (points - centre) @ turn / self.unit[:, None, None, None]
        rotation, translation = self.camera_from_first[..., :3, :3], self.camera_from_first[..., None, :3, 3]
        return first @ rotation.transpose(-1, -2) + translation - self.root[..., None, :]


def canonical(
    rays: Tensor,
    weight: Tensor,
    world_from_camera: Tensor,
    times: Tensor,
    up: Tensor,
    lengths: Tensor,
    local: Tensor | None = None,
    local_weight: Tensor | None = None,
) -> Canonical:
    """Bring evidence into canonical form.

    Args:
        rays: (B, T, 24, 2), 0 where unobserved; weight: (B, T, 24), 0 where unobserved.
        world_from_camera: (B, T, 4, 4), translations in metres.
        times: (B, T) seconds.
        up: (B, 3) unit vector of the world.
        lengths: (B, E) the person's edge lengths, m.
        local: (B, T, 24, 3) root-centred points of an estimator in camera axes, m, and `local_weight` (B, T, 24); None
            without one.
    """
    if local is None or local_weight is None:
        local, local_weight = torch.zeros(*weight.shape, 3, device=rays.device), torch.zeros_like(weight)
    depth = size_depth(rays, weight, lengths, times)
    hips = weight[..., list(ROOT)].amin(-1)
    anywhere = weight.amax(-1)
    centre = (weight[..., None] * rays).sum(-2) / weight.sum(-1, keepdim=True).clamp_min(1e-6)
    gaze = torch.where((hips > 0)[..., None], root_of(rays), centre)
    evidence = torch.where(hips > 0, hips, 0.05 * anywhere) + 1e-6
    gaze = averaged(gaze, evidence, times, _GAZE_WINDOW)

    ahead = torch.cat([gaze[:, 0], torch.ones_like(gaze[:, 0, :1])], -1)
    turn = rotation_between(ahead, torch.tensor([0.0, 0.0, 1.0], device=rays.device).expand_as(ahead))
    turned_rays, _ = _turned(rays, turn)
    turned_gaze, stretch = _turned(gaze[:, :, None], turn)
    pose = world_from_camera.clone()
    pose[..., :3, :3] = world_from_camera[..., :3, :3] @ turn[:, None].transpose(-1, -2)
    unit = depth[:, 0] * stretch[:, 0, 0] / DISTANCE
    camera_from_first = invert(pose) @ pose[:, :1]
    camera_from_first[..., :3, 3] /= unit[:, None, None]
    direction = torch.cat([turned_gaze[:, :, 0], torch.ones_like(depth[..., None])], -1)
    root_depth = depth * stretch[..., 0] / unit[:, None]
    return Canonical(
        rays=torch.where((weight > 0)[..., None], turned_rays, 0.0),
        weight=weight,
        camera_from_first=camera_from_first,
        up=(up[:, None, None] @ pose[..., :3, :3])[:, :, 0],
        root=direction * root_depth[..., None],
        local=local @ turn[:, None].transpose(-1, -2) / unit[:, None, None, None],
        local_weight=local_weight,
        unit=unit,
        world_from_first=pose[:, 0],
    )


def _turned(rays: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    """Rays (B, T, N, 2) in axes turned by `rotation` (B, 3, 3), and the new depth per old depth (B, T, N)."""
    direction = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ rotation[:, None].transpose(-1, -2)
    stretch = direction[..., 2].clamp_min(0.05)
    return direction[..., :2] / stretch[..., None], stretch

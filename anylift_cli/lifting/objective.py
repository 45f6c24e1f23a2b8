"""The energy that `optimize` minimises: a maximum-a-posteriori sum over frames, every term in standard deviations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anylift_cli.body.prior import PosePrior
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.vectors import squared_length
from anylift_cli.lifting.edges import DEVIATION, TWIN, edge_lengths
from anylift_cli.lifting.observation import Observation, root_of

_SURE = 0.06
"""Mean deviation, m, of imagined points up to which the depth of their root is trusted in full."""


@dataclass(frozen=True)
class Weights:
    """Standard deviations and weights of the terms."""

    pixel: float = 0.014
    """metres at the person's depth"""
    pixel_outlier: float = 0.15
    local_side: float = 0.06
    local_depth: float = 0.10
    length: float = 0.06
    """relative, of the person's bones about the mean body's"""
    acceleration: float = 12.0
    """m/s²"""
    root_acceleration: float = 4.0
    imagined_depth: float = 0.03
    """relative, of the root, where the imagined points are sure"""
    smooth: float = 1.0
    pose: float = 0.5
    foot_speed: float = 0.05
    """m/s, of a foot in contact"""
    foot_height: float = 0.02
    drift: float = 0.0
    """m/s, of the estimated camera path; 0: it is right"""
    drift_reach: float = 0.1
    """m, of that drift"""
    stretch: float = 0.0
    """relative, of the length of the camera path; 0: it is right"""


@dataclass(frozen=True)
class Contacts:
    """Foot contact for the second pass: points (F,) of `body24`, probability (B, T, F), resting height (F,)."""

    points: tuple[int, ...]
    probability: Tensor
    height: Tensor


@dataclass(frozen=True)
class PathError:
    """By how much cameras are elsewhere than estimated: `drift` (B, T, 3) m, and `stretch` (B,), the relative error of
    the path's length."""

    drift: Tensor
    stretch: Tensor


class Objective:
    """Energy of world points given one person's evidence; all B entries are independent."""

    def __init__(
        self,
        observation: Observation,
        lengths: Tensor,
        prior: PosePrior,
        weights: Weights,
        contacts: Contacts | None = None,
    ) -> None:
        self.observation, self.lengths, self.prior, self.weights = observation, lengths, prior, weights
        self.contacts = contacts
        self.camera_from_world = invert(observation.world_from_camera)
        centre = observation.world_from_camera[..., :3, 3]
        self.away = centre - centre.mean(1, keepdim=True)
        self.deviation = DEVIATION.to(lengths.device)
        self.twin = TWIN.to(lengths.device)

    def moved(self, path: PathError) -> Tensor:
        """By how much each camera is elsewhere than estimated, (B, T, 3) m; the middle of its path only drifts."""
        return path.drift + path.stretch[:, None, None] * self.away

    def __call__(self, points: Tensor, log_lengths: Tensor, path: PathError | None = None) -> Tensor:
        """Energy (B,), mean over frames.

        Args:
            points: (B, T, 24, 3) world.
            log_lengths: (B, pairs of edges) deviation of the person's edge lengths from the mean body's.
            path: None takes the cameras to be where they were estimated.
        """
        w, seen = self.weights, self.observation
        before = points if path is None else points - self.moved(path)[..., None, :]
        camera = transform(self.camera_from_world, before)
        depth = camera[..., 2:].clamp_min(0.2)
        miss = squared_length((camera[..., :2] / depth - seen.rays) * depth.detach())
        energy = (seen.weight * robust(miss, w.pixel, w.pixel_outlier)).sum(-1)
        energy = energy + self._length_term(points, log_lengths)
        energy = energy + w.pose * self.prior.energy(points).clamp_max(200.0)
        if seen.local is not None:
            energy = energy + local_term(camera, seen, w)
        if seen.imagined is not None:
            energy = energy + self._imagined_term(camera)
        total = energy.mean(-1) + self._smooth_term(points)
        total = total + 0.5 * (log_lengths / w.length).square().mean(-1)
        if path is not None:
            total = total + self._path_term(path)
        if self.contacts is not None:
            total = total + self._contact_term(points, self.contacts)
        return total

    def _length_term(self, points: Tensor, log_lengths: Tensor) -> Tensor:
        expected = self.lengths * log_lengths.exp()[:, self.twin]
        return ((edge_lengths(points) / expected[:, None] - 1) / self.deviation).square().sum(-1) * 0.5

    def _imagined_term(self, camera: Tensor) -> Tensor:
        seen, root = self.observation, root_of(camera)
        offset = (camera - root[..., None, :] - seen.imagined) / seen.imagined_deviation[..., None]
        doubt = (seen.imagined_deviation.mean(-1) / _SURE).clamp_min(1.0)
        depth = (root[..., 2].clamp_min(0.2) / seen.imagined_depth).log() / (self.weights.imagined_depth * doubt)
        return 0.5 * (robust(squared_length(offset), 1.0, 5.0).sum(-1) + robust(depth.square(), 1.0, 5.0))

    def _smooth_term(self, points: Tensor) -> Tensor:
        w, times = self.weights, self.observation.times
        if points.shape[1] < 3:
            return points.new_zeros(len(points))
        root = root_of(points)
        whole = soft_norm(acceleration(root, times) / w.root_acceleration)
        parts = soft_norm(acceleration(points - root[..., None, :], times) / w.acceleration)
        return w.smooth * (whole.mean(-1) * 4 + parts.sum(-1).mean(-1))

    def _path_term(self, path: PathError) -> Tensor:
        w, interval = self.weights, self.observation.times.diff(dim=-1).clamp_min(1e-3)
        square = torch.zeros_like(path.stretch)
        if w.drift:
            speed = squared_length(path.drift.diff(dim=1) / interval[..., None] / w.drift)
            square = speed.sum(-1) + squared_length(path.drift / w.drift_reach).sum(-1)
        if w.stretch:
            square = square + (path.stretch / w.stretch).square()
        return 0.5 * square / path.drift.shape[1]

    def _contact_term(self, points: Tensor, contacts: Contacts) -> Tensor:
        w = self.weights
        feet = points[..., list(contacts.points), :]
        interval = self.observation.times.diff(dim=-1)[..., None, None].clamp_min(1e-3)
        speed = squared_length(feet.diff(dim=1) / interval / w.foot_speed)
        both = torch.minimum(contacts.probability[:, 1:], contacts.probability[:, :-1])
        height = ((feet[..., 2] - contacts.height) / w.foot_height).square()
        return 0.5 * (
            (both * robust(speed, 1.0, 6.0)).sum(-1).mean(-1)
            + (contacts.probability * robust(height, 1.0, 6.0)).sum(-1).mean(-1)
        )


def local_term(camera: Tensor, seen: Observation, weights: Weights) -> Tensor:
    """Energy (B, T) of camera points (B, T, 24, 3) against the estimator's root-centred points."""
    offset = camera - root_of(camera)[..., None, :] - seen.local
    spread = offset.new_tensor([weights.local_side, weights.local_side, weights.local_depth])
    return 0.5 * (seen.local_weight * robust(squared_length(offset / spread), 1.0, 4.0)).sum(-1)


def robust(square: Tensor, deviation: float, outlier: float) -> Tensor:
    """Geman-McClure: grows as square / deviation² and levels off beyond `outlier` (same unit as `deviation`)."""
    return square / deviation**2 / (1 + square / outlier**2)


def soft_norm(vector: Tensor) -> Tensor:
    """Length of (..., 3), quadratic near zero."""
    return (squared_length(vector) + 0.25).sqrt() - 0.5


def acceleration(points: Tensor, times: Tensor) -> Tensor:
    """Second derivative in m/s² at unequal times; points (B, T, ..., 3), times (B, T) → (B, T - 2, ..., 3)."""
    interval = times.diff(dim=-1).clamp_min(1e-3).reshape(*times.shape[:-1], -1, *[1] * (points.dim() - 2))
    velocity = points.diff(dim=1) / interval
    return 2 * velocity.diff(dim=1) / (interval[:, 1:] + interval[:, :-1])

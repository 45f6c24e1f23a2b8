"""Frames of 3D clips that windows are cut from: SMPL joints of motion capture, or points alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from anylift_cli.body.mocap import MEASURED_POINTS, Mocap, mocap_points
from anylift_cli.body.skeleton import BODY24
from anylift_cli.synthetic.draw import Draw
from anylift_cli.training.body_variety import arms_exchanged, loosened, tumbled, varied
from anylift_cli.training.leg_variety import restanced
from anylift_cli.training.point_clips import PointClips, varied_points
from anylift_cli.training.recordings import Recordings, varied_recordings

_OTHER_ARMS, _OTHER_STANCE, _LOOSE, _TUMBLING = 0.3, 0.5, 0.5, 0.1
_ADDED_WEIGHT = 0.5
"""Loss weight of points that a mean body lends to the mocap."""


class StoredFrames(Protocol):
    """Frames one after the other, or windows of them."""

    def between(self, low: Tensor, high: Tensor, share: Tensor) -> StoredFrames:
        """Windows: frames `low` (B, T) and `high` mixed by `share` (B, T)."""
        ...

    def varied(self, fps: float, draw: Draw) -> StoredFrames:
        """Windows of other people that do the same or the like."""
        ...

    def points(self) -> Tensor:
        """`body24` (..., 24, 3) m."""
        ...

    def point_weight(self) -> Tensor:
        """(24,) weight of each point in losses."""
        ...


@dataclass(frozen=True)
class JointFrames:
    """Joints (..., 24, 3) and axes (..., 3, 3, 3) of `Mocap`."""

    joints: Tensor
    axes: Tensor

    @classmethod
    def of(cls, sources: list[Mocap], device: str) -> JointFrames:
        """All frames of some files."""
        return cls(
            torch.cat([mocap.joints for mocap in sources]).to(device),
            torch.cat([mocap.axes for mocap in sources]).to(device),
        )

    def between(self, low: Tensor, high: Tensor, share: Tensor) -> JointFrames:
        """Joints are mixed; axes are those of the nearer frame."""
        part = share[..., None, None]
        joints = (1 - part) * self.joints[low] + part * self.joints[high]
        return JointFrames(joints, self.axes[torch.where(share < 0.5, low, high)])

    def varied(self, fps: float, draw: Draw) -> JointFrames:
        """Some with the arms of others, feet elsewhere, loose or tumbling; mirrored, turned, other proportions."""
        joints = arms_exchanged(self.joints, draw.chance((len(self.joints),), _OTHER_ARMS))
        joints = restanced(joints, draw.chance((len(joints),), _OTHER_STANCE), draw)
        joints, axes = loosened(joints, self.axes, fps, draw.chance((len(joints),), _LOOSE), draw)
        joints, axes = tumbled(joints, axes, fps, draw.chance((len(joints),), _TUMBLING), draw)
        return JointFrames(*varied(joints, axes, draw))

    def points(self) -> Tensor:
        """Joints, and what a mean body lends."""
        return mocap_points(self.joints, self.axes)

    def point_weight(self) -> Tensor:
        """Lent points count less."""
        weight = torch.full((len(BODY24),), _ADDED_WEIGHT, device=self.joints.device)
        weight[list(MEASURED_POINTS)] = 1.0
        return weight


@dataclass(frozen=True)
class PointFrames:
    """Points (..., 24, 3), and the share of frames (24,) in which the videos that they come from showed them."""

    stored: Tensor
    seen: Tensor

    @classmethod
    def of(cls, sources: list[PointClips], device: str) -> PointFrames:
        """All frames of some files."""
        count = torch.tensor([float(len(clips.points)) for clips in sources])
        seen = (torch.stack([clips.seen for clips in sources]) * (count / count.sum())[:, None]).sum(0)
        return cls(torch.cat([clips.points for clips in sources]).to(device), seen.to(device))

    def between(self, low: Tensor, high: Tensor, share: Tensor) -> PointFrames:
        """Points are mixed."""
        part = share[..., None, None]
        return PointFrames((1 - part) * self.stored[low] + part * self.stored[high], self.seen)

    def varied(self, fps: float, draw: Draw) -> PointFrames:
        """Mirrored, turned, taller or smaller."""
        return PointFrames(varied_points(self.stored, draw), self.seen)

    def points(self) -> Tensor:
        """The points."""
        return self.stored

    def point_weight(self) -> Tensor:
        """Points that videos hardly show teach nothing."""
        return (2 * self.seen).clamp_max(1.0)


@dataclass(frozen=True)
class HandledFrames:
    """Points (..., 24, 3) of people, corners (..., 8, 3) of what they handle and its category (...)."""

    people: Tensor
    corners: Tensor
    category: Tensor

    @classmethod
    def of(cls, sources: list[Recordings], device: str) -> HandledFrames:
        """All frames of some files."""
        return cls(*(
            torch.cat([getattr(one, name) for one in sources]).to(device) for name in ("points", "corners", "category")
        ))  # fmt: skip

    def between(self, low: Tensor, high: Tensor, share: Tensor) -> HandledFrames:
        """Points and corners are mixed."""
        part = share[..., None, None]
        people, corners = ((1 - part) * values[low] + part * values[high] for values in (self.people, self.corners))
        return HandledFrames(people, corners, self.category[low])

    def varied(self, fps: float, draw: Draw) -> HandledFrames:
        """Mirrored, turned, larger or smaller."""
        return HandledFrames(*varied_recordings(self.people, self.corners, draw), self.category)

    def points(self) -> Tensor:
        """The people's."""
        return self.people

    def point_weight(self) -> Tensor:
        """All alike."""
        return torch.ones(len(BODY24), device=self.people.device)

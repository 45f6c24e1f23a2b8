"""Endless batches from 3D clips: fresh bodies, cameras and detections at every step, made on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anylift_cli.body.mocap import Mocap, read_mocap
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.lifting.canonical import Canonical, canonical
from anylift_cli.lifting.conditions import conditions
from anylift_cli.lifting.edges import SIZE, edge_lengths
from anylift_cli.lifting.observation import root_of
from anylift_cli.lifting.views import to_views, view_rotations
from anylift_cli.synthetic.camera_errors import estimated_cameras, estimated_up, rescaled
from anylift_cli.synthetic.detector import detect, estimate_local
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.virtual_cameras import MODES, PAN, STILL, CameraPaths, draw_cameras
from anylift_cli.training.point_clips import PointClips, holds_points, read_point_clips
from anylift_cli.training.recordings import Recordings, is_recording, read_recordings
from anylift_cli.training.stored_frames import HandledFrames, JointFrames, PointFrames, StoredFrames

Source = Mocap | PointClips | Recordings

_STILL_SHARE, _PAN_SHARE = 0.3, 0.2
_SHORT_SHARE = 0.25
_SCALE_ERROR = 0.12
_LOCAL_SHARE = 0.5
"""Of the clips that come with a single-image estimator's points."""
_TILTED_SHARE, _TILTS = 0.15, (0.12, 0.03)
_UPWEIGHTED = ("dance", "jump", "climb", "sword", "punch", "soccer", "cartwheel", "kick", "playground", "hang")


@dataclass(frozen=True)
class Batch:
    """What a step of multi-view training needs.

    Attributes:
        seen: the conditions' source, canonical.
        condition: (B, T, C).
        views: (B, T, V - 1, 24, 2) true 2D points of the virtual views, network coordinates.
        local: (B, T, 24, 3) true points relative to the size root, camera axes, canonical units.
        valid: (B, T) frames that exist.
        point_weight: (24,) of the loss.
        world: (B, T, 24, 3) true points, m, and `true_cameras` (B, T, 4, 4).
    """

    seen: Canonical
    condition: Tensor
    views: Tensor
    local: Tensor
    valid: Tensor
    point_weight: Tensor
    world: Tensor
    true_cameras: Tensor


class MocapBatches:
    """Windows of motion capture, or of synthesised clips, under random cameras.

    `batch(step)` is the same for the same seed and step.
    """

    def __init__(
        self, files: list[Path], split: str, frames: int, views: int, seed: int, device: str, vary: bool = True
    ) -> None:
        sources = _sources(files)
        rates = sorted({source.fps for source in sources})
        if len(rates) > 1:
            raise AnyliftError(f"mocap files of different frame rates: {', '.join(map(str, rates))}")
        self.frames, self.views, self.seed, self.device, self.vary = frames, views, seed, device, vary
        rows = [
            (source, int(start), int(length), weight)
            for source, clips in enumerate(sources)
            for start, length, weight in _clips(clips, split)
        ]
        if not rows:
            raise AnyliftError(f"no clip of split '{split}' in {', '.join(map(str, files))}")
        self.stored = _stored(sources, device)
        offsets = np.cumsum([0] + [_frames(source) for source in sources])
        self.start = torch.tensor([offsets[source] + start for source, start, _, _ in rows], device=device)
        self.length = torch.tensor([length for _, _, length, _ in rows], device=device)
        self.probability = torch.tensor([weight for *_, weight in rows], device=device)
        self.rate = rates[0]
        every = torch.arange(0, int(offsets[-1]), 50, device=device)
        sample = self.stored.between(every, every, torch.zeros(len(every), device=device))
        self.lengths = edge_lengths(sample.points()).mean(0)
        self.point_weight = self.stored.point_weight()

    def batch(self, step: int, size: int, mode: int | None = None) -> Batch:
        """The batch of a step: `size` windows, the camera mode drawn at random or given."""
        draw = Draw.seeded(self.seed * 1_000_003 + step, self.device)
        windows, valid = self._windows(size, draw)
        world = (windows.varied(self.rate, draw) if self.vary else windows).points()
        times = torch.arange(self.frames, device=self.device) / self.rate
        modes = draw_modes(size, draw) if mode is None else torch.full((size,), mode, device=self.device)
        return self._filmed(world, valid, times, modes, draw)[0]

    def _windows(self, size: int, draw: Draw) -> tuple[StoredFrames, Tensor]:
        clip = torch.multinomial(self.probability, size, replacement=True, generator=draw.generator)
        rate = draw.uniform((size, 1), 0.8, 1.25) if self.vary else torch.ones(size, 1, device=self.device)
        length = self.length[clip, None].float()
        needed = rate * (self.frames - 1)
        begin = draw.uniform((size, 1)) * (length - 1 - needed).clamp_min(0)
        position = begin + rate * torch.arange(self.frames, device=self.device)
        valid = position <= length - 1
        if self.vary:
            shorter = self.frames - draw.integers((size, 1), self.frames // 2)
            cut = torch.arange(self.frames, device=self.device) < shorter
            valid &= cut | ~draw.chance((size, 1), _SHORT_SHARE)
        position = torch.minimum(position, length - 1)
        low = position.floor().long().clamp_max(self.length[clip, None] - 1)
        high = torch.minimum(low + 1, self.length[clip, None] - 1)
        first = self.start[clip, None]
        return self.stored.between(first + low, first + high, position - low), valid

    def _filmed(
        self,
        world: Tensor,
        valid: Tensor,
        times: Tensor,
        modes: Tensor,
        draw: Draw,
        size_error: Tensor | None = None,
    ) -> tuple[Batch, CameraPaths, Tensor]:
        """People before cameras, these cameras, and what a solver makes of them, `world_from_camera` (B, T, 4, 4).

        Args:
            size_error: (B,) logarithm of the people's assumed size over their own; drawn if it is not given.
        """
        size = len(world)
        film = draw_cameras(root_of(world), times, modes, draw)
        camera_points = transform(invert(film.world_from_camera), world)
        rays, weight = detect(camera_points, film.focal, times, draw)
        weight = weight * valid[..., None]
        rays = torch.where((weight > 0)[..., None], rays, 0.0)
        moving = (modes != STILL) & (modes != PAN)
        estimated = estimated_cameras(film.world_from_camera, times, moving, draw)
        estimated = rescaled(estimated, torch.exp(draw.normal((size,), _SCALE_ERROR) * moving))
        up = estimated_up(torch.where(draw.chance((size,), _TILTED_SHARE), *_TILTS), draw)
        wrong = draw.normal((size,), 0.06) * moving if size_error is None else size_error
        lengths = self._assumed_lengths(world, wrong)
        told = draw.chance((size, 1, 1), _LOCAL_SHARE if self.vary else 0.0)
        local_weight = weight * told
        local = torch.where((local_weight > 0)[..., None], estimate_local(camera_points, times, draw), 0.0)
        seen = canonical(rays, weight, estimated, times.expand(size, -1), up, lengths, local, local_weight)
        true_local = seen.from_camera(camera_points, estimated)
        rotations = view_rotations(seen.up, self.views)
        batch = Batch(
            seen=seen,
            condition=conditions(seen),
            views=to_views(true_local, seen.root, rotations),
            local=true_local,
            valid=valid,
            point_weight=self.point_weight,
            world=world,
            true_cameras=film.world_from_camera,
        )
        return batch, film, estimated

    def _assumed_lengths(self, world: Tensor, wrong: Tensor) -> Tensor:
        """Edge lengths (B, E) of a mean body of the person's size, off by the logarithms `wrong` (B,)."""
        size = (edge_lengths(world[:, ::30]).mean(1) / self.lengths)[:, SIZE.to(self.device)].log().mean(-1)
        return self.lengths * (size + wrong).exp()[:, None]


def _sources(files: list[Path]) -> list[Source]:
    readers = {_reader(path) for path in files}
    if len(readers) > 1:
        raise AnyliftError(
            "mocap, synthesised clips and recordings of interactions do not mix in one training",
            "train on one kind of file",
        )
    return [readers.copy().pop()(path) for path in files]


def _reader(path: Path) -> Callable[[Path], Source]:
    if is_recording(path):
        return read_recordings
    return read_point_clips if holds_points(path) else read_mocap


def _stored(sources: list[Source], device: str) -> StoredFrames:
    frames = {Mocap: JointFrames, PointClips: PointFrames, Recordings: HandledFrames}[type(sources[0])]
    return frames.of(sources, device)


def _frames(source: Source) -> int:
    return len(source.joints if isinstance(source, Mocap) else source.points)


def _clips(mocap: Source, split: str) -> list[tuple[int, int, float]]:
    chosen = np.flatnonzero(mocap.split == split)
    kinds = np.array([str(action).split(" - ")[0].split(",")[0] for action in mocap.action])
    rows = []
    for clip in chosen:
        weight = mocap.length[clip] ** 0.5 / (kinds[chosen] == kinds[clip]).sum() ** 0.7
        if any(word in str(mocap.action[clip]).lower() for word in _UPWEIGHTED):
            weight *= 2
        rows.append((mocap.start[clip], mocap.length[clip], float(weight)))
    return rows


def draw_modes(size: int, draw: Draw) -> Tensor:
    """Modes (B,) of `MODES` in training's shares."""
    kind = draw.uniform((size,))
    moving = 2 + draw.integers((size,), len(MODES) - 2)
    return torch.where(kind < _STILL_SHARE, STILL, torch.where(kind < _STILL_SHARE + _PAN_SHARE, PAN, moving))

"""Batches for stage A: what videos show, mixed with projections of their people's local poses (ALGORITHM 2.5)."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anylift_cli.body.skeleton import BODY24_MIRROR
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.geometry.vectors import unit
from anylift_cli.lifting.canonical import DISTANCE, Canonical, canonical
from anylift_cli.lifting.epipolar import pencil, trust_of_lines
from anylift_cli.lifting.observation import root_of
from anylift_cli.lifting.single_view import camera_conditions, reframed
from anylift_cli.lifting.views import input_view
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.virtual_cameras import MODES, draw_cameras
from anylift_cli.training.clips import RATE, TrainingClip, mean_lengths, read_clips
from anylift_cli.training.virtual_lines import draw_epipoles, draw_lines

_FAINT = 1e-3
"""Weight of points that were filled in: enough to have a place, too little to tell size."""
_SEEN = 0.05
_REAL_PATHS = 0.7
"""Share of projected clips that are filmed with a camera path of the videos; the others with one that is drawn."""
_ASIDE, _WANDER = 0.06, 0.04
"""Horizontal error of the size root as the virtual views meet it, lasting and slowly changing, share of `DISTANCE`."""
_RIGHT = 0.25
"""Share of clips whose size root is left as it is."""
_TEST_SHARE = 10


@dataclass(frozen=True)
class SingleViewBatch:
    """What a step of stage A needs, B windows of T frames; network coordinates relative to the size root.

    Attributes:
        points: (B, T, 24, 2) the view's points.
        known: (B, T, 24) which of them are known.
        projected: (B,) windows that are projections of local poses: nothing is known of their hips.
        camera: (B, T, CAMERA_WIDTH) conditions.
        lines: (B, T, 24, 3) the lines that the network is told.
        true_lines: (B, T, 24, 3) through the points themselves, and `line_trust` (B, T, 24).
        valid: (B, T) frames that exist.
    """

    points: Tensor
    known: Tensor
    projected: Tensor
    camera: Tensor
    lines: Tensor
    true_lines: Tensor
    line_trust: Tensor
    valid: Tensor


@dataclass(frozen=True)
class _Windows:
    """Windows of clips: rays, weight, world_from_camera, local, local_weight as in `TrainingClip`, valid (B, T)."""

    rays: Tensor
    weight: Tensor
    world_from_camera: Tensor
    local: Tensor
    local_weight: Tensor
    valid: Tensor


class ClipBatches:
    """Windows of prepared clips; `batch(step)` is the same for the same seed and step.

    One source in ten, by its name, is for testing ("test"), the others for training ("train"); a split that would be
    empty has all clips, and so has "all".

    Attributes:
        name, source, side: of each clip: its name, its video and the side of the split that it is on.
        length: (C,) frames of each clip; rate: frames per second.
        lengths: (E,) edge lengths that people are assumed to have, m.
    """

    def __init__(
        self, folder: Path, split: str, frames: int, projected: float, seed: int, device: str, vary: bool = True
    ) -> None:
        """`projected` is the share of windows that are projections of local poses, where the clips have any."""
        clips = _of_split(read_clips(folder), split)
        self.name = [Path(name).stem for name in clips]
        self.source = [clip.meta["source"] for clip in clips.values()]
        self.side = _sides(clips)
        self.rate = RATE
        self.frames, self.seed, self.device, self.vary = frames, seed, device, vary
        self.stored = {
            name: torch.from_numpy(np.concatenate([getattr(clip, name) for clip in clips.values()])).to(device)
            for name in ("rays", "weight", "world_from_camera", "local", "local_weight")
        }
        length = np.array([len(clip.weight) for clip in clips.values()])
        self.start = torch.from_numpy(np.cumsum([0, *length[:-1]])).to(device)
        self.length = torch.from_numpy(length).to(device)
        self.probability = self.length.float().sqrt()
        has_local = torch.tensor([bool((clip.local_weight > 0).any()) for clip in clips.values()], device=device)
        self.local_probability = self.probability * has_local
        self.projected = projected if bool(has_local.any()) else 0.0
        self.lengths = mean_lengths(device)
        self.times = torch.arange(frames, device=device) / RATE

    def batch(self, step: int, size: int) -> SingleViewBatch:
        """The batch of a step."""
        draw = Draw.seeded(self.seed * 1_000_003 + step, self.device)
        projected = round(size * self.projected)
        drawn = round(projected * (1 - _REAL_PATHS))
        filmed = self._seen(self._windows(size - drawn, self.probability, draw))
        parts = [_rows(filmed, slice(0, size - projected))]
        if projected:
            poses = self._windows(projected, self.local_probability, draw)
            real = _rows(filmed, slice(size - projected, None))
            parts += [_placed(real, _take(poses, slice(0, projected - drawn)), draw)] if projected > drawn else []
            parts += [self._drawn(_take(poses, slice(projected - drawn, None)), draw)] if drawn else []
        seen = _joined([part for part, _ in parts])
        valid = torch.cat([exists for _, exists in parts])
        if self.vary:
            seen = reframed(seen, _displaced(seen, self.times, draw))
        is_projected = torch.arange(size, device=self.device) >= size - projected
        return self._batch(seen, valid, is_projected, draw)

    def window(self, clip: Tensor, begin: Tensor) -> tuple[Canonical, Tensor]:
        """Canonical form of the windows of clips (B,) from frames `begin` (B,) on, and which frames exist (B, T)."""
        return self._seen(self._cut(clip, begin))

    def _batch(self, seen: Canonical, valid: Tensor, projected: Tensor, draw: Draw) -> SingleViewBatch:
        points = input_view(seen.rays, torch.ones_like(seen.weight), seen.root)
        known = (seen.weight > _SEEN) & valid[..., None]
        through = draw_epipoles(seen.up, seen.root, draw)
        return SingleViewBatch(
            points=points,
            known=known,
            projected=projected,
            camera=camera_conditions(seen),
            lines=draw_lines(points, known, through, draw),
            true_lines=pencil(points, through),
            line_trust=trust_of_lines(points, through),
            valid=valid,
        )

    def _windows(self, size: int, probability: Tensor, draw: Draw) -> _Windows:
        clip = torch.multinomial(probability, size, replacement=True, generator=draw.generator)
        free = (self.length[clip] - self.frames).clamp_min(0)
        begin = (draw.uniform((size,)) * (free + 1)).long().clamp_max(free)
        windows = self._cut(clip, begin)
        return _mirrored(windows, draw.chance((size,), 0.5)) if self.vary else windows

    def _cut(self, clip: Tensor, begin: Tensor) -> _Windows:
        position = begin[:, None] + torch.arange(self.frames, device=self.device)
        last = self.length[clip, None] - 1
        frames = self.start[clip, None] + torch.minimum(position, last)
        return _Windows(**{name: value[frames] for name, value in self.stored.items()}, valid=position <= last)

    def _seen(self, windows: _Windows) -> tuple[Canonical, Tensor]:
        weight = (windows.weight * windows.valid[..., None]).clamp_min(_FAINT)
        return self._canonical(windows.rays, weight, windows.world_from_camera), windows.valid

    def _canonical(self, rays: Tensor, weight: Tensor, poses: Tensor) -> Canonical:
        size = len(rays)
        up = rays.new_tensor([0.0, 0.0, 1.0]).expand(size, 3)
        return canonical(rays, weight, poses, self.times.expand(size, -1), up, self.lengths.expand(size, -1))

    def _drawn(self, poses: _Windows, draw: Draw) -> tuple[Canonical, Tensor]:
        """Local poses that stand still before cameras drawn at random."""
        local = _upright(poses)
        lowest = local[..., 2].amin((1, 2))
        world = local - lowest[:, None, None, None] * local.new_tensor([0.0, 0.0, 1.0])
        film = draw_cameras(root_of(world), self.times, draw.integers((len(local),), len(MODES)), draw)
        inside = transform(invert(film.world_from_camera), world)
        rays = inside[..., :2] / inside[..., 2:].clamp_min(0.2)
        return self._canonical(rays, _estimated(poses), film.world_from_camera), poses.valid


def _of_split(clips: dict[str, TrainingClip], split: str) -> dict[str, TrainingClip]:
    chosen = {name: clip for (name, clip), side in zip(clips.items(), _sides(clips), strict=True) if side == split}
    return chosen or clips


def _sides(clips: dict[str, TrainingClip]) -> list[str]:
    """Side of the split of each clip, by its source; all of them "train" where one side would be empty."""
    sources = [clip.meta["source"] for clip in clips.values()]
    sides = ["test" if zlib.crc32(source.encode()) % _TEST_SHARE == 0 else "train" for source in sources]
    return sides if "train" in sides else ["train"] * len(sides)


def _placed(filmed: tuple[Canonical, Tensor], poses: _Windows, draw: Draw) -> tuple[Canonical, Tensor]:
    """Local poses in place of the people of videos: on their size roots, turned about the vertical, same cameras."""
    seen, _ = filmed
    local = _upright(poses)
    angle = draw.uniform((len(local), 1), 0, 2 * math.pi) * local.new_tensor([0.0, 0.0, 1.0])
    camera_from_world = seen.camera_from_first[..., :3, :3] @ seen.world_from_first[:, None, :3, :3].transpose(-1, -2)
    turned = camera_from_world @ matrix_from_axis_angle(angle)[:, None]
    inside = local @ turned.transpose(-1, -2) / seen.unit[:, None, None, None] + seen.root[..., None, :]
    rays = inside[..., :2] / inside[..., 2:].maximum(0.2 * seen.root[..., None, 2:])
    return replace(seen, rays=rays, weight=_estimated(poses)), poses.valid


def _upright(poses: _Windows) -> Tensor:
    """Local points (B, T, 24, 3) in the world's axes."""
    return poses.local @ poses.world_from_camera[..., :3, :3].transpose(-1, -2)


def _estimated(poses: _Windows) -> Tensor:
    return (poses.local_weight * poses.valid[..., None]).clamp_min(_FAINT)


def _displaced(seen: Canonical, times: Tensor, draw: Draw) -> Tensor:
    """Size roots (B, T, 3) that are off horizontally, as those are that a virtual view is given."""
    batch = len(seen.root)
    across = unit(torch.linalg.cross(seen.up, seen.root))
    along = torch.linalg.cross(across, seen.up)
    error = draw.normal((batch, 1, 2), _ASIDE) + _WANDER * draw.wander((batch, 2), times, 0.1, 1.0)
    error = DISTANCE * error.clamp(-0.3, 0.3) * ~draw.chance((batch, 1, 1), _RIGHT)
    return seen.root + error[..., :1] * across + error[..., 1:] * along


def _mirrored(windows: _Windows, which: Tensor) -> _Windows:
    """Left and right exchanged in the windows `which` (B,): people, image and world."""
    order = list(BODY24_MIRROR)
    flip = torch.diag(windows.rays.new_tensor([-1.0, 1.0, 1.0, 1.0]))
    other = _Windows(
        rays=windows.rays[:, :, order] * flip.diagonal()[:2],
        weight=windows.weight[:, :, order],
        world_from_camera=flip @ windows.world_from_camera @ flip,
        local=windows.local[:, :, order] * flip.diagonal()[:3],
        local_weight=windows.local_weight[:, :, order],
        valid=windows.valid,
    )
    return _Windows(**{
        name: torch.where(which.reshape(-1, *[1] * (value.dim() - 1)), getattr(other, name), value)
        for name, value in vars(windows).items()
    })  # fmt: skip


def _take(windows: _Windows, rows: slice) -> _Windows:
    return _Windows(**{name: value[rows] for name, value in vars(windows).items()})


def _rows(part: tuple[Canonical, Tensor], rows: slice) -> tuple[Canonical, Tensor]:
    seen, valid = part
    return Canonical(**{name: value[rows] for name, value in vars(seen).items()}), valid[rows]


def _joined(parts: list[Canonical]) -> Canonical:
    return Canonical(
        **{spec.name: torch.cat([getattr(part, spec.name) for part in parts]) for spec in fields(Canonical)}
    )

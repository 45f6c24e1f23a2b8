"""Train person and object together, from motion capture to which things are added, or from recordings of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations, product
from pathlib import Path

import torch
from torch import Tensor, nn

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.body.skeleton import BODY24
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.boxes import box_corners
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.lifting.checkpoint import load_checkpoint
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.joint import (
    CORNERS,
    Told,
    object_conditions,
    object_views,
    told_of,
    triangulated_object,
)
from anylift_cli.lifting.multi_view import imagine, triangulated
from anylift_cli.lifting.networks import ViewsAsChannels
from anylift_cli.lifting.observation import root_of
from anylift_cli.progress import SILENT, Progress
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.interactions import handle_things
from anylift_cli.synthetic.object_tracker import follow
from anylift_cli.training.mocap_batches import Batch, MocapBatches, draw_modes
from anylift_cli.training.multi_view import MultiViewConfig, check_config, errors, learn, mean_of_windows, view_losses
from anylift_cli.training.recordings import files_of, is_recording
from anylift_cli.training.stored_frames import HandledFrames

_MEASURED, _GUESSED = 0.4, 0.05
"""Share of the clips whose person's size is known, and the relative deviation of the others' from what is assumed."""
_WORTH = 0.3
"""Weight of a corner against a point of the person: most of what corners are off by is a tracker's noise."""
_UNNAMED = 0.15
"""Share of the clips whose object's category is not told."""


@dataclass(frozen=True)
class JointBatch(Batch):
    """As `Batch`, with B objects: what is `told` of them, and their true `corners` (B, T, 8, 3) in the world, m."""

    told: Told
    corners: Tensor


class InteractionBatches(MocapBatches):
    """Windows of people who handle things, under random cameras."""

    def batch(self, step: int, size: int, mode: int | None = None) -> JointBatch:
        """See `MocapBatches.batch`."""
        draw = Draw.seeded(self.seed * 1_000_003 + step, self.device)
        windows, valid = self._windows(size, draw)
        windows = windows.varied(self.rate, draw) if self.vary else windows
        world, corners, category = self._handled(windows, draw)
        times = torch.arange(self.frames, device=self.device) / self.rate
        modes = draw_modes(size, draw) if mode is None else torch.full((size,), mode, device=self.device)
        measured = draw.chance((size,), _MEASURED)
        wrong = draw.normal((size,), _GUESSED) * ~measured
        person, film, estimated = self._filmed(world, valid, times, modes, draw, wrong)

        before = transform(invert(film.world_from_camera), corners)
        found, weight = follow(before, film.focal, times, draw)
        category = torch.where(draw.chance((size,), _UNNAMED), -1, category)
        seen = person.seen
        told = told_of(seen, seen.from_camera(found, estimated), weight * valid, category, measured)
        views = object_views(seen, told, seen.from_camera(before, estimated), self.views)
        known = _WORTH * (told.weight.amax(1) > 0).float()[:, None].expand(-1, CORNERS)
        point_weight = torch.cat([person.point_weight.expand(size, -1), known], -1)[:, None, None]
        return JointBatch(
            **vars(person)
            | {
                "condition": torch.cat([person.condition, object_conditions(seen, told)], -1),
                "views": torch.cat([person.views, views], -2),
                "point_weight": point_weight,
            },
            told=told,
            corners=corners,
        )

    def _handled(self, windows: object, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
        """People (B, T, 24, 3), corners (B, T, 8, 3) in some order of the object's axes, and categories (B,)."""
        if isinstance(windows, HandledFrames):
            world, corners, category = windows.people, windows.corners, windows.category[:, 0]
        else:
            handling = handle_things(windows.points(), self.rate, draw)
            world, category = handling.points, handling.shapes.category
            corners = transform(handling.world_from_object, box_corners(handling.shapes.half)[:, None])
        order = _ORDERS.to(corners.device)[draw.integers((len(corners),), len(_ORDERS))]
        return world, corners.gather(2, order[:, None, :, None].expand_as(corners)), category


def train_interactions(
    paths: list[Path],
    folder: Path,
    config: MultiViewConfig,
    start: Path | None,
    command: str,
    device: str = "cpu",
    progress: Progress = SILENT,
) -> Path:
    """Train a joint network on compact mocap files, or on recordings of interactions; the checkpoint's path.

    Args:
        paths: mocap files; or files and folders that `read_recordings` reads.
        config: its network takes `JOINT_WIDTH` conditions and `POINTS` points.
        start: a checkpoint of people alone whose weights the network begins with, or None.
        command: what the checkpoint says that it was made by.

    Raises:
        UsageError: see `train_multi_view`.
        AnyliftError: files of another kind; a `start` of another size; a folder of another training.
    """
    check_config(config)
    torch.manual_seed(config.seed)
    network = ViewsAsChannels(config.network)
    if start is not None:
        grow(network, start)
    made = [InteractionBatches(some, split, config.frames, config.network.views, config.seed + add, device, vary)
            for some, split, add, vary in ((paths, "train", 0, True), (paths[:1], "test", 1, False))]  # fmt: skip
    used = [file for path in paths for file in (files_of(path) if is_recording(path) else [path])]
    hashes = {path.name: sha256_of(path) for path in [*used, *([start] if start else [])]}
    return learn(network.to(device), *made, joint_losses, joint_errors, config, hashes, folder, command, progress)


def grow(network: ViewsAsChannels, start: Path) -> None:
    """Give a joint network what a checkpoint of people alone has learned; of objects it then knows nothing.

    Raises:
        AnyliftError: a checkpoint of other layers; see `load_checkpoint`.
    """
    person, _ = load_checkpoint(start)
    ours, theirs = network.config, person.config
    alike = ("width", "layers", "heads", "expansion", "patch", "views")
    if not isinstance(person, ViewsAsChannels) or any(getattr(ours, name) != getattr(theirs, name) for name in alike):
        raise AnyliftError(f"{start} is a network of another kind or size", "give --width, --layers and --patch as its")
    state = person.state_dict()
    embed, weight, bias = (torch.zeros_like(network.state_dict()[name]) for name in _GROWN)
    heads = ours.views - 1
    people = len(BODY24)
    with torch.no_grad():
        old = state["embed.weight"].unflatten(1, (ours.patch, -1))
        new = embed.unflatten(1, (ours.patch, -1))
        split, old_split = heads * ours.points * 2, heads * people * 2
        new[..., :split].unflatten(-1, (heads, ours.points, 2))[..., :people, :] = old[..., :old_split].unflatten(
            -1, (heads, people, 2)
        )
        new[..., split : split + theirs.condition] = old[..., old_split:]
        for name, grown in (("output.weight", weight), ("output.bias", bias)):
            whole = grown.unflatten(0, (ours.patch, heads, ours.points, 2))
            whole[:, :, :people] = state[name].unflatten(0, (ours.patch, heads, people, 2))
    network.load_state_dict(state | dict(zip(_GROWN, (embed, weight, bias), strict=True)))


_GROWN = ("embed.weight", "output.weight", "output.bias")


def joint_losses(clean: Tensor, batch: JointBatch) -> dict[str, Tensor]:
    """`view_losses`, and the share of them that is about the object."""
    people = len(BODY24)
    weight = batch.point_weight[..., people:]
    thing = replace(batch, views=batch.views[..., people:, :], point_weight=weight)
    return view_losses(clean, batch) | {"object": view_losses(clean[..., people:, :].detach(), thing)["views"]}


@torch.no_grad()
def joint_errors(model: nn.Module, schedule: Schedule, batch: JointBatch) -> dict[str, float]:
    """Means of `errors`, and of how far corners are off, mm: `object` from the person's first root, `object_body` from
    their root in the same frame, both also as `told`."""
    views = imagine(model, schedule, batch.condition, batch.valid, passes=1, seed=0)
    person = batch.seen.to_world(triangulated(batch.seen, views)[0])
    found = batch.seen.to_world(triangulated_object(batch.seen, batch.told, views)[0])
    told = batch.seen.to_world(batch.told.corners)
    known = batch.told.weight.amax(1) > 0
    root, true_root = root_of(person), root_of(batch.world)
    figures = errors(model, schedule, batch)
    for name, corners in (("object", found), ("told", told)):
        off = (corners - batch.corners).mean(-2)
        for suffix, wrong in (("", (root - true_root)[:, :1]), ("_body", root - true_root)):
            distance = mean_of_windows((off - wrong).norm(dim=-1), batch.valid)
            figures[f"{name}{suffix}"] = 1000 * float(distance[known].mean())
    return figures


def _orders() -> Tensor:
    """Orders (24, 8) of a box's corners: those of the 24 ways to name its axes right-handedly."""
    signs = box_corners(torch.ones(3))
    orders = []
    for axes, flips in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        turn = torch.zeros(3, 3)
        turn[torch.arange(3), list(axes)] = torch.tensor(flips)
        if torch.linalg.det(turn) > 0:
            orders.append((signs[:, None] @ turn - signs).abs().sum(-1).argmin(1))
    return torch.stack(orders)


_ORDERS = _orders()

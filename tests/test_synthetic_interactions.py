"""Things added to motion capture: hands that hold touch, nothing jumps, sinks or floats, bodies keep their bones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mocap_files import write_mocap

from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.geometry.boxes import box_corners
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.interactions import CARRY, MODES, PUSH, SIT, STAND_BY, THROW, Handling, handle_things
from anylift_cli.synthetic.limbs import hands, lowered, reaching, two_bones
from anylift_cli.synthetic.object_tracker import follow
from anylift_cli.synthetic.shapes import PALM
from anylift_cli.training.mocap_batches import MocapBatches

RATE, FRAMES, CLIPS = 30.0, 75, 192
BONES = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in
         (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))]  # fmt: skip


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> torch.Tensor:
    """Walkers, and people who stand still in the middle of a step, (B, T, 24, 3)."""
    path: Path = write_mocap(tmp_path_factory.mktemp("mocap") / "walks.npz")
    data = MocapBatches([path], "train", FRAMES, 4, 0, "cpu", vary=False)
    windows, _ = data._windows(CLIPS, Draw.seeded(0))
    points = windows.points()
    return torch.cat([points[::2], points[1::2, :1].expand(-1, FRAMES, -1, -1)])


@pytest.fixture(scope="module")
def handling(people) -> Handling:
    return handle_things(people, RATE, Draw.seeded(1))


def test_all_modes_are_drawn_and_the_same_seed_is_the_same(people, handling):
    assert set(handling.mode.tolist()) == set(range(len(MODES)))
    again = handle_things(people, RATE, Draw.seeded(1))
    assert torch.equal(again.world_from_object, handling.world_from_object)
    assert torch.equal(again.points, handling.points)


def test_hands_in_contact_are_on_the_surface(handling):
    middles = hands(handling.points)
    local = transform(invert(handling.world_from_object), middles)
    half = handling.shapes.half[:, None, None]
    outside = (local.abs() - half).clamp_min(0).norm(dim=-1)
    inside = (half - local.abs()).amin(-1).clamp_min(0)
    touching = handling.contact
    assert touching[handling.mode == CARRY].float().mean() > 0.4
    assert not touching[handling.mode >= SIT].any()
    assert (outside[touching] - PALM).abs().max() < 0.02 and inside[touching].max() == 0


def test_things_rest_on_what_they_rest_on(handling):
    corners = transform(handling.world_from_object, box_corners(handling.shapes.half)[:, None])
    assert corners[..., 2].min() > -1e-4
    for mode in (SIT, STAND_BY, PUSH):
        assert corners[handling.mode == mode][..., 2].amin(-1).abs().max() < 1e-4, MODES[mode]
    for mode in (SIT, STAND_BY):
        assert handling.world_from_object[handling.mode == mode].diff(dim=1).abs().sum() == 0


def test_nothing_jumps(people, handling):
    place = handling.world_from_object[..., :3, 3]
    assert place.diff(dim=1).norm(dim=-1).max() * RATE < 9
    turn = handling.world_from_object[:, 1:, :3, :3] @ handling.world_from_object[:, :-1, :3, :3].transpose(-1, -2)
    cosine = (turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    assert cosine.min() > 0.5
    speed = handling.points.diff(dim=1).norm(dim=-1) * RATE
    assert (speed > 6).float().mean() < 2e-4 and speed.max() < 15


def test_what_is_thrown_falls(handling):
    thrown = handling.mode == THROW
    height = handling.world_from_object[thrown][..., 2, 3]
    falling = height.diff(n=2, dim=1) * RATE**2
    free = ((falling + 9.81).abs() < 0.3).sum(1)
    assert (free >= 5).float().mean() > 0.5
    airborne = (falling + 9.81).abs() < 0.3
    assert not handling.contact[thrown][:, 1:-1][airborne & airborne.roll(1, 1) & airborne.roll(-1, 1)].any()


def test_bodies_keep_their_bones_and_feet(people, handling):
    for start, end in BONES:
        before, after = (
            (points[:, :, K[start]] - points[:, :, K[end]]).norm(dim=-1) for points in (people, handling.points)
        )
        assert (after - before).abs().max() < 2e-3, (start, end)
    feet = [index for index, name in enumerate(BODY24) if name.endswith(("ankle", "toe", "heel"))]
    moved = (handling.points - people)[:, :, feet].norm(dim=-1)
    assert moved.quantile(0.98) < 0.01 and moved.max() < 0.12


def test_limbs_by_hand():
    """Bones of 3 and 4 over a distance of 5 have a right angle; beyond 7 the limb is stretched."""
    start, aside = torch.zeros(3), torch.tensor([0.0, 1.0, 0.0])
    joint, end = two_bones(start, torch.tensor([5.0, 0, 0]), torch.tensor(3.0), torch.tensor(4.0), aside)
    assert torch.allclose(joint, torch.tensor([1.8, 2.4, 0.0]), atol=1e-5)
    assert torch.allclose(end, torch.tensor([5.0, 0, 0]), atol=1e-5)
    _, end = two_bones(start, torch.tensor([50.0, 0, 0]), torch.tensor(3.0), torch.tensor(4.0), aside)
    assert 6.9 < end[0] <= 7.0


def test_reaching_and_lowering(people):
    points = people[:2]
    targets = hands(points) + torch.tensor([0.05, 0.0, 0.05])
    reached = hands(reaching(points, targets, torch.tensor([0.0, 0, -1]).expand_as(targets)))
    assert ((reached - targets).norm(dim=-1) < 1e-3).float().mean() > 0.8
    forward = torch.tensor([0.0, 1.0, 0.0]).expand(*points.shape[:2], 3)
    shift = torch.tensor([0.0, 0.0, -0.2]).expand_as(forward)
    bent = lowered(points, shift, torch.full(points.shape[:2], 0.5), forward)
    assert torch.allclose(bent[:, :, K["left_hip"]] - points[:, :, K["left_hip"]], shift, atol=1e-5)
    ahead = bent[:, :, K["neck"], 1] - points[:, :, K["neck"], 1]
    assert (ahead > 0.1).all()


def test_a_tracker_errs_as_measured_and_loses_things():
    draw = Draw.seeded(0)
    half = torch.full((400, 3), 0.2)
    corners = box_corners(half)[:, None].expand(-1, 60, -1, -1) + torch.tensor([0.0, 0.0, 4.0])
    found, weight = follow(corners, torch.full((400,), 2.0), torch.arange(60) / 30, draw)
    seen = weight > 0
    assert 0.6 < seen.float().mean() < 0.95 and (~seen).all(1).float().mean() < 0.1
    off = (found - corners).mean(-2)[seen]
    assert 0.005 < (off[:, 2] / 4).std() < 0.04
    assert off[:, :2].std() < 0.3 * off[:, 2].std()
    sides = (found[..., 1:, :] - found[..., :1, :]).norm(dim=-1)
    assert torch.allclose(sides, (corners[..., 1:, :] - corners[..., :1, :]).norm(dim=-1), atol=1e-4)
    aside = corners + torch.tensor([20.0, 0.0, 0.0])
    assert not (follow(aside, torch.full((400,), 2.0), torch.arange(60) / 30, draw)[1] > 0).any()

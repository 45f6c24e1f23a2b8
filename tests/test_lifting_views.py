"""Canonical evidence, virtual views and triangulation against cameras built by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from mocap_files import compact_mocap
from scipy.spatial.transform import Rotation

from anylift_cli.body.mocap import mocap_points
from anylift_cli.body.skeleton import K
from anylift_cli.geometry.cameras import invert, look_at, project, transform
from anylift_cli.lifting.canonical import DISTANCE, FOCAL, Canonical, canonical
from anylift_cli.lifting.conditions import CAMERA, PATH, WIDTH, conditions
from anylift_cli.lifting.edges import EDGES, edge_lengths
from anylift_cli.lifting.multi_view import triangulated
from anylift_cli.lifting.observation import root_of
from anylift_cli.lifting.size import size_depth
from anylift_cli.lifting.views import input_view, to_views, triangulate, view_rotations

FRAMES = 30
VIEWS = 4
EYE = np.eye(3)


@dataclass(frozen=True)
class Evidence:
    """What two moving, tilted cameras see of walkers, in float64: `world` (2, T, 24, 3), `poses` (2, T, 4, 4)."""

    world: np.ndarray
    poses: np.ndarray
    up: np.ndarray

    def arguments(self, weight: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        weight = torch.ones(2, FRAMES, 24) if weight is None else weight
        seen = single(project(self.world, self.poses, EYE))
        times = torch.arange(FRAMES).expand(2, -1) / 30
        lengths = edge_lengths(single(self.world)).mean(1)
        return (
            torch.where(weight[..., None] > 0, seen, 0.0),
            weight,
            single(self.poses),
            times,
            single(self.up),
            lengths,
        )

    def canonical(self, weight: torch.Tensor | None = None) -> Canonical:
        return canonical(*self.arguments(weight))


def single(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """A camera that trucks and turns, and one that circles; the world's up is not z."""
    joints = torch.from_numpy(compact_mocap()["joints"][:FRAMES].astype(np.float64))
    axes = torch.eye(3, dtype=torch.float64)[:, [1, 2, 0]].expand(FRAMES, 3, 3, 3)
    walk = mocap_points(joints, axes).numpy()
    share = np.linspace(0, 1, FRAMES)[:, None]
    truck = look_at(
        np.array([1.0, -3.5, 1.2]) + share * [0.8, 0.3, 0.2], np.array([0.6, 0.4, 1.1]) + share * [0.2, 0, 0]
    )
    angle = math.pi / 2 * share[:, 0]
    ring = np.stack([4 * np.cos(angle), 4 * np.sin(angle), 2.0 + 0 * angle], -1)
    circle = look_at(ring, np.array([0.3, 0.2, 0.7]))
    tilt = np.eye(4)
    tilt[:3, :3] = Rotation.from_euler("xyz", [0.4, -0.7, 1.9]).as_matrix()
    tilt[:3, 3] = [5, -3, 2]
    world = transform(tilt, np.stack([walk, 0.9 * walk]))
    return Evidence(world, tilt @ np.stack([truck, circle]), np.broadcast_to(tilt[:3, 2], (2, 3)))


def size_roots(seen: Canonical) -> np.ndarray:
    """The size root in the world, (2, T, 3), m."""
    return seen.to_world(torch.zeros(2, FRAMES, 1, 3))[:, :, 0].double().numpy()


def test_world_and_back(evidence):
    seen = evidence.canonical()
    local = torch.randn(2, FRAMES, 7, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(seen.from_world(seen.to_world(local)), local, atol=1e-5)
    world = single(evidence.world)
    assert torch.allclose(seen.to_world(seen.from_world(world)), world, atol=1e-5)


def test_first_root_is_straight_ahead_at_the_distance(evidence):
    seen = evidence.canonical()
    assert torch.allclose(seen.root[:, 0], torch.tensor([0.0, 0, DISTANCE]).expand(2, 3), atol=1e-5)
    assert torch.allclose(seen.camera_from_first[:, 0], torch.eye(4).expand(2, 4, 4), atol=1e-6)
    depth = size_depth(*evidence.arguments()[:2], evidence.arguments()[5], evidence.arguments()[3])[:, 0]
    centre = evidence.poses[:, 0, :3, 3]
    away = np.linalg.norm(size_roots(seen)[:, 0] - centre, axis=-1)
    ahead = ((size_roots(seen)[:, 0] - centre) * evidence.poses[:, 0, :3, 2]).sum(-1)
    assert ahead == pytest.approx(depth.numpy(), rel=1e-5)
    assert seen.unit.numpy() == pytest.approx(away / DISTANCE, rel=1e-5)


def test_size_root_is_seen_where_the_hips_are(evidence):
    """All frames; the gaze is averaged over neighbouring frames, which blurs it a little."""
    seen = evidence.canonical()
    found = project(size_roots(seen)[:, :, None], evidence.poses, EYE)[:, :, 0]
    hips = root_of(torch.from_numpy(project(evidence.world, evidence.poses, EYE))).numpy()
    assert np.abs(found - hips).max() < 0.01
    true_depth = transform(invert(evidence.poses), root_of(torch.from_numpy(evidence.world)).numpy()[:, :, None])
    found_depth = transform(invert(evidence.poses), size_roots(seen)[:, :, None])
    assert found_depth[..., 2] == pytest.approx(true_depth[..., 2], rel=0.1)


def test_turning_the_rig_keeps_geometry_exact(evidence):
    """World points seen by the re-oriented moving cameras are the re-oriented rays."""
    seen = evidence.canonical()
    inside = seen.from_world(single(evidence.world)) + seen.root[..., None, :]
    assert torch.allclose(inside[..., :2] / inside[..., 2:], seen.rays, atol=1e-5)
    turn = evidence.poses[:, :1, :3, :3].swapaxes(-1, -2) @ seen.world_from_first[:, None, :3, :3].double().numpy()
    direction = np.concatenate([project(evidence.world, evidence.poses, EYE), np.ones((2, FRAMES, 24, 1))], -1) @ turn
    assert seen.rays.numpy() == pytest.approx(direction[..., :2] / direction[..., 2:], abs=1e-5)
    first = seen.world_from_first[:, None].double().numpy()
    moves = seen.camera_from_first.double().numpy()
    moves[..., :3, 3] *= seen.unit.double().numpy()[:, None, None]
    poses = first @ invert(moves)
    assert poses[..., :3, 3] == pytest.approx(evidence.poses[..., :3, 3], abs=2e-5)
    assert poses[..., :3, :3] == pytest.approx(evidence.poses[..., :3, :3] @ turn, abs=1e-5)
    up = np.einsum("btji,bj->bti", poses[..., :3, :3], evidence.up)
    assert seen.up.numpy() == pytest.approx(up, abs=1e-5)


def test_views_are_those_of_cameras_carried_around_the_person(evidence):
    seen = evidence.canonical()
    rotations = view_rotations(seen.up, VIEWS)
    found = to_views(seen.from_world(single(evidence.world)), seen.root, rotations)
    root = size_roots(seen)
    turn = evidence.poses[:, 0, :3, :3].swapaxes(-1, -2) @ seen.world_from_first[:, :3, :3].double().numpy()
    depth = seen.root[..., 2].double().numpy()[..., None, None]
    for view in range(1, VIEWS):
        around = Rotation.from_rotvec(evidence.up * view * 2 * math.pi / VIEWS).as_matrix()[:, None]
        carried = evidence.poses.copy()
        carried[..., :3, 3] = (
            root + ((evidence.poses[..., :3, 3] - root)[..., None, :] @ around.swapaxes(-1, -2))[..., 0, :]
        )
        carried[..., :3, :3] = around @ evidence.poses[..., :3, :3] @ turn[:, None]
        pixels = project(evidence.world, carried, EYE) - project(root[:, :, None], carried, EYE)
        assert found[:, :, view - 1].numpy() == pytest.approx(pixels * depth * FOCAL / DISTANCE, abs=2e-5), view


def test_opposite_view_of_a_point_beside_the_root_by_hand():
    """Half a unit right of a root straight ahead at 3 is half a unit left from behind, and in the middle from aside.

    One unit beyond the root is to the right of a camera that went anticlockwise, seen from above, by a right angle.
    """
    local, root = torch.tensor([[[[0.5, 0.0, 0.0]]]]), torch.tensor([[[0.0, 0.0, 3.0]]])
    up = torch.tensor([[[0.0, -1.0, 0.0]]])
    right, back, left = to_views(local, root, view_rotations(up, 4))[0, 0, :, 0].unbind()
    assert back.tolist() == pytest.approx([-0.5 * FOCAL / 3, 0], abs=1e-5)
    assert right.tolist() == pytest.approx([0, 0], abs=1e-5) and left.tolist() == pytest.approx([0, 0], abs=1e-5)
    ahead = torch.tensor([[[[0.0, 0.0, 1.0]]]])
    first = to_views(ahead, root, view_rotations(up, 4))[0, 0, :, 0]
    assert first[0].tolist() == pytest.approx([FOCAL / 3, 0], abs=1e-5)


def test_points_behind_a_view_stay_finite():
    local, root = torch.tensor([[[[0.3, 0.0, -9.0]]]]), torch.tensor([[[0.0, 0.0, 3.0]]])
    views = to_views(local, root, view_rotations(torch.tensor([[[0.0, -1.0, 0.0]]]), 4))
    assert torch.isfinite(views).all() and views.abs().max() < 1e3


@pytest.fixture(scope="module")
def ring(evidence):
    """Canonical evidence, true local points, and all views: (seen, local, observed (2, T, V, 24, 2), rotations)."""
    seen = evidence.canonical()
    local = seen.from_world(single(evidence.world))
    rotations = view_rotations(seen.up, VIEWS)
    observed = torch.cat([input_view(seen.rays, seen.weight, seen.root)[:, :, None],
                          to_views(local, seen.root, rotations)], 2)  # fmt: skip
    return seen, local, observed, rotations


def millimetres(found: torch.Tensor, local: torch.Tensor, seen: Canonical) -> float:
    return float(1000 * ((found - local).norm(dim=-1) * seen.unit[:, None, None]).max())


@pytest.mark.parametrize("missing", [None, 0, 1, 2, 3])
def test_true_views_give_the_points(ring, missing):
    seen, local, observed, rotations = ring
    trust = torch.ones(2, FRAMES, VIEWS, 24)
    if missing is not None:
        trust[:, :, missing] = 0
        observed = observed.clone()
        observed[:, :, missing] = 50 * torch.randn(2, FRAMES, 24, 2, generator=torch.Generator().manual_seed(1))
    points, miss = triangulate(observed, trust, seen.root, rotations)
    assert millimetres(points, local, seen) < 0.1
    assert miss.max() < 1e-4


def test_disagreeing_views_are_told(ring):
    seen, local, observed, rotations = ring
    wrong = observed.clone()
    wrong[:, :, 2, K["left_wrist"], 0] += 0.2
    points, miss = triangulate(wrong, torch.ones(2, FRAMES, VIEWS, 24), seen.root, rotations)
    others = [index for index in range(24) if index != K["left_wrist"]]
    assert millimetres(points[:, :, others], local[:, :, others], seen) < 0.1
    assert miss[:, :, K["left_wrist"]].min() > 0.02 and miss[:, :, others].max() < 1e-4


def test_more_trust_pulls_nearer():
    """Seen from far away, the front view says x = 0 and the back view x = 1: their mean weighed 3 : 1."""
    root, up = torch.tensor([[[0.0, 0.0, 3000.0]]]), torch.tensor([[[0.0, -1.0, 0.0]]])
    observed = torch.zeros(1, 1, 4, 1, 2)
    observed[:, :, 2, :, 0] = -1 * FOCAL / DISTANCE
    trust = torch.tensor([3.0, 0.0, 1.0, 1.0]).reshape(1, 1, 4, 1)
    points, _ = triangulate(observed, trust, root, view_rotations(up, 4))
    assert points[0, 0, 0, 0] == pytest.approx(0.25, rel=0.001)


def test_unobserved_points_come_from_the_other_views(evidence):
    weight = torch.ones(2, FRAMES, 24)
    weight[:, 5:9, K["left_knee"]] = 0
    weight[:, :, K["nose"]] = 0
    seen = evidence.canonical(weight)
    local = seen.from_world(single(evidence.world))
    views = to_views(local, seen.root, view_rotations(seen.up, VIEWS))
    shown = input_view(seen.rays, seen.weight, seen.root)
    assert (shown[:, :, K["nose"]] == 0).all() and (seen.rays[weight == 0] == 0).all()
    points, miss = triangulated(seen, views)
    assert millimetres(points, local, seen) < 0.1 and miss.max() < 1e-4


def test_input_view_is_the_view_of_no_turn(ring):
    seen, local, observed, _ = ring
    same = to_views(local, seen.root, torch.eye(3).expand(2, FRAMES, 1, 3, 3))[:, :, 0]
    assert torch.allclose(observed[:, :, 0], same, atol=1e-5)


def test_frames_without_the_person_take_their_root_from_their_neighbours(evidence):
    weight = torch.ones(2, FRAMES, 24)
    weight[:, 12:15] = 0
    full, gap = evidence.canonical(), evidence.canonical(weight)
    assert all(torch.isfinite(value).all() for value in vars(gap).values())
    assert (gap.root - full.root).norm(dim=-1).max() < 0.25
    local = gap.from_world(single(evidence.world))
    assert torch.allclose(gap.to_world(local), single(evidence.world), atol=1e-5)


def test_a_person_never_seen_breaks_nothing(evidence):
    seen = evidence.canonical(torch.zeros(2, FRAMES, 24))
    assert all(torch.isfinite(value).all() for value in vars(seen).values())
    assert torch.isfinite(conditions(seen)).all()


def flat_person(depth: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rays (1, 3, 24, 2), edge lengths (1, E) and times of someone cut out of cardboard at a depth."""
    shape = torch.randn(24, 2, generator=torch.Generator().manual_seed(4))
    lengths = torch.stack([(shape[end] - shape[start]).norm() for start, end, _ in EDGES])
    return (shape / depth).expand(1, 3, 24, 2).clone(), lengths[None], torch.arange(3)[None] / 30


def test_depth_of_cardboard_is_exact():
    """No foreshortening: each ratio is the depth, which the bias of real people (0.99) is taken from."""
    for depth in (1.5, 4.0, 17.0):
        seen, lengths, times = flat_person(depth)
        assert size_depth(seen, torch.ones(1, 3, 24), lengths, times)[0].tolist() == pytest.approx([depth / 0.99] * 3)


def test_depth_shrugs_off_one_wrong_or_shortened_edge():
    seen, lengths, times = flat_person(4.0)
    seen[:, :, K["left_wrist"]] += 20 * (seen[:, :, K["left_wrist"]] - seen[:, :, K["left_elbow"]])
    seen[:, :, K["right_wrist"]] -= 0.9 * (seen[:, :, K["right_wrist"]] - seen[:, :, K["right_elbow"]])
    assert size_depth(seen, torch.ones(1, 3, 24), lengths, times)[0, 1] == pytest.approx(4.0 / 0.99)


def test_depth_knows_only_what_is_seen():
    """Frame 1 unseen between two depths: in between; frame 0 with hips and knees only: still exact."""
    seen, lengths, times = flat_person(4.0)
    weight = torch.ones(1, 3, 24)
    weight[:, 0] = 0
    for name in ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"):
        weight[:, 0, K[name]] = 1
    weight[:, 1] = 0
    seen[weight == 0] = 0
    assert size_depth(seen, weight, lengths, times)[0].tolist() == pytest.approx([4 / 0.99] * 3, rel=1e-4)


def test_clips_of_a_batch_do_not_influence_each_other(evidence):
    arguments = evidence.arguments()
    together = canonical(*arguments)
    alone = [canonical(*(value[index : index + 1] for value in arguments)) for index in range(2)]
    for name, value in vars(together).items():
        assert torch.allclose(value, torch.cat([getattr(one, name) for one in alone]), atol=1e-5), name
    views = to_views(together.from_world(single(evidence.world)), together.root, view_rotations(together.up, VIEWS))
    points = triangulated(together, views)[0]
    broken = views.clone()
    broken[1] = torch.nan
    assert torch.equal(triangulated(together, broken)[0][0], points[0])


def test_conditions_do_not_depend_on_the_choice_of_world_or_unit(evidence):
    """Turned, moved and grown worlds with people grown alike look the same to the network."""
    seen, weight, poses, times, up, lengths = evidence.arguments()
    told = conditions(canonical(seen, weight, poses, times, up, lengths))
    turn = single(Rotation.from_euler("xyz", [1.0, 2.0, -0.5]).as_matrix())
    moved = poses.clone()
    moved[..., :3, :3] = turn @ poses[..., :3, :3]
    moved[..., :3, 3] = 2.5 * poses[..., :3, 3] @ turn.T + torch.tensor([1.0, -2, 3])
    again = conditions(canonical(seen, weight, moved, times, up @ turn.T, 2.5 * lengths))
    assert told.shape == (2, FRAMES, WIDTH)
    assert torch.allclose(told, again, atol=2e-5)
    identity = torch.tensor([1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]).expand(2, 12)
    assert torch.allclose(told[:, 0, CAMERA], identity, atol=1e-6)
    assert torch.allclose(told[:, 0, PATH], torch.zeros(2, 3), atol=1e-6), "the path begins at nought"


def test_camera_condition_is_in_units_of_the_distance(evidence):
    seen = evidence.canonical()
    told = conditions(seen)[..., CAMERA].reshape(2, FRAMES, 3, 4)
    assert torch.equal(told[..., :3], seen.camera_from_first[..., :3, :3])
    way = np.linalg.norm(evidence.poses[:, -1, :3, 3] - evidence.poses[:, 0, :3, 3], axis=-1)
    assert told[:, -1, :, 3].norm(dim=-1).numpy() == pytest.approx(way / seen.unit.numpy() / DISTANCE, rel=1e-4)


def test_path_condition_is_the_way_of_the_size_root(evidence):
    seen = evidence.canonical()
    way = conditions(seen)[..., PATH].double().numpy() * DISTANCE * seen.unit.double().numpy()[:, None, None]
    axes = seen.world_from_first[:, :3, :3].double().numpy()
    root = size_roots(seen)
    assert np.einsum("bij,btj->bti", axes, way) == pytest.approx(root - root[:, :1], abs=3e-5)

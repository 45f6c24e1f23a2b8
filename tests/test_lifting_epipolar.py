"""Epipolar lines and rings of virtual views against projections and the fundamental matrix, by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.geometry.cameras import invert, look_at, project, transform
from anylift_cli.lifting.canonical import DISTANCE, FOCAL
from anylift_cli.lifting.epipolar import (
    along_ring,
    epipolar_lines,
    epipole,
    line_distance,
    network_epipole,
    network_lines,
    network_rays,
    normalised,
    pencil,
    relative,
    rigid_ring,
    trust_of_lines,
    view_lines,
)
from anylift_cli.lifting.views import to_views, view_rotations

FRAMES, VIEWS = 9, 6


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def moving_cameras(rng: np.random.Generator, people: int = 3) -> np.ndarray:
    """`world_from_camera` (P, T, 4, 4) that drift around the origin three to five units away, rolled."""
    share = np.linspace(0, 1, FRAMES)[:, None]
    poses = []
    for _ in range(people):
        start, way = rng.normal(size=3), 0.4 * rng.normal(size=3)
        place = (3 + 2 * rng.random()) * start / np.linalg.norm(start) + share * way
        pose = look_at(place, 0.2 * rng.normal(size=3) * share)
        pose[:, :3, :3] = pose[:, :3, :3] @ Rotation.from_euler("z", rng.normal(size=(FRAMES, 1))).as_matrix()
        poses.append(pose)
    return np.stack(poses)


def double(values: np.ndarray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def brute_force_line(point: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Line in the second camera through the projections of two places on the first camera's ray, all by hand."""
    centre, direction = first[:3, 3], first[:3, :3] @ [*point, 1.0]
    places = np.stack([centre + depth * direction for depth in (1.0, 2.5)])
    inside = (places - second[:3, 3]) @ second[:3, :3]
    a, b, c = np.cross(*inside)
    sign = 1.0 if a > 0 or (a == 0 and b > 0) else -1.0
    return sign * np.array([a, b, c]) / math.hypot(a, b)


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_lines_of_moving_pairs_are_those_of_brute_force(rng, kind, tolerance):
    first, second = moving_cameras(rng), moving_cameras(rng)
    points = 0.3 * rng.normal(size=(3, FRAMES, 4, 2))
    pair = relative(double(invert(first)), double(invert(second)))
    found = epipolar_lines(torch.tensor(points, dtype=kind), pair.to(kind)).double().numpy()
    for index in np.ndindex(points.shape[:3]):
        expected = brute_force_line(points[index], first[index[:2]], second[index[:2]])
        assert np.abs(found[index] - expected).max() < tolerance * max(1, abs(expected[2]))
    assert (found[..., 0] >= 0).all()
    assert np.linalg.norm(found[..., :2], axis=-1) == pytest.approx(1, abs=tolerance)


def test_true_correspondences_lie_on_the_lines_and_all_lines_meet_in_the_epipole(rng):
    first, second = moving_cameras(rng), moving_cameras(rng)
    world = 0.4 * rng.normal(size=(3, FRAMES, 5, 3))
    eye = np.eye(3)
    pair = relative(double(invert(first)), double(invert(second)))
    lines = epipolar_lines(double(project(world, first, eye)), pair)
    assert line_distance(double(project(world, second, eye)), lines).max() < 1e-12
    centre = transform(invert(second), first[..., None, :3, 3])[..., 0, :]
    meeting = epipole(pair)
    assert (meeting / meeting.norm(dim=-1, keepdim=True) - double(centre / np.linalg.norm(
        centre, axis=-1, keepdims=True))).abs().max() < 1e-9  # fmt: skip
    assert (lines @ meeting[..., None]).abs().max() < 1e-12


def test_a_line_by_hand():
    """The source is one to the right of the target, looking the same way: points keep their height."""
    pose = torch.eye(4)
    pose[0, 3] = 1.0
    line = epipolar_lines(torch.tensor([[0.2, 0.3]]), pose)
    assert torch.allclose(line, torch.tensor([[0.0, 1.0, -0.3]]))
    assert torch.allclose(epipole(pose), torch.tensor([1.0, 0, 0]))


def test_normal_form():
    lines = torch.tensor([[3.0, 4, 5], [-3, 4, 5], [0, -2, 6], [0, 0, 0]])
    expected = torch.tensor([[0.6, 0.8, 1], [0.6, -0.8, -1], [0, 1, -3], [0, 0, 0]])
    assert torch.allclose(normalised(lines), expected)


@pytest.fixture
def ring(rng) -> tuple[torch.Tensor, ...]:
    """Points (2, T, 7, 3) about a size root that wanders, the root, and rotations of six views; float32."""
    root = np.array([0.0, 0, DISTANCE]) + np.cumsum(0.1 * rng.normal(size=(2, FRAMES, 3)), 1)
    up = np.array([0.1, -1.0, -0.2]) + 0.05 * rng.normal(size=(2, FRAMES, 3))
    up /= np.linalg.norm(up, axis=-1, keepdims=True)
    local = torch.tensor(0.4 * rng.normal(size=(2, FRAMES, 7, 3)), dtype=torch.float32)
    rotations = view_rotations(torch.tensor(up, dtype=torch.float32), VIEWS)
    return local, torch.tensor(root, dtype=torch.float32), rotations


def test_lines_between_all_views_of_the_ring_that_goes_along(ring):
    """True 2D points of each view, the input among them, lie on the lines of every other view, in float32."""
    local, root, rotations = ring
    identity = torch.eye(3).expand(*rotations.shape[:2], 1, 3, 3)
    turns = torch.cat([identity, rotations], 2)
    seen = to_views(local, root, turns)
    poses = along_ring(root, turns)
    assert torch.allclose(poses[:, :, 0], torch.eye(4).expand(2, FRAMES, 4, 4), atol=1e-6)
    for source in range(VIEWS):
        for target in range(VIEWS):
            if source != target:
                lines = view_lines(seen[:, :, source], root, relative(poses[:, :, source], poses[:, :, target]))
                assert line_distance(seen[:, :, target], lines).max() < 1e-5, (source, target)


def test_a_point_off_its_line_is_as_far_as_it_was_moved(ring):
    local, root, rotations = ring
    seen, pose = to_views(local, root, rotations[:, :, :1])[:, :, 0], along_ring(root, rotations)[:, :, 0]
    identity = torch.eye(3).expand(*rotations.shape[:2], 1, 3, 3)
    lines = view_lines(to_views(local, root, identity)[:, :, 0], root, pose)
    assert torch.allclose(line_distance(seen + 0.05 * lines[..., :2], lines), torch.tensor(0.05), atol=1e-5)
    along = torch.stack([-lines[..., 1], lines[..., 0]], -1)
    assert line_distance(seen + 0.05 * along, lines).max() < 1e-5


def test_network_coordinates_keep_lines_points_and_epipoles_together(rng):
    root = torch.tensor(rng.normal(size=(4, 3)) * 0.3 + [0, 0, 2.5])
    points = torch.tensor(rng.normal(size=(4, 6, 2)))
    through = torch.tensor(rng.normal(size=(4, 3)))
    rays = network_rays(points, root)
    lines = network_lines(pencil(rays, through), root)
    assert torch.allclose(lines, pencil(points, network_epipole(through, root)), atol=1e-9)
    assert line_distance(points, lines).max() < 1e-12
    straight = torch.tensor([[0.0, 0, DISTANCE]])
    assert torch.allclose(network_rays(torch.tensor([[[FOCAL, 0.0]]]), straight), torch.tensor([[[1.0, 0]]]))


@pytest.mark.parametrize("azimuth", [60, 90, 120, 180])
def test_epipoles_of_a_ring_by_formula(azimuth):
    """ALGORITHM 1.6: x/z is cot(θ/2), y is 0; network coordinates have another unit."""
    up = torch.tensor([[[0.0, -1.0, 0.0]]])
    root = torch.tensor([[[0.0, 0.0, 3.0]]])
    rotation = view_rotations(up, 360)[:, :, azimuth - 1 : azimuth]
    x, y, last = epipole(along_ring(root, rotation))[0, 0, 0].tolist()
    expected = 1 / math.tan(math.radians(azimuth / 2))
    assert abs(x / last) == pytest.approx(expected, abs=1e-5) and abs(y) < 1e-6
    x, y, last = network_epipole(torch.tensor([x, y, last]), root[0, 0]).tolist()
    assert abs(x / last) == pytest.approx(expected * FOCAL, abs=1e-5)


def test_lines_at_the_epipole_count_nothing():
    through = torch.tensor([0.2, -0.1, 1.0])
    points = torch.tensor([[0.2, -0.1], [0.25, -0.1], [0.3, -0.1], [4.0, 2.0]])
    assert torch.allclose(trust_of_lines(points, through), torch.tensor([0.0, 0.5, 1.0, 1.0]), atol=1e-6)
    assert torch.allclose(trust_of_lines(points, 3 * through), torch.tensor([0.0, 0.5, 1.0, 1.0]), atol=1e-6)
    assert torch.equal(trust_of_lines(points, torch.tensor([1.0, 0, 0])), torch.ones(4))


def test_all_views_of_the_rigid_ring_share_the_trajectory(rng):
    """C of each view, T_t T_0⁻¹, is that of the input (ALGORITHM 1.5); the pivot stays where the input sees it."""
    poses = torch.tensor(invert(moving_cameras(rng)), dtype=torch.float32)
    pivot = torch.tensor(0.2 * rng.normal(size=(3, 3)), dtype=torch.float32)
    up = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(3, 3)), dtype=torch.float32), dim=-1)
    ring = rigid_ring(poses, pivot, up, 4)
    assert torch.allclose(ring[:, :, 0], poses, atol=1e-6)
    trajectory = ring @ torch.linalg.inv(ring[:, :1])
    assert (trajectory - trajectory[:, :, :1]).abs().max() < 4e-6
    at_pivot = transform(ring, pivot[:, None, None, None].expand(3, FRAMES, 4, 1, 3))
    assert (at_pivot - at_pivot[:, :, :1]).abs().max() < 4e-6
    centres = invert(ring)[..., :3, 3]
    height = ((centres - pivot[:, None, None]) * up[:, None, None]).sum(-1)
    assert (height - height[:, :, :1]).abs().max() < 1e-5
    apart = (centres[:, 0, 1] - centres[:, 0, 0]).norm(dim=-1)
    radius = (centres[:, 0, 2] - centres[:, 0, 0]).norm(dim=-1) / 2
    assert torch.allclose(apart, radius * math.sqrt(2), atol=1e-5)


def test_both_rings_are_one_at_the_first_frame(rng):
    """About the same root, in the first frame; later the rigid one stays behind a person who moves."""
    poses = torch.tensor(invert(moving_cameras(rng)), dtype=torch.float32)
    pivot = torch.tensor(0.2 * rng.normal(size=(3, 3)), dtype=torch.float32)
    up = torch.tensor([0.0, 0, 1]).expand(3, 3)
    rigid = rigid_ring(poses, pivot, up, 4)[:, :1, 1:]
    root = transform(poses, pivot[:, None, None].expand(3, FRAMES, 1, 3))[:, :1, 0]
    in_camera = (poses[:, :1, :3, :3] @ up[:, None, :, None])[..., 0]
    along = along_ring(root, view_rotations(in_camera, 4)) @ poses[:, :1, None]
    assert (along - rigid).abs().max() < 2e-5

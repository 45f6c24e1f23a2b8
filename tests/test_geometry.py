"""Rotations, cameras and alignment against SciPy and against their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.evaluation import metrics
from anylift_cli.geometry import cameras, rotations
from anylift_cli.geometry.alignment import align_points

RANDOM = Rotation.random(500, random_state=0)
MATRICES = torch.tensor(RANDOM.as_matrix())


def test_axis_angles_agree_with_scipy() -> None:
    vectors = torch.tensor(RANDOM.as_rotvec())
    assert torch.allclose(rotations.matrix_from_axis_angle(vectors), MATRICES, atol=1e-12)
    assert torch.allclose(rotations.axis_angle_from_matrix(MATRICES), vectors, atol=1e-10)


def test_quaternions_agree_with_scipy() -> None:
    wxyz = torch.tensor(RANDOM.as_quat(canonical=True, scalar_first=True))
    assert torch.allclose(rotations.quaternion_from_matrix(MATRICES), wxyz, atol=1e-10)
    assert torch.allclose(rotations.matrix_from_quaternion(3 * wxyz), MATRICES, atol=1e-12)


def test_half_turns_survive_the_round_trip() -> None:
    half = torch.tensor(Rotation.from_rotvec(np.pi * np.eye(3)).as_matrix())
    back = rotations.matrix_from_axis_angle(rotations.axis_angle_from_matrix(half))
    assert torch.allclose(back, half, atol=1e-7)


def test_axis_angle_gradient_is_finite_at_rest() -> None:
    still = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    rotations.matrix_from_axis_angle(still).sum().backward()
    assert torch.isfinite(still.grad).all()


def test_six_d_is_orthonormal_and_a_round_trip() -> None:
    assert torch.allclose(rotations.matrix_from_6d(rotations.six_d_from_matrix(MATRICES)), MATRICES, atol=1e-12)
    skewed = rotations.matrix_from_6d(
        torch.randn(100, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )
    identity = torch.eye(3, dtype=torch.float64).expand_as(skewed)
    assert torch.allclose(skewed @ skewed.transpose(-1, -2), identity, atol=1e-10)


def test_rotation_between_turns_one_direction_into_the_other() -> None:
    source, target = torch.randn(2, 200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    target[0] = -source[0]
    turned = (rotations.rotation_between(source, target) @ source[..., None])[..., 0]
    expected = target / target.norm(dim=-1, keepdim=True) * source.norm(dim=-1, keepdim=True)
    assert torch.allclose(turned, expected, atol=1e-9)


@pytest.mark.parametrize("with_scale", [False, True])
def test_alignment_recovers_a_known_similarity(with_scale: bool) -> None:
    source = torch.randn(500, 12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    size = 2.5 if with_scale else 1.0
    target = size * source @ MATRICES.transpose(-1, -2) + torch.tensor([1.0, -2.0, 0.5])
    scale, rotation, translation = align_points(source, target, with_scale=with_scale)
    assert torch.allclose(scale, torch.full_like(scale, size), atol=1e-9)
    assert torch.allclose(rotation, MATRICES, atol=1e-9)
    assert torch.allclose(translation, torch.tensor([1.0, -2.0, 0.5]).double().expand(500, 3), atol=1e-9)


def test_alignment_never_mirrors_and_obeys_weights() -> None:
    source = torch.randn(1, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    mirrored = source * torch.tensor([-1.0, 1.0, 1.0])
    _, rotation, _ = align_points(source, mirrored, with_scale=False)
    assert torch.linalg.det(rotation)[0] == pytest.approx(1.0)
    outlier = source.clone()
    outlier[0, 0] += 100
    weights = torch.ones(1, 8, dtype=torch.float64)
    weights[0, 0] = 0
    _, rotation, translation = align_points(source, outlier, weights, with_scale=False)
    assert torch.allclose(rotation[0], torch.eye(3, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(translation, torch.zeros(1, 3, dtype=torch.float64), atol=1e-9)


def test_projection_and_rays_invert_each_other() -> None:
    K = cameras.intrinsics_matrix(1000.0, 1920, 1080)
    pose = cameras.look_at(np.array([0.0, -5.0, 1.5]), np.array([0.0, 0.0, 1.0]))
    points = np.array([[0.0, 0.0, 1.0], [1.0, 0.3, 0.2], [-0.5, 1.0, 2.0]])
    pixels = cameras.project(points, pose, K)
    assert np.allclose(pixels[0], [960, 540])
    assert pixels[1, 0] > 960 and pixels[2, 1] < 540
    in_camera = cameras.transform(cameras.invert(pose), points)
    assert np.allclose(cameras.rays(pixels, K), in_camera[:, :2] / in_camera[:, 2:])
    assert np.allclose(cameras.transform(pose, in_camera), points)


def test_metrics_are_zero_on_the_truth_and_exact_on_known_changes() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 24, 3))
    root = truth[:, 0]
    assert metrics.mpjpe(truth, truth, root, root) == 0 and metrics.root_error(root, root) == 0
    shift = np.array([3.0, 0, 1])
    assert metrics.mpjpe(truth + shift, truth, root + shift, root) == pytest.approx(0, abs=1e-12)
    turned = truth @ Rotation.from_euler("z", 90, degrees=True).as_matrix().T
    assert metrics.pa_mpjpe_per_frame(1.7 * turned + 4, truth) == pytest.approx(0, abs=1e-9)
    assert metrics.mpjpe(turned, truth, turned[:, 0], root) > 0.5
    one_joint = truth.copy()
    one_joint[:, 5, 0] += 0.24
    assert metrics.mpjpe(one_joint, truth, root, root) == pytest.approx(0.01)
    path = np.stack([np.linspace(0, 3, 31), np.zeros(31), np.zeros(31)], -1)
    assert metrics.path_length(path) == pytest.approx(3)
    assert metrics.root_error(1.1 * path, path) == pytest.approx(0.15)


def test_camera_metrics_measure_known_turns() -> None:
    truth = Rotation.from_euler("z", np.linspace(0, 40, 9)[:, None], degrees=True).as_matrix()
    wrong = Rotation.from_euler("z", np.linspace(0, 44, 9)[:, None], degrees=True).as_matrix()
    assert np.allclose(metrics.rotation_errors(wrong, truth), np.linspace(0, 4, 9), atol=1e-6)
    heading = Rotation.from_euler("z", 70, degrees=True).as_matrix()
    assert np.allclose(metrics.yaw_between(heading.T @ truth, truth), heading, atol=1e-9)
    tilted = Rotation.from_euler("x", 5, degrees=True).as_matrix() @ truth
    assert metrics.gravity_error(tilted, truth) == pytest.approx(5, abs=1e-6)
    K = cameras.intrinsics_matrix(np.full(9, 1000.0), 1280, 720)
    assert metrics.focal_error(1.05 * K, K) == pytest.approx(0.05)

"""The open body through `BodyModel`, against `smplx` and against what the file promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anylift_cli.body.model import LANDMARKS, BodyModel
from anylift_cli.body.open_body_joints import STATURE, rest_joints
from anylift_cli.body.open_body_shape import COMPONENTS
from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, SMPL_MIRROR, SMPL_PARENTS, J, K
from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from anylift_cli.weights_store import find_weights


@pytest.fixture(scope="module")
def file() -> dict[str, np.ndarray]:
    with np.load(find_weights("open_body.npz"), allow_pickle=False) as stored:
        return dict(stored)


def random_pose(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pose = matrix_from_axis_angle(torch.randn(count, 24, 3, generator=generator) * 0.5)
    return pose, torch.randn(count, 10, generator=generator), torch.randn(count, 3, generator=generator)


def identity_pose(count: int = 1) -> torch.Tensor:
    return torch.eye(3).repeat(count, 24, 1, 1)


def test_smplx_loads_the_file_and_agrees(body, file, capsys):
    import smplx
    from smplx.utils import Struct

    from anylift_cli.body.model import SMPLX_LANDMARKS

    ids = {theirs: body.landmark_vertices[ours] for ours, theirs in SMPLX_LANDMARKS.items()}
    model = smplx.SMPL(model_path="", data_struct=Struct(**file), vertex_ids=ids, use_hands=False, batch_size=4)
    pose, betas, transl = random_pose(4)
    axis_angle = axis_angle_from_matrix(pose)
    theirs = model(betas=betas, global_orient=axis_angle[:, 0], body_pose=axis_angle[:, 1:].flatten(1), transl=transl)
    vertices, points = body.vertices(pose, betas, transl), body.joints(pose, betas, transl)
    assert (vertices - theirs.vertices).abs().max() < 1e-5
    assert (points.joints - theirs.joints[:, :24]).abs().max() < 1e-5
    order = ["nose", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel"]
    order += ["right_big_toe", "right_small_toe", "right_heel"]
    assert (points.keypoints[:, [K[name] for name in order]] - theirs.joints[:, 24:35]).abs().max() < 1e-5


def test_keypoints_are_joints_landmark_vertices_and_the_shoulders_mean(body):
    pose, betas, transl = random_pose(3, seed=1)
    points, vertices = body.joints(pose, betas, transl), body.vertices(pose, betas, transl)
    for name in BODY24:
        if name in LANDMARKS:
            expected = vertices[:, body.landmark_vertices[name]]
        elif name == "neck":
            expected = (points.joints[:, J["left_shoulder"]] + points.joints[:, J["right_shoulder"]]) / 2
        else:
            expected = points.joints[:, J[name]]
        assert (points.keypoints[:, K[name]] - expected).abs().max() < 1e-5, name


def test_pelvis_is_rest_pelvis_plus_translation_whatever_the_rotation(body):
    pose, betas, transl = random_pose(5, seed=2)
    expected = body.rest_joints(betas)[:, 0] + transl
    assert (body.joints(pose, betas, transl).joints[:, 0] - expected).abs().max() < 1e-6


def test_one_row_of_betas_serves_all_poses(body):
    pose, betas, transl = random_pose(3, seed=3)
    shared, repeated = betas[:1], betas[:1].expand(3, -1)
    assert torch.allclose(body.vertices(pose, shared, transl), body.vertices(pose, repeated, transl), atol=1e-6)
    for one, other in zip(body.joints(pose, shared, transl), body.joints(pose, repeated, transl), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_t_pose_geometry(body):
    points = body.joints(identity_pose(), torch.zeros(1, 10), torch.zeros(1, 3))
    joints, keypoints = points.joints[0].numpy(), points.keypoints[0].numpy()
    assert np.abs(joints - rest_joints()).max() < 5e-4
    wrist, ankle = joints[J["left_wrist"]], joints[J["left_ankle"]]
    assert wrist[0] > 0.6 and abs(wrist[1] - joints[J["left_shoulder"], 1]) < 0.01
    assert ankle[1] < 0.1 and joints[J["head"], 1] > 1.4
    assert keypoints[K["nose"], 2] > 0.08 and keypoints[K["left_big_toe"], 2] > keypoints[K["left_heel"], 2] + 0.2
    height = np.ptp(body.v_template[:, 1].numpy())
    assert height == pytest.approx(STATURE, abs=1e-4) and body.v_template[:, 1].min().abs() < 1e-6


def test_exactly_symmetric(body):
    template = body.v_template.numpy()
    order = np.lexsort(np.round(template, 5).T)
    mirrored = template * [-1, 1, 1]
    assert np.abs(template[order] - mirrored[np.lexsort(np.round(mirrored, 5).T)]).max() < 1e-6
    joints = body.rest_joints(torch.randn(4, 10, generator=torch.Generator().manual_seed(4))).numpy()
    assert np.abs(joints - joints[:, SMPL_MIRROR] * [-1, 1, 1]).max() < 1e-6
    points = body.joints(identity_pose(), torch.zeros(1, 10), torch.zeros(1, 3)).keypoints[0].numpy()
    assert np.abs(points - points[list(BODY24_MIRROR)] * [-1, 1, 1]).max() < 1e-6


def test_gradients(body):
    double = BodyModel.load().double()
    generator = torch.Generator().manual_seed(5)
    axis_angle = (torch.randn(2, 24, 3, generator=generator, dtype=torch.float64) * 0.4).requires_grad_()
    betas = torch.randn(2, 10, generator=generator, dtype=torch.float64, requires_grad=True)
    transl = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)

    def keypoints(*inputs: torch.Tensor) -> torch.Tensor:
        return double.joints(matrix_from_axis_angle(inputs[0]), *inputs[1:]).keypoints

    assert torch.autograd.gradcheck(keypoints, (axis_angle, betas, transl), fast_mode=True)


@pytest.mark.parametrize("height", [1.2, 1.55, 1.7, 1.95])
def test_height_is_reached_exactly(body, height):
    betas = body.from_height(height)
    assert betas.shape == (1, 10) and betas[:, 1:].abs().max() == 0
    vertices = body.vertices(identity_pose(), betas, torch.zeros(1, 3))[0]
    assert (vertices[:, 1].max() - vertices[:, 1].min()).item() == pytest.approx(height, abs=1e-4)
    assert body.standing_height(betas).item() == pytest.approx(height, abs=1e-4)


def test_impossible_height_is_refused(body):
    with pytest.raises(AnyliftError, match="tall"):
        body.from_height(float("nan"))


def test_weights_are_few_and_sum_to_one(file):
    weights = file["weights"]
    assert np.abs(weights.sum(1) - 1).max() < 1e-6
    assert weights.min() >= 0 and (weights > 0).sum(1).max() <= 4
    assert weights.max(0).min() > 0.6 and weights.max(0)[[J["left_knee"], J["right_elbow"], J["head"]]].min() > 0.98


def test_regressor_is_sparse_convex_and_follows_every_shape(file):
    from anylift_cli.body.open_body import SHAPE_WIDENING
    from anylift_cli.body.open_body_shape import shape_directions
    from anylift_cli.body.open_body_skinning import skinning_weights

    regressor = file["J_regressor"].astype(np.float64)
    assert np.abs(regressor.sum(1) - 1).max() < 1e-6
    assert regressor.min() >= 0 and (regressor > 0).sum(1).max() < 100
    vertices = file["v_template"].astype(np.float64)
    blend = skinning_weights(vertices, file["f"].astype(np.int64), SHAPE_WIDENING)
    soles = np.flatnonzero(vertices[:, 1] < 0.003)
    _, intended = shape_directions(vertices, blend, rest_joints(), soles)
    found = np.einsum("jv,vck->jck", regressor, file["shapedirs"].astype(np.float64))
    assert np.abs(found - intended).max() < 1.5e-3


def test_shape_components_do_what_they_are_called(body):
    def change(name: str, measure) -> float:
        betas = torch.zeros(2, 10)
        betas[1, list(COMPONENTS).index(name)] = 1
        joints = body.rest_joints(betas)
        before, after = (measure(row).item() for row in joints)
        return after - before

    def bone(a: str, b: str):
        return lambda joints: (joints[J[a]] - joints[J[b]]).norm()

    assert 0.02 < change("leg to trunk", bone("left_hip", "left_ankle")) < 0.04
    assert change("leg to trunk", bone("pelvis", "neck")) < -0.01
    assert 0.01 < change("shoulder width", bone("left_shoulder", "right_shoulder")) < 0.04
    assert 0.008 < change("hip width", bone("left_hip", "right_hip")) < 0.03
    assert 0.015 < change("arm length", bone("left_shoulder", "left_wrist")) < 0.03
    assert abs(change("girth", bone("left_hip", "left_ankle"))) < 0.004
    heights = body.standing_height(torch.cat([torch.zeros(1, 10), torch.eye(10)]))
    assert (heights[1] / heights[0]).item() == pytest.approx(1.05, abs=1e-4)
    assert (heights[[2, 3, 4, 5, 6, 7, 9, 10]] - heights[0]).abs().max() < 0.006


def test_mesh_is_one_closed_surface_facing_outwards(file):
    faces, vertices = file["f"].astype(np.int64), file["v_template"].astype(np.float64)
    directed = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(np.unique(directed, axis=0)) == len(directed)
    edges, uses = np.unique(np.sort(directed, 1), axis=0, return_counts=True)
    assert (uses == 2).all()
    assert len(vertices) - len(edges) + len(faces) == 2
    assert 5000 <= len(vertices) <= 10000
    volume = np.einsum("fc,fc->", vertices[faces[:, 0]], np.cross(vertices[faces[:, 1]], vertices[faces[:, 2]])) / 6
    assert 0.05 < volume < 0.085


def test_joints_lie_inside_the_mesh(file):
    """Winding number 1 (van Oosterom & Strackee 1983) for average and extreme shapes."""
    faces = file["f"].astype(np.int64)
    for beta in [np.zeros(10), *(sign * 2 * np.eye(10)[k] for k in range(10) for sign in (-1, 1))]:
        vertices = file["v_template"] + file["shapedirs"] @ beta
        joints = file["J_regressor"] @ vertices
        a, b, c = (vertices[faces[:, k]][None] - joints[:, None] for k in range(3))
        la, lb, lc = (np.linalg.norm(x, axis=-1) for x in (a, b, c))
        numerator = (a * np.cross(b, c)).sum(-1)
        denominator = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        winding = np.arctan2(numerator, denominator).sum(1) / (2 * np.pi)
        assert np.abs(winding - 1).max() < 1e-3


def test_file_is_small_and_plain(file):
    path = find_weights("open_body.npz")
    assert path.stat().st_size < 4 << 20
    assert file["vertex_colors"].dtype == np.uint8 and file["v_template"].dtype == np.float32
    assert tuple(file["kintree_table"][0]) == SMPL_PARENTS


def test_other_files_are_refused_with_a_reason(tmp_path, file):
    with pytest.raises(MissingDependencyError, match="smpl_neutral"):
        BodyModel.load("smpl_neutral")
    path = tmp_path / "body.npz"
    np.savez(path, **{key: value for key, value in file.items() if key != "J_regressor"})
    with pytest.raises(AnyliftError, match="J_regressor"):
        BodyModel.load(path)
    np.savez(path, **{key: value for key, value in file.items() if not key.startswith("landmark")})
    with pytest.raises(AnyliftError, match="landmark"):
        BodyModel.load(path)
    np.savez(path, **{**file, "kintree_table": file["kintree_table"][:, ::-1]})
    with pytest.raises(AnyliftError, match="joint tree"):
        BodyModel.load(path)


def test_a_file_with_smpl_topology_uses_smplx_landmarks(tmp_path, file):
    """A stand-in with SMPL's vertex count and no landmark names, as a licensed file has."""
    count, rng = 6890, np.random.default_rng(0)
    weights = rng.random((count, 24)).astype(np.float32)
    np.savez(
        tmp_path / "SMPL_NEUTRAL.npz",
        v_template=rng.standard_normal((count, 3)).astype(np.float32),
        shapedirs=rng.standard_normal((count, 3, 300)).astype(np.float32) * 0.01,
        posedirs=rng.standard_normal((count, 3, 207)).astype(np.float32) * 0.001,
        J_regressor=np.eye(24, count, dtype=np.float32),
        weights=weights / weights.sum(1, keepdims=True),
        kintree_table=file["kintree_table"].astype(np.uint32),
        f=file["f"][:100] % count,
    )
    body = BodyModel.load(tmp_path / "SMPL_NEUTRAL.npz")
    assert body.num_betas == 10 and body.landmark_vertices["nose"] == 332
    pose, betas, transl = random_pose(2, seed=6)
    nose = body.vertices(pose, betas, transl)[:, 332]
    assert (body.joints(pose, betas, transl).keypoints[:, K["nose"]] - nose).abs().max() < 1e-4
    assert body.standing_height(body.from_height(9.0)).item() == pytest.approx(9.0, abs=1e-4)

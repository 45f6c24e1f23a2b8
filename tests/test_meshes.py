"""Meshes of objects: files, sizes, surfaces, symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from object_scenes import IMAGE, SIZE, box_mesh
from scipy.spatial.transform import Rotation

from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import intrinsics_matrix, project_camera, transform
from anylift_cli.meshes.reading import read_object
from anylift_cli.meshes.surface import Surface, cast, closest_on_triangles, sampled, spread
from anylift_cli.meshes.symmetry import symmetries
from anylift_cli.rendering.silhouette import silhouette

K = intrinsics_matrix(500.0, *IMAGE)


def placed(turn: tuple[float, float, float], place: tuple[float, float, float]) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_rotvec(turn).as_matrix(), place
    return pose


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl", ".glb", ".off"])
def test_any_format_is_read(tmp_path, suffix):
    box_mesh().export(tmp_path / f"box{suffix}")
    mesh = read_object(tmp_path / f"box{suffix}")
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx(SIZE, abs=1e-6)
    assert mesh.size_known and mesh.unit == 1 and len(mesh.faces) == 12


def test_sizes(tmp_path):
    box = box_mesh()
    box.apply_scale(1000)
    box.export(tmp_path / "mm.obj")
    with pytest.raises(UsageError, match=r"mm\.obj is 360 units long") as raised:
        read_object(tmp_path / "mm.obj")
    assert "--object-size" in raised.value.hint
    known = read_object(tmp_path / "mm.obj", 0.36)
    assert np.ptp(known.vertices, axis=0) == pytest.approx(SIZE, abs=1e-6) and known.size_known
    assert known.unit == pytest.approx(0.001)
    unknown = read_object(tmp_path / "mm.obj", 0)
    assert np.ptp(unknown.vertices, axis=0).max() == pytest.approx(0.5) and not unknown.size_known
    with pytest.raises(UsageError, match="out of range"):
        read_object(tmp_path / "mm.obj", -1)


def test_what_is_no_object(tmp_path):
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
    with pytest.raises(AnyliftError, match=r"points\.obj"):
        read_object(tmp_path / "points.obj")
    (tmp_path / "dot.obj").write_text("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n")
    with pytest.raises(AnyliftError, match="no extent"):
        read_object(tmp_path / "dot.obj")
    (tmp_path / "stray.obj").write_text("v 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 2 3 4\n")
    stray = read_object(tmp_path / "stray.obj")
    assert len(stray.vertices) == 3 and stray.faces.tolist() == [[0, 1, 2]]


def test_rays_meet_the_surface_where_it_projects():
    mesh = box_mesh()
    vertices, faces = np.array(mesh.vertices), np.array(mesh.faces)
    pose = placed((0.4, 0.3, 0.9), (0.1, -0.05, 1.8))
    points, hit = cast(vertices, faces, pose, K, np.array([[330.0, 170.0], [345.5, 200.25], [20.0, 20.0]]))
    assert (hit[:2] >= 0).all() and hit[2] == -1 and np.isnan(points[2]).all()
    assert project_camera(transform(pose, points[:2]), K) == pytest.approx(
        np.array([[330, 170], [345.5, 200.25]]), abs=1e-6
    )
    sides = np.abs(np.abs(points[:2] - [0, 0, SIZE[2] / 2]) - np.array(SIZE) / 2).min(1)
    assert sides == pytest.approx([0, 0], abs=1e-9)
    behind = transform(pose, np.concatenate([points[:2], vertices]))
    assert (behind[:2, 2] < behind[2:, 2].max()).all()
    turned_over = cast(vertices, faces[:, ::-1], pose, K, np.array([[330.0, 170.0]]))[0]
    assert turned_over[0] == pytest.approx(points[0], abs=1e-9)


def test_silhouettes_hold_what_rays_hit():
    mesh = box_mesh()
    pose = placed((0.4, 0.3, 0.9), (0.1, -0.05, 1.8))
    mask = silhouette(np.array(mesh.vertices), np.array(mesh.faces), pose, K, IMAGE)
    rows, columns = np.mgrid[100:260:7, 230:460:7]
    pixels = np.stack([columns.ravel(), rows.ravel()], -1) + 0.5
    hit = cast(np.array(mesh.vertices), np.array(mesh.faces), pose, K, pixels)[1] >= 0
    agree = (mask[rows.ravel(), columns.ravel()] > 0) == hit
    assert 0.1 < hit.mean() < 0.9 and agree.mean() > 0.98
    assert not silhouette(np.array(mesh.vertices), np.array(mesh.faces), placed((0, 0, 0), (0, 0, -3)), K, IMAGE).any()


def test_distances_to_a_box_are_exact():
    mesh = box_mesh()
    surface = Surface(np.array(mesh.vertices), np.array(mesh.faces))
    points = np.array([[0.25, 0.0, 0.1], [0.0, 0.0, 0.30], [0.0, 0.0, -0.05], [0.25, 0.28, 0.16], [0.0, 0.17, 0.16]])
    nearest, distance = surface.nearest(points)
    assert distance == pytest.approx([0.10, -0.02, 0.05, np.hypot(0.1, 0.1), -0.01], abs=1e-9)
    assert nearest[0] == pytest.approx([0.15, 0.0, 0.1], abs=1e-9)
    sheet = Surface(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]]), np.array([[0, 1, 2], [1, 3, 2]]))
    assert np.abs(sheet.nearest(np.array([[0.4, 0.4, 0.3]]))[1]) == pytest.approx([0.3])


def test_nearest_points_of_a_triangle():
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    points = np.array([[0.2, 0.2, 0.5], [-1, -1, 0], [2, -0.5, 0], [1, 1, 3]])
    found = closest_on_triangles(points, np.tile(triangle, (4, 1, 1)))
    assert found == pytest.approx(np.array([[0.2, 0.2, 0], [0, 0, 0], [1, 0, 0], [0.5, 0.5, 0]]))


def test_points_spread_over_the_surface():
    mesh = box_mesh()
    points = sampled(np.array(mesh.vertices), np.array(mesh.faces), 2000)
    inside = np.abs(points - [0, 0, SIZE[2] / 2]) <= np.array(SIZE) / 2 + 1e-9
    assert inside.all()
    chosen = points[spread(points, 8)]
    between = np.linalg.norm(chosen[:, None] - chosen, axis=-1)[np.triu_indices(8, 1)]
    assert between.min() > 0.2
    assert len(spread(points[:3], 8)) == 3 and len(spread(points[:0], 8)) == 0


@pytest.mark.parametrize(
    ("mesh", "count"),
    [
        (trimesh.creation.box((0.3, 0.4, 0.5)), 4),
        (trimesh.creation.box((0.3, 0.3, 0.5)), 8),
        (trimesh.creation.box((0.3, 0.3, 0.3)), 24),
        (trimesh.creation.cylinder(0.2, 0.5, sections=48), 24),
        (trimesh.creation.cone(0.2, 0.5, sections=48), 12),
    ],
)
def test_symmetries_of_shapes(mesh, count):
    found = symmetries(np.array(mesh.vertices), np.array(mesh.faces))
    assert len(found) == count
    assert found[0] == pytest.approx(np.eye(3))
    assert np.linalg.det(found) == pytest.approx(np.ones(count))


def test_a_chair_has_no_symmetry():
    seat, back = trimesh.creation.box((0.4, 0.45, 0.05)), trimesh.creation.box((0.4, 0.05, 0.5))
    back.apply_translation([0, 0.2, 0.25])
    leg = trimesh.creation.box((0.05, 0.05, 0.4))
    leg.apply_translation([0.15, 0.15, -0.2])
    chair = trimesh.util.concatenate([seat, back, leg])
    assert len(symmetries(np.array(chair.vertices), np.array(chair.faces))) == 1

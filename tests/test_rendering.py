"""The renderer against silhouettes, depths and positions that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from anylift_cli.geometry.cameras import intrinsics_matrix, look_at, project
from anylift_cli.rendering.mesh import draw_mesh, vertex_normals
from anylift_cli.rendering.skeleton import LEFT, RIGHT, draw_skeleton

WIDTH, HEIGHT, FOCAL = 640, 480, 600.0
K = intrinsics_matrix(FOCAL, WIDTH, HEIGHT)
CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE_FACES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def sphere(rings: int, segments: int) -> tuple[np.ndarray, np.ndarray]:
    polar = np.linspace(0, np.pi, rings + 1)[:, None]
    azimuth = np.arange(segments) * 2 * np.pi / segments
    x, y = np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)
    vertices = np.stack([x, y, np.cos(polar) + 0 * azimuth], -1).reshape(-1, 3)
    a = np.arange(rings * segments).reshape(rings, segments)
    b = np.roll(a, -1, 1)
    faces = np.concatenate([np.stack([a, a + segments, b + segments], -1), np.stack([a, b + segments, b], -1)], 0)
    return vertices, faces.reshape(-1, 3)


def canvas() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def silhouette(image: np.ndarray) -> tuple[float, np.ndarray]:
    """Area in pixels and centre (x, y)."""
    mask = image.any(-1)
    y, x = np.nonzero(mask)
    return float(mask.sum()), np.array([x.mean() + 0.5, y.mean() + 0.5])


def test_sphere_silhouette_is_the_analytic_ellipse():
    vertices, faces = sphere(60, 80)
    distance, radius = 5.0, 0.8
    camera = look_at((distance, 0.0, 1.0), (0.0, 0.0, 1.0))
    image = draw_mesh(canvas(), vertices * radius + [0, 0, 1], faces, camera, K)
    area, centre = silhouette(image)
    seen_radius = FOCAL * radius / np.sqrt(distance**2 - radius**2)
    assert np.sqrt(area / np.pi) == pytest.approx(seen_radius, abs=1.0)
    assert centre == pytest.approx([WIDTH / 2, HEIGHT / 2], abs=0.5)


def test_cube_face_covers_its_exact_rectangle():
    camera = look_at((6.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    area, centre = silhouette(draw_mesh(canvas(), CUBE, CUBE_FACES, camera, K))
    side = 2 * FOCAL / 5
    assert np.sqrt(area) == pytest.approx(side, abs=1.5)
    assert centre == pytest.approx([WIDTH / 2, HEIGHT / 2], abs=0.5)


def test_off_centre_cube_is_where_project_says():
    camera = look_at((6.0, 1.0, 2.0), (0.0, 0.5, 0.2))
    vertices = 0.1 * CUBE + [1.0, -0.8, 0.7]
    _, centre = silhouette(draw_mesh(canvas(), vertices, CUBE_FACES, camera, K))
    assert centre == pytest.approx(project(vertices.mean(0)[None], camera, K)[0], abs=1.0)


@pytest.mark.parametrize("near_first", [True, False])
def test_depth_decides_not_drawing_order(near_first: bool):
    camera = look_at((6.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    near = (0.4 * CUBE + [1.5, 0, 0], (250, 0, 0))
    far = (0.8 * CUBE + [-1.5, 0, 0], (0, 0, 250))
    image, inverse_depth = canvas(), np.zeros((HEIGHT, WIDTH), np.float32)
    for vertices, color in (near, far) if near_first else (far, near):
        draw_mesh(image, vertices, CUBE_FACES, camera, K, color, inverse_depth=inverse_depth)
    centre = image[HEIGHT // 2, WIDTH // 2]
    assert centre[0] > 100 and centre[2] == 0
    assert 1 / inverse_depth[HEIGHT // 2, WIDTH // 2] == pytest.approx(6.0 - 1.9, abs=1e-3)
    assert image[..., 2].any()


def test_intersecting_meshes_meet_on_their_common_line():
    camera = look_at((6.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    angle = np.pi / 4
    turned = CUBE @ np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]).T
    image, inverse_depth = canvas(), np.zeros((HEIGHT, WIDTH), np.float32)
    draw_mesh(image, CUBE, CUBE_FACES, camera, K, (250, 0, 0), inverse_depth=inverse_depth)
    draw_mesh(image, turned, CUBE_FACES, camera, K, (0, 0, 250), inverse_depth=inverse_depth)
    row = image[HEIGHT // 2]
    blue = np.flatnonzero((row[:, 2] > row[:, 0]) & (np.abs(np.arange(WIDTH) - WIDTH / 2) < FOCAL / 5))
    expected = FOCAL * (np.sqrt(2) - 1) / 5
    assert blue.min() == pytest.approx(WIDTH / 2 - expected, abs=1.5)
    assert blue.max() == pytest.approx(WIDTH / 2 + expected, abs=1.5)


def test_mesh_around_the_camera_is_clipped_not_mirrored():
    camera = look_at((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    beam = CUBE * [3.0, 0.2, 0.1] + [0.0, 0.0, -0.5]
    image = draw_mesh(canvas(), beam, CUBE_FACES, camera, K)
    assert image[-1, WIDTH // 2].any()
    assert not image[: HEIGHT // 2].any()
    behind = draw_mesh(canvas(), CUBE - [5.0, 0, 0], CUBE_FACES, camera, K)
    assert not behind.any()


def test_opacity_mixes_and_vertex_colors_show():
    camera = look_at((6.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    solid = draw_mesh(canvas(), CUBE, CUBE_FACES, camera, K, (200, 200, 200))
    half = draw_mesh(canvas(), CUBE, CUBE_FACES, camera, K, (200, 200, 200), opacity=0.5)
    middle = HEIGHT // 2, WIDTH // 2
    assert int(half[middle][0]) == pytest.approx(int(solid[middle][0]) / 2, abs=1)
    colors = np.where(CUBE[:, 1:2] > 0, [[0, 0, 255]], [[255, 0, 0]])
    colored = draw_mesh(canvas(), CUBE * [1, 1, 1], CUBE_FACES, camera, K, vertex_colors=colors)
    assert colored[..., 0].any() and colored[..., 2].any()


def test_light_brightens_the_side_it_comes_from():
    vertices, faces = sphere(30, 40)
    camera = look_at((6.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    image = draw_mesh(canvas(), vertices, faces, camera, K, light=np.array([0.0, 1.0, 0.0]))
    left, right = image[HEIGHT // 2, WIDTH // 2 - 80, 0], image[HEIGHT // 2, WIDTH // 2 + 80, 0]
    assert right > left + 50


def test_vertex_normals_of_a_sphere_are_radial():
    vertices, faces = sphere(40, 60)
    inner = slice(60, -60)
    assert (vertex_normals(vertices, faces)[inner] * vertices[inner]).sum(-1).min() > 0.999


def test_skeleton_has_sides_and_skips_the_unseen():
    points = np.full((24, 2), np.nan)
    confidence = np.zeros(24)
    assert not draw_skeleton(canvas(), points, confidence).any()
    points[[2, 3, 4]] = [[100, 100], [120, 200], [110, 300]]
    points[[5, 6, 7]] = [[300, 100], [320, 200], [310, 300]]
    confidence[[2, 3, 4, 5, 6]] = 1
    image = draw_skeleton(canvas(), points, confidence)
    assert tuple(image[150, 110]) == RIGHT
    assert tuple(image[150, 310]) == LEFT
    assert not image[250].any(-1)[300:].any()

"""Poses of rigid bodies from triangulated points: exactly, with noise, with points that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from object_scenes import BoxScene, box_mesh, box_scene, pose_errors

from anylift_cli.geometry.cameras import transform
from anylift_cli.geometry.view_poses import poses_from_points, refine_poses

SCALE = 1.3


@pytest.fixture(scope="module")
def scene() -> BoxScene:
    return box_scene(40)


POINTS = np.array(box_mesh().vertices)


def placed(scene: BoxScene, noise: float = 0.0) -> np.ndarray:
    exact = transform(scene.world_from_object, SCALE * POINTS)
    return exact + np.random.default_rng(0).normal(0, noise, exact.shape)


def off(poses: np.ndarray, scene: BoxScene) -> tuple[np.ndarray, np.ndarray]:
    return pose_errors(poses, scene.world_from_object)


def test_exact_points_in_closed_form(scene):
    found = poses_from_points(POINTS, placed(scene), np.ones((40, 8)), scene.times)
    place, turn = off(found.poses, scene)
    assert found.scale == pytest.approx(SCALE, rel=1e-9)
    assert place.max() < 1e-9 and turn.max() < 1e-5
    given = poses_from_points(POINTS, placed(scene), np.ones((40, 8)), scene.times, scale=SCALE)
    assert off(given.poses, scene)[0].max() < 1e-9


def test_refining_what_is_exact_changes_little(scene):
    start = poses_from_points(POINTS, placed(scene), np.ones((40, 8)), scene.times)
    loose = refine_poses(start, POINTS, placed(scene), np.ones((40, 8)), turn=1e3, step=1e3)
    assert off(loose.poses, scene)[0].max() < 1e-6 and loose.scale == pytest.approx(SCALE, rel=1e-6)
    smooth = refine_poses(start, POINTS, placed(scene), np.ones((40, 8)))
    assert off(smooth.poses, scene)[0].max() < 0.01


def test_noise_and_wrong_points(scene):
    """Two centimetres of noise, a point in ten half a metre off, two hidden points, and a gap of five frames."""
    rng = np.random.default_rng(1)
    seen = placed(scene, 0.02)
    wrong = rng.random((40, 8)) < 0.1
    seen[wrong] += rng.normal(0, 0.5, (wrong.sum(), 3))
    weight = np.ones((40, 8))
    weight[10:, [1, 4]] = 0
    weight[20:25] = 0
    seen[weight == 0] = np.nan
    start = poses_from_points(POINTS, seen, weight, scene.times)
    found = refine_poses(start, POINTS, seen, weight)
    before, after = (off(one.poses, scene) for one in (start, found))
    assert found.scale == pytest.approx(SCALE, rel=0.03)
    assert np.median(after[0]) < 0.02 and np.median(after[1]) < 3.5
    assert np.median(after[0]) < 0.6 * np.median(before[0]) and np.median(after[1]) < 0.6 * np.median(before[1])
    assert after[0].max() < 0.08 and after[1].max() < 14


def test_one_frame_and_too_few_points(scene):
    found = poses_from_points(POINTS, placed(scene)[:1], np.ones((1, 8)), scene.times[:1])
    refined = refine_poses(found, POINTS, placed(scene)[:1], np.ones((1, 8)))
    assert pose_errors(refined.poses, scene.world_from_object[:1])[0].max() < 1e-6
    with pytest.raises(ValueError, match="three points"):
        poses_from_points(POINTS, placed(scene), np.tile(np.arange(8) < 2, (40, 1)).astype(float), scene.times)

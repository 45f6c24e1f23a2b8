"""What a camera sees of an object: nothing of its far side, nothing behind the person."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from anylift_cli.body.skeleton import K
from anylift_cli.evaluation.visibility import seen_points
from anylift_cli.geometry.cameras import transform

SIDE = 0.4
NOBODY = np.full((1, 24, 3), np.nan)


def box() -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """A cube about the origin, and the middles of its six faces."""
    mesh = trimesh.creation.box((SIDE,) * 3).subdivide()
    return (np.asarray(mesh.vertices), np.asarray(mesh.faces)), np.concatenate([np.eye(3), -np.eye(3)]) * SIDE / 2


def looking_from(place: tuple[float, float, float]) -> np.ndarray:
    """A camera (1, 4, 4) at `place`; which way it looks does not matter."""
    pose = np.eye(4)[None].copy()
    pose[0, :3, 3] = place
    return pose


@pytest.mark.parametrize(
    ("eye", "faces"),
    [((3, 0, 0), {0}), ((3, 2, 0), {0, 1}), ((3, 2, 1), {0, 1, 2}), ((-1, 0.1, -4), {3, 5}), ((0.1, -5, 0.1), {4})],
)
def test_only_faces_that_look_at_the_camera_are_seen(eye, faces):
    mesh, points = box()
    seen = seen_points(points, mesh, np.eye(4)[None], NOBODY, looking_from(eye))
    assert set(np.flatnonzero(seen[0])) == faces


def test_it_is_the_same_wherever_the_object_is_turned_and_put():
    mesh, points = box()
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]]), (5, -3, 1)
    eye = looking_from((3, 2, 1))
    person = person_with({"left_elbow": (1.0, 0.3, 0.5), "left_wrist": (1.0, 0.4, 0.2)})
    here = seen_points(points, mesh, np.eye(4)[None], person, eye)
    there = seen_points(points, mesh, turn[None], transform(turn, person), turn @ eye)
    assert np.array_equal(here, there)


def person_with(places: dict[str, tuple[float, float, float]]) -> np.ndarray:
    """Someone far away but for some points."""
    points = np.full((1, 24, 3), 0.0) + np.array([0, 50.0, 0])
    points += np.arange(24)[None, :, None] * 0.01
    for name, place in places.items():
        points[0, K[name]] = place
    return points


@pytest.mark.parametrize(
    ("above", "hidden"),
    [(0.0, True), (0.045, True), (0.06, False), (-0.06, False)],
)
def test_a_forearm_before_a_point_hides_it(above, hidden):
    mesh, points = box()
    arm = {"right_elbow": (1.0, -0.2, above), "right_wrist": (1.0, 0.2, above)}
    seen = seen_points(points, mesh, np.eye(4)[None], person_with(arm), looking_from((3, 0, 0)))
    assert seen[0, 0] != hidden


def test_what_is_behind_the_object_or_the_camera_hides_nothing():
    mesh, points = box()
    for x in (-1.0, 4.0):
        body = {"right_elbow": (x, -0.2, 0), "right_wrist": (x, 0.2, 0), "neck": (x, 0, 0.5), "left_hip": (x, 0, -0.4)}
        assert seen_points(points, mesh, np.eye(4)[None], person_with(body), looking_from((3, 0, 0)))[0, 0]


def test_each_frame_is_judged_by_itself():
    mesh, points = box()
    eyes = np.concatenate([looking_from((3, 0, 0)), looking_from((-3, 0, 0))])
    poses = np.tile(np.eye(4), (2, 1, 1))
    seen = seen_points(points, mesh, poses, np.concatenate([NOBODY, NOBODY]), eyes)
    assert seen.shape == (2, 6) and set(np.flatnonzero(seen[0])) == {0} and set(np.flatnonzero(seen[1])) == {3}

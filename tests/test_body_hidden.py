"""Points of people behind objects: what an object that is seen in their place says of them."""

from __future__ import annotations

import numpy as np
import pytest
from object_scenes import artifacts_of, box_mesh, box_scene

from anylift_cli.artifacts import KeypointsArtifact, ObjectsArtifact
from anylift_cli.body.hidden import LEGS, without_hidden
from anylift_cli.body.skeleton import K

FRAMES, TALL = 30, 300.0
BOX = np.array([[200.0, 200.0], [300.0, 280.0]])
"""px, upper left and lower right corner."""


def seen_box(hole: float = 0.0) -> ObjectsArtifact:
    """A box whose points are seen all over it, but for a strip `hole` px wide down its middle."""
    across, down = np.meshgrid(np.linspace(*BOX[:, 0], 12), np.linspace(*BOX[:, 1], 10))
    pixels = np.stack([across, down], -1).reshape(-1, 2)
    pixels = np.tile(pixels, (FRAMES, 1, 1))
    visible = np.abs(pixels[..., 0] - 250) > hole / 2
    mesh = box_mesh()
    return ObjectsArtifact(
        names=np.array(["box"]), size_known=[True], vertices=mesh.vertices, faces=mesh.faces, vertex_count=[8],
        face_count=[12], symmetries=np.eye(3)[None], symmetry_count=[1], points3d=np.zeros((1, 120, 3)),
        points2d=np.where(visible[..., None], pixels, np.nan)[None], visible=visible[None],
        camera_from_object=np.tile(np.eye(4), (1, FRAMES, 1, 1)), confidence=np.ones((1, FRAMES)),
        timestamps=np.arange(FRAMES) / 30, frame_index=np.arange(FRAMES), image_size=[640, 360],
    )  # fmt: skip


def person(**places: tuple[float, float]) -> KeypointsArtifact:
    """Somebody `TALL` px tall whose points are far from the box but for the named ones."""
    keypoints, _ = artifacts_of(box_scene(FRAMES))
    pixels = np.full((1, FRAMES, 24, 2), 40.0)
    for name, place in places.items():
        pixels[0, :, K[name]] = place
    return KeypointsArtifact(
        keypoints=pixels, confidence=np.full((1, FRAMES, 24), 0.8),
        boxes=np.tile([40, 20, 100, 20 + TALL], (1, FRAMES, 1)), present=np.ones((1, FRAMES), bool),
        timestamps=keypoints.timestamps, frame_index=keypoints.frame_index, image_size=keypoints.image_size,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("point", "place", "hidden"),
    [
        ("left_ankle", (250, 240), True),
        ("left_ankle", (250, 197), True),
        ("left_ankle", (250, 190), False),
        ("right_heel", (190, 240), False),
        ("left_wrist", (250, 240), False),
    ],
)
def test_legs_where_an_object_is_seen_are_hidden(point, place, hidden):
    """Estimators put a foot that they cannot see on the edge of what hides it, or just beyond."""
    before = person(**{point: place})
    after = without_hidden(before, seen_box())
    assert (after.confidence[0, :, K[point]] == 0).all() == hidden
    others = [index for index in range(24) if index != K[point]]
    assert (after.confidence[0][:, others] == before.confidence[0][:, others]).all()


def test_a_leg_before_an_object_stays():
    """Nothing of the object is seen as far as the leg is wide."""
    keypoints = person(left_ankle=(250, 240), left_knee=(250, 205))
    assert (without_hidden(keypoints, seen_box(hole=26)).confidence == keypoints.confidence).all()


def test_moments_in_which_nothing_is_followed_are_bridged():
    objects = seen_box()
    objects.visible[0, 12:15] = False
    objects.points2d[0, 12:15] = np.nan
    hidden = without_hidden(person(left_ankle=(250, 240)), objects).confidence[0, :, K["left_ankle"]]
    assert (hidden == 0).all()
    assert (without_hidden(person(), objects).confidence[0][:, list(LEGS)] == np.float32(0.8)).all()

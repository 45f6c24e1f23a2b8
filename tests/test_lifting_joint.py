"""Person and object lifted together: what the network is told, what becomes of what it sees, options that name it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_fitting_objects import MIDDLE, lifted_wrongly, objects_of

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, LiftedArtifact, ObjectsArtifact
from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP, K
from anylift_cli.errors import UsageError
from anylift_cli.evaluation.metrics import object_rotation_errors
from anylift_cli.fitting.joint_path import joint_path, object_path
from anylift_cli.fitting.object_scale import Scales, rescaled
from anylift_cli.fitting.things import smooth_path, things_of
from anylift_cli.geometry.boxes import box_around, box_corners
from anylift_cli.geometry.cameras import transform
from anylift_cli.lifting.base import CHECKPOINT, JOINT_CHECKPOINT, JointOptions, LiftOptions, joint_checkpoint
from anylift_cli.lifting.canonical import Canonical
from anylift_cli.lifting.checkpoint import describe, load_checkpoint, save_checkpoint
from anylift_cli.lifting.distance_hints import distance_hints
from anylift_cli.lifting.joint import JOINT_WIDTH, POINTS, category_name
from anylift_cli.lifting.joint_imagination import Followed, JointImagination, out_of_sight
from anylift_cli.lifting.joint_lifter import things_of as liftable
from anylift_cli.lifting.networks import NetworkConfig, ViewsAsChannels
from anylift_cli.lifting.observation import observe
from anylift_cli.lifting.refine import models_for, upright
from anylift_cli.lifting.stage import run_lift_with_objects
from anylift_cli.synthetic.props import box_mesh
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene
from anylift_cli.training.interactions import grow
from anylift_cli.weights_store import find_weights

HIDDEN = slice(26, 44)
HIPS = [LEFT_HIP, RIGHT_HIP]


@pytest.fixture(scope="module")
def carry() -> Scene:
    return build_scene(SceneSpec("carry_dolly", "carry", "dolly", seconds=4.0, fps=15, seed=3))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A joint network that knows of people what the shipped one knows, and of objects nothing."""
    start = find_weights(CHECKPOINT)
    network = ViewsAsChannels(NetworkConfig(points=POINTS, condition=JOINT_WIDTH))
    grow(network, start)
    _, manifest = load_checkpoint(start)
    about = {name: manifest[name] for name in ("frames", "fps", "lengths")}
    path = tmp_path_factory.mktemp("joint") / "joint.safetensors"
    save_checkpoint(path, network, describe(network, steps=manifest["noise_steps"], **about))
    return path


def seen_jointly(scene: Scene, noise: float = 0.02) -> LiftedArtifact:
    """The scene as a joint lifter gives it whose corners of the box are off by `noise` m."""
    lifted, _ = lifted_wrongly(scene)
    vertices, _ = box_mesh(scene.boxes[0])
    corners = transform(truth_of(scene, lifted), box_around(vertices))
    corners = corners + np.random.default_rng(0).normal(0, noise, (*corners.shape[:1], 1, 3))
    return replace(lifted, object_corners=corners[None], object_std=np.full((1, *corners.shape[:2]), 0.03, np.float32))


def truth_of(scene: Scene, lifted: LiftedArtifact) -> np.ndarray:
    """The box's true poses (T, 4, 4) in the lifted world."""
    return lifted.world_from_camera @ np.linalg.inv(scene.world_from_camera) @ scene.boxes[0].world_from_box


def errors(poses: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Metres and degrees, (T,) each."""
    away = transform(poses, MIDDLE)[:, 0] - transform(truth, MIDDLE)[:, 0]
    return np.linalg.norm(away, axis=-1), object_rotation_errors(poses[:, :3, :3], truth[:, :3, :3])


def test_hints_tell_the_distance_of_hands_at_an_object_and_of_feet_on_its_floor() -> None:
    """Size says 3 units; a wrist is at the middle of a box 3.3 away, whose floor the feet stand on."""
    scale, height = 1.1, 0.9
    middle, heel = torch.tensor([0.2, 0.3, 3.0]) * scale, torch.tensor([0.1, height, 3.1])
    points = torch.zeros(1, 1, 24, 3) + torch.tensor([0.0, 0.0, 3.0])
    points[0, 0, K["left_wrist"]], points[0, 0, K["right_heel"]] = middle, heel
    half = torch.tensor([0.2, height - float(middle[1]), 0.2])
    root = torch.tensor([[[0.0, 0.0, 3.0]]])
    weight = torch.zeros(1, 1, 24)
    weight[0, 0, [K["left_wrist"], K["right_heel"]]] = 0.9
    seen = Canonical(
        points[..., :2] / points[..., 2:], weight, torch.eye(4).expand(1, 1, 4, 4), torch.tensor([[[0.0, -1.0, 0.0]]]),
        root, torch.zeros(1, 1, 24, 3), torch.zeros(1, 1, 24), torch.ones(1), torch.eye(4)[None],
    )  # fmt: skip
    corners = (box_corners(half) + middle - root[0])[None]
    hints = distance_hints(seen, corners, torch.ones(1, 1))[0, 0]
    left, right, left_off, _, left_foot, right_foot, _, sure = hints.tolist()
    assert left == pytest.approx(5 * np.log(float(middle.norm()) / 3), abs=1e-4)
    assert left_off == pytest.approx(0, abs=1e-3) and right == left_foot == 0
    assert right_foot == pytest.approx(5 * np.log(float(heel.norm()) / 3), abs=1e-4)
    assert sure == pytest.approx(min(height / float(heel.norm()) / 0.25, 1.0), abs=1e-4)


def test_imagined_corners_carry_what_is_hidden(carry):
    (thing,) = things_of(objects_of(carry, hidden=HIDDEN))
    lifted = seen_jointly(carry)
    place, turn = errors(joint_path(thing, lifted, 0), truth_of(carry, lifted))
    alone, _ = errors(smooth_path(thing, lifted), truth_of(carry, lifted))
    assert place[HIDDEN].mean() < 0.04 and place[HIDDEN].max() < 0.08 and turn[HIDDEN].max() < 2
    assert place[HIDDEN].mean() < 0.3 * alone[HIDDEN].mean()
    assert np.delete(place, np.r_[HIDDEN]).max() < 0.02


def test_sightings_overrule_imagined_corners_that_are_off(carry):
    (thing,) = things_of(objects_of(carry))
    lifted = seen_jointly(carry, noise=0.0)
    lifted.object_corners = lifted.object_corners + np.array([0.0, 0.05, 0.05])
    place, turn = errors(joint_path(thing, lifted, 0), truth_of(carry, lifted))
    assert place.mean() < 0.01 and turn.max() < 1


def test_objects_that_were_not_lifted_together_are_fitted_as_before(carry):
    (thing,) = things_of(objects_of(carry))
    lifted = seen_jointly(carry)
    missing = replace(lifted, object_corners=np.full_like(lifted.object_corners, np.nan))
    assert np.array_equal(object_path(thing, missing, 0), smooth_path(thing, lifted))
    assert not np.array_equal(object_path(thing, lifted, 0), smooth_path(thing, lifted))


def test_corners_keep_their_place_before_the_camera(carry):
    lifted = seen_jointly(carry, noise=0.0)
    frames = lifted.present.shape
    same = rescaled(lifted, Scales(1.0, 1.0, np.ones(frames), ()))
    assert np.allclose(same.object_corners, lifted.object_corners)
    other = rescaled(lifted, Scales(1.1, 1.3, np.ones(frames), ()))
    ours, theirs = (transform(np.linalg.inv(one.world_from_camera), one.object_corners[0]) for one in (lifted, other))
    assert np.allclose(ours, theirs)


def evidence_of(scene: Scene) -> tuple[KeypointsArtifact, CamerasArtifact, ObjectsArtifact]:
    """The scene's person, true cameras, and box, which is hidden for a while."""
    _, keypoints = lifted_wrongly(scene)
    cameras = CamerasArtifact(
        world_from_camera=scene.world_from_camera, K=scene.K, confidence=np.ones(len(scene.time)), up=[0, 0, 1],
        timestamps=scene.time, image_size=keypoints.image_size, meta={"motion": "moving", "scale": "metric"},
    )  # fmt: skip
    return keypoints, cameras, objects_of(scene, hidden=HIDDEN)


def true_corners(scene: Scene) -> np.ndarray:
    """(T, 8, 3) m before the camera."""
    vertices, _ = box_mesh(scene.boxes[0])
    return transform(np.linalg.inv(scene.world_from_camera) @ scene.boxes[0].world_from_box, box_around(vertices))


def test_a_lift_with_objects(carry, checkpoint, tmp_path):
    """Corners are where the tracker sees them, and in reach of it while it does not; the file keeps them."""
    keypoints, cameras, objects = evidence_of(carry)
    options = JointOptions("diffusion", categories=("box",), joint=str(checkpoint))
    found = run_lift_with_objects(keypoints, cameras, objects, options)
    assert found.meta["lifter"] == "joint" and found.object_corners.shape == (1, len(carry.time), 8, 3)
    camera = transform(np.linalg.inv(found.world_from_camera), found.object_corners[0])
    off = np.linalg.norm(camera - true_corners(carry), axis=-1).mean(-1)
    assert np.delete(off, np.r_[HIDDEN]).max() < 0.05 and off[HIDDEN].max() < 0.6
    found.save(tmp_path / "lifted.npz")
    assert np.array_equal(LiftedArtifact.load(tmp_path / "lifted.npz").object_corners, found.object_corners)


def test_the_shipped_joint_network_has_learned_what_an_object_says(checkpoint):
    """Of the distance of someone whose height nobody knows, and of where a hidden object is."""
    scene = build_scene(SceneSpec("carry_handheld", "carry", "handheld", seconds=4.0, fps=15, seed=1))
    keypoints, cameras, _ = evidence_of(scene)
    seen = upright(observe(keypoints, cameras, 0, "cpu"), cameras)
    seen = replace(seen, local=None, local_weight=None)
    corners, root = true_corners(scene), transform(np.linalg.inv(scene.world_from_camera), scene.keypoints3d)[:, HIPS]
    followed = Followed(torch.as_tensor(corners, dtype=torch.float32), torch.ones(len(corners)), "box")
    followed.weight[HIDDEN] = 0
    lengths = models_for(LiftOptions()).lengths
    camera_from_world = np.linalg.inv(seen.world_from_camera[0].double().numpy())
    person, thing = [], []
    for path in (checkpoint, find_weights(JOINT_CHECKPOINT)):
        found = JointImagination.load(path, "cpu").together(seen, followed, lengths, False, 1, [0])
        points = transform(camera_from_world, found.points[0].double().numpy())[:, HIPS]
        person.append(np.abs((points - root).mean(1)[:, 2]).mean())
        placed = transform(camera_from_world, found.corners.double().numpy())
        thing.append(np.linalg.norm(placed - corners, axis=-1).mean(-1))
    assert person[1] < min(0.06, 0.6 * person[0])
    assert thing[1][HIDDEN].mean() < 0.8 * thing[0][HIDDEN].mean()
    assert np.delete(thing[1], np.r_[HIDDEN]).max() < 0.03
    sure = found.corner_deviation.numpy().mean(-1)
    assert (thing[1] / sure)[HIDDEN].mean() < 1.5 and np.delete(sure, np.r_[HIDDEN]).max() < 0.03


def test_how_long_an_object_is_out_of_sight():
    times = torch.tensor([0.0, 0.5, 1.0, 2.0, 3.0, 3.5])
    known = torch.tensor([False, True, False, False, True, False])
    assert torch.allclose(out_of_sight(known, times), torch.tensor([0.5 * 10 / 10.5, 0, 0.4, 0.6, 0, 0.5 * 10 / 10.5]))
    assert torch.allclose(out_of_sight(torch.zeros(2, dtype=torch.bool), times[:2]), torch.full((2,), 5.0))


def test_which_objects_are_lifted_together(carry):
    objects = objects_of(carry)
    assert list(liftable(objects, ("box",))) == [0] and liftable(objects, ("box",))[0].category == "box"
    assert not liftable(objects, ("guitar",)) and not liftable(objects, ())
    assert not liftable(objects_of(carry, size=0.5), ("box",))


def test_names_of_objects_tell_their_category():
    assert [category_name(name) for name in ("boxlong", "woodchair", "largetable", "suitcase", "monitor")] == [
        "box", "chair", "table", "box", ""
    ]  # fmt: skip


def test_a_network_that_is_not_there(tmp_path):
    assert joint_checkpoint("none") is None
    with pytest.raises(UsageError, match="does not exist"):
        joint_checkpoint(str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--object-category", "box"], "0 --object and 1 --object-category"),
        (["--joint", "mine.safetensors"], "for objects of a category"),
    ],
)
def test_options_that_do_not_go_together(anylift, tmp_path, arguments, message):
    (tmp_path / "clip.mp4").write_bytes(b"")
    done = anylift("run", "clip.mp4", *arguments)
    assert done.returncode == 2 and message in " ".join(done.stderr.split())

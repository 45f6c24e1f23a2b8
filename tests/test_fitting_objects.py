"""People and what they carry in one world: scales from hands, paths of objects, contacts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation
from test_fitting import inputs

from anylift_cli.artifacts import KeypointsArtifact, LiftedArtifact, MotionArtifact, ObjectsArtifact
from anylift_cli.body.skeleton import J, K
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.metrics import object_rotation_errors
from anylift_cli.fitting.base import CONTACTS, FitOptions
from anylift_cli.fitting.holding import FINE, PALM, Grips, find_grips, slips
from anylift_cli.fitting.inside import bulk_inside, inside
from anylift_cli.fitting.object_scale import Scales, find_scales, rescaled
from anylift_cli.fitting.objects import PlacedThing, place_thing, touches
from anylift_cli.fitting.stage import run_fit_with_objects
from anylift_cli.fitting.things import Thing, in_world, things_of
from anylift_cli.fitting.upright import base_below, upright
from anylift_cli.geometry.cameras import invert, project, project_camera, transform
from anylift_cli.meshes.surface import Surface, sampled
from anylift_cli.synthetic.props import box_mesh
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene

MIDDLE = np.array([[0, 0, 0.16]])
FLOOR = 0.7
"""Metres: where `inputs` has it."""


@pytest.fixture(scope="module")
def carry() -> Scene:
    """A person squats, takes a box and walks away with it, before a camera that travels."""
    return build_scene(SceneSpec("carry_dolly", "carry", "dolly", seconds=4.0, fps=15, seed=3))


def objects_of(scene: Scene, noise: float = 0.3, size: float = 1.0, hidden: slice = slice(0, 0)) -> ObjectsArtifact:
    """What a perfect tracker gives of the box, with noise on its points, in a unit of `size` metres."""
    (box,) = scene.boxes
    vertices, faces = box_mesh(box)
    rng = np.random.default_rng(0)
    points = sampled(vertices, faces, 40)
    camera = invert(scene.world_from_camera) @ box.world_from_box
    pixels = project_camera(transform(camera, points), scene.K)
    pixels = pixels + rng.normal(0, noise, pixels.shape)
    pixels[hidden] = np.nan
    poses, confidence = camera.copy(), np.ones(len(camera))
    poses[:, :3, 3] /= size
    poses[hidden], confidence[hidden] = np.nan, 0
    return ObjectsArtifact(
        names=np.array(["box"]), size_known=[size == 1], vertices=vertices / size, faces=faces, vertex_count=[8],
        face_count=[12], symmetries=np.eye(3)[None], symmetry_count=[1], points3d=points[None] / size,
        points2d=pixels[None], visible=np.isfinite(pixels).all(-1)[None], camera_from_object=poses[None],
        confidence=confidence[None], timestamps=scene.time, frame_index=np.arange(len(scene.time)),
        image_size=[scene.spec.width, scene.spec.height], meta={"units": {"box": 1.0}},
    )  # fmt: skip


def lifted_wrongly(scene: Scene, distance: float = 1.0, path: float = 1.0) -> tuple[LiftedArtifact, KeypointsArtifact]:
    """The scene as a lifter gives it that takes the person for too far away and the camera's path for too long."""
    lifted, keypoints = inputs(scene, noise=0.01)
    lifted.meta |= {"motion": "moving", "scale": {"source": "feet on the ground", "uncertainty": 0.1}}
    wrong = Scales(1.0, path, np.full(lifted.present.shape, distance), ())
    return rescaled(lifted, wrong), keypoints


@pytest.fixture(scope="module")
def fitted(carry) -> MotionArtifact:
    return run_fit_with_objects(*lifted_wrongly(carry, 1.06, 1.12), objects_of(carry), FitOptions())


def compared(motion: MotionArtifact, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Errors (T,) of the box's middle relative to the root, m, and of its orientation, degrees."""
    pose, truth = motion.world_from_object[0], scene.boxes[0].world_from_box
    ours = transform(pose, MIDDLE)[:, 0] - motion.joints[:, 0]
    theirs = transform(truth, MIDDLE)[:, 0] - scene.joints[:, 0]
    return np.linalg.norm(ours - theirs, axis=-1), object_rotation_errors(pose[:, :3, :3], truth[:, :3, :3])


def gaps(motion: MotionArtifact, scene: Scene) -> np.ndarray:
    """How far from the box's surface hands (T, 2) are, m."""
    surface = Surface(*box_mesh(scene.boxes[0]))
    hands = motion.joints[:, [J["left_hand"], J["right_hand"]]].astype(float)
    local = transform(invert(motion.world_from_object[0]), hands)
    return surface.nearest(local.reshape(-1, 3))[1].reshape(-1, 2)


def test_hands_are_seen_to_hold(carry):
    (thing,) = things_of(objects_of(carry))
    lifted, _ = lifted_wrongly(carry, 1.08)
    grips = find_grips(thing, lifted, FINE)
    holding = (carry.time > 1.6) & (carry.time < 3.9)
    assert grips.held[0, holding].mean() > 0.9 and not grips.held[0, carry.time < 0.7].any()
    assert grips.free[carry.time < 0.5].all() and not grips.free[holding].any()
    best = FINE[grips.gap[0, holding].sum((0, 1)).argmin()]
    assert best == pytest.approx(-np.log(1.08), abs=0.02)


def guessed(lifted: LiftedArtifact, side: str, off: np.ndarray) -> LiftedArtifact:
    """The same with one arm that is never seen, and guessed to be elsewhere."""
    joints, deviation = lifted.joints.copy(), lifted.joint_std.copy()
    arm = [K[f"{side}_elbow"], K[f"{side}_wrist"]]
    joints[:, :, arm] += off
    deviation[:, :, arm] = 0.2
    return replace(lifted, joints=joints, joint_std=deviation)


def test_a_hidden_hand_holds_what_hides_it(carry):
    """The other hand's box is before it all the while; it is brought to the side across, not to where it is guessed."""
    lifted, keypoints = lifted_wrongly(carry)
    sight = transform(invert(lifted.world_from_camera), lifted.joints[0].astype(float))[:, K["left_wrist"]]
    farther = np.einsum("tij,tj->ti", lifted.world_from_camera[:, :3, :3], 0.06 * sight)
    hidden = guessed(lifted, "left", farther[None, :, None] + [0, 0, -0.08])
    lost = replace(keypoints, confidence=keypoints.confidence.copy())
    lost.confidence[:, :, [K["left_elbow"], K["left_wrist"]]] = 0
    motion = run_fit_with_objects(hidden, lost, objects_of(carry), FitOptions())
    holding = (carry.time > 1.8) & (carry.time < 3.7)
    (thing,) = things_of(objects_of(carry))
    grips = find_grips(thing, hidden, FINE)
    assert grips.hidden[0, holding, 0].all() and not grips.held[0, :, 0].any()
    assert np.median(np.abs(gaps(motion, carry)[holding] - PALM)) < 0.02
    local, true = (
        transform(invert(pose), joints[:, [J["left_hand"]]].astype(float))[:, 0]
        for pose, joints in (
            (motion.world_from_object[0], motion.joints),
            (carry.boxes[0].world_from_box, carry.joints),
        )
    )
    assert np.median(np.linalg.norm(local - true, axis=-1)[holding]) < 0.08


def test_a_hidden_hand_elsewhere_holds_nothing(carry):
    lifted, _ = lifted_wrongly(carry)
    grips = find_grips(things_of(objects_of(carry))[0], guessed(lifted, "left", np.array([0, 0, 0.45])), FINE)
    assert grips.held[0, :, 1].any() and not grips.holds[0, :, 0].any()


def test_a_hand_that_only_passes_holds_nothing(carry):
    objects = objects_of(carry)
    still = np.repeat(objects.camera_from_object[:, :1], len(carry.time), 1)
    standing = invert(carry.world_from_camera) @ (carry.world_from_camera[0] @ still[0])
    objects = replace(objects, camera_from_object=standing[None])
    grips = find_grips(things_of(objects)[0], lifted_wrongly(carry)[0], FINE)
    assert not grips.held.any() and grips.free.any()


def test_the_object_is_a_ruler(carry):
    lifted, _ = lifted_wrongly(carry, 1.06, 1.12)
    scales, _, _ = find_scales(lifted, things_of(objects_of(carry)), None, contacts=True)
    held = (carry.time > 1.6) & (carry.time < 3.9)
    assert scales.people * scales.depth[0, held] == pytest.approx(np.full(held.sum(), 1 / 1.06), abs=0.03)
    assert 1 / 1.12 < scales.path < 1 / 1.06
    lifted.meta["scale"]["uncertainty"] = 0.5
    unsure, _, _ = find_scales(lifted, things_of(objects_of(carry)), None, contacts=True)
    assert unsure.path == pytest.approx(1 / 1.12, abs=0.02)
    assert 0.955 < scales.people < 0.985
    given, _, _ = find_scales(lifted, things_of(objects_of(carry)), 1.7, contacts=True)
    assert given.people > 0.99
    assert given.people * given.depth[0, held] == pytest.approx(np.full(held.sum(), 1 / 1.06), abs=0.03)


def test_hands_measure_an_object_of_unknown_size(carry):
    for size in (0.6, 2.5):
        lifted, _ = lifted_wrongly(carry)
        scales, (thing,), _ = find_scales(lifted, things_of(objects_of(carry, size=size)), None, contacts=True)
        assert scales.things[0] == pytest.approx(size, rel=0.03)
        assert np.ptp(thing.vertices, axis=0) == pytest.approx(carry.boxes[0].size, rel=0.03)
        assert scales.people == 1 and scales.path == pytest.approx(1, abs=0.02)


def test_rescaling_keeps_the_picture(carry):
    lifted, _ = lifted_wrongly(carry)
    grown = rescaled(lifted, Scales(1.3, 0.7, np.ones(lifted.present.shape), ()))
    before, after = (project(one.joints[0].astype(float), one.world_from_camera, one.K) for one in (lifted, grown))
    assert after == pytest.approx(before, abs=0.02)
    assert np.ptp(grown.world_from_camera[:, :3, 3], axis=0) == pytest.approx(
        0.7 * np.ptp(lifted.world_from_camera[:, :3, 3], axis=0)
    )


def test_box_and_person_share_a_world(carry, fitted):
    """The lifter had the person 0.4 m too far away."""
    assert fitted.object_names.tolist() == ["box"] and fitted.object_scale.tolist() == [1.0]
    place, turn = compared(fitted, carry)
    assert np.median(place) < 0.14 and place.max() < 0.25
    assert np.median(turn) < 3
    pixels = project(transform(fitted.world_from_object[0], MIDDLE), fitted.world_from_camera, fitted.K)
    true = project(transform(carry.boxes[0].world_from_box, MIDDLE), carry.world_from_camera, carry.K)
    assert np.linalg.norm(pixels - true, axis=-1).max() < 3


def test_hands_touch_what_they_hold(carry, fitted):
    holding = (carry.time > 1.7) & (carry.time < 3.9)
    assert np.abs(gaps(fitted, carry)[holding] - PALM).max() < 0.02
    figures = fitted.meta["objects"]["box"]
    assert figures["hand_gap_mm"] < 8 and min(figures["held_seconds"].values()) > 2
    assert figures["hand_gap_mm_before"] > figures["hand_gap_mm"]
    assert figures["body_inside_mm"] < 25
    assert abs(figures["rests_above_floor_mm"]) < 20


def test_contacts_can_be_left_out(carry, fitted):
    apart = run_fit_with_objects(*lifted_wrongly(carry, 1.06, 1.12), objects_of(carry), FitOptions(contacts=()))
    holding = (carry.time > 1.7) & (carry.time < 3.9)
    loose = np.abs(gaps(apart, carry)[holding] - PALM)
    assert np.median(loose) > 3 * np.median(np.abs(gaps(fitted, carry)[holding] - PALM))
    figures = apart.meta["objects"]["box"]
    assert figures["hand_gap_mm"] == figures["hand_gap_mm_before"]
    assert figures["rests_above_floor_mm"] == figures["rests_above_floor_mm_before"]


def test_what_is_hidden_stays_unsure_and_near(carry):
    objects = objects_of(carry, hidden=slice(34, 40))
    motion = run_fit_with_objects(*lifted_wrongly(carry), objects, FitOptions(contacts=()))
    assert (motion.object_confidence[0, 34:40] == 0).all() and (motion.object_confidence[0, :34] == 1).all()
    place, turn = compared(motion, carry)
    assert place[34:40].max() < 0.15 and turn[34:40].max() < 15
    assert np.abs(np.diff(transform(motion.world_from_object[0], MIDDLE)[:, 0], axis=0)).max() < 0.2


def placed_error(scene: Scene, hidden: slice, *, contacts: bool) -> tuple[np.ndarray, PlacedThing]:
    """Errors (T,) m of the middle of a box that is hidden for a while, in the true world."""
    lifted, _ = inputs(scene, noise=0.01)
    (thing,) = things_of(objects_of(scene, hidden=hidden))
    placed = place_thing(thing, 0, find_grips(thing, lifted, FINE), lifted, FLOOR, CONTACTS if contacts else ())
    shift = lifted.world_from_camera[0, :3, 3] - scene.world_from_camera[0, :3, 3]
    truth = transform(scene.boxes[0].world_from_box, MIDDLE) + shift
    return np.linalg.norm(transform(placed.poses, MIDDLE) - truth, axis=-1)[:, 0], placed


def test_hands_carry_what_is_hidden(carry):
    """Hidden while it is lifted, for 0.8 s: without the hands its path is the smoothest one."""
    hidden = slice(26, 38)
    alone, _ = placed_error(carry, hidden, contacts=False)
    carried, placed = placed_error(carry, hidden, contacts=True)
    assert carried[hidden].max() < 0.04 < 0.12 < alone[hidden].max()
    assert placed.figures["frames_carried"] == 12 and (placed.thing.confidence[hidden] == 0).all()
    seen = np.ones(len(carry.time), bool)
    seen[hidden] = False
    assert np.abs(carried - alone)[seen].max() < 0.02


def test_hands_carry_nothing_that_they_did_not_hold(carry):
    """Hidden from before it is taken: it may have stayed on the floor."""
    hidden = slice(8, 28)
    _, placed = placed_error(carry, hidden, contacts=True)
    assert placed.figures["frames_carried"] == 0


def test_frames_must_be_the_same(carry):
    lifted, keypoints = lifted_wrongly(carry)
    objects = objects_of(carry)
    shorter = replace(
        objects, points2d=objects.points2d[:, :9], visible=objects.visible[:, :9], confidence=objects.confidence[:, :9],
        camera_from_object=objects.camera_from_object[:, :9], timestamps=objects.timestamps[:9],
        frame_index=np.arange(9),
    )  # fmt: skip
    with pytest.raises(AnyliftError, match="the objects cover 9 frames"):
        run_fit_with_objects(lifted, keypoints, shorter, FitOptions())


def test_the_floor_under_an_object_is_the_floor_under_people(carry):
    """Nobody touches the box, which stands on the floor: feet must be as high as it, whatever the lifter thought."""
    early = carry.time < 0.6
    lifted, _ = lifted_wrongly(carry, 1.1)
    scales, _, _ = find_scales(lifted, things_of(objects_of(carry)), None, contacts=True)
    distance = 1.1 * scales.people * scales.depth[0, early]
    assert np.abs(distance - 1).max() < 0.07
    raised = lifted.joints.copy()
    raised[..., 2] += 0.7
    table, _, _ = find_scales(replace(lifted, joints=raised), things_of(objects_of(carry)), None, contacts=True)
    assert np.ptp(table.depth[0, early]) < 0.02


def test_an_object_alone_in_the_world(carry):
    """Nobody is near it: it is there all the same, and changes nothing else."""
    objects = objects_of(carry)
    away = np.tile(np.eye(4), (len(carry.time), 1, 1))
    away[:, :3, 3] = 2.5, 0.5, 0.0
    poses = invert(carry.world_from_camera) @ away
    pixels = project_camera(transform(poses, objects.points3d[0].astype(float)), carry.K)
    objects = replace(objects, camera_from_object=poses[None], points2d=pixels[None])
    lifted, _ = lifted_wrongly(carry)
    scales, (thing,), _ = find_scales(lifted, things_of(objects), None, contacts=True)
    assert scales.people == pytest.approx(1, abs=0.005) and scales.path == pytest.approx(1, abs=0.02)
    assert scales.depth == pytest.approx(np.ones_like(scales.depth), abs=0.01)
    assert np.ptp(in_world(thing, lifted)[:, :3, 3], axis=0).max() < 1e-6


def test_feet_that_are_lifted_too_high_or_low_leave_people_where_they_are(carry):
    """An estimator whose feet are 4 cm off for good: hands that hold the box tell so."""
    feet = [K[f"{side}_{point}"] for side in ("left", "right") for point in ("heel", "big_toe", "small_toe")]
    for off in (-0.04, 0.04):
        lifted, _ = lifted_wrongly(carry)
        lifted.joints[:, :, feet, 2] += off
        scales, _, _ = find_scales(lifted, things_of(objects_of(carry)), None, contacts=True)
        assert scales.people * scales.depth == pytest.approx(np.ones(scales.depth.shape), abs=0.015)


def tilted(lifted: LiftedArtifact, degrees: float) -> LiftedArtifact:
    """The same in a world whose vertical is off."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_rotvec(np.radians([degrees, 0, 0])).as_matrix()
    joints = transform(turn, lifted.joints.astype(float))
    return replace(lifted, joints=joints, world_from_camera=turn @ lifted.world_from_camera)


def off_vertical(lifted: LiftedArtifact, scene: Scene) -> float:
    """Degrees."""
    up = lifted.world_from_camera[0, :3, :3] @ scene.world_from_camera[0, :3, :3].T @ [0, 0, 1]
    return float(np.degrees(np.arccos(up[2])))


def test_what_rests_tells_the_vertical(carry):
    lifted, _ = lifted_wrongly(carry)
    things = things_of(objects_of(carry))
    wrong = tilted(lifted, 3)
    assert off_vertical(wrong, carry) == pytest.approx(3, abs=0.01)
    right = upright(wrong, things)
    assert off_vertical(right, carry) < 0.6 and "objects at rest" in right.meta["gravity_source"]
    assert off_vertical(upright(lifted, things), carry) < 0.3
    seen, before = (transform(invert(one.world_from_camera), one.joints[0].astype(float)) for one in (right, wrong))
    assert seen == pytest.approx(before, abs=1e-4)
    steep = tilted(lifted, 12)
    assert upright(steep, things) is steep


def test_only_what_has_a_base_tells_the_vertical():
    up = np.array([0.1, -0.05, 1.0])
    box = base_below(np.array(trimesh.creation.box((0.3, 0.4, 0.2)).vertices), up)
    assert box.normal == pytest.approx([0, 0, 1]) and box.width == pytest.approx(0.3)
    legs = [
        trimesh.creation.box((0.04, 0.04, 0.4)).apply_translation([x, y, 0.2]) for x in (-0.3, 0.3) for y in (-0.2, 0.2)
    ]
    top = trimesh.creation.box((0.8, 0.6, 0.03)).apply_translation([0, 0, 0.4])
    table = np.array(trimesh.util.concatenate([*legs, top]).vertices)
    under = base_below(table, up)
    assert under.normal == pytest.approx([0, 0, 1]) and under.width == pytest.approx(0.44)
    assert base_below(np.array(trimesh.creation.icosphere(3, 0.11).vertices), up) is None
    assert base_below(np.array(trimesh.creation.cone(0.2, 0.5).vertices), -up) is None
    assert base_below(table[:3], up) is None


def turning_box() -> tuple[Thing, np.ndarray]:
    """A box 3 m before the camera that turns by a quarter within a second, and a point (T, 3) on its edge."""
    mesh = trimesh.creation.box((0.4, 0.3, 0.3))
    poses = np.tile(np.eye(4), (30, 1, 1))
    poses[:, :3, :3] = Rotation.from_rotvec(np.linspace([0, 0, 0], [0, np.pi / 2, 0], 30)).as_matrix()
    poses[:, 2, 3] = 3
    corners = np.array(mesh.vertices)
    nothing = np.zeros((30, len(corners), 2))
    thing = Thing("box", corners, np.array(mesh.faces), True, corners, nothing, nothing[..., 0] > 0, poses, np.ones(30))
    return thing, transform(poses, np.array([[0.2, 0, 0.15]]))[:, 0]


def person_at(places: dict[str, np.ndarray]) -> LiftedArtifact:
    """Somebody before a still camera whose named points are at (T, 3), all others far away."""
    joints = np.full((1, 30, 24, 3), 50.0)
    for name, place in places.items():
        joints[0, :, K[name]] = place
    return LiftedArtifact(
        joints=joints, joint_std=np.full(joints.shape[:3], 0.05), present=np.ones((1, 30), bool),
        world_from_camera=np.tile(np.eye(4), (30, 1, 1)), K=np.tile(np.eye(3), (30, 1, 1)),
        timestamps=np.arange(30) / 30, meta={},
    )  # fmt: skip


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.15])
def test_a_hand_at_the_right_distance_does_not_slip(factor):
    thing, hand = turning_box()
    lifted = person_at({"left_wrist": factor * hand, "left_elbow": factor * hand})
    held = np.zeros((1, 30, 2), bool)
    held[..., 0] = True
    nobody = np.zeros(30, bool)
    slipped = slips(thing, lifted, Grips(np.zeros((1, 30, 2, 1)), held, ~held, nobody, nobody), FINE)
    assert FINE[np.square(slipped).sum((0, 1, 2)).argmin()] == pytest.approx(-np.log(factor), abs=0.015)
    assert (slipped[:, :, 1] == 0).all() and slipped.max() > 0.1


def test_a_hand_slips_nowhere_that_the_object_is_not_seen():
    thing, hand = turning_box()
    lifted = person_at({"left_wrist": 1.1 * hand, "left_elbow": 1.1 * hand})
    held = np.zeros((1, 30, 2), bool)
    held[:, 5:, 0] = True
    nobody = np.zeros(30, bool)
    grips = Grips(np.zeros((1, 30, 2, 1)), held, ~held, nobody, nobody)
    poses, confidence = thing.camera_from_object.copy(), thing.confidence.copy()
    poses[12:15], confidence[12:15] = np.nan, 0
    slipped = slips(replace(thing, camera_from_object=poses, confidence=confidence), lifted, grips, FINE)
    whole = slips(thing, lifted, grips, FINE)
    assert np.isfinite(slipped).all() and (slipped[:, 12:15] == 0).all() and whole[:, 12:15, 0].max() > 0.01
    assert FINE[np.square(slipped).sum((0, 1, 2)).argmin()] == pytest.approx(-np.log(1.1), abs=0.015)


def test_a_body_is_inside_of_an_object_only_where_it_is():
    thing, _ = turning_box()
    guesses = np.full((2, 3, 24, 3), 50.0)
    guesses[:, :, K["left_knee"]] = np.array([[0, 0, 2.0], [0, 0, 2.83], [0, 0, 3.0]])
    depth = bulk_inside(thing, guesses, np.array([0, 5]))
    assert depth.shape == (2, 3, 5) and np.count_nonzero(depth) == 4
    knee = depth.max(-1)
    assert knee[0] == pytest.approx([0, 0.03, 0.15], abs=1e-3) and knee[1, 2] == pytest.approx(0.15)


def test_a_hand_behind_what_it_holds_stays_where_it_was(carry):
    """From 2.4 s on the left arm is hidden, and its points are guesses 0.3 m off."""
    hidden = carry.time > 2.4
    lifted, keypoints = lifted_wrongly(carry)
    arm = [K["left_elbow"], K["left_wrist"]]
    for point in arm:
        lifted.joint_std[0, hidden, point] = 0.11
        lifted.joints[0, hidden, point] += [0.0, -0.3, -0.1]
        keypoints.confidence[0, hidden, point] = 0.1
    (thing,) = things_of(objects_of(carry))
    grips = find_grips(thing, lifted, FINE)
    assert not grips.held[0, hidden, 0].any() and grips.hidden[0, hidden, 0].all()
    assert not grips.hidden[0, :, 1].any() and not grips.hidden[0, carry.time < 0.7].any()
    motion = run_fit_with_objects(lifted, keypoints, objects_of(carry), FitOptions())
    hand = transform(invert(motion.world_from_object[0]), motion.joints[:, [J["left_hand"]]].astype(float))[:, 0]
    true = transform(invert(carry.boxes[0].world_from_box), carry.joints[:, [J["left_hand"]]])[:, 0]
    assert np.linalg.norm(hand - true, axis=-1)[hidden][3:].max() < 0.1
    assert motion.meta["objects"]["box"]["held_seconds"]["left"] > 2.2


def test_each_contact_can_be_chosen(carry):
    """A person who stands 0.15 m too near has the box in the belly."""
    lifted, _ = inputs(carry, noise=0.01)
    (thing,) = things_of(objects_of(carry))
    placed = [place_thing(thing, 0, find_grips(thing, lifted, FINE), lifted, FLOOR, CONTACTS)]
    shift = lifted.world_from_camera[0, :3, 3] - carry.world_from_camera[0, :3, 3]
    joints = carry.joints + shift + [0.15, 0, 0]
    hands = [J["left_hand"], J["right_hand"]]
    trunk = [J["pelvis"], J["spine1"], J["spine2"], J["spine3"]]
    assert touches(placed, 0, joints, ("floor",)) is None
    held = touches(placed, 0, joints, ("hands",)).probability.numpy()
    assert held[:, hands].max() > 0.9 and np.delete(held, hands, 1).max() == 0
    pushed = touches(placed, 0, joints, ("body",))
    assert pushed.probability[:, hands].max() == 0 and pushed.probability[:, trunk].max() > 0
    depth, _ = inside(thing, placed[0].poses, joints)
    left, _ = inside(thing, placed[0].poses, pushed.position.double().numpy())
    assert depth[:, trunk].max() > 0.03 and left.max() < 0.002
    both = touches(placed, 0, joints, CONTACTS).probability.numpy()
    assert (both[:, hands] == held[:, hands]).all() and (both[:, trunk] == pushed.probability[:, trunk].numpy()).all()


def test_nobody_is_in_what_is_elsewhere(carry):
    (thing,) = things_of(objects_of(carry))
    away = np.tile(np.eye(4), (len(carry.time), 1, 1))
    away[:, 0, 3] = 5.0
    depth, places = inside(thing, away, carry.joints)
    assert not depth.any() and (places == carry.joints).all()

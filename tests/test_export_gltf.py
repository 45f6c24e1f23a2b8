"""GLB files hold the motion: read by the letter of the specification, by Khronos' validator and by Blender."""

from __future__ import annotations

import json

import numpy as np
import pytest
from export_takes import (
    CHOICES,
    FPS,
    HOSTILE,
    MILLIMETRE,
    TETRAHEDRON,
    blended,
    boxes,
    colourless,
    crowd,
    pictured,
    spinning,
    whole_take,
)
from importers.blender import read_with_blender
from importers.gltf import GltfScene, joints_of, validate
from motions import walking

from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from anylift_cli.errors import AnyliftError
from anylift_cli.export.gltf import GltfExporter
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.quaternions import quaternions_xyzw
from anylift_cli.export.scene import Y_UP_FROM_Z_UP
from anylift_cli.export.take import Take


@pytest.fixture(scope="module")
def written(body, tmp_path_factory):
    take = whole_take(body)
    return take, GltfExporter().write(take, tmp_path_factory.mktemp("glb") / "walk.glb")


@pytest.fixture(scope="module")
def crowded(body, tmp_path_factory):
    take = crowd(body)
    return take, GltfExporter().write(take, tmp_path_factory.mktemp("glb") / "crowd.glb")


def z_up(points):
    return points @ Y_UP_FROM_Z_UP


def clean(found):
    """No errors, no warnings, and no notes but on what is meant: a zooming lens, an object without a mesh."""
    noted = {note["code"] for note in found["messages"]} - {"INCOMPLETE_EXTENSION_SUPPORT", "NODE_EMPTY"}
    return found["numErrors"] == found["numWarnings"] == 0 and not noted


@pytest.mark.parametrize("options", CHOICES, ids=lambda one: "-".join(map(str, one.values())))
def test_joints_are_the_motions_whatever_the_options(body, tmp_path, options):
    take = whole_take(body, 6, **options)
    path = GltfExporter().write(take, tmp_path / "walk.glb")
    ((names, joints),) = joints_of(path, FPS, 6).values()
    assert names[-24:] == list(SMPL_JOINTS)
    np.testing.assert_allclose(joints[:, -24:], take.motions[0].joints, atol=1e-5)
    if options["root"] == "ground":
        assert names[0] == "root"
        assert np.abs(joints[:, 0, 2]).max() < 1e-6


def test_between_frames_nothing_turns_the_long_way_round(body, tmp_path):
    motion = spinning(body, 40)
    path = GltfExporter().write(Take((motion,), ("spin",)), tmp_path / "spin.glb")
    ((_, joints),) = joints_of(path, 30.0, 40).values()
    np.testing.assert_allclose(joints, motion.joints, atol=2e-5)


def test_quaternions():
    half = np.radians([179.0, 181.0, 183.0])
    turns = np.array([[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in half])
    expected = np.stack([0 * half, 0 * half, np.sin(half / 2), np.cos(half / 2)], -1)
    np.testing.assert_allclose(quaternions_xyzw(turns), expected, atol=1e-12)


def test_length_rate_names_and_hierarchy(written):
    take, path = written
    scene = GltfScene(path)
    assert scene.seconds() == pytest.approx(11 / FPS, abs=1e-6)
    assert scene.model["animations"][0]["extras"] == {"fps": FPS, "frames": 12}
    (skin,) = scene.model["skins"]
    joints = skin["joints"]
    assert [scene.model["nodes"][joint]["name"] for joint in joints] == list(SMPL_JOINTS)
    for joint, parent in zip(joints[1:], SMPL_PARENTS[1:], strict=True):
        assert scene.parents[joint] == joints[parent]
    assert skin["skeleton"] == joints[0] and scene.parents[joints[0]] == scene.node("walker")
    at_rest = np.linalg.inv(scene.array(skin["inverseBindMatrices"]).astype(float))
    np.testing.assert_allclose(at_rest[:, :3, 3], take.scene.in_unit(1.0).characters[0].rest, atol=1e-6)
    assert scene.model["asset"]["version"] == "2.0"


@pytest.mark.parametrize("names", JOINT_NAMES)
def test_joints_are_named_as_asked(body, tmp_path, names):
    path = GltfExporter().write(whole_take(body, 2, names=names), tmp_path / "walk.glb")
    ((found, _),) = joints_of(path, FPS, 2).values()
    assert found == list(JOINT_NAMES[names][:24])


def test_the_mesh_moves_as_the_body(body, written):
    take, path = written
    scene = GltfScene(path)
    mesh = scene.node("walker mesh")
    times = np.arange(12) / FPS
    np.testing.assert_allclose(z_up(scene.skinned(mesh, times)), blended(take.motions[0], body), atol=MILLIMETRE)
    found = scene.attributes(mesh)
    np.testing.assert_array_equal(found["indices"], body.faces)
    np.testing.assert_allclose(np.linalg.norm(found["NORMAL"], axis=1), 1, atol=1e-6)
    centre = found["POSITION"].mean(0)
    highest = found["POSITION"][:, 1].argmax()
    assert found["NORMAL"][highest, 1] > 0.9 and centre[1] < found["POSITION"][highest, 1]
    weights = np.zeros((len(found["POSITION"]), 24))
    for joint, share in zip(found["JOINTS_0"].T, found["WEIGHTS_0"].T, strict=True):
        weights[np.arange(len(weights)), joint] += share
    np.testing.assert_allclose(weights, body.lbs_weights.numpy(), atol=0.01)
    coded = np.where(
        found["COLOR_0"] <= 0.0031308, found["COLOR_0"] * 12.92, 1.055 * found["COLOR_0"] ** (1 / 2.4) - 0.055
    )
    np.testing.assert_allclose(coded[:, :3] * 255, body.vertex_colors, atol=0.1)
    assert (found["COLOR_0"][:, 3] == 1).all()


def test_the_camera_has_the_videos_picture(written):
    take, path = written
    motion = take.motions[0]
    scene = GltfScene(path)
    times = np.arange(12) / FPS
    node = scene.node("camera")
    inverse = np.linalg.inv(scene.worlds(times)[:, node])
    points = motion.joints @ Y_UP_FROM_Z_UP.T
    seen = np.einsum("tij,tnj->tni", inverse[:, :3, :3], points) + inverse[:, None, :3, 3]
    lens = scene.model["cameras"][scene.model["nodes"][node]["camera"]]["perspective"]
    extras = scene.model["nodes"][node]["extras"]
    width, height = extras["image_size"]
    yfov = scene.pointed("/cameras/0/perspective/yfov", times)
    up = height / 2 / np.tan(yfov[:, 0] / 2)
    across = width / 2 / (lens["aspectRatio"] * np.tan(yfov[:, 0] / 2))
    picture = np.stack([across, -up], -1)[:, None] * seen[..., :2] / -seen[..., 2:]
    picture += np.stack([extras["principal_x"], extras["principal_y"]], -1)[:, None]
    np.testing.assert_allclose(picture, pictured(motion.joints, motion), atol=0.02)
    assert lens["yfov"] == pytest.approx(np.median(yfov), abs=1e-3)
    np.testing.assert_allclose(extras["focal_x"], motion.K[:, 0, 0], atol=1e-3)
    np.testing.assert_allclose(extras["focal_y"], motion.K[:, 1, 1], atol=1e-3)


def test_a_lens_that_does_not_zoom_needs_no_extension(body, tmp_path):
    path = GltfExporter().write(Take((walking(body, 3),), ("walk",)), tmp_path / "walk.glb")
    model = GltfScene(path).model
    assert "extensionsUsed" not in model
    assert model["cameras"][0]["perspective"]["yfov"] == pytest.approx(2 * np.arctan(240 / (1.1 * 640)))


def test_props_move_with_their_meshes(written):
    take, path = written
    motion = take.motions[0]
    scene = GltfScene(path)
    worlds = scene.worlds(np.arange(12) / FPS)
    box = scene.node("box")
    found = scene.attributes(box)
    points = np.einsum("tij,vj->tvi", worlds[:, box, :3, :3], found["POSITION"]) + worlds[:, None, box, :3, 3]
    np.testing.assert_allclose(z_up(points), boxes(motion), atol=1e-6)
    np.testing.assert_array_equal(found["indices"], TETRAHEDRON[1])
    bare = scene.node("bare")
    assert "mesh" not in scene.model["nodes"][bare]
    np.testing.assert_allclose(z_up(worlds[:, bare, :3, 3]), motion.world_from_object[1][:, :3, 3], atol=1e-6)


def test_contacts_and_confidence(written):
    take, path = written
    scene = GltfScene(path)
    extras = scene.model["nodes"][scene.node("walker")]["extras"]
    assert extras["fps"] == FPS
    assert list(extras["foot_contact"]) == ["left_heel", "left_toe", "right_heel", "right_toe"]
    contacts = np.stack(list(extras["foot_contact"].values()), -1)
    np.testing.assert_allclose(contacts, take.motions[0].foot_contact, atol=1e-4)
    np.testing.assert_allclose(extras["confidence"], take.motions[0].confidence, atol=1e-4)


def test_khronos_finds_nothing_to_say(body, written, crowded, tmp_path):
    assert clean(validate(written[1]))
    assert clean(validate(crowded[1]))
    for name, take in {
        "ground": whole_take(body, 3, root="ground", rest="a-pose", up="z"),
        "one frame": Take((walking(body, 1),), ("still",)),
        "spin": Take((spinning(body, 20),), ("spin",)),
    }.items():
        found = validate(GltfExporter().write(take, tmp_path / f"{name}.glb"))
        assert clean(found), f"{name}: {json.dumps(found)[:2000]}"


def test_hostile_names_stay_apart_and_harmless(crowded):
    take, path = crowded
    scene = GltfScene(path)
    assert len(scene.model["skins"]) == len(HOSTILE)
    labels = [scene.model["nodes"][index]["name"] for index in scene.model["scenes"][0]["nodes"]]
    assert len(set(labels)) == len(labels) and all(label.isprintable() and 0 < len(label) < 140 for label in labels)
    assert HOSTILE[0] in labels and HOSTILE[2] in labels and "unnamed" in labels and "walk_2" in labels
    assert f"{HOSTILE[0]}_2" in labels, "the object of the same name"
    for (_, joints), motion in zip(joints_of(path, 30.0, 2).values(), take.motions, strict=True):
        np.testing.assert_allclose(joints, motion.joints, atol=1e-5)


def test_an_unwritable_path_says_so(body, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnyliftError, match="could not write"):
        GltfExporter().write(Take((walking(body, 1),), ("walk",)), tmp_path / "file" / "walk.glb")


def test_a_full_disk_says_so(body, small_disk):
    with pytest.raises(AnyliftError, match="the disk is full"):
        GltfExporter().write(whole_take(body, 2), small_disk / "walk.glb")
    assert not list(small_disk.iterdir())


def test_a_body_without_colours_is_clay(body, tmp_path):
    path = GltfExporter().write(colourless(body, tmp_path), tmp_path / "walk.glb")
    scene = GltfScene(path)
    assert "COLOR_0" not in scene.attributes(scene.node("walker mesh"))
    colours = [one["pbrMetallicRoughness"]["baseColorFactor"] for one in scene.model["materials"]]
    assert colours[0] == colours[1] and max(colours[0][:3]) < 0.6, "like the box"
    assert clean(validate(path))


@pytest.mark.parametrize("options", [{}, {"rest": "a-pose", "root": "ground", "up": "z", "names": "mixamo"}], ids=str)
def test_blender_sees_the_same(body, tmp_path, options):
    take = whole_take(body, rate=30.0, **options)
    motion = take.motions[0]
    seen = read_with_blender(GltfExporter().write(take, tmp_path / "walk.glb"), 30.0, 12)
    character = take.scene.characters[0]
    names, joints = seen.joints("walker")
    order = [names.index(name) for name in character.joint_names]
    assert np.linalg.norm(joints[:, order][:, -24:] - motion.joints, axis=-1).max() < MILLIMETRE
    parents = dict(seen.about["bones"]["walker"])
    for name, parent in zip(character.joint_names, character.parents, strict=True):
        assert parents[name] == (character.joint_names[parent] if parent >= 0 else None)
    (mesh,) = (name for name in seen.arrays if name.startswith("mesh/walker"))
    vertices = blended(motion, body)[[0, -1]]
    limit = MILLIMETRE if not options else 0.03
    assert np.abs(seen.arrays[mesh] - vertices).max() < limit, "up to what a pose adds to a shape"
    for object_name, pose in zip(("box", "bare"), motion.world_from_object, strict=True):
        places = seen.arrays[f"pose/{object_name}"][:, :3, 3]
        np.testing.assert_allclose(places, pose[:, :3, 3], atol=MILLIMETRE)
    np.testing.assert_allclose(seen.arrays["mesh/box"], boxes(motion)[[0, -1]], atol=MILLIMETRE)
    lens, _, sensor_height, _, _ = seen.arrays["lens/camera"].T
    np.testing.assert_allclose(lens / sensor_height * 480, motion.K[:, 1, 1], rtol=1e-4)
    camera = seen.arrays["pose/camera"]
    np.testing.assert_allclose(camera[:, :3, 3], motion.world_from_camera[:, :3, 3], atol=MILLIMETRE)
    np.testing.assert_allclose(camera[:, :3, :3] * (1, -1, -1), motion.world_from_camera[:, :3, :3], atol=MILLIMETRE)


def test_blender_keeps_the_time_of_an_uneven_rate(written):
    """At 30 frames/s: Blender 4.5 multiplies by the scene's `fps_base` where it should divide, at 29.97."""
    _, path = written
    names, joints = read_with_blender(path, 30.0, 12).joints("walker")
    ((order, expected),) = joints_of(path, 30.0, 12).values()
    picked = joints[:, [names.index(name) for name in order]]
    assert np.linalg.norm(picked - expected, axis=-1).max() < MILLIMETRE


def test_blender_reads_hostile_names(crowded):
    take, path = crowded
    seen = read_with_blender(path, 30.0, 2)
    assert len(seen.about["bones"]) == len(HOSTILE)
    places = sorted(seen.joints(name)[1][0, 0, 1] for name in seen.about["bones"])
    np.testing.assert_allclose(places, sorted(one.joints[0, 0, 1] for one in take.motions), atol=MILLIMETRE)

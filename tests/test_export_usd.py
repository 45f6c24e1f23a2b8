"""USD files hold the motion: as OpenUSD evaluates skeletons, skins and cameras, to its validators and to Blender."""

from __future__ import annotations

import sys
from pathlib import Path

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
from motions import walking

pytest.importorskip("pxr", reason="needs usd-core")

from importers.usd import UsdScene, complaints, joints_of
from pxr import Kind, Sdf, Usd, UsdGeom, UsdShade, UsdSkel

from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.export.base import exporter_of
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.take import Take
from anylift_cli.export.usd import UsdExporter


@pytest.fixture(scope="module")
def written(body, tmp_path_factory):
    take = whole_take(body)
    return take, UsdExporter().write(take, tmp_path_factory.mktemp("usd") / "walk.usd")


@pytest.fixture(scope="module")
def crowded(body, tmp_path_factory):
    take = crowd(body)
    return take, UsdExporter().write(take, tmp_path_factory.mktemp("usd") / "crowd.usd")


@pytest.mark.parametrize("options", CHOICES, ids=lambda one: "-".join(map(str, one.values())))
def test_everything_is_where_the_motion_has_it_whatever_the_options(body, tmp_path, options):
    take = whole_take(body, 4, **options)
    motion = take.motions[0]
    path = UsdExporter().write(take, tmp_path / "walk.usd")
    scene = UsdScene(path)
    assert UsdGeom.GetStageUpAxis(scene.stage) == options["up"].upper()
    assert UsdGeom.GetStageMetersPerUnit(scene.stage) == options["metres_per_unit"]
    ((names, joints),) = joints_of(path, 4).values()
    assert names[-24:] == list(SMPL_JOINTS)
    np.testing.assert_allclose(joints[:, -24:], motion.joints, atol=1e-5)
    if options["root"] == "ground":
        assert names[0] == "root" and np.abs(joints[:, 0, 2]).max() < 1e-6
    camera, size = scene.prim("camera"), np.array(motion.image_size)
    for frame, expected in enumerate(pictured(motion.joints, motion)):
        seen = scene.pictured(camera, motion.joints[frame], frame) * size
        np.testing.assert_allclose(seen, expected, atol=0.02)
    limit = MILLIMETRE if options["rest"] == "t-pose" else 0.03
    vertices = scene.skinned(scene.prim("walker"), 4)
    assert np.abs(vertices - blended(motion, body)).max() < limit, "up to what a pose adds to a shape"
    box = scene.prim("box").GetChild("box_mesh")
    local = np.pad(np.array(UsdGeom.Mesh(box).GetPointsAttr().Get()), ((0, 0), (0, 1)), constant_values=1)
    moved = np.stack([(scene.pose(box, frame) @ local.T).T[:, :3] for frame in range(4)])
    np.testing.assert_allclose(scene.metric(moved), boxes(motion), atol=1e-6)
    assert complaints(path) == []


def test_between_frames_nothing_turns_the_long_way_round(body, tmp_path):
    motion = spinning(body, 40)
    scene = UsdScene(UsdExporter().write(Take((motion,), ("spin",)), tmp_path / "spin.usd"))
    (root,) = scene.roots()
    np.testing.assert_allclose(scene.joints(root, 40), motion.joints, atol=2e-5)
    turns = UsdSkel.Animation.Get(scene.stage, root.GetPath().AppendChild("spin_animation")).GetRotationsAttr()
    keys = np.array([[(q.real, *q.imaginary) for q in turns.Get(frame)] for frame in range(40)])
    assert ((keys[1:] * keys[:-1]).sum(-1) >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(keys, axis=-1), 1, atol=1e-6)


def test_length_rate_names_and_hierarchy(written):
    take, path = written
    stage = UsdScene(path).stage
    assert Sdf.Layer.FindOrOpen(str(path)).GetFileFormat().formatId == "usd"
    assert path.read_bytes().startswith(b"PXR-USDC")
    assert stage.GetTimeCodesPerSecond() == stage.GetFramesPerSecond() == FPS
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 11)
    world = stage.GetDefaultPrim()
    assert Usd.ModelAPI(world).GetKind() == Kind.Tokens.assembly
    assert [child.GetName() for child in world.GetChildren()] == ["walker", "camera", "box", "bare"]
    assert [child.GetTypeName() for child in world.GetChildren()] == ["SkelRoot", "Camera", "Xform", "Xform"]
    skeleton = UsdSkel.Skeleton.Get(stage, "/World/walker/walker_skeleton")
    topology = UsdSkel.Topology(skeleton.GetJointsAttr().Get())
    assert [topology.GetParent(joint) for joint in range(24)] == list(SMPL_PARENTS)
    bind = np.array(skeleton.GetBindTransformsAttr().Get())
    np.testing.assert_allclose(bind[:, 3, :3], take.scene.characters[0].rest, atol=1e-9)
    (samples,) = {
        len(UsdSkel.Animation.Get(stage, "/World/walker/walker_animation").GetRotationsAttr().GetTimeSamples()),
        len(UsdSkel.Animation.Get(stage, "/World/walker/walker_animation").GetTranslationsAttr().GetTimeSamples()),
    }
    assert samples == 12


@pytest.mark.parametrize("names", JOINT_NAMES)
def test_joints_are_named_as_asked(body, tmp_path, names):
    path = UsdExporter().write(whole_take(body, 2, names=names), tmp_path / "walk.usd")
    ((found, _),) = joints_of(path, 2).values()
    assert found == list(JOINT_NAMES[names][:24])
    scene = UsdScene(path)
    joints = scene.skeleton(scene.prim("walker")).GetJointOrder()
    assert [joint.rpartition("/")[2] for joint in joints] == [name.replace(":", "_") for name in found]


def test_the_skin_keeps_weights_normals_and_colours(body, written):
    _, path = written
    scene = UsdScene(path)
    mesh = UsdGeom.Mesh.Get(scene.stage, "/World/walker/walker_mesh")
    skin = UsdSkel.BindingAPI(mesh.GetPrim())
    joints = np.array(skin.GetJointIndicesPrimvar().Get()).reshape(-1, 4)
    shares = np.array(skin.GetJointWeightsPrimvar().Get()).reshape(-1, 4)
    weights = np.zeros((len(joints), 24))
    for joint, share in zip(joints.T, shares.T, strict=True):
        weights[np.arange(len(weights)), joint] += share
    np.testing.assert_allclose(weights, body.lbs_weights.numpy(), atol=0.01)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), body.faces)
    assert set(mesh.GetFaceVertexCountsAttr().Get()) == {3}
    np.testing.assert_allclose(np.linalg.norm(mesh.GetNormalsAttr().Get(), axis=1), 1, atol=1e-6)
    linear = np.array(mesh.GetDisplayColorAttr().Get())
    coded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(coded * 255, body.vertex_colors, atol=0.1)
    material, _ = UsdShade.MaterialBindingAPI(mesh).ComputeBoundMaterial()
    shader, _, _ = material.ComputeSurfaceSource()
    (source,), _ = shader.GetInput("diffuseColor").GetConnectedSources()
    reader = UsdShade.Shader(source.source)
    assert reader.GetIdAttr().Get() == "UsdPrimvarReader_float3"
    assert reader.GetInput("varname").Get() == "displayColor"


def test_the_extent_holds_the_moving_mesh_and_not_much_more(written):
    take, path = written
    scene = UsdScene(path)
    root = scene.prim("walker")
    vertices = scene.unmetric(scene.skinned(root, 12))
    for frame, points in enumerate(vertices):
        low, high = np.array(UsdGeom.Boundable(root).GetExtentAttr().Get(frame))
        assert (low <= points.min(0) + 1e-3).all() and (points.max(0) - 1e-3 <= high).all()
        assert (high - low < points.max(0) - points.min(0) + 0.8 / take.options.metres_per_unit).all()


def test_the_lens_is_a_36_mm_cameras(written):
    take, path = written
    motion = take.motions[0]
    scene = UsdScene(path)
    lens = UsdGeom.Camera(scene.prim("camera"))
    for frame in (0, 11):
        seen = lens.GetCamera(frame)
        assert seen.horizontalAperture == pytest.approx(36)
        assert seen.focalLength == pytest.approx(motion.K[frame, 0, 0] / 640 * 36, rel=1e-6)
        assert seen.horizontalApertureOffset == pytest.approx((320 - motion.K[frame, 0, 2]) / 640 * 36, rel=1e-5)
    assert not lens.GetVerticalApertureAttr().ValueMightBeTimeVarying(), "pixels keep their shape"
    assert tuple(lens.GetPrim().GetAttribute("userProperties:image_size").Get()) == (640, 480)


def test_props(written):
    take, path = written
    scene = UsdScene(path)
    bare = scene.prim("bare")
    assert not bare.GetChildren()
    places = np.stack([scene.pose(bare, frame)[:3, 3] for frame in range(12)])
    np.testing.assert_allclose(scene.metric(places), take.motions[0].world_from_object[1][:, :3, 3], atol=1e-9)
    box = UsdGeom.Mesh(scene.prim("box").GetChild("box_mesh"))
    np.testing.assert_array_equal(np.array(box.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), TETRAHEDRON[1])


def test_contacts_and_confidence(written):
    take, path = written
    scene = UsdScene(path)
    prim = scene.prim("walker")
    motion = take.motions[0]
    for index, name in enumerate(("left_heel", "left_toe", "right_heel", "right_toe")):
        contact = prim.GetAttribute(f"userProperties:foot_contact:{name}")
        found = [contact.Get(frame) for frame in range(12)]
        np.testing.assert_allclose(found, motion.foot_contact[:, index], atol=1e-6)
    found = [prim.GetAttribute("userProperties:confidence").Get(frame) for frame in range(12)]
    np.testing.assert_allclose(found, motion.confidence, atol=1e-6)


def test_hostile_names_stay_apart_and_harmless(crowded):
    take, path = crowded
    assert complaints(path) == []
    scene = UsdScene(path)
    children = scene.stage.GetDefaultPrim().GetChildren()
    assert len(children) == len(HOSTILE) + 3 and all(prim.GetName().isidentifier() for prim in children)
    labels = [prim.GetDisplayName() for prim in children]
    assert HOSTILE[0] in labels and HOSTILE[2] in labels and "unnamed" in labels
    found = joints_of(path, 2)
    assert len(found) == len(HOSTILE)
    for (_, joints), motion in zip(found.values(), take.motions, strict=True):
        np.testing.assert_allclose(joints, motion.joints, atol=1e-5)


def test_one_frame(body, tmp_path):
    motion = walking(body, 1)
    path = UsdExporter().write(Take((motion,), ("still",)), tmp_path / "still.usd")
    assert complaints(path) == []
    ((_, joints),) = joints_of(path, 1).values()
    np.testing.assert_allclose(joints, motion.joints, atol=1e-5)


def test_an_unwritable_path_says_so(body, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnyliftError, match="could not write"):
        UsdExporter().write(Take((walking(body, 1),), ("walk",)), tmp_path / "file" / "walk.usd")


def test_a_full_disk_says_so(body, small_disk):
    with pytest.raises(AnyliftError, match="the disk is full"):
        UsdExporter().write(whole_take(body, 2), small_disk / "walk.usd")
    assert not list(small_disk.iterdir())


def test_a_body_without_colours_is_clay(body, tmp_path):
    take = colourless(body, tmp_path)
    path = UsdExporter().write(take, tmp_path / "walk.usd")
    assert complaints(path) == []
    scene = UsdScene(path)
    mesh = UsdGeom.Mesh(scene.prim("walker").GetChild("walker_mesh"))
    (shade,) = mesh.GetDisplayColorAttr().Get()
    shader, _, _ = UsdShade.MaterialBindingAPI(mesh).ComputeBoundMaterial()[0].ComputeSurfaceSource()
    assert shader.GetInput("diffuseColor").Get() == shade


@pytest.mark.parametrize("ask", [UsdExporter, lambda: exporter_of(Path("walk.usd"))], ids=["by name", "by suffix"])
def test_without_usd_core_it_says_what_to_install(monkeypatch, ask):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(MissingDependencyError, match="usd-core") as caught:
        ask()
    assert caught.value.hint == 'pip install "anylift-cli[usd]"'


@pytest.mark.parametrize("options", [{}, {"rest": "a-pose", "root": "ground", "up": "z", "names": "mixamo"}], ids=str)
def test_blender_sees_the_same(body, tmp_path, options):
    take = whole_take(body, **options)
    motion = take.motions[0]
    seen = read_with_blender(UsdExporter().write(take, tmp_path / "walk.usd"), FPS, 12)
    character = take.scene.characters[0]
    plain = [name.replace(":", "_") for name in character.joint_names]
    (armature,) = seen.about["bones"]
    names, joints = seen.joints(armature)
    order = [names.index(name) for name in plain]
    assert np.linalg.norm(joints[:, order][:, -24:] - motion.joints, axis=-1).max() < MILLIMETRE
    parents = dict(seen.about["bones"][armature])
    for name, parent in zip(plain, character.parents, strict=True):
        assert parents[name] == (plain[parent] if parent >= 0 else None)
    limit = MILLIMETRE if not options else 0.03
    vertices = blended(motion, body)[[0, -1]]
    assert np.abs(seen.arrays["mesh/walker_mesh"] - vertices).max() < limit, "up to what a pose adds to a shape"
    weights = seen.arrays["weights/walker_mesh"]
    groups = [seen.about["groups"]["walker_mesh"].index(name) for name in plain[-24:]]
    np.testing.assert_allclose(weights[:, groups], body.lbs_weights.numpy(), atol=0.01)
    np.testing.assert_allclose(seen.arrays["mesh/box_mesh"], boxes(motion)[[0, -1]], atol=MILLIMETRE)
    bare = motion.world_from_object[1][:, :3, 3]
    np.testing.assert_allclose(seen.arrays["pose/bare"][:, :3, 3], bare, atol=MILLIMETRE)
    camera = seen.arrays["pose/camera"]
    np.testing.assert_allclose(camera[:, :3, 3], motion.world_from_camera[:, :3, 3], atol=MILLIMETRE)
    axes = camera[:, :3, :3] / np.linalg.norm(camera[:, :3, :3], axis=1, keepdims=True) * (1, -1, -1)
    np.testing.assert_allclose(axes, motion.world_from_camera[:, :3, :3], atol=MILLIMETRE)
    lens, film, _, across, up = seen.arrays["lens/camera"].T
    np.testing.assert_allclose(lens / film * 640, motion.K[:, 0, 0], rtol=1e-4)
    np.testing.assert_allclose(across * 640, 320 - motion.K[:, 0, 2], atol=1e-3)
    np.testing.assert_allclose(up * 640 * 1.1, motion.K[:, 1, 2] - 240, atol=1e-3)


def test_blender_reads_hostile_names(crowded):
    take, path = crowded
    seen = read_with_blender(path, 30.0, 2)
    assert len(seen.about["bones"]) == len(HOSTILE)
    places = sorted(seen.joints(name)[1][0, 0, 1] for name in seen.about["bones"])
    np.testing.assert_allclose(places, sorted(one.joints[0, 0, 1] for one in take.motions), atol=MILLIMETRE)

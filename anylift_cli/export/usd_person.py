"""A character as UsdSkel holds it: SkelRoot, Skeleton, SkelAnimation and a skinned mesh.

UsdSkel: https://openusd.org/release/api/_usd_skel__schemas.html. Matrices are for row vectors.
"""

from __future__ import annotations

import numpy as np
from pxr import Gf, Kind, Sdf, Tf, Usd, UsdGeom, UsdSkel, Vt

from anylift_cli.export.quaternions import quaternions_xyzw
from anylift_cli.export.scene import Character
from anylift_cli.export.usd_mesh import add_mesh
from anylift_cli.export.usd_values import animate, extent, vectors

_PROPERTIES = "userProperties"
"""Namespace that Maya, Houdini and Blender show as a prim's own properties."""


def add_person(stage: Usd.Stage, path: Sdf.Path, one: Character, colours: np.ndarray | None) -> None:
    """A SkelRoot at `path` with all of a person below it; contacts and confidence are its user properties.

    Prims below it have its name in theirs, because programs show them without their paths. Joints are paths of the
    tree's names; where USD does not allow a name, `jointNames` has it as it was.
    """
    root = UsdSkel.Root.Define(stage, path)
    Usd.ModelAPI(root.GetPrim()).SetKind(Kind.Tokens.component)
    animate(root.CreateExtentAttr(), _extents(one))
    _add_channels(root.GetPrim(), one)

    joints = _joint_paths(one)
    skeleton = UsdSkel.Skeleton.Define(stage, path.AppendChild(f"{path.name}_skeleton"))
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateJointNamesAttr(Vt.TokenArray(one.joint_names))
    skeleton.CreateBindTransformsAttr(_at(one.rest))
    skeleton.CreateRestTransformsAttr(_at(one.rest_offsets))
    skeleton.CreatePurposeAttr(UsdGeom.Tokens.guide)

    moves = UsdSkel.Animation.Define(stage, path.AppendChild(f"{path.name}_animation"))
    moves.CreateJointsAttr(joints)
    moves.CreateScalesAttr(Vt.Vec3hArray(len(joints), Gf.Vec3h(1)))
    animate(moves.CreateTranslationsAttr(), map(vectors, one.translations))
    turns = quaternions_xyzw(one.rotations).astype(np.float32)
    animate(moves.CreateRotationsAttr(), map(Vt.QuatfArray.FromNumpy, turns))
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([moves.GetPath()])

    place = path.AppendChild(f"{path.name}_mesh")
    mesh = add_mesh(stage, place, one.vertices, one.faces, colours, double_sided=False)
    skin = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    skin.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    skin.CreateGeomBindTransformAttr(Gf.Matrix4d(1))
    influences = one.skin_joints.shape[1]
    used = np.where(one.skin_weights > 0, one.skin_joints, 0).astype(np.int32)
    skin.CreateJointIndicesPrimvar(False, influences).Set(Vt.IntArray.FromNumpy(used.ravel()))
    shares = one.skin_weights.astype(np.float32).ravel()
    skin.CreateJointWeightsPrimvar(False, influences).Set(Vt.FloatArray.FromNumpy(shares))


def _joint_paths(one: Character) -> Vt.TokenArray:
    paths: list[str] = []
    for name, parent in zip(one.joint_names, one.parents, strict=True):
        plain = Tf.MakeValidIdentifier(name)
        paths.append(f"{paths[parent]}/{plain}" if parent >= 0 else plain)
    return Vt.TokenArray(paths)


def _at(places: np.ndarray) -> Vt.Matrix4dArray:
    matrices = np.tile(np.eye(4), (len(places), 1, 1))
    matrices[:, 3, :3] = places
    return Vt.Matrix4dArray.FromNumpy(matrices)


def _add_channels(prim: Usd.Prim, one: Character) -> None:
    channels = {f"foot_contact:{name}": values for name, values in zip(one.contact_names, one.contacts.T, strict=True)}
    for name, values in {**channels, "confidence": one.confidence}.items():
        attribute = prim.CreateAttribute(f"{_PROPERTIES}:{name}", Sdf.ValueTypeNames.Float)
        animate(attribute, values.astype(float).tolist())


def _extents(one: Character) -> list[Vt.Vec3fArray]:
    """A box around the skinned mesh at each frame.

    Linear blending puts a vertex between the places where the joints that move it would take it, each as far from its
    joint as at rest; so spheres around the joints hold the mesh.
    """
    radii = np.zeros(len(one.rest))
    for joints, weights in zip(one.skin_joints.T, one.skin_weights.T, strict=True):
        reach = np.linalg.norm(one.vertices - one.rest[joints], axis=-1) * (weights > 0)
        np.maximum.at(radii, joints, reach)
    positions = one.world()[1]
    lows, highs = (positions - radii[:, None]).min(1), (positions + radii[:, None]).max(1)
    return [extent(low, high) for low, high in zip(lows, highs, strict=True)]

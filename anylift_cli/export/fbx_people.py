"""Persons of an FBX file: joints that are the scene's roots, a skin on them, their bind pose and their curves."""

from __future__ import annotations

import numpy as np

from anylift_cli.export.fbx_animation import Animation, euler_xyz
from anylift_cli.export.fbx_binary import Node
from anylift_cli.export.fbx_document import Document, leaf
from anylift_cli.export.fbx_models import Mesh, add_attribute, add_mesh, add_model
from anylift_cli.export.fbx_names import CharacterNames
from anylift_cli.export.scene import Character

_CONFIDENCE = "confidence"
_JOINT_SIZE_M = 0.03


def add_person(
    document: Document,
    animation: Animation,
    one: Character,
    names: CharacterNames,
    parent: np.int64,
    metres_per_unit: float,
    colours: np.ndarray | None,
) -> None:
    """Add a person below `parent`, which stands at the origin.

    Rotations of all joints and translations of those that travel have a key at every frame. The root joint carries
    what is known of the motion as numbers of its own: `contact_…` of the feet and `confidence`, 0 … 1.

    Args:
        colours: (V, 3) sRGB 0 … 1 of the mesh, or None.
    """
    numbers = {f"contact_{name}": values for name, values in zip(one.contact_names, one.contacts.T, strict=True)}
    numbers[_CONFIDENCE] = one.confidence
    joints = _add_joints(document, one, names, parent, numbers, _JOINT_SIZE_M / metres_per_unit)
    mesh = add_mesh(document, names.body, parent, one.vertices, one.faces, colours)
    _add_skin(document, one, names, joints, mesh)
    still = {mesh.model: np.zeros(3)} | ({parent: np.zeros(3)} if parent else {})
    _add_bind_pose(document, names.body, still | dict(zip(joints, one.rest, strict=True)))

    angles = euler_xyz(one.rotations)
    for number, joint in enumerate(joints):
        animation.turn(joint, angles[:, number])
    for number in one.travelling:
        animation.place(joints[number], one.translations[:, number])
    for name, values in numbers.items():
        animation.value(joints[0], name, values)


def _add_joints(
    document: Document,
    one: Character,
    names: CharacterNames,
    parent: np.int64,
    numbers: dict[str, np.ndarray],
    size: float,
) -> list[np.int64]:
    joints: list[np.int64] = []
    rows = [(name, "Number", "", "A+U", float(values[0])) for name, values in numbers.items()]
    for name, above, place in zip(names.joints, one.parents, one.rest_offsets, strict=True):
        root = above < 0
        joint = add_model(
            document, name, "LimbNode", parent if root else joints[above], *(rows if root else ()), place=place
        )
        add_attribute(document, name, "LimbNode", "Skeleton", joint, ("Size", "double", "Number", "", size))
        joints.append(joint)
    return joints


def _add_skin(document: Document, one: Character, names: CharacterNames, joints: list[np.int64], mesh: Mesh) -> None:
    """A cluster for every joint, so that joints without skin know their bind pose, too."""
    skin = document.add(
        "Deformer", names.body, "Skin", leaf("Version", 101), leaf("Link_DeformAcuracy", 50.0),
        leaf("SkinningType", "Linear"),
    )  # fmt: skip
    document.connect(skin, mesh.geometry)
    weights = np.zeros((len(one.vertices), len(joints)))
    np.add.at(weights, (np.arange(len(weights))[:, None], one.skin_joints), one.skin_weights)
    for joint, name, place, share in zip(joints, names.joints, one.rest, weights.T, strict=True):
        moved = np.flatnonzero(share)
        cluster = document.add(
            "Deformer",
            name,
            "Cluster",
            leaf("Version", 100),
            leaf("UserData", "", ""),
            *((leaf("Indexes", moved.astype(np.int32)), leaf("Weights", share[moved])) if len(moved) else ()),
            leaf("Transform", _matrix(-place)),
            leaf("TransformLink", _matrix(place)),
            of_class="SubDeformer",
        )
        document.connect(cluster, skin)
        document.connect(joint, cluster)


def _add_bind_pose(document: Document, name: str, places: dict[np.int64, np.ndarray]) -> None:
    nodes = (
        Node("PoseNode", (), (leaf("Node", model), leaf("Matrix", _matrix(place)))) for model, place in places.items()
    )
    about = leaf("Type", "BindPose"), leaf("Version", 100), leaf("NbPoseNodes", len(places))
    document.add("Pose", name, "BindPose", *about, *nodes)


def _matrix(place: np.ndarray) -> np.ndarray:
    """(16,) a translation, column by column."""
    matrix = np.eye(4)
    matrix[3, :3] = place
    return matrix.ravel()

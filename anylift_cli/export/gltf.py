"""glTF 2.0 in one binary file: y up, metres, everyone skinned and animated, the camera and the props.

Khronos, glTF 2.0 Specification, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html. Its cameras look along
-z with y up, like a scene's. What glTF has no place for is in `extras`: of the node that a person's skeleton hangs
from (contacts, confidence), of the camera's node (lens in pixels, frame by frame) and of the animation (rate).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli import __version__
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.export.gltf_document import GltfDocument
from anylift_cli.export.labels import unique_labels
from anylift_cli.export.quaternions import quaternions_xyzw
from anylift_cli.export.scene import Camera, Character, Prop
from anylift_cli.export.surface import CLAY, body_colours, unit_normals
from anylift_cli.export.take import Take

NEAR, FAR = 0.05, 1000.0
"""Metres that cameras see from and to."""
ZOOMS = 1e-3
"""A focal length that changes by more than this share of itself is animated."""
_CAMERA = "camera"


class GltfExporter:
    """Binary glTF; all persons in one file."""

    name = "glb"
    suffix = ".glb"
    one_person = False

    def write(self, take: Take, path: Path) -> Path:
        """Write `take` as one scene with one animation; axes and unit of its options do not matter.

        Raises:
            AnyliftError: a motion's body is not installed, or `path` cannot be written.
        """
        scene = take.scene.y_up().in_unit(1.0)
        document = GltfDocument("take", f"anylift {__version__}", scene.frames, scene.fps)
        given = [*(one.name for one in scene.characters), _CAMERA, *(prop.name for prop in scene.props)]
        labels = iter(unique_labels(given))
        for motion, one in zip(take.motions, scene.characters, strict=True):
            _add_character(document, one, next(labels), body_colours(motion), scene.fps)
        camera_label = next(labels)
        if scene.camera:
            _add_camera(document, scene.camera, camera_label)
        for prop in scene.props:
            _add_prop(document, prop, next(labels))
        with atomic_path(path) as temporary:
            temporary.write_bytes(document.glb())
        return Path(path)


def _add_character(document: GltfDocument, one: Character, label: str, colours: np.ndarray | None, fps: float) -> None:
    holder = document.node(name=label, extras=_channels(one, fps))
    joints: list[int] = []
    for name, parent, offset in zip(one.joint_names, one.parents, one.rest_offsets.tolist(), strict=True):
        joints.append(document.node(joints[parent] if parent >= 0 else holder, name=name, translation=offset))
    quaternions = quaternions_xyzw(one.rotations)
    for index, joint in enumerate(joints):
        document.animate(joint, "rotation", quaternions[:, index])
    for index in one.travelling:
        document.animate(joints[index], "translation", one.translations[:, index])

    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse_bind[:, :3, 3] = -one.rest
    skin = document.skin(label, joints, inverse_bind)
    weights = _exact_weights(one.skin_weights)
    mesh = document.mesh(
        label,
        one.vertices,
        one.faces,
        unit_normals(one.vertices, one.faces),
        colours,
        document.material(label, CLAY if colours is None else (1.0, 1.0, 1.0), double_sided=False),
        np.where(weights > 0, one.skin_joints, 0),
        weights,
    )
    document.node(name=f"{label} mesh", mesh=mesh, skin=skin)


def _channels(one: Character, fps: float) -> dict[str, object]:
    contacts = {name: _rounded(values, 4) for name, values in zip(one.contact_names, one.contacts.T, strict=True)}
    return {"fps": fps, "foot_contact": contacts, "confidence": _rounded(one.confidence, 4)}


def _exact_weights(weights: np.ndarray) -> np.ndarray:
    """float32 weights (V, 4) whose sum differs from 1 by rounding alone."""
    exact = weights.astype(np.float32)
    exact[:, 0] = 1 - exact[:, 1:].sum(1)
    return exact


def _add_camera(document: GltfDocument, camera: Camera, label: str) -> None:
    width, height = camera.image_size
    yfov = 2 * np.arctan(height / 2 / camera.focal[:, 1])
    usual = np.median(camera.focal, axis=0)
    lens = document.camera(
        label,
        yfov=float(2 * np.arctan(height / 2 / usual[1])),
        aspect=float(width / usual[0] * usual[1] / height),
        near=NEAR,
        far=FAR,
    )
    extras = {
        "image_size": [width, height],
        "focal_x": _rounded(camera.focal[:, 0], 3),
        "focal_y": _rounded(camera.focal[:, 1], 3),
        "principal_x": _rounded(camera.principal[:, 0], 3),
        "principal_y": _rounded(camera.principal[:, 1], 3),
    }
    _add_moving(document, camera.pose, name=label, camera=lens, extras=extras)
    if np.ptp(camera.focal[:, 1]) > ZOOMS * usual[1]:
        document.animate_pointer(f"/cameras/{lens}/perspective/yfov", yfov)


def _add_prop(document: GltfDocument, prop: Prop, label: str) -> None:
    mesh = None
    if len(prop.faces):
        material = document.material(label, CLAY, double_sided=True)
        normals = unit_normals(prop.vertices, prop.faces)
        mesh = document.mesh(label, prop.vertices, prop.faces, normals, None, material)
    _add_moving(document, prop.pose, name=label, mesh=mesh)


def _add_moving(document: GltfDocument, pose: np.ndarray, **properties: object) -> None:
    """A node of the scene with `pose` (T, 4, 4), which stays at the first where nothing plays."""
    rotations, places = quaternions_xyzw(pose[:, :3, :3]), pose[:, :3, 3]
    node = document.node(rotation=rotations[0].tolist(), translation=places[0].tolist(), **properties)
    document.animate(node, "rotation", rotations)
    document.animate(node, "translation", places)


def _rounded(values: np.ndarray, digits: int) -> list[float]:
    return np.round(values.astype(np.float64), digits).tolist()

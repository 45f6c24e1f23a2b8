"""FBX binary 7.4: persons with skins, the camera and objects on one take, in the axes and unit of the scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.parameters import body_of
from anylift_cli.export.fbx_animation import Animation, euler_xyz
from anylift_cli.export.fbx_binary import file_bytes
from anylift_cli.export.fbx_camera import add_camera
from anylift_cli.export.fbx_document import ROOT, Document
from anylift_cli.export.fbx_models import add_mesh, add_null
from anylift_cli.export.fbx_names import scene_names
from anylift_cli.export.fbx_people import add_person
from anylift_cli.export.fbx_time import Clock
from anylift_cli.export.scene import Prop
from anylift_cli.export.take import Take


class FbxExporter:
    """Autodesk's interchange format, what Maya, Unreal, Unity and Blender open."""

    name = "fbx"
    suffix = ".fbx"
    one_person = False

    def write(self, take: Take, path: Path) -> Path:
        """Write all persons of `take`, the camera and the objects.

        One person's root joint is a root of the scene, so that no program takes a group above it for a joint; of
        several persons, each has a group with the person's name.

        Raises:
            AnyliftError: a motion's body is not installed, or `path` cannot be written.
        """
        scene, unit = take.scene, take.scene.metres_per_unit
        names = scene_names(scene)
        clock = Clock(scene.fps, scene.frames)
        label = names.characters[0].group
        document = Document()
        animation = Animation(document, label, clock)
        for one, called, motion in zip(scene.characters, names.characters, take.motions, strict=True):
            parent = add_null(document, called.group, ROOT) if len(scene.characters) > 1 else ROOT
            add_person(document, animation, one, called, parent, unit, _colours(motion))
        for prop, called in zip(scene.props, names.props, strict=True):
            _add_prop(document, animation, prop, called)
        if scene.camera:
            add_camera(document, animation, scene.camera, names.camera, unit)
        with atomic_path(path) as temporary:
            temporary.write_bytes(file_bytes(document.sections(scene, clock, label)))
        return Path(path)


def _add_prop(document: Document, animation: Animation, prop: Prop, name: str) -> None:
    if len(prop.faces):
        model = add_mesh(document, name, ROOT, prop.vertices, prop.faces).model
    else:
        model = add_null(document, name, ROOT)
    animation.place(model, prop.pose[:, :3, 3])
    animation.turn(model, euler_xyz(prop.pose[:, None, :3, :3])[:, 0])


def _colours(motion: MotionArtifact) -> np.ndarray | None:
    coded = body_of(motion).vertex_colors
    return None if coded is None else coded / 255

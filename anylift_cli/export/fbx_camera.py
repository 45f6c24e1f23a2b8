"""The camera of an FBX file."""

from __future__ import annotations

import numpy as np

from anylift_cli.export.fbx_animation import Animation, euler_xyz
from anylift_cli.export.fbx_document import ROOT, Document
from anylift_cli.export.fbx_models import add_attribute, add_model
from anylift_cli.export.scene import Camera

FILM_MM = 36.0
"""Width of the film: that of full-frame cameras, so that focal lengths read as photographers know them."""
_MM_PER_INCH = 25.4
_AXES = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""FBX cameras look along their x, with their y up."""
_NEAR_M, _FAR_M = 0.05, 1000.0
_FIXED_RESOLUTION = 2
_FROM_FOCAL_LENGTH = 3


def add_camera(document: Document, animation: Animation, camera: Camera, name: str, metres_per_unit: float) -> None:
    """Add the video's camera, its focal length and its principal point animated.

    The film is `FILM_MM` wide and as high as makes pixels square at the first frame; offsets of the film move what is
    in the picture to the left and down.
    """
    width, height = camera.image_size
    mm = FILM_MM / width
    focal = camera.focal[:, 0] * mm
    film = np.array([FILM_MM, height * mm * camera.focal[0, 0] / camera.focal[0, 1]]) / _MM_PER_INCH
    offset = (0.5 - camera.principal / (width, height)) * (1, -1) * film
    view = 2 * np.degrees(np.arctan(film * _MM_PER_INCH / 2 / focal[0]))

    model = add_model(document, name, "Camera", ROOT)
    animation.place(model, camera.pose[:, :3, 3])
    animation.turn(model, euler_xyz(camera.pose[:, None, :3, :3] @ _AXES)[:, 0])
    attribute = add_attribute(
        document,
        name,
        "Camera",
        "Camera",
        model,
        ("AspectRatioMode", "enum", "", "", _FIXED_RESOLUTION),
        ("AspectWidth", "double", "Number", "", float(width)),
        ("AspectHeight", "double", "Number", "", float(height)),
        ("PixelAspectRatio", "double", "Number", "", 1.0),
        ("ApertureMode", "enum", "", "", _FROM_FOCAL_LENGTH),
        ("FilmFormatIndex", "enum", "", "", 0),
        ("FilmWidth", "double", "Number", "", film[0]),
        ("FilmHeight", "double", "Number", "", film[1]),
        ("FilmAspectRatio", "double", "Number", "", film[0] / film[1]),
        ("FilmOffsetX", "Number", "", "A", offset[0, 0]),
        ("FilmOffsetY", "Number", "", "A", offset[0, 1]),
        ("FocalLength", "Number", "", "A", float(focal[0])),
        ("FieldOfView", "FieldOfView", "", "A", view[0]),
        ("FieldOfViewX", "FieldOfViewX", "", "A", view[0]),
        ("FieldOfViewY", "FieldOfViewY", "", "A", view[1]),
        ("NearPlane", "double", "Number", "", _NEAR_M / metres_per_unit),
        ("FarPlane", "double", "Number", "", _FAR_M / metres_per_unit),
    )
    animation.value(attribute, "FocalLength", focal)
    animation.value(attribute, "FilmOffsetX", offset[:, 0])
    animation.value(attribute, "FilmOffsetY", offset[:, 1])

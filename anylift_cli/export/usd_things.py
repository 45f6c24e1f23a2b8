"""What moves as a whole, as USD prims: the camera and the props.

UsdGeomCamera: https://openusd.org/release/api/class_usd_geom_camera.html. It looks along -z with y up, like a scene's;
lens and film are in tenths of the stage's unit, and an offset moves the film right and up.
"""

from __future__ import annotations

import numpy as np
from pxr import Gf, Kind, Sdf, Usd, UsdGeom

from anylift_cli.export.quaternions import quaternions_xyzw
from anylift_cli.export.scene import Camera, Prop
from anylift_cli.export.usd_mesh import add_mesh
from anylift_cli.export.usd_values import animate, animate_numbers

NEAR, FAR = 0.05, 1000.0
"""Metres that cameras see from and to."""
FILM_WIDTH = 0.036
"""Metres. A video tells only the ratio of lens to film."""


def add_camera(stage: Usd.Stage, path: Sdf.Path, camera: Camera, metres_per_unit: float) -> None:
    """A camera with its lens and its centre frame by frame."""
    width, height = camera.image_size
    film = FILM_WIDTH * 10 / metres_per_unit
    across = film / width
    down = across * camera.focal[:, 0] / camera.focal[:, 1]
    made = UsdGeom.Camera.Define(stage, path)
    made.CreateProjectionAttr(UsdGeom.Tokens.perspective)
    made.CreateHorizontalApertureAttr(film)
    made.CreateClippingRangeAttr(Gf.Vec2f(NEAR / metres_per_unit, FAR / metres_per_unit))
    animate_numbers(made.CreateFocalLengthAttr(), camera.focal[:, 0] * across)
    animate_numbers(made.CreateVerticalApertureAttr(), height * down)
    animate_numbers(made.CreateHorizontalApertureOffsetAttr(), (width / 2 - camera.principal[:, 0]) * across)
    animate_numbers(made.CreateVerticalApertureOffsetAttr(), (camera.principal[:, 1] - height / 2) * down)
    size = made.GetPrim().CreateAttribute("userProperties:image_size", Sdf.ValueTypeNames.Int2)
    size.Set(Gf.Vec2i(width, height))
    _animate_pose(made, camera.pose)


def add_prop(stage: Usd.Stage, path: Sdf.Path, prop: Prop) -> None:
    """A moving frame with the prop's mesh below it."""
    made = UsdGeom.Xform.Define(stage, path)
    Usd.ModelAPI(made.GetPrim()).SetKind(Kind.Tokens.component)
    _animate_pose(made, prop.pose)
    if len(prop.faces):
        place = path.AppendChild(f"{path.name}_mesh")
        add_mesh(stage, place, prop.vertices, prop.faces, None, double_sided=True)


def _animate_pose(made: UsdGeom.Xformable, pose: np.ndarray) -> None:
    animate(made.AddTranslateOp().GetAttr(), (Gf.Vec3d(*place) for place in pose[:, :3, 3].tolist()))
    turns = quaternions_xyzw(pose[:, :3, :3]).tolist()
    orient = made.AddOrientOp(UsdGeom.XformOp.PrecisionDouble)
    animate(orient.GetAttr(), (Gf.Quatd(w, x, y, z) for x, y, z, w in turns))

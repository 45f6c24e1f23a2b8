"""A scene as a USD stage: axes, unit, rate, and everything in it below `/World`.

One time code is one frame, from 0. Prims have names that USD allows; those as given are their display names.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pxr import Kind, Sdf, Tf, Usd, UsdGeom

from anylift_cli import __version__
from anylift_cli.export.labels import unique_labels
from anylift_cli.export.scene import Scene
from anylift_cli.export.usd_person import add_person
from anylift_cli.export.usd_things import add_camera, add_prop

_WORLD = Sdf.Path("/World")


def stage_of(scene: Scene, colours: Sequence[np.ndarray | None]) -> Usd.Stage:
    """The stage of `scene`, in memory; `colours`: of each person's vertices, linear (V, 3), or None."""
    stage = Usd.Stage.CreateInMemory()
    stage.GetRootLayer().customLayerData = {"creator": f"anylift {__version__}"}
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y if scene.up == "y" else UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, scene.metres_per_unit)
    stage.SetTimeCodesPerSecond(scene.fps)
    stage.SetFramesPerSecond(scene.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(scene.frames - 1)
    world = UsdGeom.Xform.Define(stage, _WORLD).GetPrim()
    Usd.ModelAPI(world).SetKind(Kind.Tokens.assembly)
    stage.SetDefaultPrim(world)

    given = unique_labels([*(one.name for one in scene.characters), "camera", *(prop.name for prop in scene.props)])
    paths = [_WORLD.AppendChild(name) for name in unique_labels(map(Tf.MakeValidIdentifier, given))]
    people = len(scene.characters)
    for path, one, shades in zip(paths[:people], scene.characters, colours, strict=True):
        add_person(stage, path, one, shades)
    if scene.camera:
        add_camera(stage, paths[people], scene.camera, scene.metres_per_unit)
    for path, prop in zip(paths[people + 1 :], scene.props, strict=True):
        add_prop(stage, path, prop)
    for path, label in zip(paths, given, strict=True):
        if prim := stage.GetPrimAtPath(path):
            prim.SetDisplayName(label)
    return stage


def save(stage: Usd.Stage, path: Path) -> None:
    """Write the stage's own layer, in the form that the suffix of `path` says.

    Raises:
        OSError: it cannot be written; the number tells a full disk.
    """
    try:
        stage.GetRootLayer().Export(str(path))
    except UnicodeEncodeError as error:
        raise OSError(errno.EILSEQ, "OpenUSD cannot write below a name that is no Unicode text") from error
    except Tf.ErrorException as error:
        full = os.strerror(errno.ENOSPC) in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error).strip()) from error

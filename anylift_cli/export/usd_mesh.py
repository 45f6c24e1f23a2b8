"""Meshes as USD holds them: triangles, normals, and a dull material of one colour or of one per vertex."""

from __future__ import annotations

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, Vt

from anylift_cli.export.surface import CLAY, unit_normals
from anylift_cli.export.usd_values import extent, vectors

_ROUGHNESS = 0.8


def add_mesh(
    stage: Usd.Stage,
    path: Sdf.Path,
    vertices: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray | None,
    double_sided: bool,
) -> UsdGeom.Mesh:
    """A mesh at `path` of triangles (F, 3) of vertices (V, 3), with linear colours (V, 3) or clay.

    Colours are there twice: as `displayColor`, and for renderers as a material beside the mesh that reads it.
    """
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(vectors(vertices))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray(len(faces), 3))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.ravel().astype(np.int32)))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateNormalsAttr(vectors(unit_normals(vertices, faces)))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateExtentAttr(extent(vertices.min(0), vertices.max(0)))
    mesh.CreateDoubleSidedAttr(double_sided)
    if colours is None:
        mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.constant).Set([Gf.Vec3f(*CLAY)])
    else:
        mesh.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(vectors(colours))
    material = _material(stage, path.ReplaceName(f"{path.name}_material"), from_vertices=colours is not None)
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)
    return mesh


def _material(stage: Usd.Stage, path: Sdf.Path, from_vertices: bool) -> UsdShade.Material:
    material = UsdShade.Material.Define(stage, path)
    surface = UsdShade.Shader.Define(stage, path.AppendChild("surface"))
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(_ROUGHNESS)
    colour = surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
    if from_vertices:
        reader = UsdShade.Shader.Define(stage, path.AppendChild("colours"))
        reader.CreateIdAttr("UsdPrimvarReader_float3")
        reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("displayColor")
        colour.ConnectToSource(reader.CreateOutput("result", Sdf.ValueTypeNames.Float3))
    else:
        colour.Set(Gf.Vec3f(*CLAY))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", Sdf.ValueTypeNames.Token))
    return material

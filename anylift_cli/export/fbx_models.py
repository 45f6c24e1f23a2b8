"""Models of an FBX file: nodes of the scene's tree, what kind they are of, and meshes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anylift_cli.export.fbx_binary import Node
from anylift_cli.export.fbx_document import Document, leaf, properties
from anylift_cli.export.surface import CLAY, unit_normals

_NOWHERE = np.zeros(3)


@dataclass(frozen=True)
class Mesh:
    """Ids of a mesh's model, which stands somewhere, and of its geometry, which may be deformed."""

    model: np.int64
    geometry: np.int64


def add_model(
    document: Document,
    name: str,
    subtype: str,
    parent: np.int64,
    *rows: tuple[Any, ...],
    place: np.ndarray = _NOWHERE,
) -> np.int64:
    """Add a node of the scene's tree at `place` (3,) in its parent's axes, with more rows of properties; its id."""
    model = document.add(
        "Model",
        name,
        subtype,
        leaf("Version", 232),
        properties(
            ("InheritType", "enum", "", "", 1),
            ("DefaultAttributeIndex", "int", "Integer", "", 0),
            ("Lcl Translation", "Lcl Translation", "", "A", *map(float, place)),
            ("Lcl Rotation", "Lcl Rotation", "", "A", 0.0, 0.0, 0.0),
            *rows,
        ),
        leaf("Shading", True),
        leaf("Culling", "CullingOff"),
    )
    document.connect(model, parent)
    return model


def add_attribute(
    document: Document, name: str, subtype: str, flags: str, model: np.int64, *rows: tuple[Any, ...]
) -> np.int64:
    """Say of what kind a model is; the id of what says so."""
    attribute = document.add("NodeAttribute", name, subtype, properties(*rows), leaf("TypeFlags", flags))
    document.connect(attribute, model)
    return attribute


def add_null(document: Document, name: str, parent: np.int64) -> np.int64:
    """Add a node without looks; its id."""
    model = add_model(document, name, "Null", parent)
    add_attribute(document, name, "Null", "Null", model)
    return model


def add_mesh(
    document: Document,
    name: str,
    parent: np.int64,
    vertices: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray | None = None,
) -> Mesh:
    """Add a mesh of clay.

    Args:
        vertices: (V, 3) in its own axes.
        faces: (F, 3).
        colours: (V, 3) sRGB 0 … 1, for programs whose materials ask for colours of vertices.
    """
    model = add_model(document, name, "Mesh", parent)
    corners = faces.astype(np.int32)
    corners[:, -1] = ~corners[:, -1]
    layers = [
        _layer("Normal", "ByVertice", "Direct", leaf("Normals", _flat(unit_normals(vertices, faces)))),
        _layer("Smoothing", "ByPolygon", "Direct", leaf("Smoothing", np.ones(len(faces), np.int32))),
        _layer("Material", "AllSame", "IndexToDirect", leaf("Materials", np.zeros(1, np.int32))),
    ]
    if colours is not None:
        values = leaf("Colors", _flat(np.pad(colours, ((0, 0), (0, 1)), constant_values=1.0)))
        index = leaf("ColorIndex", faces.astype(np.int32).ravel())
        layers.append(_layer("Color", "ByPolygonVertex", "IndexToDirect", values, index))
    used = (Node("LayerElement", (), (leaf("Type", one.name), leaf("TypedIndex", 0))) for one in layers)
    geometry = document.add(
        "Geometry",
        name,
        "Mesh",
        leaf("GeometryVersion", 124),
        leaf("Vertices", _flat(vertices)),
        leaf("PolygonVertexIndex", corners.ravel()),
        *layers,
        Node("Layer", (0,), (leaf("Version", 100), *used)),
    )
    document.connect(geometry, model)
    document.connect(_add_material(document, name), model)
    return Mesh(model, geometry)


def _layer(kind: str, mapping: str, reference: str, *content: Node) -> Node:
    how = leaf("MappingInformationType", mapping), leaf("ReferenceInformationType", reference)
    return Node(f"LayerElement{kind}", (0,), (leaf("Version", 101), leaf("Name", ""), *how, *content))


def _add_material(document: Document, name: str) -> np.int64:
    rows = ("DiffuseColor", "Color", "", "A", *CLAY), ("DiffuseFactor", "Number", "", "A", 1.0)
    look = leaf("Version", 102), leaf("ShadingModel", "lambert"), leaf("MultiLayer", 0), properties(*rows)
    return document.add("Material", name, "", *look)


def _flat(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows, np.float64).ravel()

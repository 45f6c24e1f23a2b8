"""The objects of an FBX file and how they hang together, and the sections around them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from anylift_cli import __version__
from anylift_cli.export.fbx_binary import CREATION_TIME, FILE_ID, VERSION, Node
from anylift_cli.export.fbx_time import Clock
from anylift_cli.export.scene import Scene

ROOT = np.int64(0)
"""What objects without a parent hang from."""
_CLASSES = {"AnimationStack": "AnimStack", "AnimationLayer": "AnimLayer", "AnimationCurveNode": "AnimCurveNode",
            "AnimationCurve": "AnimCurve"}  # fmt: skip
_FIRST_ID = 1_000_000
_CREATED = {"Version": 1000, "Year": 1970, "Month": 1, "Day": 1, "Hour": 10, "Minute": 0, "Second": 0, "Millisecond": 0}
_CENTIMETRE = 0.01
_AXES = {"y": (1, 1, 2, 1), "z": (2, 1, 1, -1)}
"""Up axis and its sign, front axis and its sign; the third is x, which points right of a right-handed world."""


def leaf(name: str, *values: Any) -> Node:
    """A node without children."""
    return Node(name, values)


def properties(*rows: tuple[Any, ...]) -> Node:
    """Typed properties: rows of name, type, label, flags ("A": animatable, "U": the user's own), values."""
    return Node("Properties70", (), tuple(Node("P", row) for row in rows))


class Document:
    """Collects objects and connections, then lays the file out."""

    def __init__(self) -> None:
        self._objects: list[Node] = []
        self._connections: list[Node] = []

    def add(self, kind: str, name: str, subtype: str, *children: Node, of_class: str = "") -> np.int64:
        """Add an object; its id.

        Args:
            kind: of node, such as "Model".
            name: without NUL and SOH.
            subtype: such as "LimbNode".
            of_class: of the object, where it is not the kind's.
        """
        number = np.int64(_FIRST_ID + len(self._objects))
        full = f"{name}\0\1{of_class or _CLASSES.get(kind, kind)}"
        self._objects.append(Node(kind, (number, full, subtype), children))
        return number

    def connect(self, child: np.int64, parent: np.int64, to_property: str = "") -> None:
        """Hang an object, by its id, below another or onto a property of it."""
        link = ("OP", child, parent, to_property) if to_property else ("OO", child, parent)
        self._connections.append(Node("C", link))

    def sections(self, scene: Scene, clock: Clock, take: str) -> tuple[Node, ...]:
        """All nodes at the top of the file."""
        return (
            _header(),
            leaf("FileId", FILE_ID),
            leaf("CreationTime", CREATION_TIME),
            leaf("Creator", f"anylift {__version__}"),
            _settings(scene, clock),
            _documents(take),
            leaf("References"),
            self._definitions(),
            Node("Objects", (), tuple(self._objects)),
            Node("Connections", (), tuple(self._connections)),
            _takes(take, clock),
        )

    def _definitions(self) -> Node:
        counts = Counter({"GlobalSettings": 1}) + Counter(one.name for one in self._objects)
        types = (Node("ObjectType", (kind,), (leaf("Count", count),)) for kind, count in counts.items())
        return Node("Definitions", (), (leaf("Version", 100), leaf("Count", counts.total()), *types))


def _header() -> Node:
    application = (
        (f"{moment}|Application{what}", "KString", "", "", value)
        for moment in ("Original", "LastSaved")
        for what, value in (("Vendor", "anylift"), ("Name", "anylift"), ("Version", __version__))
    )
    about = Node(
        "SceneInfo",
        ("GlobalInfo\0\1SceneInfo", "UserData"),
        (leaf("Type", "UserData"), leaf("Version", 100), properties(*application)),
    )
    return Node(
        "FBXHeaderExtension",
        (),
        (
            leaf("FBXHeaderVersion", 1003),
            leaf("FBXVersion", VERSION),
            leaf("EncryptionType", 0),
            Node("CreationTimeStamp", (), tuple(leaf(name, value) for name, value in _CREATED.items())),
            leaf("Creator", f"anylift {__version__}"),
            about,
        ),
    )


def _settings(scene: Scene, clock: Clock) -> Node:
    up, up_sign, front, front_sign = _AXES[scene.up]
    axes = {
        "UpAxis": up,
        "UpAxisSign": up_sign,
        "FrontAxis": front,
        "FrontAxisSign": front_sign,
        "CoordAxis": 0,
        "CoordAxisSign": 1,
        "OriginalUpAxis": up,
        "OriginalUpAxisSign": up_sign,
    }
    unit = scene.metres_per_unit / _CENTIMETRE
    return Node(
        "GlobalSettings",
        (),
        (
            leaf("Version", 1000),
            properties(
                *((name, "int", "Integer", "", value) for name, value in axes.items()),
                ("UnitScaleFactor", "double", "Number", "", unit),
                ("OriginalUnitScaleFactor", "double", "Number", "", unit),
                ("TimeMode", "enum", "", "", clock.mode),
                ("TimeSpanStart", "KTime", "Time", "", clock.start),
                ("TimeSpanStop", "KTime", "Time", "", clock.stop),
                ("CustomFrameRate", "double", "Number", "", clock.rate),
            ),
        ),
    )


def _documents(take: str) -> Node:
    about = properties(("SourceObject", "object", "", ""), ("ActiveAnimStackName", "KString", "", "", take))
    document = Node("Document", (np.int64(_FIRST_ID - 1), "Scene", "Scene"), (about, leaf("RootNode", ROOT)))
    return Node("Documents", (), (leaf("Count", 1), document))


def _takes(take: str, clock: Clock) -> Node:
    """What readers from before animation stacks look for."""
    span = clock.start, clock.stop
    times = leaf("FileName", "take.tak"), leaf("LocalTime", *span), leaf("ReferenceTime", *span)
    return Node("Takes", (), (leaf("Current", take), Node("Take", (take,), times)))

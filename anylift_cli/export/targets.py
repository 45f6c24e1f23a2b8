"""What the programs that open the files want: axes, unit, names of joints, root, rest pose (docs/export.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anylift_cli.errors import UsageError
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.take import ExportOptions

TARGETS: Mapping[str, ExportOptions] = {
    "blender": ExportOptions(metres_per_unit=1.0),
    "maya": ExportOptions(names="humanik"),
    "unreal": ExportOptions(up="z", names="unreal", root="ground", rest="a-pose"),
    "unity": ExportOptions(names="humanik", metres_per_unit=1.0),
    "mixamo": ExportOptions(names="mixamo"),
    "metahuman": ExportOptions(up="z", names="unreal", root="ground", rest="a-pose"),
}
"""Blender's importers turn y up themselves and take a BVH's unit for a metre. Maya's HumanIK and Unity's avatars find
joints by HumanIK's names. Unreal's world is z up in centimetres, its characters travel with a root joint on the floor,
and its mannequins and MetaHumans rest in an A-pose."""

UNITS = {"m": 1.0, "cm": 0.01}
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "rest": ("t-pose", "a-pose"),
    "names": tuple(JOINT_NAMES),
    "root": ("pelvis", "ground"),
    "up": ("y", "z"),
    "metres_per_unit": tuple(UNITS.values()),
}


def export_options(target: str | None = None, **wanted: Any) -> ExportOptions:
    """Options of `target` (the defaults without one), where those `wanted` that are not None win.

    Raises:
        UsageError: an unknown target, or a value that its option does not have.
    """
    if target is not None and target not in TARGETS:
        raise UsageError(f"unknown target '{target}'", f"choose one of: {', '.join(TARGETS)}")
    given = {name: value for name, value in wanted.items() if value is not None}
    for name, value in given.items():
        if name in CHOICES and value not in CHOICES[name]:
            raise UsageError(f"{name} cannot be '{value}'", f"choose one of: {', '.join(map(str, CHOICES[name]))}")
    return replace(TARGETS[target] if target else ExportOptions(), **given)

"""Curves of an FBX file: one key per frame, linear between them, on one take."""

from __future__ import annotations

import numpy as np

from anylift_cli.export.bvh import euler_zyx
from anylift_cli.export.fbx_binary import encode
from anylift_cli.export.fbx_document import Document, leaf, properties
from anylift_cli.export.fbx_time import Clock

_LINEAR = 0x4 | 0x100
"""Linear to the next key; tangents, which it does not use, are automatic."""
_TANGENT = np.array([0, 0, 0x0D050D05, 0], np.int32).view(np.float32)
"""Slopes of 0, weights of a third, no velocity."""
_AXES = ("X", "Y", "Z")


class Animation:
    """The take of a document, and its curves."""

    def __init__(self, document: Document, name: str, clock: Clock) -> None:
        self._document = document
        span = (
            (f"{kind}{end}", "KTime", "Time", "", time)
            for kind in ("Local", "Reference")
            for end, time in (("Start", clock.start), ("Stop", clock.stop))
        )
        stack = document.add("AnimationStack", name, "", properties(*span))
        self._layer = document.add("AnimationLayer", "BaseLayer", "")
        document.connect(self._layer, stack)
        self._times = leaf("KeyTime", encode(clock.ticks))
        self._keys = (
            leaf("KeyAttrFlags", np.array([_LINEAR], np.int32)),
            leaf("KeyAttrDataFloat", _TANGENT),
            leaf("KeyAttrRefCount", np.array([clock.frames], np.int32)),
        )

    def place(self, target: np.int64, translations: np.ndarray) -> None:
        """Move a model by (T, 3) in its parent's axes."""
        self._animate(target, "Lcl Translation", "T", _AXES, translations)

    def turn(self, target: np.int64, degrees: np.ndarray) -> None:
        """Turn a model by Euler angles (T, 3), see `euler_xyz`."""
        self._animate(target, "Lcl Rotation", "R", _AXES, degrees)

    def value(self, target: np.int64, name: str, values: np.ndarray) -> None:
        """Animate the number `name` of any object by (T,)."""
        self._animate(target, name, name, (name,), values[:, None])

    def _animate(self, target: np.int64, name: str, label: str, channels: tuple[str, ...], values: np.ndarray) -> None:
        first = ((f"d|{channel}", "Number", "", "A", float(x)) for channel, x in zip(channels, values[0], strict=True))
        node = self._document.add("AnimationCurveNode", label, "", properties(*first))
        self._document.connect(node, self._layer)
        self._document.connect(node, target, name)
        for channel, column in zip(channels, values.T.astype(np.float32), strict=True):
            curve = self._document.add(
                "AnimationCurve",
                "",
                "",
                leaf("Default", float(column[0])),
                leaf("KeyVer", 4008),
                self._times,
                leaf("KeyValueFloat", column),
                *self._keys,
            )
            self._document.connect(curve, node, f"d|{channel}")


def euler_xyz(rotations: np.ndarray) -> np.ndarray:
    """FBX's default angles in degrees, (T, J, 3) as x, y, z with R = Rz Ry Rx, continuous over time.

    Args:
        rotations: (T, J, 3, 3).
    """
    return euler_zyx(rotations)[..., ::-1]

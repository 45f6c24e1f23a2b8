"""easy_ViTPose's JSON (JunkyByte/easy_ViTPose, inference.py --save-json): y before x, points named in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.keypoints.imports.layouts import Detection, Detections, to_body24


def is_easy_vitpose(stored: Any) -> bool:
    """Whether `stored` has `keypoints` by frame and person, and the `skeleton` that names them."""
    return isinstance(stored, dict) and isinstance(stored.get("keypoints"), list) and "skeleton" in stored


def read_easy_vitpose(path: Path, stored: dict[str, Any]) -> Detections:
    """People by frame.

    Raises:
        AnyliftError: malformed points or names.
    """
    try:
        skeleton = {int(place): str(name) for place, name in stored["skeleton"].items()}
        names = [skeleton[place] for place in range(len(skeleton))]
        frames = enumerate(stored["keypoints"])
        return {frame: [_person(rows, names) for rows in people.values()] for frame, people in frames}
    except (KeyError, AttributeError, TypeError, ValueError, IndexError) as error:
        raise AnyliftError(f"{path} is not as easy_ViTPose writes it: {error}", "write it again") from error


def _person(rows: Any, names: list[str]) -> Detection:
    values = np.asarray(rows, np.float64).reshape(len(names), 3)
    return to_body24(values[:, [1, 0]], values[:, 2], names)

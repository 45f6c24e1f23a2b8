"""COCO results, a list of people with the image each is in; AlphaPose's own JSON has the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.keypoints.imports.json_files import number_in
from anylift_cli.keypoints.imports.layouts import Detections, from_flat


def is_coco(stored: Any) -> bool:
    """Whether `stored` is a list of people, or a data set with such a list as its annotations."""
    people = _people(stored)
    return bool(people) and all(isinstance(one, dict) and {"image_id", "keypoints"} <= one.keys() for one in people)


def read_coco(path: Path, stored: Any) -> Detections:
    """People by image; `image_id` is a frame number or a name with one.

    Annotations, whose third value is 0 (not there), 1 (hidden) or 2 (seen), get the confidences 0, 0.5 and 1.

    Raises:
        AnyliftError: malformed points, or an image without a number.
    """
    names = {}
    if isinstance(stored, dict):
        names = _names(stored, path)
    found: Detections = {}
    for person in _people(stored):
        image, values = person["image_id"], person["keypoints"]
        if isinstance(stored, dict):
            values = _annotated(values, path)
        found.setdefault(number_in(names.get(str(image)) or image, str(path)), []).append(from_flat(values, str(path)))
    return found


def _names(stored: dict[str, Any], path: Path) -> dict[str, Any]:
    """File names of the images, by their numbers."""
    try:
        return {str(image["id"]): image.get("file_name") for image in stored.get("images", [])}
    except (AttributeError, KeyError, TypeError) as error:
        raise AnyliftError(f"{path}: its 'images' are not a list of images with an 'id'") from error


def _people(stored: Any) -> list[Any]:
    if isinstance(stored, dict):
        stored = stored.get("annotations")
    return stored if isinstance(stored, list) else []


def _annotated(values: Any, path: Path) -> np.ndarray:
    try:
        rows = np.array(values, np.float64).reshape(-1, 3)
    except (TypeError, ValueError) as error:
        raise AnyliftError(f"{path}: a person's points are not numbers in threes") from error
    rows[:, 2] /= 2
    return rows.ravel()

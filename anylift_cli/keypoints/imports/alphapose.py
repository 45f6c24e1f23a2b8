"""AlphaPose's JSON by image (MVIG-SJTU/AlphaPose, docs/output.md): PoseFlow's input, `--format cmu` and `open`.

Its default form is that of COCO results and read as such.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anylift_cli.errors import AnyliftError
from anylift_cli.keypoints.imports.json_files import number_in
from anylift_cli.keypoints.imports.layouts import Detection, Detections, from_flat

_LISTS = {"people": "pose_keypoints_2d", "bodies": "joints"}


def is_alphapose(stored: Any) -> bool:
    """Whether `stored` is {image name: its people}."""
    return isinstance(stored, dict) and len(stored) > 0 and all(_is_image(image) for image in stored.values())


def read_alphapose(path: Path, stored: dict[str, Any]) -> Detections:
    """People by the number in the image's name.

    Raises:
        AnyliftError: malformed points, or an image without a number.
    """
    return {number_in(name, str(path)): _people(image, path) for name, image in stored.items()}


def _is_image(image: Any) -> bool:
    if isinstance(image, list):
        return all(isinstance(person, dict) and "keypoints" in person for person in image)
    return isinstance(image, dict) and any(isinstance(image.get(name), list) for name in _LISTS)


def _people(image: Any, path: Path) -> list[Detection]:
    if isinstance(image, list):
        return [from_flat(person["keypoints"], str(path)) for person in image]
    name = next(name for name in _LISTS if name in image)
    if not all(isinstance(person, dict) and _LISTS[name] in person for person in image[name]):
        raise AnyliftError(f"{path}: a person of '{name}' has no '{_LISTS[name]}'")
    return [from_flat(person[_LISTS[name]], str(path)) for person in image[name]]

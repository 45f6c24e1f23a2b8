"""mmpose's predictions of a video (open-mmlab/mmpose: the inferencer's JSON, and that of topdown_demo_with_mmdet)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError
from anylift_cli.keypoints.imports.json_files import number_in
from anylift_cli.keypoints.imports.layouts import Detection, Detections, layout_of, to_body24


def is_mmpose(stored: Any) -> bool:
    """Whether `stored` is a list of frames with instances, or has one as `instance_info`."""
    frames = _frames(stored)
    return bool(frames) and all(isinstance(one, dict) and {"frame_id", "instances"} <= one.keys() for one in frames)


def read_mmpose(path: Path, stored: Any) -> Detections:
    """People by frame, in the points of the model that the file names or that has so many points.

    Raises:
        AnyliftError: malformed points.
    """
    names = _names(path, stored)
    found: Detections = {}
    for frame in _frames(stored):
        people = found.setdefault(number_in(frame["frame_id"], str(path)), [])
        if not isinstance(frame["instances"], list):
            raise AnyliftError(f"{path}: the 'instances' of a frame are no list", "was it written by mmpose?")
        people += [_person(one, names, path) for one in frame["instances"]]
    return found


def _frames(stored: Any) -> list[Any]:
    if isinstance(stored, dict):
        stored = stored.get("instance_info")
    return stored if isinstance(stored, list) else []


def _names(path: Path, stored: Any) -> list[str] | None:
    """Of the points, where `meta_info` has them; mmpose calls Halpe's and COCO's points as `body24` does."""
    meta = stored.get("meta_info") if isinstance(stored, dict) else None
    places = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(places, dict):
        return None
    try:
        return [str(places[key]) for key in sorted(places, key=int)]
    except ValueError as error:
        raise AnyliftError(f"{path}: its points are not numbered: {error}", "was it written by mmpose?") from error


def _person(one: Any, names: list[str] | None, path: Path) -> Detection:
    try:
        points = np.asarray(one["keypoints"], np.float64).reshape(-1, 2)
        scores = np.asarray(one["keypoint_scores"], np.float64).reshape(len(points))
    except (KeyError, TypeError, ValueError) as error:
        raise AnyliftError(
            f"{path}: a person has no points with scores: {error}", "was it written by mmpose?"
        ) from error
    if names and len(names) > len(points):
        raise AnyliftError(f"{path} names {len(names)} points, a person has {len(points)}", "was it written by mmpose?")
    return to_body24(points, scores, names or layout_of(len(points), str(path)))

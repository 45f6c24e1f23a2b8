"""OpenPose's folder of JSON files, one a frame (CMU-Perceptual-Computing-Lab/openpose, doc/02_output.md).

Pose2Sim and Sports2D write the same with the points of their own models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anylift_cli.errors import AnyliftError
from anylift_cli.keypoints.imports.json_files import number_in, read_json
from anylift_cli.keypoints.imports.layouts import Detection, Detections, from_flat


def is_openpose(stored: Any) -> bool:
    """Whether `stored` is one frame's file."""
    return isinstance(stored, dict) and isinstance(stored.get("people"), list)


def read_openpose(files: list[Path]) -> Detections:
    """The people of each frame; the frame is the last number in a file's name.

    Raises:
        AnyliftError: a file of another kind, or two of the same frame (two videos in one folder).
    """
    found: Detections = {}
    for file in files:
        stored = read_json(file)
        if not is_openpose(stored):
            raise AnyliftError(
                f"{file} is no OpenPose file: it has no list 'people'", "leave only OpenPose's files there"
            )
        frame = number_in(file.stem.removesuffix("_keypoints"), str(file))
        if frame in found:
            raise AnyliftError(f"{file}: another file is of frame {frame} too", "keep one folder per video")
        found[frame] = people_of(stored, str(file))
    return found


def people_of(stored: dict[str, Any], what: str) -> list[Detection]:
    """The people of one frame; those without points are left out."""
    lists = [person.get("pose_keypoints_2d") for person in stored["people"] if isinstance(person, dict)]
    return [from_flat(values, what) for values in lists if values]

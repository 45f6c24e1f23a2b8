"""Tell by its content what a file or folder of keypoints is, and read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.keypoints.imports.alphapose import is_alphapose, read_alphapose
from anylift_cli.keypoints.imports.coco import is_coco, read_coco
from anylift_cli.keypoints.imports.easy_vitpose import is_easy_vitpose, read_easy_vitpose
from anylift_cli.keypoints.imports.json_files import read_json
from anylift_cli.keypoints.imports.layouts import Detection, Detections
from anylift_cli.keypoints.imports.mmpose import is_mmpose, read_mmpose
from anylift_cli.keypoints.imports.openpose import is_openpose, read_openpose
from anylift_cli.keypoints.imports.trc import is_pixels, is_trc, read_trc
from anylift_cli.video import VideoInfo

ACCEPTED = (
    "keypoints can be: OpenPose's folder of JSON files, COCO results, AlphaPose, mmpose or easy_ViTPose JSON, "
    "Sports2D's TRC in pixels (a file or a folder), an anylift keypoints.npz"
)
MOSTLY_OUTSIDE = 0.5


def read_keypoints(path: Path, info: VideoInfo) -> tuple[str, Detections]:
    """What the file is, and its people by frame of the video, counted from 0.

    Args:
        path: a file or a folder of any accepted kind.
        info: of the video that the keypoints were found in.

    Raises:
        UsageError: it belongs to another video: more frames, or points outside the picture.
        AnyliftError: missing, damaged, of no accepted kind (the kinds are listed), or without people.
    """
    kind, found = _read(path)
    found = {frame: people for frame, people in _from_zero(found, info.frame_count).items() if people}
    if not found:
        raise AnyliftError(f"{path} has nobody in any frame", "did the tool find anyone?")
    if max(found) >= info.frame_count:
        raise UsageError(
            f"{path} has frame {max(found)}, {info.path} only {info.frame_count} frames",
            "give the keypoints of this video",
        )
    points = np.concatenate([person.points for people in found.values() for person in people])
    points = points[np.isfinite(points).all(1)]
    outside = ((points < 0) | (points > (info.width, info.height))).any(1).mean() if len(points) else 0
    if outside > MOSTLY_OUTSIDE:
        raise UsageError(
            f"{path}: {outside:.0%} of its points lie outside {info.path} ({info.width}x{info.height})",
            "they must be in pixels of the displayed video; was it made from another size, or from the video unturned?",
        )
    return kind, found


def _read(path: Path) -> tuple[str, Detections]:
    if path.is_dir():
        return _read_folder(path)
    try:
        with open(path, "rb") as stream:
            start = stream.read(64).lstrip()
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}", ACCEPTED) from error
    if start.startswith(b"PK"):
        return "anylift", _own(KeypointsArtifact.load(path))
    if is_trc(start):
        return "TRC", read_trc([path])
    if start[:1] in (b"{", b"["):
        return _read_json(path)
    raise AnyliftError(f"{path} is no file of keypoints that anylift knows", ACCEPTED)


def _read_folder(folder: Path) -> tuple[str, Detections]:
    if files := sorted(folder.glob("*.json")):
        return "OpenPose", read_openpose(files)
    if files := [file for file in sorted(folder.glob("*.trc")) if is_pixels(file)]:
        return "TRC", read_trc(files)
    raise AnyliftError(f"{folder} holds neither OpenPose's JSON files nor TRC files in pixels", ACCEPTED)


def _read_json(path: Path) -> tuple[str, Detections]:
    stored = read_json(path)
    if is_mmpose(stored):
        return "mmpose", read_mmpose(path, stored)
    if is_easy_vitpose(stored):
        return "easy_ViTPose", read_easy_vitpose(path, stored)
    if is_coco(stored):
        return "COCO", read_coco(path, stored)
    if is_openpose(stored):
        raise AnyliftError(f"{path} is a single frame of OpenPose", "give the folder of all frames")
    if is_alphapose(stored):
        return "AlphaPose", read_alphapose(path, stored)
    raise AnyliftError(f"{path} is no file of keypoints that anylift knows", ACCEPTED)


def _own(artifact: KeypointsArtifact) -> Detections:
    return {
        int(frame): [
            Detection(
                artifact.keypoints[person, t],
                artifact.confidence[person, t],
                None if artifact.local_joints is None else artifact.local_joints[person, t],
            )
            for person in np.flatnonzero(artifact.present[:, t])
        ]
        for t, frame in enumerate(artifact.frame_index)
    }


def _from_zero(found: Detections, frame_count: int) -> Detections:
    """Frames counted from 0: a file whose last frame is the video's number of frames, and that has none called 0,
    counts from 1; otherwise it is taken by its word."""
    counted = found.keys()
    if counted and min(counted) > 0 and max(counted) == frame_count:
        return {frame - 1: people for frame, people in found.items()}
    return found

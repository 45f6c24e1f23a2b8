"""The points file: where a user saw an object.

JSON, by the object's name (its mesh file's name without suffix), one entry per frame in which it was looked at:

    {"box": [{"frame": 0, "pixels": [[812.5, 410], …], "points": [[0.15, -0.18, 0.32], …]},
             {"frame": 95, "camera_from_object": [[1, 0, 0, 0.2], [0, 1, 0, 0.1], [0, 0, 1, 3.4], [0, 0, 0, 1]]}]}

`frame` counts from the video's first, 0; `pixels` are of the displayed image with (0, 0) at its top left corner;
`points` are in the axes and unit of the mesh file; poses are in metres and OpenCV axes. Of a ball the pixels are on its
outline, and there are no points.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.meshes.balls import LEAST_OUTLINE, Ball, ball_of
from anylift_cli.meshes.reading import Mesh
from anylift_cli.objects.base import Anchor
from anylift_cli.objects.clicks import ClickedPose, pose_of_clicks, pose_of_outline
from anylift_cli.objects.pnp import LEAST_POINTS


def read_points(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Entries of a points file by object.

    Raises:
        AnyliftError: missing, or not such a file.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "check the path") from error
    except (OSError, ValueError, RecursionError) as error:
        raise AnyliftError(f"{path} is not a points file: {error}", "docs/hoi.md shows one") from error
    if not isinstance(stored, dict):
        raise AnyliftError(f"{path} is not a points file: it holds no objects by name", "docs/hoi.md shows one")
    entries = {name: [one] if isinstance(one, dict) else one for name, one in stored.items()}
    if not all(isinstance(one, list) and one and all(isinstance(e, dict) for e in one) for one in entries.values()):
        raise AnyliftError(f"{path}: each object needs a list of frames", "docs/hoi.md shows one")
    return entries


def anchors_from(
    path: Path, name: str, entries: list[dict[str, Any]], mesh: Mesh, K: np.ndarray, frame_index: np.ndarray
) -> list[Anchor]:
    """Where an object is in the frames of its entries.

    Args:
        path, name: of the file and the object, for messages.
        K: (T, 3, 3) px.
        frame_index: (T,) frames of the video.

    Raises:
        UsageError: a frame outside of the clip, too few points, or points that no pose explains.
    """
    anchors, ball = [], ball_of(mesh.vertices, mesh.faces)
    for entry in entries:
        frame = entry.get("frame", int(frame_index[0]))
        if not isinstance(frame, int) or isinstance(frame, bool):
            raise UsageError(f"{path}: a frame of '{name}' is no whole number", "docs/hoi.md shows one")
        rows = np.flatnonzero(frame_index == frame)
        where = f"{path}: '{name}' in frame {frame}"
        if not len(rows):
            raise UsageError(
                f"{where}: the clip goes from frame {frame_index[0]} to {frame_index[-1]}", "click in one of these"
            )
        row = int(rows[0])
        if "camera_from_object" in entry:
            anchors.append(Anchor(row, _pose(where, entry["camera_from_object"])))
            continue
        found = _clicked(where, entry, mesh, ball, K[row])
        if found is None:
            raise UsageError(
                f"{where}: no pose of the mesh explains the clicked points",
                "check that each pixel is of its mesh point, and the mesh's size and proportions",
            )
        anchors.append(Anchor(row, found.camera_from_object))
    return anchors


def _clicked(where: str, entry: dict[str, Any], mesh: Mesh, ball: Ball | None, K: np.ndarray) -> ClickedPose | None:
    pixels = _numbers(where, entry, "pixels", 2)
    if ball is not None and "points" not in entry:
        if len(pixels) < LEAST_OUTLINE:
            raise UsageError(f"{where}: {len(pixels)} pixels are too few", "click four or more on the ball's outline")
        return pose_of_outline(ball, pixels, K)
    points = _numbers(where, entry, "points", 3)
    if len(points) != len(pixels):
        raise UsageError(f"{where}: {len(points)} points and {len(pixels)} pixels", "give one pixel for each point")
    if len(points) < LEAST_POINTS:
        raise UsageError(f"{where}: {len(points)} points are too few", "click six or more, on more than one side")
    return pose_of_clicks(points * mesh.unit, pixels, K)


def _numbers(where: str, entry: dict[str, Any], key: str, width: int) -> np.ndarray:
    try:
        values = np.array(entry[key], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{where}: '{key}' is missing or not a list of numbers", "docs/hoi.md shows one") from error
    if values.ndim != 2 or values.shape[1] != width or not np.isfinite(values).all():
        raise UsageError(f"{where}: '{key}' should have rows of {width} numbers", "docs/hoi.md shows one")
    return values


def _pose(where: str, rows: Any) -> np.ndarray:
    pose = _numbers(where, {"camera_from_object": rows}, "camera_from_object", 4)
    rigid = pose.shape == (4, 4) and np.abs(pose[:3, :3].T @ pose[:3, :3] - np.eye(3)).max() < 1e-3
    if not rigid or np.linalg.det(pose[:3, :3]) < 0 or pose[2, 3] <= 0:
        raise UsageError(f"{where}: 'camera_from_object' is no rigid pose before the camera", "docs/hoi.md shows one")
    return pose

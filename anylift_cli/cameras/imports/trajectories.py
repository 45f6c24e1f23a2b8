"""Text trajectories: TUM (`t tx ty tz qx qy qz qw`, which DPVO writes too) and KITTI (12 numbers of a 3x4 pose a line).

Poses are camera to world, OpenCV axes, without intrinsics. Source: evo, which reads both (evo/tools/file_interface.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.cameras.imports.path import CameraPath, rigid
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.video import VideoInfo

TUM_COLUMNS, KITTI_COLUMNS = 8, 12
SLACK = 0.5
"""Seconds by which a trajectory may outlast the video."""


def read_trajectory(path: Path, info: VideoInfo) -> CameraPath:
    """TUM or KITTI, told by the number of columns.

    TUM's times are frame numbers where all are whole and go beyond the video's seconds; clock times, beyond the
    video's end, count from the first of them.

    Raises:
        AnyliftError: not numbers, another number of columns, or times that go back.
        UsageError: it lasts longer than the video.
    """
    table = _table(path)
    if table.shape[1] == KITTI_COLUMNS:
        poses = np.tile(np.eye(4), (len(table), 1, 1))
        poses[:, :3] = table.reshape(-1, 3, 4)
        return CameraPath("KITTI", np.arange(len(table)), False, rigid(path, poses))
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    lengths = np.linalg.norm(table[:, 4:], axis=1)
    if not np.isfinite(table).all() or (np.abs(lengths - 1) > 0.05).any():
        raise AnyliftError(f"{path}: pose {int(np.argmax(np.abs(lengths - 1) > 0.05))} has no unit quaternion")
    poses[:, :3, :3] = Rotation.from_quat(table[:, 4:]).as_matrix()
    poses[:, :3, 3] = table[:, 1:4]
    times = table[:, 0]
    if (np.diff(times) <= 0).any():
        raise AnyliftError(f"{path}: its times go back", "sort it by time")
    places, in_seconds = _places(path, times, info)
    return CameraPath("TUM", places, in_seconds, rigid(path, poses))


def _places(path: Path, times: np.ndarray, info: VideoInfo) -> tuple[np.ndarray, bool]:
    whole = (times == np.round(times)).all() and times[0] >= 0
    if whole and times[-1] > info.duration + SLACK and times[-1] < info.frame_count:
        return times, False
    seconds = times - times[0] if times[-1] > info.duration + SLACK or times[0] < 0 else times
    if seconds[-1] > info.duration + SLACK:
        raise UsageError(
            f"{path} lasts {times[-1] - times[0]:.2f} s, {info.path} {info.duration:.2f} s",
            "its first column must be seconds, or frame numbers from 0",
        )
    return seconds, True


def _table(path: Path) -> np.ndarray:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [line.replace(",", " ").split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        table = np.array([[float(cell) for cell in row] for row in rows])
    except (UnicodeDecodeError, ValueError) as error:
        raise AnyliftError(f"{path} is no table of numbers: {error}") from error
    if table.ndim != 2 or table.shape[1] not in (TUM_COLUMNS, KITTI_COLUMNS):
        width = table.shape[1] if table.ndim == 2 else "no"
        raise AnyliftError(
            f"{path} has {width} columns",
            f"a TUM trajectory has {TUM_COLUMNS}, time and pose, a KITTI one {KITTI_COLUMNS}",
        )
    return table

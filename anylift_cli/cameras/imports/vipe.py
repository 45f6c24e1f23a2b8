"""ViPE's `pose/NAME.npz` with the `intrinsics/NAME.npz` beside it (nv-tlabs/vipe, vipe/utils/io.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts.base import read_npz
from anylift_cli.cameras.imports.path import CameraPath, rigid, with_size
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.foreign.fields import arrays_of

KEYS = {"data", "inds"}


def pose_file(folder: Path) -> Path | None:
    """The file of poses in ViPE's output folder, None where the folder is none.

    Raises:
        UsageError: the folder holds the results of several videos.
    """
    files = sorted((folder / "pose").glob("*.npz"))
    if len(files) > 1:
        raise UsageError(f"{folder} holds {len(files)} videos", f"give one of them: {files[0]}")
    return files[0] if files else None


def read_vipe(path: Path, video: tuple[int, int]) -> CameraPath:
    """Poses and intrinsics of the frames that ViPE kept; K is in pixels of its own images, which it centres.

    Raises:
        AnyliftError: a missing or malformed array, no intrinsics, or a camera that is no pinhole.
    """
    poses, places = arrays_of(path, "ViPE", read_npz(path), {"data": "N 4 4", "inds": "N"})
    intrinsics = path.parent.parent / "intrinsics" / path.name
    values, of = arrays_of(intrinsics, "ViPE", read_npz(intrinsics), {"data": "M 4", "inds": "M"})
    _check_pinhole(intrinsics.with_name(f"{path.stem}_camera.txt"))
    if (np.diff(places) <= 0).any() or (np.diff(of) <= 0).any():
        raise AnyliftError(f"{path}: its frames are not in order", "was it written by ViPE?")
    K = np.tile(np.eye(3), (len(places), 1, 1))
    at = np.stack([np.interp(places, of, column) for column in values.T], 1)
    K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2] = at.T
    size = tuple(2 * np.median(values[:, 2:], 0))
    return CameraPath("ViPE", places, False, rigid(path, poses), K=with_size(path, K, size, video))


def _check_pinhole(path: Path) -> None:
    """Raise AnyliftError where the file of camera types names another."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kinds = {line.partition(":")[2].strip() for line in lines if line.strip()}
    if kinds - {"PINHOLE"}:
        raise AnyliftError(
            f"{path} says {', '.join(sorted(kinds))}; only pinhole cameras are read", "run ViPE with a pinhole camera"
        )

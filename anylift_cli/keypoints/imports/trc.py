"""TRC files with 2D points in pixels, one a person (davidpagnon/Sports2D: `*_px_person00.trc`).

Their headers name metres whatever is in them, so that what they hold is told by the numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.body.skeleton import K
from anylift_cli.errors import AnyliftError
from anylift_cli.keypoints.imports.layouts import Detections, to_body24

LARGEST_METRES = 20.0
"""Numbers beyond this are pixels."""
_PARTS = {
    "Nose": "nose", "Eye": "eye", "Ear": "ear", "Shoulder": "shoulder", "Elbow": "elbow", "Wrist": "wrist",
    "Hip": "hip", "Knee": "knee", "Ankle": "ankle", "BigToe": "big_toe", "SmallToe": "small_toe", "Heel": "heel",
}  # fmt: skip
_NAMES = {
    "Nose": "nose",
    **{f"{side[0].upper()}{part}": f"{side}_{name}" for side in ("left", "right") for part, name in _PARTS.items()},
}
_HEADER_LINES = 5
LARGEST_FRAME = 1e12


def is_trc(start: bytes) -> bool:
    """Whether a file that begins so is TRC."""
    return start.startswith(b"PathFileType")


def is_pixels(path: Path) -> bool:
    """Whether a TRC file holds pixels: no depth, and numbers too large for metres."""
    _, _, values = _read(path)
    across, depth = (float(np.nanmax(np.abs(part), initial=0)) for part in (values[..., :2], values[..., 2:]))
    return across > LARGEST_METRES and depth == 0


def read_trc(files: list[Path]) -> Detections:
    """People by frame = time · rate, one file each. Points have no confidence there: what is there has 1.

    Raises:
        AnyliftError: damaged, in metres or three dimensions, or without the names of a body's points.
    """
    found: Detections = {}
    for path in files:
        if not is_pixels(path):
            raise AnyliftError(
                f"{path} holds metres or 3D points, not pixels",
                "give the file with _px_ in its name that Sports2D writes",
            )
        frames, names, values = _read(path)
        if not set(names) & K.keys():
            raise AnyliftError(f"{path}: none of its markers is a point of the body", "it names them like RKnee, LHip")
        for frame, points in zip(frames, values[..., :2], strict=True):
            seen = np.isfinite(points).all(1)
            if seen.any():
                found.setdefault(int(frame), []).append(to_body24(points, seen.astype(float), names))
    return found


def _read(path: Path) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Frames (T,), names of the points (N), coordinates (T, N, 3)."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        rate = float(lines[2].split("\t")[0])
        markers = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
        rows = [_numbers(line, 2 + 3 * len(markers)) for line in lines[_HEADER_LINES:] if line.strip()]
        table = np.array(rows, np.float64).reshape(len(rows), -1)
        values = table[:, 2:].reshape(len(rows), len(markers), 3)
    except (OSError, IndexError, ValueError) as error:
        raise AnyliftError(f"{path} is damaged or not a TRC file: {error}", "write it again") from error
    if not 0 < rate < np.inf or not len(rows):
        raise AnyliftError(f"{path} has {len(rows)} frames at {rate} a second", "write it again")
    frames = np.round(table[:, 1] * rate)
    if not (np.abs(frames) < LARGEST_FRAME).all():
        raise AnyliftError(f"{path}: its times are not seconds", "write it again")
    return frames, [_NAMES.get(name, name) for name in markers], values


def _numbers(line: str, count: int) -> list[float]:
    cells = line.rstrip("\r\n").split("\t")
    cells += [""] * (count - len(cells))
    return [float(cell) if cell.strip() else np.nan for cell in cells[:count]]

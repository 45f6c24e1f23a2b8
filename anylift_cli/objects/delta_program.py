"""Runs DELTA (snap-research/DELTA_densetrack3d): dense tracks of every pixel of the first frame of each piece.

`demo_2d.py` of its repository does it; the 3D demo needs a depth network and more memory, and its depth is not used
here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from anylift_cli.artifacts.base import Artifact, array
from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.pieces import STILLS
from anylift_cli.foreign.tools import DELTA
from anylift_cli.foreign.unpickle import load_pickle

HALF = 0.5
"""DELTA counts pixels from the middle of the first one, anylift from its corner."""


@dataclass(kw_only=True)
class TrackPiece(Artifact):
    """Points that were followed through some neighbouring rows of a clip, all from the first of these rows on."""

    schema: ClassVar[str] = "anylift.track_piece"
    version: ClassVar[int] = 1

    rows: np.ndarray = array("T", "i8", "row of the clip")
    pixels: np.ndarray = array("T N 2", "f4", "px of the displayed video", finite=False)
    visible: np.ndarray = array("T N", "?")


class DeltaProgram:
    """See `Program`. Neighbouring pieces share a frame: the last poses of one are where the next begins.

    By its README, tracking 100 frames in 3D takes 40 GB of GPU memory; for 2D it gives no figure.
    """

    tool = DELTA
    kept = TrackPiece
    overlap = 1
    max_size = 1024

    def __init__(self, most: int = 100) -> None:
        self.most = most

    @property
    def cwd(self) -> Path:
        return self.tool.folder / "repo"

    @property
    def variables(self) -> dict[str, str]:
        return {}

    def commands(self, work: Path) -> list[list[str | Path]]:
        return [
            [
                self.tool.python, "demo_2d.py", "--ckpt", "checkpoints/densetrack2d.pth",
                "--video_path", work / STILLS.parent, "--output_path", work / "out", "--viz_sparse=",
            ],
        ]  # fmt: skip

    def result(self, work: Path, rows: range, size: tuple[int, int], video: tuple[int, int]) -> TrackPiece:
        file = work / "out" / STILLS.parent / "dense_2d_track.pkl"
        coords, visible = tracks_in(file)
        if coords.shape[-1] != 2 or len(coords) != len(rows):
            raise AnyliftError(f"{file} has {len(coords)} frames for {len(rows)} images", "see its log")
        scale = np.array(video) / size
        return TrackPiece(rows=np.array(rows), pixels=(coords + HALF) * scale, visible=visible)

    def leftovers(self, work: Path) -> Iterable[Path]:
        return ()


def tracks_in(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Places (T, N, 2 or 3), as DELTA counts pixels, and visibility (T, N) in a file of DELTA's.

    Raises:
        AnyliftError: missing, damaged, or not a file of DELTA's.
    """
    stored = load_pickle(path)
    if not isinstance(stored, dict) or not {"coords", "vis"} <= set(stored):
        raise AnyliftError(f"{path} is not a track file of DELTA: 'coords' or 'vis' is missing", "see docs/hoi.md")
    places, visible = np.asarray(stored["coords"], np.float64), np.asarray(stored["vis"], bool)
    if places.ndim != 3 or places.shape[-1] not in (2, 3) or visible.shape != places.shape[:2]:
        raise AnyliftError(
            f"{path} is not a track file of DELTA: 'coords' {places.shape} and 'vis' {visible.shape}",
            "expected (frames, points, 2 or 3) and (frames, points)",
        )
    return places, visible

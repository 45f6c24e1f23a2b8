"""Runs ViPE (nv-tlabs/vipe): `vipe infer --image-dir IMAGES --output FOLDER --pipeline no_vda`.

That pipeline solves the same cameras as the default one with less work on depth, which is not used here. ViPE finds
people itself and leaves them out of account.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.bridges.joining import CameraPiece
from anylift_cli.cameras.bridges.solving import piece_of, solve_by
from anylift_cli.cameras.imports.path import with_size
from anylift_cli.cameras.imports.vipe import read_vipe
from anylift_cli.foreign.pieces import STILLS
from anylift_cli.foreign.tools import VIPE
from anylift_cli.progress import Progress


class VipeCameras:
    """A backend of the group `anylift.cameras`."""

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """See `solve_by`."""
        return solve_by(VipeProgram(), video, keypoints, options, progress)


class VipeProgram:
    """See `Program`. ViPE has room for 1,024 keyframes, and keeps all images in memory."""

    tool = VIPE
    kept = CameraPiece
    max_size = 1280

    def __init__(self, most: int = 1000, overlap: int = 100) -> None:
        self.most, self.overlap = most, overlap

    @property
    def cwd(self) -> Path:
        return self.tool.folder

    @property
    def variables(self) -> dict[str, str]:
        return {}

    def commands(self, work: Path) -> list[list[str | Path]]:
        program = self.tool.python.with_name("vipe")
        return [
            [program, "infer", "--image-dir", work / STILLS, "--output", work / "out", "--pipeline", "no_vda"],
        ]

    def result(self, work: Path, rows: range, size: tuple[int, int], video: tuple[int, int]) -> CameraPiece:
        file = work / "out" / "pose" / f"{STILLS.name}.npz"
        piece = piece_of(read_vipe(file, size), rows, str(file))
        piece.K = with_size(file, piece.K, size, video)
        return piece

    def leftovers(self, work: Path) -> Iterable[Path]:
        return ()

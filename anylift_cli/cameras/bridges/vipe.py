"""Runs ViPE (nv-tlabs/vipe): `vipe infer --image-dir IMAGES --output FOLDER --pipeline no_vda`.

That pipeline solves the same cameras as the default one with less work on depth, which is not used here. ViPE finds
people itself and leaves them out of account.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from anylift_cli.cameras.bridges.joining import CameraPiece
from anylift_cli.cameras.bridges.solving import CameraProgram, piece_of
from anylift_cli.cameras.imports.path import with_size
from anylift_cli.cameras.imports.vipe import read_vipe
from anylift_cli.foreign.pieces import STILLS
from anylift_cli.foreign.tools import VIPE


class VipeCameras(CameraProgram):
    """See `Program`. ViPE has room for 1,024 keyframes, and keeps all images in memory."""

    tool = VIPE

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
        path = read_vipe(file, size)
        return piece_of(file, path, rows, with_size(file, path.K, size, video))

    def leftovers(self, work: Path) -> Iterable[Path]:
        return ()

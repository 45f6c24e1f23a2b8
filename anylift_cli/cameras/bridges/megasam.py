"""Runs MegaSaM (mega-sam/mega-sam): monocular depth twice, then camera tracking, as its own scripts do.

`mono_depth_scripts/run_mono-depth_demo.sh` and `tools/evaluate_demo.sh` have the same command lines. `cvd_opt`, which
comes after them there, is left out: it holds poses and intrinsics as they are and improves depth alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from anylift_cli.cameras.bridges.joining import CameraPiece
from anylift_cli.cameras.bridges.solving import CameraProgram, piece_of
from anylift_cli.cameras.imports.megasam import median_depths, read_megasam
from anylift_cli.cameras.imports.path import with_size
from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.pieces import STILLS
from anylift_cli.foreign.tools import MEGASAM


class MegasamCameras(CameraProgram):
    """See `Program`. MegaSaM writes the first 1,000 frames that it is given and says nothing of the others."""

    tool = MEGASAM

    @property
    def cwd(self) -> Path:
        return self.tool.folder / "repo"

    @property
    def variables(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.cwd / "UniDepth"), "MKL_THREADING_LAYER": "GNU"}

    def commands(self, work: Path) -> list[list[str | Path]]:
        images, scene = work / STILLS, _scene(work)
        return [
            [
                self.tool.python, "Depth-Anything/run_videos.py", "--encoder", "vitl",
                "--load-from", "Depth-Anything/checkpoints/depth_anything_vitl14.pth",
                "--img-path", images, "--outdir", work / "disparity" / scene,
            ],
            [
                self.tool.python, "UniDepth/scripts/demo_mega-sam.py", "--scene-name", scene,
                "--img-path", images, "--outdir", work / "depth",
            ],
            [
                self.tool.python, "camera_tracking_scripts/test_demo.py", f"--datapath={images}",
                "--weights=checkpoints/megasam_final.pth", "--scene_name", scene,
                "--mono_depth_path", work / "disparity", "--metric_depth_path", work / "depth", "--disable_vis",
            ],
        ]  # fmt: skip

    def result(self, work: Path, rows: range, size: tuple[int, int], video: tuple[int, int]) -> CameraPiece:
        file = self._output(work)
        path = read_megasam(file, size)
        if len(path.places) != len(rows):
            raise AnyliftError(f"{file} has {len(path.places)} poses for {len(rows)} images", "is the disk full?")
        return piece_of(file, path, rows, with_size(file, path.K, size, video), median_depths(file))

    def leftovers(self, work: Path) -> Iterable[Path]:
        return self._output(work), self.cwd / "reconstructions" / _scene(work)

    def _output(self, work: Path) -> Path:
        return self.cwd / "outputs" / f"{_scene(work)}_droid.npz"


def _scene(work: Path) -> str:
    """A name that no other clip or piece has: MegaSaM writes into its own folder."""
    return f"{work.parent.name}-{work.name}"

"""The cameras stage: pose and intrinsics of each frame."""

from __future__ import annotations

from pathlib import Path

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions, CameraSolver
from anylift_cli.cameras.imports.solver import ImportedCameras
from anylift_cli.cameras.verticals import with_vertical
from anylift_cli.errors import UsageError
from anylift_cli.plugins import is_file, load_backend
from anylift_cli.progress import SILENT, Progress

STAGE_VERSION = 3


def run_cameras(
    video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress = SILENT
) -> CamerasArtifact:
    """Solve the camera of every frame of `keypoints`, and the vertical from upright edges where the path tells none.

    `meta` holds motion, scale, focal_source, focal_uncertainty (relative standard deviation, None when the focal
    length is only assumed), up_source, reason and figures (what was measured, by name).

    Raises:
        UsageError: contradictory or impossible focal options, unknown backend.
        AnyliftError: the video cannot be read.
    """
    if options.focal is not None and options.fov is not None:
        raise UsageError("both a focal length and a field of view were given", "give one of the two")
    if options.focal is not None and not 0 < options.focal < float("inf"):
        raise UsageError(f"a focal length of {options.focal} px is impossible", "give a positive number of pixels")
    if options.fov is not None and not 1 < options.fov < 170:
        raise UsageError(f"a field of view of {options.fov}° is out of range", "give 1 to 170 degrees, horizontal")
    cameras = _solver(options.backend).solve(Path(video), keypoints, options, progress)
    return with_vertical(Path(video), keypoints, cameras)


def _solver(backend: str) -> CameraSolver:
    if is_file("anylift.cameras", backend):
        return ImportedCameras()
    return load_backend("anylift.cameras", backend)()

"""From a program that solves pieces of a clip to the cameras of its frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.bridges.joining import CameraPiece, joined
from anylift_cli.cameras.imports.path import CameraPath
from anylift_cli.cameras.imports.solver import cameras_on_path
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.foreign.pieces import Clip, Program, solved_pieces
from anylift_cli.progress import Progress


def solve_by(
    program: Program[CameraPiece], video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
) -> CamerasArtifact:
    """See `CameraSolver.solve`.

    Raises:
        UsageError: a focal length was given, which these programs find themselves.
        MissingDependencyError: the program is not set up here, or there is no GPU.
        AnyliftError: it failed; solved pieces are kept and not solved again.
    """
    tool = program.tool
    if options.focal is not None or options.fov is not None:
        raise UsageError(f"{tool.title} finds the focal length itself", "leave --focal and --fov out")
    frames = keypoints.frame_index
    with solved_pieces(program, Clip(video, frames, tuple(keypoints.image_size.tolist())), progress) as solved:
        whole = joined(solved.pieces)
        kind = f"{tool.title} ({solved.version})"
        path = CameraPath(kind, frames[whole.rows], False, whole.world_from_camera, K=whole.K)
        return cameras_on_path(path, tool.title, video, keypoints, options, progress)


def piece_of(path: CameraPath, rows: range, title: str, depth: np.ndarray | None = None) -> CameraPiece:
    """A path that was read, whose frame 0 is the first of `rows`.

    Raises:
        AnyliftError: it goes beyond the piece, or has too few poses.
    """
    if len(path.places) < 2 or path.places[-1] >= len(rows):
        raise AnyliftError(
            f"{title} has {len(path.places)} poses, the last of frame {path.places[-1]}, for {len(rows)} images"
        )
    return CameraPiece(rows=rows.start + path.places, world_from_camera=path.world_from_camera, K=path.K, depth=depth)

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
from anylift_cli.foreign.pieces import Clip, solved_pieces
from anylift_cli.foreign.tools import Tool
from anylift_cli.progress import Progress


class CameraProgram:
    """What the backends of `anylift.cameras` that run a program have in common; the rest of `Program` is each one's.

    Args:
        most: frames that the program is given at once.
        overlap: frames that neighbouring pieces share.
    """

    tool: Tool
    kept = CameraPiece
    max_size = 1280

    def __init__(self, most: int = 1000, overlap: int = 100) -> None:
        self.most, self.overlap = most, overlap

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """See `CameraSolver.solve`.

        Raises:
            UsageError: a focal length was given, which these programs find themselves.
            MissingDependencyError: the program is not set up here, or there is no GPU.
            AnyliftError: it failed; solved pieces are kept and not solved again.
        """
        title = self.tool.title
        if options.focal is not None or options.fov is not None:
            raise UsageError(f"{title} finds the focal length itself", "leave --focal and --fov out")
        frames = keypoints.frame_index
        with solved_pieces(self, Clip(video, frames, tuple(keypoints.image_size.tolist())), progress) as solved:
            whole = joined(solved.pieces)
            kind = f"{title} ({solved.version})"
            path = CameraPath(kind, frames[whole.rows], False, whole.world_from_camera, K=whole.K)
            return cameras_on_path(path, title, video, keypoints, options, progress)


def piece_of(file: Path, path: CameraPath, rows: range, K: np.ndarray, depth: np.ndarray | None = None) -> CameraPiece:
    """The path that was read of `file`, whose frame 0 is the first of `rows`.

    Args:
        K: (N, 3, 3) px of the displayed video.
        depth: see `CameraPiece`.

    Raises:
        AnyliftError: it goes beyond the piece, or has too few poses.
    """
    if len(path.places) < 2 or path.places[-1] >= len(rows):
        raise AnyliftError(
            f"{file} has {len(path.places)} poses, the last of frame {path.places[-1]}, for {len(rows)} images"
        )
    return CameraPiece(rows=rows.start + path.places, world_from_camera=path.world_from_camera, K=K, depth=depth)

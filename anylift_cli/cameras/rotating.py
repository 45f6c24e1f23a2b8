"""A camera that turns and zooms on the spot: tripods, and hand-held cameras that stay where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.intrinsics import FocalPrior, focal_prior
from anylift_cli.cameras.rotation_solver import RotationSolution, solve_rotations
from anylift_cli.cameras.tracking import Tracks, track_background
from anylift_cli.cameras.upright import up_direction
from anylift_cli.geometry.cameras import intrinsics_matrix
from anylift_cli.progress import Progress


class RotatingCamera:
    """Takes the user's word that the camera does not travel; solves rotation and focal length."""

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """See `CameraSolver.solve`."""
        prior = focal_prior(video, keypoints.image_size, options)
        tracks = track_background(video, keypoints, progress)
        solution = solve_rotations(tracks, prior.focal * tracks.scale, prior.known)
        return rotating_cameras(keypoints, prior, tracks, solution, "asked for a rotating camera", {})


def rotating_cameras(
    keypoints: KeypointsArtifact,
    prior: FocalPrior,
    tracks: Tracks,
    solution: RotationSolution,
    reason: str,
    figures: dict[str, float],
) -> CamerasArtifact:
    """The artifact of a solved rotation; the world is the first frame's camera."""
    frames = len(keypoints.frame_index)
    world_from_camera = np.tile(np.eye(4), (frames, 1, 1))
    world_from_camera[:, :3, :3] = solution.path.rotations
    up, up_source = up_direction(solution.path.rotations, "pan axis")
    solved = solution.focal_deviation is not None
    return CamerasArtifact(
        world_from_camera=world_from_camera,
        K=intrinsics_matrix(np.exp(solution.path.log_focal) / tracks.scale, *keypoints.image_size),
        confidence=solution.confidence,
        up=up,
        timestamps=keypoints.timestamps,
        image_size=keypoints.image_size,
        meta={
            "motion": "rotating",
            "scale": "metric",
            "focal_source": "solved" if solved else prior.source,
            "focal_uncertainty": solution.focal_deviation,
            "up_source": up_source,
            "reason": reason,
            "figures": {
                **figures,
                "rotation_residual_px": solution.median_residual,
                "rotation_explained": solution.explained,
                "zoom_range": float(np.exp(np.ptp(solution.path.log_focal))),
            },
        },
    )

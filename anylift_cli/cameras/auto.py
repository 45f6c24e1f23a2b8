"""Finds out which kind of camera filmed a shot: still, rotating (tripod) or moving."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.intrinsics import focal_prior
from anylift_cli.cameras.rotating import rotating_cameras
from anylift_cli.cameras.rotation_solver import RotationSolution, solve_rotations
from anylift_cli.cameras.still import still_cameras
from anylift_cli.cameras.tracking import Tracks, track_background
from anylift_cli.progress import Progress

STILL_PX = 0.9
STILL_SHARE = 0.5


class AutoCamera:
    """Prefers still over rotating over moving: a wrong camera motion makes people drift, a missed one hardly does."""

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """See `CameraSolver.solve`."""
        prior = focal_prior(video, keypoints.image_size, options)
        tracks = track_background(video, keypoints, progress)
        figures = background_motion(tracks)
        if not tracks.links:
            return still_cameras(keypoints, prior, "no background could be followed; assumed still", figures)
        if figures["flow_px"] < STILL_PX and figures["unmoved"] > STILL_SHARE:
            reason = f"the background stays within {figures['flow_px']:.1f} px over the whole shot"
            return still_cameras(keypoints, prior, reason, figures)
        solution = solve_rotations(tracks, prior.focal * tracks.scale, prior.known)
        return rotating_cameras(keypoints, prior, tracks, solution, _rotating_reason(solution), figures)


def background_motion(tracks: Tracks) -> dict[str, float]:
    """How far the background moves, in working pixels.

    Returns:
        flow_px: 95th percentile over the frames of the median displacement since the first frame; unmoved: share of
        points within `STILL_PX` of where they were in their key frame.
    """
    since_start = np.zeros((tracks.frame_count, 2))
    shares = [0.0]
    for link in tracks.links:
        moved = link.points[:, 1] - link.points[:, 0]
        since_start[link.second] = since_start[link.first] + np.median(moved, 0)
        shares.append(float((np.linalg.norm(moved, axis=1) < STILL_PX).mean()))
    return {
        "flow_px": float(np.percentile(np.linalg.norm(since_start, axis=1), 95)),
        "unmoved": float(np.median(shares)),
    }


def _rotating_reason(solution: RotationSolution) -> str:
    forward = solution.path.rotations[:, :, 2]
    span = np.degrees(np.arccos(np.clip((forward @ forward.T).min(), -1, 1)))
    return (
        f"turning by {span:.0f}°{' and zooming' if solution.zoomed else ''} explains {solution.explained:.0%} "
        f"of the background to {solution.median_residual:.1f} px"
    )

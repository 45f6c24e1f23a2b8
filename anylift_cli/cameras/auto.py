"""Finds out which kind of camera filmed a shot: still, rotating (tripod) or moving."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.intrinsics import focal_prior
from anylift_cli.cameras.moving import MovingSolution, moving_cameras, solve_movement
from anylift_cli.cameras.rotating import rotating_cameras
from anylift_cli.cameras.rotation_solver import RotationSolution, solve_rotations
from anylift_cli.cameras.still import still_cameras
from anylift_cli.cameras.tracking import Tracks, track_background
from anylift_cli.plugins import load_backend
from anylift_cli.progress import Progress

STILL_PX = 0.9
STILL_SHARE = 0.5
DRIFT_PX = 3.0
SURELY_UNMOVED = 0.8
SURELY_ROTATING = 0.9
SURELY_ROTATING_PX = 0.4
LEAST_PARALLAX = 1.5
DECISIVE = 0.65


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
        if _stands_still(figures):
            reason = f"the background stays within {figures['flow_px']:.1f} px over the whole shot"
            return still_cameras(keypoints, prior, reason, figures)
        rotation = solve_rotations(tracks, prior.focal * tracks.scale, prior.known)
        reason = _rotating_reason(rotation)
        if rotation.explained > SURELY_ROTATING and rotation.median_residual < SURELY_ROTATING_PX:
            return rotating_cameras(keypoints, prior, tracks, rotation, reason, figures)
        moving = solve_movement(video, keypoints, tracks, prior, rotation, progress)
        if moving is None:
            return rotating_cameras(keypoints, prior, tracks, rotation, f"{reason}; no path was found", figures)
        if not _explains_more(moving, rotation):
            reason = f"{reason}; a travelling camera does not explain it better"
            return rotating_cameras(keypoints, prior, tracks, rotation, reason, figures)
        reason = (
            f"{reason}, travelling {moving.resection.explained:.0%} to {moving.resection.median_residual:.1f} px "
            f"with a parallax of {moving.structure.angle:.0f}°"
        )
        if options.moving == CameraOptions.moving:
            return moving_cameras(keypoints, prior, tracks, moving, reason, figures)
        solved = load_backend("anylift.cameras", options.moving)().solve(video, keypoints, options, progress)
        solved.meta["reason"] = f"{reason}; {solved.meta.get('reason', options.moving)}"
        return solved


def _stands_still(figures: dict[str, float]) -> bool:
    """Little flow, or somewhat more where nearly every point stays put: that is tracking drift over a long shot."""
    flow, unmoved = figures["flow_px"], figures["unmoved"]
    return (flow < STILL_PX and unmoved > STILL_SHARE) or (flow < DRIFT_PX and unmoved > SURELY_UNMOVED)


def _explains_more(moving: MovingSolution, rotation: RotationSolution) -> bool:
    return (
        moving.structure.angle > LEAST_PARALLAX
        and moving.resection.median_residual < DECISIVE * rotation.median_residual
        and moving.resection.explained > rotation.explained
    )


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

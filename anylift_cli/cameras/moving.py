"""A camera that travels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.intrinsics import FocalPrior, focal_prior
from anylift_cli.cameras.resection import Resection, resect
from anylift_cli.cameras.rotating import rotating_cameras
from anylift_cli.cameras.rotation_solver import RotationSolution, solve_rotations
from anylift_cli.cameras.structure import Structure, reconstructions
from anylift_cli.cameras.tracking import Tracks, track_background
from anylift_cli.cameras.upright import up_direction
from anylift_cli.geometry.cameras import intrinsics_matrix, invert
from anylift_cli.progress import Progress

TYPICAL_DEPTH = 5.0
"""What the median distance of the background is set to: the unit is unknown, this makes it look like metres."""
SURELY_RIGHT = 0.9
"""Share of the background that a structure must explain for no other to be looked for."""


@dataclass(frozen=True)
class MovingSolution:
    """A structure and all frames placed in it."""

    structure: Structure
    resection: Resection


class MovingCamera:
    """Takes the user's word that the camera travels; turns to a rotating one where no path can be found."""

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """See `CameraSolver.solve`."""
        prior = focal_prior(video, keypoints.image_size, options)
        tracks = track_background(video, keypoints, progress)
        rotation = solve_rotations(tracks, prior.focal * tracks.scale, prior.known)
        solution = solve_movement(video, keypoints, tracks, prior, rotation, progress)
        if solution is None:
            reason = "asked for a moving camera, but no path could be reconstructed; solved as rotating"
            return rotating_cameras(keypoints, prior, tracks, rotation, reason, {})
        return moving_cameras(keypoints, prior, tracks, solution, "asked for a moving camera", {})


def solve_movement(
    video: Path,
    keypoints: KeypointsArtifact,
    tracks: Tracks,
    prior: FocalPrior,
    rotation: RotationSolution,
    progress: Progress,
) -> MovingSolution | None:
    """Structure from motion on key frames, all frames resected; None when there is no structure."""
    structures = reconstructions(video, keypoints, tracks, prior.focal * tracks.scale, prior.known, progress)
    return best_solution(structures, tracks, rotation)


def best_solution(structures: Iterable[Structure], tracks: Tracks, rotation: RotationSolution) -> MovingSolution | None:
    """The structure that explains most of the background; the first one that surely is right ends the search."""
    best = None
    for structure in structures:
        resection = resect(tracks, structure.world_from_camera, structure.focal, rotation.path.rotations)
        if best is None or resection.explained > best.resection.explained:
            best = MovingSolution(structure, resection)
        if resection.explained > SURELY_RIGHT:
            break
    return best


def moving_cameras(
    keypoints: KeypointsArtifact,
    prior: FocalPrior,
    tracks: Tracks,
    solution: MovingSolution,
    reason: str,
    figures: dict[str, float],
) -> CamerasArtifact:
    """The artifact of a solved path; the world is the first frame's camera, its unit arbitrary."""
    structure, resection = solution.structure, solution.resection
    world_from_camera = invert(resection.world_from_camera[0]) @ resection.world_from_camera
    world_from_camera[:, :3, 3] *= TYPICAL_DEPTH / resection.median_depth
    up, up_source = up_direction(world_from_camera[:, :3, :3], "camera x axes")
    K = intrinsics_matrix(structure.focal / tracks.scale, *keypoints.image_size)
    return CamerasArtifact(
        world_from_camera=world_from_camera,
        K=np.tile(K, (tracks.frame_count, 1, 1)),
        confidence=resection.confidence,
        up=up,
        timestamps=keypoints.timestamps,
        image_size=keypoints.image_size,
        meta={
            "motion": "moving",
            "scale": "arbitrary",
            "focal_source": prior.source if structure.focal_deviation is None else "solved",
            "focal_uncertainty": structure.focal_deviation,
            "up_source": up_source,
            "reason": reason,
            "figures": {
                **figures,
                "images": len(structure.world_from_camera),
                "models": structure.models,
                "points": structure.points,
                "angle_deg": structure.angle,
                "moving_residual_px": resection.median_residual,
                "moving_explained": resection.explained,
            },
        },
    )

"""A camera that does not move at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.intrinsics import FocalPrior, focal_prior
from anylift_cli.geometry.cameras import intrinsics_matrix
from anylift_cli.progress import Progress


class StillCamera:
    """Takes the user's word that the camera stands still; looks at no frame."""

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """See `CameraSolver.solve`."""
        return still_cameras(keypoints, focal_prior(video, keypoints.image_size, options), "asked for a still camera")


def still_cameras(
    keypoints: KeypointsArtifact, prior: FocalPrior, reason: str, figures: dict[str, float] | None = None
) -> CamerasArtifact:
    """World = camera in every frame, so nothing can drift."""
    frames = len(keypoints.frame_index)
    K = intrinsics_matrix(prior.focal, *keypoints.image_size)
    return CamerasArtifact(
        world_from_camera=np.tile(np.eye(4), (frames, 1, 1)),
        K=np.tile(K, (frames, 1, 1)),
        confidence=np.ones(frames),
        up=np.array([0.0, -1.0, 0.0]),
        timestamps=keypoints.timestamps,
        image_size=keypoints.image_size,
        meta={
            "motion": "still",
            "scale": "metric",
            "focal_source": prior.source,
            "focal_uncertainty": None,
            "up_source": "assumed",
            "reason": reason,
            "figures": figures or {},
        },
    )

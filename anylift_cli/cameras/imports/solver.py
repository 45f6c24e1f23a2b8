"""A path that another tool solved, as the cameras of the frames that are lifted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.imports.path import CameraPath
from anylift_cli.cameras.imports.read import read_path
from anylift_cli.cameras.intrinsics import focal_prior
from anylift_cli.cameras.upright import up_direction
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import intrinsics_matrix, invert
from anylift_cli.progress import Progress
from anylift_cli.video import probe

LEAST_COVERED = 0.5
"""Share of the frames that the path must cover."""
NEAR = 0.5
"""Frames or, as a share of the frame interval, seconds within which a pose is that frame's own."""
LONGEST_GAP = 1.0
"""Seconds between two poses that can be bridged with some confidence."""
STILL_ANGLE, STILL_SHIFT = np.radians(0.02), 1e-6
"""Radians and units of the path that a camera at rest may move by."""


class ImportedCameras:
    """Reads the path named by `options.backend`; looks at no frame."""

    def solve(
        self, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
    ) -> CamerasArtifact:
        """See `CameraSolver.solve`."""
        file = Path(options.backend)
        path = read_path(file, probe(video))
        named = replace(path, kind=f"{path.kind} ({file.name})")
        return cameras_on_path(named, str(file), video, keypoints, options, progress)


def cameras_on_path(
    path: CameraPath, source: str, video: Path, keypoints: KeypointsArtifact, options: CameraOptions, progress: Progress
) -> CamerasArtifact:
    """The cameras of the frames of `keypoints` on a solved path.

    Args:
        source: where the path comes from, for messages.

    Raises:
        UsageError: a focal length is missing, or given where the path has one.
        AnyliftError: the path covers too little of the clip.
    """
    K, focal_source = _intrinsics(source, path, video, keypoints, options)
    at = keypoints.timestamps if path.in_seconds else keypoints.frame_index.astype(float)
    confidence = _confidence(source, path, at, keypoints)
    poses = _interpolated(path.places, path.world_from_camera, at)
    first = invert(poses[0])
    up, up_source = up_direction((first @ poses)[:, :3, :3], "camera x axes")
    if path.up is not None:
        up, up_source = first[:3, :3] @ path.up, path.up_source
    if (uncovered := float((confidence == 0).mean())) > 0:
        progress.note(f"cameras: {source} has no pose for {uncovered:.0%} of the frames; the nearest is held there")
    motion = path.motion or _motion(path)
    metric = path.metric or motion != "moving"
    return CamerasArtifact(
        world_from_camera=first @ poses,
        K=K if path.K is None else _numbers(path.places, K, at),
        confidence=confidence,
        up=up,
        timestamps=keypoints.timestamps,
        image_size=keypoints.image_size,
        meta={
            "motion": motion,
            "scale": "metric" if metric else "arbitrary",
            "focal_source": focal_source,
            "focal_uncertainty": None,
            "up_source": up_source,
            "reason": path.kind,
            "figures": {"poses": len(path.places), "covered": 1 - uncovered},
        },
    )


def _intrinsics(
    source: str, path: CameraPath, video: Path, keypoints: KeypointsArtifact, options: CameraOptions
) -> tuple[np.ndarray, str]:
    """Of each pose of the path where it has them, else of each frame; and where they come from."""
    if path.K is not None:
        if options.focal is not None or options.fov is not None:
            raise UsageError(f"{source} has its own focal length", "leave --focal and --fov out")
        return path.K, "solved"
    prior = focal_prior(video, keypoints.image_size, options)
    if not prior.known:
        raise UsageError(f"{source} does not hold the focal length", "give --focal PX or --fov DEG")
    return np.tile(
        intrinsics_matrix(prior.focal, *keypoints.image_size), (len(keypoints.timestamps), 1, 1)
    ), prior.source


def _confidence(source: str, path: CameraPath, at: np.ndarray, keypoints: KeypointsArtifact) -> np.ndarray:
    """1 at a pose's own frame, less between poses, 0 before the first, after the last and in long gaps."""
    interval = float(np.median(np.diff(keypoints.timestamps)))
    unit = interval if path.in_seconds else 1.0
    after = np.searchsorted(path.places, at).clip(1, len(path.places) - 1)
    before = after - 1
    nearest = np.minimum(np.abs(at - path.places[before]), np.abs(at - path.places[after]))
    gap = (path.places[after] - path.places[before]) * interval / unit
    inside = (at >= path.places[0]) & (at <= path.places[-1]) & (gap <= LONGEST_GAP)
    confidence = np.where(nearest <= NEAR * unit, 1.0, np.where(inside, 1 - gap / (2 * LONGEST_GAP), 0.0))
    if (confidence > 0).mean() < LEAST_COVERED:
        raise AnyliftError(
            f"{source} has a pose for only {(confidence > 0).mean():.0%} of the frames with people",
            "give the path of this video; frames are counted from 0 over the whole file",
        )
    return confidence


def _interpolated(places: np.ndarray, poses: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Poses (T, 4, 4) at `at` (T,); before the first and after the last one the nearest."""
    inside = at.clip(places[0], places[-1])
    found = np.tile(np.eye(4), (len(at), 1, 1))
    found[:, :3, :3] = Slerp(places, Rotation.from_matrix(poses[:, :3, :3]))(inside).as_matrix()
    found[:, :3, 3] = _numbers(places, poses[:, :3, 3], inside)
    return found


def _numbers(places: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    flat = values.reshape(len(values), -1)
    return np.stack([np.interp(at, places, column) for column in flat.T], 1).reshape(len(at), *values.shape[1:])


def _motion(path: CameraPath) -> str:
    shift = np.linalg.norm(path.world_from_camera[:, :3, 3] - path.world_from_camera[0, :3, 3], axis=1).max()
    if shift > STILL_SHIFT:
        return "moving"
    turns = Rotation.from_matrix(path.world_from_camera[:, :3, :3])
    zooms = path.K is not None and np.ptp(path.K[:, 0, 0]) > 1e-3 * path.K[0, 0, 0]
    return "rotating" if zooms or (turns[0].inv() * turns).magnitude().max() > STILL_ANGLE else "still"

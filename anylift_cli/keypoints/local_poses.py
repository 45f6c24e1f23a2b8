"""Another tool's 3D people as the local points of ours: matched frame by frame where both agree in the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP
from anylift_cli.body.tracks.read import CameraPeople, read_camera_people
from anylift_cli.body.tracks.track import PointTrack
from anylift_cli.errors import UsageError
from anylift_cli.geometry.rotations import turn_to_ray
from anylift_cli.video import VideoInfo

AGREEMENT = 0.15
"""Mean distance of the projected points from ours, in sizes of the person's box, beyond which it is somebody else."""
LEAST_POINTS = 4
FOCAL_RANGE = 0.5, 2.5
"""Of focal lengths that a file does not say, in diagonals of the picture."""


def read_local_poses(path: Path, info: VideoInfo) -> CameraPeople:
    """A tool's people, before any work is done with the video that they were seen in.

    Raises:
        UsageError: the result belongs to another video: it has more frames.
        AnyliftError: see `read_camera_people`.
    """
    found = read_camera_people(path)
    last = max(int(track.frames.max()) for track in found.people)
    if last >= info.frame_count or min(int(track.frames.min()) for track in found.people) < 0:
        raise UsageError(
            f"{path} has frame {last}, {info.path} only {info.frame_count} frames", "give the result of this video"
        )
    return found


def with_local_poses(keypoints: KeypointsArtifact, found: CameraPeople) -> KeypointsArtifact:
    """`keypoints` with `local_joints` of a tool's people; frames that they lack become unobserved.

    `meta["local_poses"]` holds `kind`, `file`, `body` and, per person, `frames` (share of the frames in which the
    person is there) and `distance` (median, in sizes of the box).

    Raises:
        UsageError: the result belongs to another video: nobody is where we see people.
    """
    focal, centre = _intrinsics(found, keypoints)
    seen = [_in_our_frames(track, keypoints.frame_index) for track in found.people]
    people = range(len(keypoints.present))
    fits = [[_compare(keypoints, person, points, focal, centre) for points in seen] for person in people]
    distance = np.array([[fit[0] for fit in row] for row in fits])
    local = np.full((*keypoints.keypoints.shape[:3], 3), np.nan, np.float32)
    best = np.full(keypoints.present.shape, np.nan)
    for t in range(local.shape[1]):
        cost = np.minimum(distance[:, :, t], AGREEMENT)
        for person, other in zip(*linear_sum_assignment(cost), strict=True):
            if cost[person, other] < AGREEMENT:
                best[person, t] = cost[person, other]
                local[person, t] = _own_axes(
                    seen[other][t], keypoints.boxes[person, t], fits[person][other][1][t], centre[t]
                )
    if not np.isfinite(best).any():
        raise UsageError(
            f"{found.file} ({found.kind}): nobody in it is where people are seen in the video",
            "give the result of this video; it must have been made from the video as it is displayed",
        )
    shares = [
        {
            "frames": round(float(np.isfinite(own).sum() / max(present.sum(), 1)), 3),
            "distance": round(float(np.nanmedian(own)), 4) if np.isfinite(own).any() else None,
        }
        for own, present in zip(best, keypoints.present, strict=True)
    ]
    about = {"kind": found.kind, "file": found.file, "body": found.body, "people": shares}
    return replace(keypoints, local_joints=local, meta={**keypoints.meta, "local_poses": about})


def _intrinsics(found: CameraPeople, keypoints: KeypointsArtifact) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest focal length (T, 2) and principal point (T, 2) of our frames, px."""
    frames = keypoints.frame_index
    if found.K is None:
        diagonal = float(np.hypot(*keypoints.image_size))
        focal = np.tile(np.array(FOCAL_RANGE) * diagonal, (len(frames), 1))
        return focal, np.tile(keypoints.image_size / 2, (len(frames), 1))
    K = found.K[np.minimum(frames, len(found.K) - 1)]
    return K[:, [0, 0], [0, 0]], K[:, :2, 2]


def _in_our_frames(track: PointTrack, frame_index: np.ndarray) -> np.ndarray:
    """Points (T, 24, 3) of the track in our frames, NaN where it has none."""
    points = np.full((len(frame_index), *track.points.shape[1:]), np.nan)
    _, ours, theirs = np.intersect1d(frame_index, track.frames, return_indices=True)
    points[ours] = track.points[theirs]
    return points


def _compare(
    keypoints: KeypointsArtifact, person: int, points: np.ndarray, focal: np.ndarray, centre: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance (T,) in sizes of the box between our points and the projected (T, 24, 3), inf where nothing can be said,
    and the focal length (T,) px within its range that brings them nearest."""
    confidence = keypoints.confidence[person].astype(np.float64)
    pixels = keypoints.keypoints[person] - centre[:, None]
    known = (confidence > 0) & np.isfinite(pixels).all(-1) & (np.nan_to_num(points[..., 2]) > 0.1)
    weight = np.where(known, confidence, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rays = np.where(known[..., None], points[..., :2] / points[..., 2:], 0.0)
    pixels = np.where(known[..., None], pixels, 0.0)
    along, across = (weight[..., None] * rays * pixels).sum((1, 2)), (weight[..., None] * rays**2).sum((1, 2))
    fitted = np.clip(along / np.maximum(across, 1e-12), focal[:, 0], focal[:, 1])
    miss = np.linalg.norm(fitted[:, None, None] * rays - pixels, axis=-1)
    box = keypoints.boxes[person].astype(np.float64)
    size = np.maximum(box[:, 2:] - box[:, :2], 1.0).max(1)
    distance = (weight * miss).sum(1) / np.maximum(weight.sum(1), 1e-9) / size
    enough = keypoints.present[person] & (known.sum(1) >= LEAST_POINTS) & np.isfinite(distance)
    return np.where(enough, distance, np.inf), fitted


def _own_axes(points: np.ndarray, box: np.ndarray, focal: float, centre: np.ndarray) -> np.ndarray:
    """Root-centred points (24, 3) in the axes of a camera that looks at the middle of the box."""
    ray = ((box[:2] + box[2:]) / 2 - centre) / focal
    root = points[[LEFT_HIP, RIGHT_HIP]].mean(0)
    return (points - root) @ turn_to_ray(torch.as_tensor(ray, dtype=torch.float64)).numpy()

"""Reads the dense point tracks of DELTA (snap-research/DELTA_densetrack3d), which runs in an environment of its own.

`demo.py` writes `dense_2d_track.pkl`, {"coords": (T, N, 2) px of the video, "vis": (T, N) bool}, and
`dense_3d_track.pkl`, {"coords": (T, N, 3) in the camera of each time, "vis", "colors"}, whose points are taken back to
pixels by the intrinsics that DELTA assumes where none are given: a focal length of the width of the image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.foreign.unpickle import load_pickle
from anylift_cli.geometry.cameras import project_camera, transform
from anylift_cli.meshes.surface import cast, spread
from anylift_cli.objects.base import ObjectOptions, ObjectTrack, Prompts, Target
from anylift_cli.objects.track_poses import poses_of_tracks
from anylift_cli.progress import Progress

_LEAST_TRACKS = 8


class DeltaTracks:
    """Takes the tracks that start on an object as its points."""

    name = "DELTA tracks"

    def track(
        self,
        video: Path,
        targets: list[Target],
        keypoints: KeypointsArtifact,
        cameras: CamerasArtifact,
        prompts: Prompts,
        options: ObjectOptions,
        progress: Progress,
    ) -> list[ObjectTrack]:
        """See `ObjectTracker.track`.

        Raises:
            UsageError: no file of tracks, or no track on an object where it is known to be.
            AnyliftError: not a file of DELTA, or of another video.
        """
        if prompts.tracks is None:
            raise UsageError(
                "the backend 'delta' needs the tracks that DELTA wrote", "give dense_2d_track.pkl with --object-tracks"
            )
        pixels, visible = read_tracks(prompts.tracks, keypoints.image_size, keypoints.frame_index)
        tracks = []
        with progress.task("objects: poses of tracks", total=len(targets), unit="objects") as task:
            for target in targets:
                tracks.append(_on(target, pixels, visible, cameras.K, options.points, prompts.tracks))
                task.advance()
        return tracks


def read_tracks(path: Path, image_size: np.ndarray, frame_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (T, N, 2) and visibility (T, N) of the clip's frames.

    Args:
        image_size: px width, height of the video.
        frame_index: (T,) frames of the video.

    Raises:
        AnyliftError: missing, damaged, not a file of DELTA, or too short for the clip.
    """
    stored = load_pickle(path)
    if not isinstance(stored, dict) or not {"coords", "vis"} <= set(stored):
        raise AnyliftError(f"{path} is not a track file of DELTA: 'coords' or 'vis' is missing", "see docs/hoi.md")
    places, visible = np.asarray(stored["coords"], np.float64), np.asarray(stored["vis"], bool)
    if places.ndim != 3 or places.shape[-1] not in (2, 3) or visible.shape != places.shape[:2]:
        raise AnyliftError(
            f"{path} is not a track file of DELTA: 'coords' {places.shape} and 'vis' {visible.shape}",
            "expected (frames, points, 2 or 3) and (frames, points)",
        )
    rows = np.arange(len(frame_index)) if len(places) == len(frame_index) else frame_index
    if rows[-1] >= len(places):
        raise AnyliftError(
            f"{path} covers {len(places)} frames, the clip goes to frame {frame_index[-1]}", "track the whole video"
        )
    places, visible = places[rows], visible[rows]
    if places.shape[-1] == 3:
        width, height = image_size.tolist()
        ahead = places[..., 2] > 1e-6
        pixels = places[..., :2] / np.where(ahead, places[..., 2], 1.0)[..., None] * width + (width // 2, height // 2)
        return pixels, visible & ahead
    return places, visible


def _on(target: Target, pixels: np.ndarray, visible: np.ndarray, K: np.ndarray, wanted: int, path: Path) -> ObjectTrack:
    """The well-spread tracks that lie on an object in the first frame in which its place is known."""
    anchor = target.anchors[0]
    seen = np.flatnonzero(visible[anchor.row] & np.isfinite(pixels[anchor.row]).all(-1))
    near = seen[_around(target, anchor.camera_from_object, K[anchor.row], pixels[anchor.row, seen])]
    points, _ = cast(
        target.mesh.vertices, target.mesh.faces, anchor.camera_from_object, K[anchor.row], pixels[anchor.row, near]
    )
    hit = np.isfinite(points).all(1)
    if hit.sum() < _LEAST_TRACKS:
        raise UsageError(
            f"{path}: {int(hit.sum())} tracks are on '{target.name}' in frame {anchor.row} of the clip",
            "place the object in the frame in which the tracks start, or track more points",
        )
    near, points = near[hit], points[hit]
    chosen = spread(points, wanted)
    near, points = near[chosen], points[chosen]
    seen_points = np.where(visible[:, near, None], pixels[:, near], np.nan)
    return poses_of_tracks(points, seen_points, K, target.anchors)


def _around(target: Target, pose: np.ndarray, K: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Which pixels (N,) are in the box around the object's image: all that `cast` need look at."""
    outline = project_camera(transform(pose, target.mesh.vertices), K)
    return ((pixels >= outline.min(0)) & (pixels <= outline.max(0))).all(1)

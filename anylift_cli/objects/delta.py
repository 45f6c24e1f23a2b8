"""Follows objects by the dense point tracks of DELTA (snap-research/DELTA_densetrack3d), its files or its program.

`demo.py` writes `dense_2d_track.pkl`, {"coords": (T, N, 2) px of the video, "vis": (T, N) bool}, and
`dense_3d_track.pkl`, {"coords": (T, N, 3) in the camera of each time, "vis", "colors"}, whose points are taken back to
pixels by the intrinsics that DELTA assumes where none are given: a focal length of the width of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.foreign.pieces import Clip, Solved, solved_pieces
from anylift_cli.geometry.cameras import project_camera, transform
from anylift_cli.meshes.surface import cast, spread
from anylift_cli.objects.base import Anchor, Footage, ObjectOptions, ObjectTrack, Target
from anylift_cli.objects.delta_program import HALF, DeltaProgram, TrackPiece, tracks_in
from anylift_cli.objects.track_poses import poses_of_tracks
from anylift_cli.progress import Progress

_LEAST_TRACKS = 8


class DeltaTracks:
    """Takes the tracks that start on an object as its points: those of a file where one is given, else DELTA is run."""

    def __init__(self, options: ObjectOptions) -> None:
        self._wanted = options.points
        self.name = "DELTA tracks"
        self.reads_tracks = True

    def track(self, footage: Footage, targets: Sequence[Target], progress: Progress) -> list[ObjectTrack]:
        """See `ObjectTracker.track`.

        Raises:
            UsageError: no track on an object where it is known to be.
            MissingDependencyError: no file of tracks, and DELTA is not set up here.
            AnyliftError: not a file of DELTA, or of another video; DELTA failed.
        """
        keypoints = footage.keypoints
        if footage.tracks is None:
            clip = Clip(footage.video, keypoints.frame_index, tuple(keypoints.image_size.tolist()))
            source = solved_pieces(DeltaProgram(), clip, progress)
        else:
            pixels, visible = read_tracks(footage.tracks, keypoints.image_size, keypoints.frame_index)
            whole = TrackPiece(rows=np.arange(len(pixels)), pixels=pixels, visible=visible)
            source = nullcontext(Solved("", [whole]))
        tracks = []
        with source as solved, progress.task("objects: poses of tracks", total=len(targets), unit="objects") as task:
            for target in targets:
                tracks.append(follow(target, solved.pieces, footage.cameras.K, self._wanted))
                task.advance()
        return tracks


def follow(target: Target, pieces: Sequence[TrackPiece], K: np.ndarray, wanted: int) -> ObjectTrack:
    """The object's points, followed from the piece in which its place is first known to both ends of the clip.

    Args:
        pieces: in order, each with its first row the last one of the piece before.
        K: (T, 3, 3) px.
        wanted: at most so many points a piece.

    Raises:
        UsageError: no track on the object where it is known to be.
    """
    first = next(i for i, piece in enumerate(pieces) if target.anchors[0].row <= piece.rows[-1])
    found: dict[int, ObjectTrack] = {}
    for way in (range(first, len(pieces)), range(first - 1, -1, -1)):
        for index in way:
            rows = pieces[index].rows
            anchors = [anchor for anchor in target.anchors if rows[0] <= anchor.row <= rows[-1]]
            neighbour = found.get(index - 1 if index > first else index + 1)
            shared = rows[0] if index > first else rows[-1]
            if neighbour is not None and neighbour.confidence[shared] > 0:
                anchors.append(Anchor(int(shared), neighbour.camera_from_object[shared]))
            if not anchors:
                continue
            try:
                found[index] = _on(target, sorted(anchors, key=lambda anchor: anchor.row), pieces[index], K, wanted)
            except UsageError:
                if index == first:
                    raise
    return _together([found[index] for index in sorted(found)])


def _together(parts: list[ObjectTrack]) -> ObjectTrack:
    """Tracks of neighbouring pieces as one: in rows of two pieces, the pose that more points agree on."""
    best = np.argmax([part.confidence for part in parts], axis=0)
    rows = np.arange(len(best))
    return ObjectTrack(
        points3d=np.concatenate([part.points3d for part in parts]),
        points2d=np.concatenate([part.points2d for part in parts], axis=1),
        camera_from_object=np.stack([part.camera_from_object for part in parts])[best, rows],
        confidence=np.stack([part.confidence for part in parts])[best, rows],
    )


def read_tracks(path: Path, image_size: np.ndarray, frame_index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (T, N, 2) and visibility (T, N) of the clip's frames.

    Args:
        image_size: px width, height of the video.
        frame_index: (T,) frames of the video.

    Raises:
        AnyliftError: missing, damaged, not a file of DELTA, or too short for the clip.
    """
    places, visible = tracks_in(path)
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
        return pixels + HALF, visible & ahead
    return places + HALF, visible


def _on(target: Target, anchors: Sequence[Anchor], piece: TrackPiece, K: np.ndarray, wanted: int) -> ObjectTrack:
    """The well-spread tracks of a piece that lie on an object in the first row in which its place is known."""
    anchor, start = anchors[0], int(piece.rows[0])
    pixels, visible = piece.pixels, piece.visible
    row = anchor.row - start
    seen = np.flatnonzero(visible[row] & np.isfinite(pixels[row]).all(-1))
    near = seen[_around(target, anchor.camera_from_object, K[anchor.row], pixels[row, seen])]
    at = pixels[row, near].astype(np.float64)
    points, _ = cast(target.mesh.vertices, target.mesh.faces, anchor.camera_from_object, K[anchor.row], at)
    hit = np.isfinite(points).all(1)
    if hit.sum() < _LEAST_TRACKS:
        raise UsageError(
            f"DELTA: {int(hit.sum())} tracks are on '{target.name}' in frame {anchor.row} of the clip",
            "place the object in the frame in which the tracks start, or track more points",
        )
    near, points = near[hit], points[hit]
    chosen = spread(points, wanted)
    near, points = near[chosen], points[chosen]
    seen_points = np.full((len(K), len(points), 2), np.nan)
    seen_points[piece.rows] = np.where(visible[:, near, None], pixels[:, near], np.nan)
    return poses_of_tracks(points, seen_points, K, anchors)


def _around(target: Target, pose: np.ndarray, K: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Which pixels (N,) are in the box around the object's image: all that `cast` need look at."""
    outline = project_camera(transform(pose, target.mesh.vertices), K)
    return ((pixels >= outline.min(0)) & (pixels <= outline.max(0))).all(1)

"""The objects stage: meshes and a few clicks in, points and poses of each object in every frame out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, ObjectsArtifact
from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError
from anylift_cli.meshes.reading import Mesh, read_object
from anylift_cli.meshes.symmetry import symmetries
from anylift_cli.objects.base import (
    Anchor,
    Footage,
    ObjectFiles,
    ObjectOptions,
    ObjectTrack,
    ObjectTracker,
    Prompts,
    Target,
)
from anylift_cli.objects.mask_pose import anchor_from_mask
from anylift_cli.objects.prompts import anchors_from, read_points
from anylift_cli.plugins import load_backend
from anylift_cli.progress import SILENT, Progress

STAGE_VERSION = 3

_HINT = "click points of it with --points, or give a mask of the first frame with --mask; see docs/hoi.md"
_READERS = "give --object-tracker delta for files of tracks, or no --object-tracks"


def run_objects(
    video: Path,
    keypoints: KeypointsArtifact,
    cameras: CamerasArtifact,
    prompts: Prompts,
    options: ObjectOptions,
    progress: Progress = SILENT,
) -> ObjectsArtifact:
    """Place each object in the frames in which a user saw it, and follow it from there.

    `meta` is as `ObjectsArtifact` says.

    Raises:
        UsageError: an object that nobody placed, names that do not match, an impossible size, tracks for a tracker
            that reads none.
        NothingFoundError: an object that could not be followed at all.
        AnyliftError: a file that cannot be read; keypoints and cameras of different frames.
    """
    if len(keypoints.timestamps) != len(cameras.timestamps):
        raise AnyliftError(
            f"the keypoints cover {len(keypoints.timestamps)} frames, the cameras {len(cameras.timestamps)}",
            "run `anylift cameras` on these keypoints",
        )
    targets = read_targets(prompts, cameras.K, keypoints.frame_index)
    tracker: ObjectTracker = load_backend("anylift.objects", options.backend)(options)
    if prompts.tracks is not None and not tracker.reads_tracks:
        raise UsageError(f"{tracker.name} follows objects itself and does not read {prompts.tracks}", _READERS)
    tracks = tracker.track(Footage(video, keypoints, cameras, prompts.tracks), targets, progress)
    for target, track in zip(targets, tracks, strict=True):
        if not (track.confidence > 0).any():
            raise NothingFoundError(f"'{target.name}' cannot be followed in {video}", _HINT)
    return _artifact(targets, tracks, keypoints, tracker.name)


def read_targets(prompts: Prompts, K: np.ndarray, frame_index: np.ndarray) -> list[Target]:
    """The objects of `prompts`, each with the frames in which it is known where it is.

    Args:
        K: (T, 3, 3) px.
        frame_index: (T,) frames of the video.

    Raises:
        UsageError: see `run_objects`.
        AnyliftError: a file that cannot be read.
    """
    names = object_names(prompts)
    entries = {} if prompts.points is None else read_points(prompts.points)
    if unknown := sorted(set(entries) - set(names)):
        raise UsageError(
            f"{prompts.points} is about '{unknown[0]}', which is none of the objects",
            f"they are called after their files: {', '.join(names)}",
        )
    targets = []
    for name, files in zip(names, prompts.objects, strict=True):
        mesh = read_object(files.mesh, files.size)
        anchors = _anchors(prompts.points, name, entries.get(name, []), files, mesh, K, frame_index)
        if not anchors:
            raise UsageError(f"nobody said where '{name}' is in the first frame", _HINT)
        targets.append(Target(name, mesh, tuple(anchors)))
    return targets


def object_names(prompts: Prompts) -> list[str]:
    """Each object's name: its mesh file's, without suffix; a second one of the same file is NAME-2."""
    names: list[str] = []
    for one in prompts.objects:
        name, number = one.mesh.stem, 1
        while name in names:
            number += 1
            name = f"{one.mesh.stem}-{number}"
        names.append(name)
    return names


def _anchors(
    points: Path | None,
    name: str,
    entries: list[dict],
    files: ObjectFiles,
    mesh: Mesh,
    K: np.ndarray,
    frame_index: np.ndarray,
) -> list[Anchor]:
    anchors = [] if points is None else anchors_from(points, name, entries, mesh, K, frame_index)
    if files.mask is not None and all(anchor.row != 0 for anchor in anchors):
        anchors.append(anchor_from_mask(files.mask, mesh.vertices, mesh.faces, K[0]))
    return sorted(anchors, key=lambda anchor: anchor.row)


def _artifact(
    targets: list[Target], tracks: list[ObjectTrack], keypoints: KeypointsArtifact, tracker: str
) -> ObjectsArtifact:
    meshes = [target.mesh for target in targets]
    turns = [symmetries(mesh.vertices, mesh.faces) for mesh in meshes]
    most = max(len(track.points3d) for track in tracks)
    points2d = np.stack([_padded(track.points2d, most, 1) for track in tracks])
    return ObjectsArtifact(
        names=np.array([target.name for target in targets]),
        size_known=[mesh.size_known for mesh in meshes],
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate([mesh.faces for mesh in meshes]),
        vertex_count=[len(mesh.vertices) for mesh in meshes],
        face_count=[len(mesh.faces) for mesh in meshes],
        symmetries=np.concatenate(turns),
        symmetry_count=[len(turn) for turn in turns],
        points3d=np.stack([_padded(track.points3d, most, 0) for track in tracks]),
        points2d=points2d,
        visible=np.isfinite(points2d).all(-1),
        camera_from_object=np.stack([track.camera_from_object for track in tracks]),
        confidence=np.stack([track.confidence for track in tracks]),
        timestamps=keypoints.timestamps,
        frame_index=keypoints.frame_index,
        image_size=keypoints.image_size,
        meta={
            "tracker": tracker,
            "units": {target.name: target.mesh.unit for target in targets},
            "found": {
                target.name: int((track.confidence > 0).sum()) for target, track in zip(targets, tracks, strict=True)
            },
        },
    )


def _padded(values: np.ndarray, count: int, axis: int) -> np.ndarray:
    widths = [(0, 0)] * values.ndim
    widths[axis] = (0, count - values.shape[axis])
    return np.pad(values, widths, constant_values=np.nan)

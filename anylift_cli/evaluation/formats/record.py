"""What every reader gives: people over time in one convention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anylift_cli.body.tracks.track import PointTrack

DEFAULT_FPS = 30.0
"""Frames per second of files that do not say; what GVHMR, WHAM, TRAM, GLAMR and ROMP assume or write."""

Z_UP_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
Z_UP_FROM_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""From OpenCV's camera axes (x right, y down, z forward), as if the camera were upright."""


@dataclass(frozen=True)
class PersonRecord:
    """One person in the frames in which the file has them.

    Attributes:
        id: the file's own name for the person.
        times: (T,) seconds, increasing.
        frames: (T,) frame of the video.
        joints: (T, 24, 3) SMPL joints in metres, world with z up; NaN where the file does not say.
        points: (T, 24, 3) the same person as `body24` points; NaN where not known.
    """

    id: str
    times: np.ndarray
    frames: np.ndarray
    joints: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class MotionRecord:
    """What a motion file holds.

    Attributes:
        name: the file's name, without its folder.
        kind: which tool or format wrote it.
        people: at least one.
        world: whether the file has a world; otherwise its camera is taken to stand still and upright.
        body: which body turned the file's parameters into points.
        frame_rate: frames per second, as the file says or as assumed.
        world_from_camera: (F, 4, 4) camera of each frame of the video in the same world, where the file has it.
        K: (F, 3, 3) intrinsics in pixels, where the file has them.
    """

    name: str
    kind: str
    people: tuple[PersonRecord, ...]
    world: bool
    body: str
    frame_rate: float
    world_from_camera: np.ndarray | None = None
    K: np.ndarray | None = None


def person_of(track: PointTrack, rate: float) -> PersonRecord:
    """A track at `rate` frames per second, in the file's own axes."""
    return PersonRecord(track.id, track.frames / rate, track.frames, track.joints, track.points)


def turned(person: PersonRecord, rotation: np.ndarray) -> PersonRecord:
    """The same person in axes turned by `rotation` (3, 3)."""
    return PersonRecord(person.id, person.times, person.frames, person.joints @ rotation.T, person.points @ rotation.T)


def turned_poses(rotation: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Camera poses (..., 4, 4) in axes turned by `rotation` (3, 3)."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    return matrix @ poses


def poses_of(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Rotations (F, 3, 3) and translations (F, 3) → (F, 4, 4)."""
    poses = np.tile(np.eye(4), (len(rotation), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = rotation, translation
    return poses

"""Objects as the fit sees them: mesh, sightings and poses before the camera, in metres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from anylift_cli.artifacts import LiftedArtifact, ObjectsArtifact
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.pose_path import Ease, Places, Sightings, filled_poses, fit_pose_path
from anylift_cli.meshes.balls import ball_of
from anylift_cli.meshes.surface import Surface

EASE = Ease(acceleration=5.0, spin=15.0, turning=0.15)
_BALL_EASE = Ease(acceleration=80.0, spin=15.0, speed=3.0, turning=6.0)
"""Balls bounce: within a frame they turn back; and they fly on where they are not seen."""
_LEAST_SURE = 0.05
_REST = 0.01
"""Metres by which the lowest corner of a resting object may be off the floor."""


@dataclass(frozen=True)
class Thing:
    """One object over T frames.

    Attributes:
        name: of the object.
        vertices, faces: (V, 3) m, (F, 3).
        size_known: whether `vertices` are metres, or may have to be scaled.
        points3d: (M, 3) m.
        points2d: (T, M, 2) px; visible: (T, M).
        camera_from_object: (T, 4, 4) m, NaN where unknown.
        confidence: (T,).
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    size_known: bool
    points3d: np.ndarray
    points2d: np.ndarray
    visible: np.ndarray
    camera_from_object: np.ndarray
    confidence: np.ndarray

    @cached_property
    def surface(self) -> Surface:
        """Of the mesh."""
        return Surface(self.vertices, self.faces)

    @cached_property
    def is_ball(self) -> bool:
        """Whether the mesh is a sphere."""
        return ball_of(self.vertices, self.faces) is not None

    @property
    def middle(self) -> np.ndarray:
        """(3,) of the mesh's box."""
        return (self.vertices.min(0) + self.vertices.max(0)) / 2

    @property
    def radius(self) -> float:
        """Of a ball around the mesh, m."""
        return float(np.linalg.norm(self.vertices - self.middle, axis=-1).max())

    @property
    def known(self) -> np.ndarray:
        """(T,) frames in which its pose can be relied upon."""
        return np.isfinite(self.camera_from_object).all((1, 2)) & (self.confidence > _LEAST_SURE)

    def scaled(self, factor: float) -> Thing:
        """The object `factor` times as large and as far away, which looks the same."""
        poses = self.camera_from_object.copy()
        poses[:, :3, 3] *= factor
        return replace(self, vertices=self.vertices * factor, points3d=self.points3d * factor, camera_from_object=poses)

    def frames(self, span: slice) -> Thing:
        """The object in some frames."""
        return replace(
            self,
            points2d=self.points2d[span],
            visible=self.visible[span],
            camera_from_object=self.camera_from_object[span],
            confidence=self.confidence[span],
        )


def things_of(objects: ObjectsArtifact) -> list[Thing]:
    """The objects of an artifact, without points that none of them has."""
    things = []
    for number, name in enumerate(objects.names):
        vertices, faces = objects.mesh(number)
        real = np.isfinite(objects.points3d[number]).all(-1)
        things.append(
            Thing(
                name=str(name),
                vertices=vertices,
                faces=faces,
                size_known=bool(objects.size_known[number]),
                points3d=objects.points3d[number, real].astype(np.float64),
                points2d=objects.points2d[number][:, real].astype(np.float64),
                visible=objects.visible[number][:, real],
                camera_from_object=objects.camera_from_object[number],
                confidence=objects.confidence[number].astype(np.float64),
            )
        )
    return things


def in_world(thing: Thing, lifted: LiftedArtifact) -> np.ndarray:
    """`world_from_object` (T, 4, 4) as found frame by frame, straight across gaps.

    At least one frame must be known.
    """
    found = np.where(thing.known[:, None, None], lifted.world_from_camera @ thing.camera_from_object, np.nan)
    return filled_poses(found, lifted.timestamps)


def smooth_path(thing: Thing, lifted: LiftedArtifact, places: Places | None = None) -> np.ndarray:
    """`world_from_object` (T, 4, 4) that agrees with all sightings and moves smoothly."""
    ease = _BALL_EASE if thing.is_ball else EASE
    return fit_pose_path(in_world(thing, lifted), sightings(thing, lifted), lifted.timestamps, ease, places)


def sightings(thing: Thing, lifted: LiftedArtifact) -> Sightings:
    """The points of an object, where its pose is known and they are seen."""
    weight = (thing.visible * thing.known[:, None]).astype(np.float64)
    return Sightings(thing.points3d, thing.points2d, weight, invert(lifted.world_from_camera), lifted.K)


def resting_places(thing: Thing, poses: np.ndarray, resting: np.ndarray, floor: float, within: float) -> Places | None:
    """The wish that an object which rests close above or below the floor stands on it; None where it never does.

    Args:
        poses: (T, 4, 4) `world_from_object`.
        resting: (T,) frames in which nobody holds it and it does not move.
        floor: height, m.
        within: m from the floor up to which it is taken to stand on it.
    """
    world = transform(poses, thing.vertices)
    lowest = world[..., 2].argmin(1)
    rows = np.arange(len(poses))
    gap = world[rows, lowest, 2] - floor
    stands = resting & (np.abs(gap) < within)
    if not stands.any():
        return None
    precision = np.zeros((len(poses), 1, 3))
    precision[stands, 0, 2] = 1 / _REST**2
    targets = world[rows, lowest][:, None].copy()
    targets[..., 2] = floor
    return Places(thing.vertices[lowest][:, None], targets, precision)

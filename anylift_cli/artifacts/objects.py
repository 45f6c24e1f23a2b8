"""`objects.npz`: what is known of each object, frame by frame, from the camera's point of view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anylift_cli.artifacts.base import Artifact, array
from anylift_cli.errors import AnyliftError


@dataclass(kw_only=True)
class ObjectsArtifact(Artifact):
    """O objects over T frames: meshes, points on them that were followed through the video, and a pose per frame.

    Meshes lie behind each other: object o has the next `vertex_count[o]` of `vertices` and `face_count[o]` of `faces`,
    whose indices start at 0 for each object; likewise `symmetries`. Lengths are metres where `size_known`, otherwise in
    a unit of the object's own. Points that an object does not have, or that are not seen, are NaN. Poses are relative
    to the camera, because the world gets its scale only with the person; NaN where the object was not found, with
    confidence 0. Gaps are never filled here.

    `meta["tracker"]` says what followed the points; `meta["units"]` metres per unit of each mesh file, and
    `meta["found"]` the number of frames in which each object was found, by name.
    """

    schema: ClassVar[str] = "anylift.objects"
    version: ClassVar[int] = 1

    names: np.ndarray = array("O", "U")
    size_known: np.ndarray = array("O", "?")
    vertices: np.ndarray = array("V 3", "f4", "m, own axes")
    faces: np.ndarray = array("F 3", "i8", "vertices of the object")
    vertex_count: np.ndarray = array("O", "i8")
    face_count: np.ndarray = array("O", "i8")
    symmetries: np.ndarray = array("S 3 3", "f8", "rotations about the middle of the box")
    symmetry_count: np.ndarray = array("O", "i8")
    points3d: np.ndarray = array("O M 3", "f4", "m, own axes", finite=False)
    points2d: np.ndarray = array("O T M 2", "f4", "px", finite=False)
    visible: np.ndarray = array("O T M", "?")
    camera_from_object: np.ndarray = array("O T 4 4", "f8", "m", finite=False)
    confidence: np.ndarray = array("O T", "f4", "0..1")
    timestamps: np.ndarray = array("T", "f8", "s")
    frame_index: np.ndarray = array("T", "i8", "frame of the video")
    image_size: np.ndarray = array("2", "i8", "px width, height")

    def validate(self) -> None:
        """See `Artifact.validate`; parts of objects must add up."""
        super().validate()
        for whole, count in (("vertices", "vertex_count"), ("faces", "face_count"), ("symmetries", "symmetry_count")):
            if getattr(self, count).sum() != len(getattr(self, whole)) or (getattr(self, count) < 1).any():
                raise AnyliftError(f"{self.schema}: '{count}' does not add up to '{whole}'")
        if len(set(self.names.tolist())) != len(self.names):
            raise AnyliftError(f"{self.schema}: two objects have one name")
        for number in range(len(self.names)):
            faces = self._part(self.faces, self.face_count, number)
            if faces.min() < 0 or faces.max() >= self.vertex_count[number]:
                raise AnyliftError(
                    f"{self.schema}: faces of '{self.names[number]}' name vertices that it does not have"
                )

    def mesh(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) float64 and faces (F, 3) of one object."""
        vertices = self._part(self.vertices, self.vertex_count, number).astype(np.float64)
        return vertices, self._part(self.faces, self.face_count, number)

    def symmetries_of(self, number: int) -> np.ndarray:
        """Rotations (S, 3, 3) of one object onto itself, about the middle of its box."""
        return self._part(self.symmetries, self.symmetry_count, number)

    @staticmethod
    def _part(whole: np.ndarray, count: np.ndarray, number: int) -> np.ndarray:
        start = int(count[:number].sum())
        return whole[start : start + int(count[number])]

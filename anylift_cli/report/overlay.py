"""The overlay video: the frames with the body and keypoints drawn in, beside the world seen from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import torch

from anylift_cli.artifacts import KeypointsArtifact, MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of
from anylift_cli.errors import AnyliftError
from anylift_cli.export.worlds import in_one_world
from anylift_cli.geometry.cameras import transform
from anylift_cli.progress import SILENT, Progress
from anylift_cli.rendering.mesh import draw_mesh
from anylift_cli.rendering.skeleton import draw_skeleton
from anylift_cli.report.quality import FOOT_POINTS, IN_CONTACT
from anylift_cli.report.world_view import BACKGROUND, CONTACT, Color, Person, Thing, WorldView, draw_dots
from anylift_cli.video import VideoWriter, read_frames_at

COLORS: tuple[Color, ...] = ((120, 172, 235), (240, 160, 90), (130, 200, 130), (205, 140, 210), (225, 205, 100))
THING: Color = (235, 196, 60)
MESH_OPACITY = 0.72
UNSURE = 0.35
"""Share of the opacity of an object that was not seen at the moment."""
Mesh = tuple[np.ndarray, np.ndarray]
MIN_HEIGHT, MAX_HEIGHT, MAX_WIDTH = 480, 720, 1280
"""Of the picture of the video, in pixels."""
STILL_DEGREES, STILL_METRES = 0.1, 0.02
"""A camera that turns or moves no more than this has not."""


def render_overlay(
    video: Path,
    motions: Sequence[MotionArtifact],
    keypoints: KeypointsArtifact,
    out: Path,
    progress: Progress = SILENT,
    meshes: Mapping[str, Mesh] | None = None,
) -> Path:
    """Draw every frame of `keypoints` at its own time; people who are not there (confidence 0) are left out.

    Args:
        video: what the keypoints were found in.
        motions: one per person, the most prominent first.
        keypoints: 2D points of everyone, drawn thin.
        out: mp4 to write.
        meshes: vertices (V, 3) m and faces (F, 3) of objects, by the names that the first motion gives them.

    Raises:
        AnyliftError: no motion, a missing body, an unreadable video or an unwritable `out`.
    """
    if not motions:
        raise AnyliftError(f"{video}: there is no motion to draw over it", "run `anylift fit` first")
    people = [Track(motion, color) for motion, color in zip(in_one_world(motions), cycle(COLORS), strict=False)]
    main = people[0]
    things = _things(main.motion, meshes or {})
    width, height = _picture_size(*keypoints.image_size.tolist())
    scale = np.diag([width / keypoints.image_size[0], height / keypoints.image_size[1], 1.0])
    world = WorldView(
        [person.roots for person in people],
        [person.color for person in people],
        main.motion.world_from_camera,
        main.motion.timestamps,
        (height, height),
    )
    camera = camera_kind(main.motion.world_from_camera)
    footer_height = round(height / 36) * 2
    with (
        VideoWriter(out, width + height, height + footer_height, float(main.motion.fps)) as writer,
        progress.task("overlay", len(keypoints.frame_index)) as task,
    ):
        for row, frame in enumerate(read_frames_at(video, keypoints.frame_index, max_size=max(width, height))):
            picture = np.ascontiguousarray(cv2.resize(frame.image, (width, height)))
            now = main.row_at_or_before(frame.index)
            pose, K = main.motion.world_from_camera[now], scale @ main.motion.K[now]
            present = [person for person in people if person.is_present(frame.index)]
            posed = [person.posed(frame.index) for person in present]
            here = [thing.at(now) for thing in things]
            nearness = np.zeros(picture.shape[:2], np.float32)
            for body in sorted([*posed, *here], key=lambda one: -np.linalg.norm(one.middle - pose[:3, 3])):
                opacity = MESH_OPACITY * (1 if body.sure else UNSURE)
                draw_mesh(
                    picture, body.vertices, body.faces, pose, K, body.color, opacity=opacity, inverse_depth=nearness
                )
            for points, confidence in zip(keypoints.keypoints[:, row], keypoints.confidence[:, row], strict=True):
                draw_skeleton(picture, points @ scale[:2, :2], confidence)
            for body in posed:
                draw_dots(picture, body.touching, pose, K, CONTACT)
            beside = world.draw(now, posed, [person.row_at_or_before(frame.index) for person in people], here)
            footer = _footer(
                (width + height, footer_height),
                f"{_clock(keypoints.timestamps[row])}   frame {frame.index}   camera {camera}",
                [(person.color, person.contact(frame.index)) for person in present],
            )
            writer.write(np.concatenate([np.concatenate([picture, beside], 1), footer]), keypoints.timestamps[row])
            task.advance()
    return Path(out)


def camera_kind(world_from_camera: np.ndarray) -> str:
    """How a camera path (T, 4, 4) in metres moves: "still", "rotating" or "moving"."""
    if np.linalg.norm(np.ptp(world_from_camera[:, :3, 3], axis=0)) > STILL_METRES:
        return "moving"
    relative = world_from_camera[:, :3, :3] @ world_from_camera[0, :3, :3].T
    cosine = (np.trace(relative, axis1=1, axis2=2) - 1) / 2
    return "rotating" if cosine.min() < np.cos(np.radians(STILL_DEGREES)) else "still"


@dataclass(frozen=True)
class _MovingThing:
    """An object with its path: poses (T, 4, 4) of the main person's frames, confidence (T,)."""

    vertices: np.ndarray
    faces: np.ndarray
    poses: np.ndarray
    confidence: np.ndarray

    def at(self, row: int) -> Thing:
        return Thing(transform(self.poses[row], self.vertices), self.faces, bool(self.confidence[row] > 0), THING)


def _things(motion: MotionArtifact, meshes: Mapping[str, Mesh]) -> list[_MovingThing]:
    """The objects that have a mesh; both sides of their faces are drawn, since meshes may be open."""
    if motion.object_names is None or motion.world_from_object is None:
        return []
    sure = motion.object_confidence
    sure = np.ones(motion.world_from_object.shape[:2]) if sure is None else sure
    return [
        _MovingThing(*_both_sides(vertices, faces), poses, confidence)
        for name, poses, confidence in zip(motion.object_names, motion.world_from_object, sure, strict=True)
        if str(name) in meshes
        for vertices, faces in [meshes[str(name)]]
    ]


def _both_sides(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """Each triangle with vertices of its own, seen from either side: flat shading of meshes that may be open."""
    corners = vertices[np.concatenate([faces, faces[:, ::-1]])].reshape(-1, 3)
    return corners, np.arange(len(corners)).reshape(-1, 3)


class Track:
    """One person's motion, posed a frame at a time."""

    def __init__(self, motion: MotionArtifact, color: Color) -> None:
        self.motion, self.color = motion, color
        self.body: BodyModel = body_of(motion)
        self.pose, self.betas = pose_matrices(motion), shape_of(motion, self.body)
        self.transl = torch.from_numpy(motion.trans).float()
        self.roots = motion.joints[:, 0].astype(np.float64)
        self.rows = {int(index): row for row, index in enumerate(motion.frame_index)}

    def row_at_or_before(self, frame_index: int) -> int:
        return max(0, int(np.searchsorted(self.motion.frame_index, frame_index, side="right")) - 1)

    def is_present(self, frame_index: int) -> bool:
        row = self.rows.get(frame_index)
        return row is not None and self.motion.confidence[row] > 0

    def contact(self, frame_index: int) -> np.ndarray:
        """Whether left heel, left toe, right heel and right toe are on the ground, (4,)."""
        return self.motion.foot_contact[self.rows[frame_index]] >= IN_CONTACT

    def posed(self, frame_index: int) -> Person:
        row = self.rows[frame_index]
        parameters = self.pose[row : row + 1], self.betas, self.transl[row : row + 1]
        with torch.no_grad():
            points, vertices = self.body.joints(*parameters), self.body.vertices(*parameters)
        joints, landmarks, vertices = (
            p[0].numpy().astype(np.float64) for p in (points.joints, points.keypoints, vertices)
        )
        touching = landmarks[list(FOOT_POINTS)][self.contact(frame_index)]
        return Person(vertices, self.body.faces, joints, touching, self.color)


def _picture_size(width: int, height: int) -> tuple[int, int]:
    scale = min(np.clip(height, MIN_HEIGHT, MAX_HEIGHT) / height, MAX_WIDTH / width)
    return round(width * scale / 2) * 2, round(height * scale / 2) * 2


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:05.2f}"


def _footer(size: tuple[int, int], text: str, contacts: Sequence[tuple[Color, np.ndarray]]) -> np.ndarray:
    """A line of text, then for each person the feet on the ground as dots: left heel, toe, right heel, toe."""
    width, height = size
    image = np.full((height, width, 3), BACKGROUND, np.uint8)
    font, scale, middle = cv2.FONT_HERSHEY_SIMPLEX, height / 52, height // 2

    def write(words: str, x: int) -> int:
        (length, tall), _ = cv2.getTextSize(words, font, scale, 1)
        cv2.putText(image, words, (x, middle + tall // 2), font, scale, (60, 64, 72), 1, cv2.LINE_AA)
        return x + length

    x = write(text, height // 2) + 2 * height
    for color, touching in contacts:
        cv2.rectangle(image, (x, height // 4), (x + height // 2, height - height // 4), color, cv2.FILLED)
        x += height
        for name, feet in (
            ("left heel", touching[0]),
            ("toe", touching[1]),
            ("right heel", touching[2]),
            ("toe", touching[3]),
        ):
            x = write(name, x) + height // 3
            cv2.circle(image, (x, middle), height // 6, CONTACT, cv2.FILLED if feet else 1, cv2.LINE_AA)
            x += height // 2
        x += height
    return image

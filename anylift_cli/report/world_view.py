"""The world seen from outside: floor grid, bodies, their trails and shadows, the camera on its path."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from anylift_cli.body.skeleton import SMPL_PARENTS
from anylift_cli.geometry.cameras import intrinsics_matrix, invert, look_at, transform
from anylift_cli.rendering.mesh import NEAR, draw_mesh
from anylift_cli.report.plan_view import PlanView

Color = tuple[int, int, int]

BACKGROUND: Color = (243, 244, 246)
GRID: Color = (186, 192, 200)
TRAIL = 300
"""Frames that a trail is drawn for."""
CAMERA: Color = (60, 64, 72)
CONTACT: Color = (22, 163, 74)

FIELD_OF_VIEW = math.radians(40)
ELEVATION = math.radians(16)
FIRST_AZIMUTH = math.radians(55)
"""Of the view at the start, from the direction of the video's camera."""
TURN = math.radians(8)
"""Per second."""
ROAM = 1.5
"""Metres that the person may be away from the middle of the view, which else follows."""
GRID_RADIUS = 9
_SHIFT = 4
_UNSURE = 0.4
"""Opacity of an object that was not seen at the moment."""


@dataclass(frozen=True)
class Person:
    """One person at one moment, in the world.

    `vertices` (V, 3), `faces` (F, 3), `joints` (24, 3) SMPL joints, `touching` (N, 3) foot points on the ground.
    """

    vertices: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    touching: np.ndarray
    color: Color

    @property
    def middle(self) -> np.ndarray:
        return self.joints[0]

    @property
    def sure(self) -> bool:
        return True


@dataclass(frozen=True)
class Thing:
    """One object at one moment, in the world: `vertices` (V, 3), `faces` (F, 3), whether it was seen."""

    vertices: np.ndarray
    faces: np.ndarray
    sure: bool
    color: Color

    @property
    def middle(self) -> np.ndarray:
        return (self.vertices.min(0) + self.vertices.max(0)) / 2


class WorldView:
    """Draws the world from a view that turns slowly and keeps the first person in the picture."""

    def __init__(
        self,
        roots: Sequence[np.ndarray],
        colors: Sequence[Color],
        world_from_camera: np.ndarray,
        timestamps: np.ndarray,
        size: tuple[int, int],
    ) -> None:
        """Plan the view of a whole clip.

        Args:
            roots: pelvis of each person, (T_p, 3) metres.
            colors: RGB of each person's trail.
            world_from_camera: (T, 4, 4) path of the video's camera.
            timestamps: (T,) seconds, of the first person's frames.
            size: width, height of the picture in pixels.
        """
        self.width, self.height = size
        self.roots, self.colors, self.cameras = roots, colors, world_from_camera
        self.K = intrinsics_matrix(self.height / 2 / math.tan(FIELD_OF_VIEW / 2), self.width, self.height)
        path = np.concatenate([roots[0][:, :2], np.full((len(roots[0]), 1), 0.9)], axis=1)
        smooth = gaussian_filter1d(path, sigma=0.7 * len(path) / max(np.ptp(timestamps), 1.0), axis=0, mode="nearest")
        middle = (path.min(0) + path.max(0)) / 2
        extent = np.linalg.norm(path - middle, axis=1).max()
        target = middle + (smooth - middle) * max(0.0, 1 - ROAM / max(extent, 1e-6))
        away = path - target
        target = path - away * np.minimum(1, ROAM / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6))
        distance = max(1.25, 0.7 + min(extent, ROAM)) / math.tan(FIELD_OF_VIEW / 2)
        towards_camera = world_from_camera[0, :2, 3] - middle[:2]
        azimuth = math.atan2(towards_camera[1], towards_camera[0]) + FIRST_AZIMUTH
        azimuth = azimuth + TURN * (timestamps - timestamps[0])
        direction = np.stack(
            [np.cos(azimuth) * math.cos(ELEVATION), np.sin(azimuth) * math.cos(ELEVATION),
             np.full_like(azimuth, math.sin(ELEVATION))], -1,
        )  # fmt: skip
        self.target = target
        self.plan = PlanView(roots, colors, world_from_camera, round(0.24 * self.height))
        self.views = look_at(target + distance * direction, target)

    def draw(
        self, frame: int, people: Sequence[Person], rows: Sequence[int], things: Sequence[Thing] = ()
    ) -> np.ndarray:
        """The picture at `frame` of the first person, RGB uint8 (height, width, 3).

        Args:
            people: who is there.
            rows: where on its trail each person is.
            things: objects.
        """
        view = self.views[frame]
        image = np.full((self.height, self.width, 3), BACKGROUND, np.uint8)
        self._draw_floor(image, view, self.target[frame])
        for person in people:
            self._draw_shadow(image, view, person)
        for root, color, row in zip(self.roots, self.colors, rows, strict=True):
            self._draw_path(image, view, root[max(row - TRAIL, 0) : row + 1] * (1, 1, 0), color, 3)
        self._draw_path(image, view, self.cameras[max(frame - TRAIL, 0) : frame + 1, :3, 3], CAMERA, 2)
        self._draw_camera(image, view, self.cameras[frame])
        nearness = np.zeros(image.shape[:2], np.float32)
        for one in sorted([*people, *things], key=lambda one: -np.linalg.norm(one.middle - view[:3, 3])):
            opacity = 1.0 if one.sure else _UNSURE
            draw_mesh(image, one.vertices, one.faces, view, self.K, one.color, opacity=opacity, inverse_depth=nearness)
        for person in people:
            draw_dots(image, person.touching, view, self.K, CONTACT)
        edge = self.plan.size + self.height // 40
        image[edge - self.plan.size : edge, -edge : self.plan.size - edge] = self.plan.draw(frame, rows)
        return image

    def _draw_floor(self, image: np.ndarray, view: np.ndarray, target: np.ndarray) -> None:
        centre = np.round(target[:2])
        steps = np.arange(-GRID_RADIUS, GRID_RADIUS + 1)
        line, cell = (a.ravel() for a in np.meshgrid(steps, steps[:-1]))
        along, across = np.stack([cell, line], -1), np.stack([line, cell], -1)
        starts = np.concatenate([along, across]) + centre
        ends = np.concatenate([along + np.array([1, 0]), across + np.array([0, 1])]) + centre
        distance = np.linalg.norm((starts + ends) / 2 - target[:2], axis=1)
        strength = np.clip(1 - distance / GRID_RADIUS, 0, 1)[:, None]
        colors = np.array(BACKGROUND) + (np.array(GRID) - BACKGROUND) * strength
        shown = strength[:, 0] > 0
        segments = np.stack([starts, ends], 1)[shown]
        segments = np.concatenate([segments, np.zeros((*segments.shape[:2], 1))], -1)
        draw_segments(image, segments, view, self.K, colors[shown], 1)

    def _draw_shadow(self, image: np.ndarray, view: np.ndarray, person: Person) -> None:
        joints = person.joints * (1, 1, 0)
        bones = np.array([(joint, parent) for joint, parent in enumerate(SMPL_PARENTS) if parent >= 0])
        scale = self.K[0, 0] / np.linalg.norm(joints[0] - view[:3, 3])
        mask = np.zeros(image.shape[:2], np.uint8)
        draw_segments(mask, joints[bones], view, self.K, np.full((len(bones), 1), 60.0), max(1, round(0.11 * scale)))
        left, top, width, height = cv2.boundingRect(mask)
        margin = max(1, round(0.05 * scale))
        area = np.s_[max(top - margin, 0) : top + height + margin, max(left - margin, 0) : left + width + margin]
        darkness = cv2.blur(mask[area], (margin, margin))[..., None]
        image[area] = image[area] * (1 - darkness / np.float32(255))

    def _draw_path(self, image: np.ndarray, view: np.ndarray, path: np.ndarray, color: Color, thickness: int) -> None:
        segments = np.stack([path[:-1], path[1:]], 1)
        draw_segments(image, segments, view, self.K, np.broadcast_to(color, (len(segments), 3)), thickness)

    def _draw_camera(self, image: np.ndarray, view: np.ndarray, pose: np.ndarray) -> None:
        corners = np.array([(x, y, 1.0) for x, y in ((-0.6, -0.4), (0.6, -0.4), (0.6, 0.4), (-0.6, 0.4))]) * 0.4
        corners, tip = transform(pose, corners), np.broadcast_to(pose[:3, 3], (4, 3))
        segments = np.concatenate([np.stack([tip, corners], 1), np.stack([corners, np.roll(corners, -1, 0)], 1)])
        draw_segments(image, segments, view, self.K, np.broadcast_to(CAMERA, (8, 3)), 2)


def draw_segments(
    image: np.ndarray, segments: np.ndarray, view: np.ndarray, K: np.ndarray, colors: np.ndarray, thickness: int
) -> None:
    """Draw world segments (N, 2, 3), cut at the near plane, in `colors` (N, channels of the image)."""
    points = transform(invert(view), segments)
    ahead = points[..., 2] > NEAR
    kept = ahead.any(1)
    points, colors = points[kept], colors[kept]
    first, second = points[:, 0], points[:, 1]
    share = (NEAR - first[:, 2:]) / np.where(ahead[kept].all(1)[:, None], 1, second[:, 2:] - first[:, 2:])
    cut = first + share * (second - first)
    first, second = (np.where(p[:, 2:] > NEAR, p, cut) for p in (first, second))
    ends = np.stack([first, second], 1)
    pixels = ends[..., :2] / ends[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]
    height, width = image.shape[:2]
    near = (np.abs(pixels) < 20 * max(height, width)).all((1, 2))
    fixed = np.round((pixels[near] - 0.5) * (1 << _SHIFT)).astype(int).tolist()
    for (start, end), color in zip(fixed, colors[near].tolist(), strict=True):
        cv2.line(image, start, end, color, thickness, cv2.LINE_AA, _SHIFT)


def draw_dots(image: np.ndarray, points: np.ndarray, view: np.ndarray, K: np.ndarray, color: Color) -> None:
    """Mark world points (N, 3) by dots of 2 cm radius, at least 3 pixels."""
    for x, y, z in transform(invert(view), points):
        if z > NEAR:
            centre = np.array([x, y]) / z * K[[0, 1], [0, 1]] + K[:2, 2] - 0.5
            radius = max(3.0, 0.02 * K[0, 0] / z)
            if (np.abs(centre) < 2 * max(image.shape)).all():
                fixed = np.round(centre * (1 << _SHIFT)).astype(int).tolist()
                cv2.circle(image, fixed, round(radius * (1 << _SHIFT)), color, cv2.FILLED, cv2.LINE_AA, _SHIFT)

"""Videos with exactly known cameras, drawn from textures: a panorama around the camera, or the inside of a box."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.video import VideoWriter

WIDTH, HEIGHT, FPS = 640, 360, 25.0
Shade = Callable[[np.ndarray, np.ndarray], np.ndarray]


@cache
def texture(seed: int, size: int = 2048) -> np.ndarray:
    """A busy grey picture, uint8 (size, size), tileable enough for reflected borders."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size), 128.0)
    for cells, strength in ((12, 50), (48, 35), (160, 25), (400, 15)):
        noise = rng.normal(size=(cells, cells)).astype(np.float32)
        image += strength * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    for _ in range(700):
        x, y = rng.integers(0, size, 2)
        w, h = rng.integers(size // 100, size // 25, 2)
        cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), float(rng.integers(0, 255)), -1)
    return cv2.GaussianBlur(np.clip(image, 0, 255), (0, 0), 1.2).astype(np.uint8)


def panorama(seed: int = 0) -> Shade:
    """A far-away surrounding: azimuth ±90° and elevation ±45° are textured."""
    picture = texture(seed, 4096)

    def shade(origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(directions, -1, 0)
        azimuth, elevation = np.arctan2(x, z), np.arctan2(-y, np.hypot(x, z))
        column = (azimuth / np.pi + 0.5) * 4095
        row = (0.5 - elevation / np.pi) * 4095
        return cv2.remap(picture, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR)

    return shade


def room(seed: int = 0) -> Shade:
    """The inside of a box 8 x 3.2 x 9 m; the world has y down, the eye level y = 0 is 1.6 m above the floor."""
    low, high = np.array([-4.0, -1.6, -2.0]), np.array([4.0, 1.6, 7.0])
    pictures = [texture(seed + wall, 2048) for wall in range(6)]

    def shade(origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            reach = np.where(directions > 0, high - origin, low - origin) / directions
        axis = reach.argmin(-1)
        hit = origin + directions * reach.min(-1)[..., None]
        image = np.zeros(axis.shape, np.uint8)
        for wall in range(6):
            normal, upper = divmod(wall, 2)
            on_wall = (axis == normal) & ((np.take_along_axis(directions, axis[..., None], -1)[..., 0] > 0) == upper)
            across = [a for a in range(3) if a != normal]
            at = (hit[..., across] - low[across]) / 9.0 * 2047
            drawn = cv2.remap(
                pictures[wall], at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR
            )
            image[on_wall] = drawn[on_wall]
        return image

    return shade


def film(
    path: Path,
    shade: Shade,
    rotations: np.ndarray,
    positions: np.ndarray,
    focal: np.ndarray,
    *,
    noise: float = 2.0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> KeypointsArtifact:
    """Write what cameras `rotations` (T, 3, 3), `positions` (T, 3) and `focal` (T,) px see, with a walking blob.

    Returns:
        keypoints whose only person is the blob.
    """
    rng = np.random.default_rng(1)
    width, height = size
    frames = len(rotations)
    # Twice as fine, then averaged: no aliasing, and pixel (0, 0) is the top left corner of the image.
    column, row = np.meshgrid(*((np.arange(2 * side, dtype=np.float32) + 0.5) / 2 for side in size))
    person = texture(99, 256)
    boxes = np.zeros((1, frames, 4), np.float32)
    with VideoWriter(path, width, height, FPS) as writer:
        for t in range(frames):
            rays = np.stack([(column - width / 2) / focal[t], (row - height / 2) / focal[t], np.ones_like(column)], -1)
            fine = shade(positions[t], rays @ rotations[t].T.astype(np.float32))
            grey = cv2.resize(fine, size, interpolation=cv2.INTER_AREA).astype(np.float32)
            left = int(width * (0.35 + 0.2 * np.sin(t / 9)))
            top, w, h = int(height * 0.3), int(width * 0.12), int(height * 0.55)
            grey[top : top + h, left : left + w] = person[:h, :w] if h <= 256 else cv2.resize(person, (w, h))
            boxes[0, t] = left, top, left + w, top + h
            grey += rng.normal(0, noise, grey.shape).astype(np.float32)
            writer.write(np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, -1))
    return KeypointsArtifact(
        keypoints=np.full((1, frames, 24, 2), np.nan),
        confidence=np.zeros((1, frames, 24)),
        boxes=boxes,
        present=np.ones((1, frames), bool),
        timestamps=np.arange(frames) / FPS,
        frame_index=np.arange(frames),
        image_size=np.array(size),
    )


def turned(pan: np.ndarray, tilt: np.ndarray | float = 0.0, roll: np.ndarray | float = 0.0) -> np.ndarray:
    """world_from_camera rotations (T, 3, 3) of a levelled tripod (world y down), degrees."""
    pan, tilt, roll = np.broadcast_arrays(pan, tilt, roll)
    return Rotation.from_euler("YXZ", np.stack([pan, tilt, roll], -1), degrees=True).as_matrix()


def rotation_errors(solved: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Degrees between rotations (T, 3, 3), both taken relative to their first frame."""
    solved, truth = solved[0].T @ solved, truth[0].T @ truth
    return np.degrees(Rotation.from_matrix(solved.swapaxes(1, 2) @ truth).magnitude())

"""Renders a scene: the room, its furniture, the shadows and the person."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anylift_cli.body import open_body_colours as colours
from anylift_cli.body.skeleton import SMPL_JOINTS, J
from anylift_cli.rendering.mesh import draw_mesh
from anylift_cli.synthetic.room import (
    HALF_SIZE,
    Surface,
    box,
    draw_shadow,
    draw_surface,
    hall,
    pillar,
)
from anylift_cli.synthetic.scene import Scene

_CLOTHES = {
    colours.SHIRT: ((70, 104, 150), (160, 62, 58), (226, 222, 212), (74, 122, 86), (196, 150, 62), (96, 84, 130)),
    colours.TROUSERS: ((62, 64, 74), (52, 66, 104), (112, 98, 80), (40, 42, 46), (130, 128, 122)),
    colours.SKIN: ((205, 158, 130), (226, 184, 158), (166, 116, 86), (188, 140, 108)),
    colours.HAIR: ((62, 44, 34), (28, 26, 26), (128, 96, 58)),
}
_LIGHT = np.array([0.35, -0.25, 0.9])
_CHUNK = 16


def render_scene(scene: Scene) -> Iterator[np.ndarray]:
    """Frames (H, W, 3) RGB uint8, in order."""
    rng = np.random.default_rng([scene.spec.seed, 1])
    vertex_colors = _dressed(scene, rng)
    static = [surface.moved(_placed(*scene.room_offset)) for surface in hall(rng)] + furniture(scene, rng)
    boxes = [(box(rng, item.size, item.tone), item.world_from_box) for item in scene.boxes]
    background = None
    for frame in range(len(scene.time)):
        if frame % _CHUNK == 0:
            skins = scene.vertices(slice(frame, frame + _CHUNK))
        camera, K = scene.world_from_camera[frame], scene.K[frame]
        if background is None or not _same_camera(scene, frame):
            background = _draw(static, camera, K, scene)
        image, inverse_depth = (layer.copy() for layer in background)
        for surfaces, world_from_box in boxes:
            for surface in surfaces:
                draw_surface(image, inverse_depth, surface.moved(world_from_box[frame]), camera, K)
        _draw_shadows(image, inverse_depth, scene.joints[frame], camera, K)
        skin = skins[frame % _CHUNK]
        draw_mesh(
            image, skin, scene.body.faces, camera, K,
            vertex_colors=vertex_colors, light=_LIGHT, inverse_depth=inverse_depth,
        )  # fmt: skip
        yield image


def furniture(scene: Scene, rng: np.random.Generator) -> list[Surface]:
    """Boxes and pillars, clear of the person and never in front of or close behind them as the camera sees it."""
    person = scene.joints[:, 0, :2]
    camera = scene.world_from_camera[:, :2, 3]
    between = np.linspace(0, 1.5, 13)[:, None, None]
    clear = np.concatenate(
        [(camera + between * (person - camera)).reshape(-1, 2), scene.joints[..., :2].reshape(-1, 2)]
    )
    placed, surfaces = np.empty((0, 3)), []
    for number in range(60):
        if number < 3:
            radius, make = 0.22, lambda: pillar(rng, 0.22)
        else:
            size = tuple(rng.uniform((0.35, 0.35, 0.3), (1.3, 0.8, 1.3)))
            radius, make = float(np.hypot(*size[:2]) / 2), lambda size=size: box(rng, size)
        place = rng.uniform(-HALF_SIZE + 0.7, HALF_SIZE - 0.7, 2) + scene.room_offset
        free = np.linalg.norm(clear - place, axis=1).min() > radius + 0.7
        if free and (np.linalg.norm(placed[:, :2] - place, axis=1) > placed[:, 2] + radius).all() and len(placed) < 26:
            placed = np.vstack([placed, [*place, radius]])
            pose = _placed(*place, rng.uniform(0, 2 * np.pi))
            surfaces += [surface.moved(pose) for surface in make()]
    return surfaces


def _draw(surfaces: list[Surface], camera: np.ndarray, K: np.ndarray, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    image = np.zeros((scene.spec.height, scene.spec.width, 3), np.uint8)
    inverse_depth = np.zeros(image.shape[:2], np.float32)
    for surface in surfaces:
        draw_surface(image, inverse_depth, surface, camera, K)
    return image, inverse_depth


def _draw_shadows(
    image: np.ndarray, inverse_depth: np.ndarray, joints: np.ndarray, camera: np.ndarray, K: np.ndarray
) -> None:
    for name in SMPL_JOINTS:
        if name.endswith(("ankle", "foot", "knee", "hand", "pelvis", "spine3")):
            x, y, z = joints[J[name]]
            draw_shadow(
                image,
                inverse_depth,
                np.array([x, y]) - 0.12 * z * _LIGHT[:2],
                0.16 + 0.3 * z,
                0.42 / (1 + 2.2 * z),
                camera,
                K,
            )


def _dressed(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    vertex_colors = scene.body.vertex_colors.copy()
    for original, choices in _CLOTHES.items():
        part = (scene.body.vertex_colors == original).all(1)
        vertex_colors[part] = choices[int(rng.integers(len(choices)))]
    return vertex_colors


def _same_camera(scene: Scene, frame: int) -> bool:
    return np.array_equal(scene.world_from_camera[frame], scene.world_from_camera[frame - 1]) and np.array_equal(
        scene.K[frame], scene.K[frame - 1]
    )


def _placed(x: float, y: float, yaw: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:2, 3] = x, y
    return pose

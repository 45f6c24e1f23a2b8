"""Boxes and balls that move before a camera: exact points and poses, and pixels of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.geometry.cameras import intrinsics_matrix, invert, look_at, project_camera, transform
from anylift_cli.rendering.mesh import draw_mesh
from anylift_cli.synthetic.room import box, draw_surface
from anylift_cli.video import VideoWriter

SIZE = (0.30, 0.36, 0.32)
IMAGE = (640, 360)


@dataclass(frozen=True)
class BoxScene:
    """A box of `SIZE`, which stands at the origin of `world_from_object` (T, 4, 4), or a ball in the middle of it."""

    world_from_object: np.ndarray
    world_from_camera: np.ndarray
    K: np.ndarray
    times: np.ndarray

    @property
    def camera_from_object(self) -> np.ndarray:
        """(T, 4, 4) m."""
        return invert(self.world_from_camera) @ self.world_from_object


def box_mesh() -> trimesh.Trimesh:
    """The box as a mesh."""
    mesh = trimesh.creation.box(SIZE)
    mesh.apply_translation([0, 0, SIZE[2] / 2])
    return mesh


def box_scene(frames: int = 40, seed: int = 0, fps: float = 30.0) -> BoxScene:
    """A box that is lifted and turned before a camera that walks past."""
    times = np.arange(frames) / fps
    rng = np.random.default_rng(seed)
    lift = np.clip((times - 0.3) / 0.8, 0, 1)
    lift = lift**2 * (3 - 2 * lift)
    pose = np.tile(np.eye(4), (frames, 1, 1))
    turn = np.stack([0.2 * np.sin(2 * times) * lift, 0.15 * lift, 0.5 * lift + 0.3], -1)
    pose[:, :3, :3] = Rotation.from_rotvec(turn).as_matrix()
    pose[:, :3, 3] = np.stack([0.4 * lift, 0.1 * lift, 0.8 * lift], -1)
    start = np.array([2.2, -1.4, 1.5]) + rng.normal(0, 0.05, 3)
    position = start + np.stack([0.2 * times, 0.4 * times, 0.05 * np.sin(3 * times)], -1)
    camera = look_at(position, np.array([0.1, 0.0, 0.5]) + 0 * position)
    K = np.tile(intrinsics_matrix(620.0, *IMAGE), (frames, 1, 1))
    return BoxScene(pose, camera, K, times)


def film_box(scene: BoxScene, path: Path, hidden: slice = slice(0, 0), seed: int = 0) -> Path:
    """Write a video of a textured box before a wall; a grey board covers the picture in `hidden` frames."""
    rng = np.random.default_rng(seed)
    surfaces = box(rng, SIZE, (172, 134, 92))
    wall = (rng.random((IMAGE[1] // 8, IMAGE[0] // 8, 3)) * 60 + 120).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, *IMAGE, 30.0) as video:
        for frame in range(len(scene.times)):
            image, nearness = wall.copy(), np.zeros(IMAGE[::-1], np.float32)
            for side in surfaces:
                draw_surface(
                    image,
                    nearness,
                    side.moved(scene.world_from_object[frame]),
                    scene.world_from_camera[frame],
                    scene.K[frame],
                )
            if frame in range(*hidden.indices(len(scene.times))):
                image[:] = 128
            video.write(image)
    return path


def artifacts_of(scene: BoxScene) -> tuple[KeypointsArtifact, CamerasArtifact]:
    """Keypoints without a person in sight, and the true cameras."""
    frames = len(scene.times)
    keypoints = KeypointsArtifact(
        keypoints=np.full((1, frames, 24, 2), np.nan),
        confidence=np.zeros((1, frames, 24)),
        boxes=np.full((1, frames, 4), np.nan),
        present=np.zeros((1, frames), bool),
        timestamps=scene.times,
        frame_index=np.arange(frames),
        image_size=IMAGE,
    )
    cameras = CamerasArtifact(
        world_from_camera=scene.world_from_camera,
        K=scene.K,
        confidence=np.ones(frames),
        up=[0, 0, 1],
        timestamps=scene.times,
        image_size=IMAGE,
        meta={"motion": "moving", "scale": "metric"},
    )
    return keypoints, cameras


def clicks(scene: BoxScene, row: int = 0, noise: float = 0.0, seed: int = 0) -> dict:
    """An entry of a points file: the seven corners of the box that the camera sees."""
    corners = np.array(box_mesh().vertices)
    camera = transform(scene.camera_from_object[row], corners)
    seen = np.argsort(np.linalg.norm(camera, axis=1))[:7]
    pixels = project_camera(camera[seen], scene.K[row])
    pixels = pixels + np.random.default_rng(seed).normal(0, noise, pixels.shape)
    return {"frame": row, "pixels": pixels.tolist(), "points": corners[seen].tolist()}


def pose_errors(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (T,) m of the box's middle, and angles (T,) degrees; NaN where there is no pose."""
    middle = np.array([[0, 0, SIZE[2] / 2]])
    place = np.linalg.norm(transform(found, middle) - transform(truth, middle), axis=-1)[:, 0]
    cosine = (np.einsum("tij,tij->t", found[:, :3, :3], truth[:, :3, :3]) - 1) / 2
    return place, np.degrees(np.arccos(np.clip(cosine, -1, 1)))


BALL_RADIUS = 0.11
_BALL_COLORS = np.array([[226, 122, 48], [150, 66, 24]], float)


def ball_mesh() -> trimesh.Trimesh:
    """A ball."""
    return trimesh.creation.icosphere(subdivisions=3, radius=BALL_RADIUS)


def ball_scene(frames: int = 45) -> BoxScene:
    """A spinning ball that is thrown and bounces from the floor, before a camera that walks past."""
    times = np.arange(frames) / 30
    landing = 0.75
    before, after = np.minimum(times, landing), np.maximum(times - landing, 0)
    start, rise = 1.4, 1.8
    fall = rise - 9.81 * landing
    height = start + rise * before - 9.81 / 2 * before**2 - 0.75 * fall * after - 9.81 / 2 * after**2
    pose = np.tile(np.eye(4), (frames, 1, 1))
    pose[:, :3, :3] = Rotation.from_rotvec(times[:, None] * [3.0, 9.0, 1.0]).as_matrix()
    pose[:, :3, 3] = np.stack([-0.9 + 1.3 * times, 0.5 * times, height], -1)
    position = np.stack([0.3 * times, -3.6 + 0.1 * times, 1.3 + 0 * times], -1)
    camera = look_at(position, np.array([0.0, 0.2, 1.0]) + 0 * position)
    return BoxScene(pose, camera, np.tile(intrinsics_matrix(560.0, *IMAGE), (frames, 1, 1)), times)


def film_ball(scene: BoxScene, path: Path, hidden: slice = slice(0, 0), seed: int = 0) -> Path:
    """Write a video of a two-coloured ball before a wall; a board covers it in `hidden` frames."""
    rng = np.random.default_rng(seed)
    mesh = ball_mesh()
    colors = _BALL_COLORS[(np.abs(mesh.vertices).min(1) < 0.1 * BALL_RADIUS).astype(int)]
    wall = (rng.random((IMAGE[1] // 8, IMAGE[0] // 8, 3)) * 60 + 110).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, *IMAGE, 30.0) as video:
        for frame in range(len(scene.times)):
            image = wall.copy()
            world = transform(scene.world_from_object[frame], np.array(mesh.vertices))
            draw_mesh(image, world, mesh.faces, scene.world_from_camera[frame], scene.K[frame], vertex_colors=colors)
            if frame in range(*hidden.indices(len(scene.times))):
                x, y = project_camera(scene.camera_from_object[frame, None, :3, 3], scene.K[frame])[0]
                cv2.rectangle(image, (int(x) - 70, int(y) - 70), (int(x) + 70, int(y) + 70), (96, 112, 104), cv2.FILLED)
            video.write(image)
    return path

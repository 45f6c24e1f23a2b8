"""Keypoints, cameras and training clips of authored motions for tests of what learns from videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.geometry.cameras import invert, project, rays, transform
from anylift_cli.geometry.rotations import rotation_between
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene
from anylift_cli.training.clips import file_name
from anylift_cli.training.cutting import cut_clips

SIZE = (640, 360)


def filmed(motion: str, camera: str, seed: int = 0, seconds: float = 2.2) -> Scene:
    """An authored motion seen from where it is best seen: the front, more or less."""
    return build_scene(SceneSpec(f"{motion}{seed}", motion, camera, seconds, width=SIZE[0], height=SIZE[1], seed=seed))


def artifacts(scene: Scene) -> tuple[KeypointsArtifact, CamerasArtifact]:
    """Exact projections and cameras, and exact local points in the axes that their file has."""
    frames = len(scene.time)
    pixels = project(scene.keypoints3d, scene.world_from_camera, scene.K)
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], -1)
    inside = transform(invert(scene.world_from_camera), scene.keypoints3d)
    local = inside - inside[:, [8, 11]].mean(1, keepdims=True)
    centre = rays(0.5 * (boxes[:, None, :2] + boxes[:, None, 2:]), scene.K)[:, 0]
    gaze = torch.as_tensor(np.concatenate([centre, np.ones((frames, 1))], -1))
    turn = rotation_between(torch.tensor([0.0, 0, 1], dtype=torch.float64).expand_as(gaze), gaze).numpy()
    keypoints = KeypointsArtifact(
        keypoints=pixels[None], confidence=np.ones((1, frames, 24)), boxes=boxes[None],
        present=np.ones((1, frames), bool), timestamps=scene.time, frame_index=np.arange(frames), image_size=SIZE,
        local_joints=(local @ turn)[None],
    )  # fmt: skip
    cameras = CamerasArtifact(
        world_from_camera=scene.world_from_camera, K=scene.K, confidence=np.ones(frames), up=[0, 0, 1],
        timestamps=scene.time, image_size=SIZE, meta={"motion": scene.camera_motion, "scale": "metric"},
    )  # fmt: skip
    return keypoints, cameras


def clip_folder(folder: Path, scenes: list[Scene]) -> Path:
    """What `anylift train prepare` leaves of videos of the scenes."""
    for scene in scenes:
        for cut in cut_clips(*artifacts(scene), 0, scene.spec.name):
            assert cut.clip is not None, cut.reason
            cut.clip.save(folder / "clips" / file_name(cut.name))
    return folder

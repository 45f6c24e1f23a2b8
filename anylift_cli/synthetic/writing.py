"""Writes a scene as a video file and the artifacts that a perfect pipeline would make of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS, NUM_BETAS, convention_arrays, pose_arrays, rate_arrays
from anylift_cli.geometry.cameras import project
from anylift_cli.geometry.rotations import axis_angle_from_matrix
from anylift_cli.progress import SILENT, Progress
from anylift_cli.synthetic.pixels import render_scene
from anylift_cli.synthetic.props import write_props
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene, scene_spec
from anylift_cli.video import VideoWriter

_CHUNK = 32


def synthesize(name: str | SceneSpec, out_dir: Path | str, progress: Progress = SILENT) -> dict[str, Path]:
    """Make a named scene (or one from a spec) in `out_dir`; see `write_scene`.

    Raises:
        UsageError: no such scene.
        AnyliftError: `out_dir` cannot be written.
    """
    spec = scene_spec(name) if isinstance(name, str) else name
    return write_scene(build_scene(spec), out_dir, progress)


def write_scene(scene: Scene, folder: Path | str, progress: Progress = SILENT) -> dict[str, Path]:
    """Write video.mp4, keypoints.npz, cameras.npz and motion.npz; returns their paths by "video", "keypoints", ….

    A scene with a box also gets its mesh and points.json (`props.write_props`).

    Raises:
        AnyliftError: `folder` cannot be written.
    """
    folder = Path(folder)
    paths = {"video": folder / "video.mp4"}
    for name, artifact in (
        ("keypoints", true_keypoints(scene)),
        ("cameras", true_cameras(scene)),
        ("motion", true_motion(scene)),
    ):
        paths[name] = artifact.save(folder / f"{name}.npz")
    paths |= write_props(scene, folder)
    write_video(scene, paths["video"], progress)
    return paths


def write_video(scene: Scene, path: Path | str, progress: Progress = SILENT) -> Path:
    """Render a scene to an H.264 file.

    Raises:
        AnyliftError: `path` cannot be written.
    """
    spec = scene.spec
    with (
        VideoWriter(path, spec.width, spec.height, spec.fps) as video,
        progress.task(f"rendering {spec.name}", total=len(scene.time)) as task,
    ):
        for image in render_scene(scene):
            video.write(image)
            task.advance()
    return Path(path)


def true_keypoints(scene: Scene) -> KeypointsArtifact:
    """Exact projections; a point outside the image is unobserved. Boxes are those of the skin."""
    size = np.array([scene.spec.width, scene.spec.height])
    points = project(scene.keypoints3d, scene.world_from_camera, scene.K)
    inside = ((points >= 0) & (points <= size)).all(-1)
    boxes = []
    for start in range(0, len(scene.time), _CHUNK):
        frames = slice(start, start + _CHUNK)
        skin = project(scene.vertices(frames).astype(float), scene.world_from_camera[frames], scene.K[frames])
        boxes.append(np.concatenate([skin.min(1), skin.max(1)], -1).clip(0, np.tile(size, 2)))
    return KeypointsArtifact(
        keypoints=np.where(inside[..., None], points, np.nan)[None],
        confidence=inside[None],
        boxes=np.concatenate(boxes)[None],
        present=inside.any(-1)[None],
        timestamps=scene.time,
        frame_index=np.arange(len(scene.time)),
        image_size=size,
        meta={**_meta(scene, "keypoints"), "backend": "truth"},
    )


def true_cameras(scene: Scene) -> CamerasArtifact:
    """The cameras that filmed the scene, in its own world."""
    return CamerasArtifact(
        world_from_camera=scene.world_from_camera,
        K=scene.K,
        confidence=np.ones(len(scene.time)),
        up=[0.0, 0.0, 1.0],
        timestamps=scene.time,
        image_size=[scene.spec.width, scene.spec.height],
        meta={
            **_meta(scene, "cameras"),
            "backend": "truth",
            "motion": scene.camera_motion,
            "scale": "metric",
            "focal_source": "given",
            "up_source": "truth",
            "reason": f"scene with a camera of kind '{scene.spec.camera}'",
        },
    )


def true_motion(scene: Scene) -> MotionArtifact:
    """The motion as authored, with the props that are held or sat on as objects."""
    frames, body = len(scene.time), scene.body
    rotation = axis_angle_from_matrix(torch.as_tensor(scene.pose[:, :BODY_JOINTS])).reshape(frames, -1).numpy()
    betas = np.zeros(NUM_BETAS)
    betas[: len(scene.betas)] = scene.betas
    height = body.standing_height(torch.as_tensor(scene.betas[None], dtype=torch.float32))[0]
    boxes = scene.boxes
    return MotionArtifact(
        **pose_arrays(rotation),
        **rate_arrays(scene.spec.fps, frames),
        **convention_arrays(),
        trans=scene.transl,
        betas=betas,
        num_betas=NUM_BETAS,
        timestamps=scene.time,
        frame_index=np.arange(frames),
        joints=scene.joints,
        joint_confidence=np.ones((frames, 24)),
        confidence=np.ones(frames),
        foot_contact=scene.foot_contact,
        world_from_camera=scene.world_from_camera,
        K=scene.K,
        image_size=[scene.spec.width, scene.spec.height],
        height=float(height),
        object_names=np.array([box.name for box in boxes]) if boxes else None,
        world_from_object=np.stack([box.world_from_box for box in boxes]) if boxes else None,
        meta={**_meta(scene, "fit"), "body": {"name": body.name, "sha256": body.sha256}},
    )


def _meta(scene: Scene, stage: str) -> dict:
    return {"stage": stage, "made_by": "anylift synthesize", "scene": asdict(scene.spec)}

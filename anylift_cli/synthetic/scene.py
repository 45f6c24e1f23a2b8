"""Scenes: a motion, a camera and a room, and their exact truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from anylift_cli.body.model import BodyModel
from anylift_cli.errors import UsageError
from anylift_cli.synthetic.camera_paths import CAMERAS, Shot, film
from anylift_cli.synthetic.motions import MOTIONS
from anylift_cli.synthetic.rig import SIDES, Box, Rig, solve


@dataclass(frozen=True)
class SceneSpec:
    """What to make.

    Attributes:
        motion: name in `motions.MOTIONS`.
        camera: name in `camera_paths.CAMERAS`.
        seconds: length; None for the whole motion.
        fps: frames per second.
        width, height: pixels.
        seed: decides the room, the body's shape, the clothes and the details of the camera.
    """

    name: str
    motion: str
    camera: str
    seconds: float | None = None
    fps: float = 30.0
    width: int = 1280
    height: int = 720
    seed: int = 0


@dataclass(frozen=True)
class Performance:
    """What somebody does, before it is filmed. World: metres, z up, floor z = 0.

    Attributes:
        body: the body model.
        pose: (T, 24, 3, 3) local rotations, `pose[:, 0]` in the world.
        betas: (S,).
        transl: (T, 3), SMPL's.
        foot_contact: (T, 4) 0 or 1: left heel, left toe, right heel, right toe.
        boxes: props that the motion needs.
        azimuth: radians, direction from the person to where the camera stands.
        time: (T,) seconds.
    """

    body: BodyModel
    pose: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    foot_contact: np.ndarray
    boxes: list[Box]
    azimuth: float
    time: np.ndarray


@dataclass(frozen=True)
class Scene:
    """The truth. World: metres, z up, floor z = 0, first-frame pelvis above the origin.

    Attributes:
        spec: what it was made from.
        body: the body model.
        pose: (T, 24, 3, 3) local rotations, `pose[:, 0]` in the world.
        betas: (S,).
        transl: (T, 3), SMPL's.
        joints: (T, 24, 3) SMPL order.
        keypoints3d: (T, 24, 3) `body24`.
        world_from_camera, K: (T, 4, 4), (T, 3, 3).
        foot_contact: (T, 4) 0 or 1: left heel, left toe, right heel, right toe.
        boxes: props that the motion needs.
        room_offset: (2,) metres from the world's origin to the middle of the room.
        time: (T,) seconds.
    """

    spec: SceneSpec
    body: BodyModel
    pose: np.ndarray
    betas: np.ndarray
    transl: np.ndarray
    joints: np.ndarray
    keypoints3d: np.ndarray
    world_from_camera: np.ndarray
    K: np.ndarray
    foot_contact: np.ndarray
    boxes: list[Box]
    room_offset: np.ndarray
    time: np.ndarray

    @property
    def camera_motion(self) -> str:
        """ "still", "rotating" or "moving"."""
        return CAMERAS[self.spec.camera][1]

    def vertices(self, frame: slice | int) -> np.ndarray:
        """Skin of the chosen frames, (T, V, 3) metres."""
        frame = slice(frame, frame + 1) if isinstance(frame, int) else frame
        pose, betas, transl = self._parameters(frame)
        with torch.no_grad():
            return self.body.vertices(pose, betas, transl).numpy()

    def _parameters(self, frame: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return tuple(
            torch.as_tensor(a, dtype=torch.float32) for a in (self.pose[frame], self.betas[None], self.transl[frame])
        )


SCENES = {
    spec.name: spec
    for spec in (
        SceneSpec("squat_still", "squat", "still", seed=1),
        SceneSpec("cartwheel_still", "cartwheel", "still", seed=2),
        SceneSpec("walk_still", "walk", "still", seed=3),
        SceneSpec("walk_pan", "walk", "pan", seed=4),
        SceneSpec("jog_pan", "jog", "pan", seed=5),
        SceneSpec("cartwheel_pan", "cartwheel", "pan", seed=6),
        SceneSpec("carry_pan", "carry", "pan", seed=7),
        SceneSpec("kick_zoom", "kick", "zoom", seed=8),
        SceneSpec("wave_zoom", "wave", "zoom", seed=9),
        SceneSpec("sit_zoom", "sit", "zoom", seed=10),
        SceneSpec("walk_dolly", "walk", "dolly", seed=11),
        SceneSpec("squat_orbit", "squat", "orbit", seed=12),
        SceneSpec("dance_orbit", "dance", "orbit", seed=13),
        SceneSpec("carry_handheld", "carry", "handheld", seed=14),
    )
}
"""Scenes that benchmarks and tests use, by name."""


def scene_spec(name: str) -> SceneSpec:
    """A named scene, or any "motion_camera" that is not listed.

    Raises:
        UsageError: no such motion or camera.
    """
    if name in SCENES:
        return SCENES[name]
    motion, _, camera = name.rpartition("_")
    if motion in MOTIONS and camera in CAMERAS:
        return SceneSpec(name, motion, camera)
    raise UsageError(
        f"unknown scene '{name}'",
        f"choose one of {', '.join(SCENES)}, or MOTION_CAMERA with a motion of {', '.join(MOTIONS)} "
        f"and a camera of {', '.join(CAMERAS)}",
    )


def build_scene(spec: SceneSpec, body: BodyModel | None = None) -> Scene:
    """Everything about a scene but its pixels; the same spec gives the same scene.

    Raises:
        UsageError: no such motion or camera.
    """
    if spec.motion not in MOTIONS or spec.camera not in CAMERAS:
        scene_spec(f"{spec.motion}_{spec.camera}")
    body = body or BodyModel.load("open")
    rng = np.random.default_rng([spec.seed, 0])
    motion = MOTIONS[spec.motion]
    frames = round((spec.seconds or motion.seconds) * spec.fps)
    time = np.arange(frames) / spec.fps
    betas = rng.normal(0, 0.55, body.num_betas)
    rig = Rig.of(body, torch.as_tensor(betas[None], dtype=torch.float32))
    choreography = motion.author(time, rig)
    pose, transl = solve(choreography, rig)
    contact = np.concatenate([choreography.feet[side].contact for side in SIDES], 1)
    performance = Performance(body, pose, betas, transl, contact, choreography.boxes, motion.azimuth, time)
    return film_performance(spec, performance, rng)


def film_performance(spec: SceneSpec, performance: Performance, rng: np.random.Generator) -> Scene:
    """The scene in which a camera of kind `spec.camera` films what somebody does.

    Args:
        rng: decides where the camera stands, and its focal length.
    """
    body, pose, betas, transl = performance.body, performance.pose, performance.betas, performance.transl.copy()
    with torch.no_grad():
        rest = body.rest_joints(torch.as_tensor(betas[None], dtype=torch.float32))[0, 0].double().numpy()
    room_offset = -(transl[0] + rest)[:2]
    transl[:, :2] += room_offset
    boxes = [replace(box, world_from_box=_shifted(box.world_from_box, room_offset)) for box in performance.boxes]
    with torch.no_grad():
        points = body.joints(
            *(torch.as_tensor(a, dtype=torch.float32) for a in (pose, betas[None].repeat(len(pose), 0), transl))
        )
    joints, keypoints3d = points.joints.double().numpy(), points.keypoints.double().numpy()
    shot = Shot(
        time=performance.time,
        joints=np.concatenate([joints, keypoints3d], 1),
        size=(spec.width, spec.height),
        azimuth=performance.azimuth + rng.uniform(-0.25, 0.25),
        elevation=rng.uniform(1.25, 1.65),
        focal=rng.uniform(0.85, 1.25),
        fill=rng.uniform(0.60, 0.70),
    )
    world_from_camera, K = film(spec.camera, shot)
    return Scene(
        spec=spec,
        body=body,
        pose=pose,
        betas=betas,
        transl=transl,
        joints=joints,
        keypoints3d=keypoints3d,
        world_from_camera=world_from_camera,
        K=K,
        foot_contact=performance.foot_contact,
        boxes=boxes,
        room_offset=room_offset,
        time=performance.time,
    )


def _shifted(pose: np.ndarray, offset: np.ndarray) -> np.ndarray:
    moved = pose.copy()
    moved[..., :2, 3] += offset
    return moved

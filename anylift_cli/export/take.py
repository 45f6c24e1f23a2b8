"""What an exporter is given: motions of the same moments, how they are wanted, and the scene that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS, J
from anylift_cli.export.camera_path import NO_CAMERA
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.resampling import resample, resample_poses, resample_values, uniform_times
from anylift_cli.export.scene import Y_UP_FROM_Z_UP, Camera, Character, Prop, Scene
from anylift_cli.export.worlds import in_one_world

CONTACT_NAMES = ("left_heel", "left_toe", "right_heel", "right_toe")
_A_POSE = 45.0
"""Degrees that the arms of an A-pose hang down from those of a T-pose."""
_SKIN = 4
_CAMERA_AXES = np.diag([1.0, -1.0, -1.0])
"""Ours look along z with y down; scenes' along -z with y up."""


@dataclass(frozen=True)
class ExportOptions:
    """How motions are wanted.

    Attributes:
        fps: frames per second; 0 for the motion's own.
        rest: "t-pose" or "a-pose".
        names: of joints, a key of `names.JOINT_NAMES`.
        root: "pelvis", or "ground" for one more joint on the floor below the pelvis, which travels.
        up: "y" or "z".
        metres_per_unit: 1 or 0.01.
    """

    fps: float = 0.0
    rest: str = "t-pose"
    names: str = "smpl"
    root: str = "pelvis"
    up: str = "y"
    metres_per_unit: float = 0.01


@dataclass(frozen=True)
class Take:
    """Motions of one video, and how they are wanted.

    Attributes:
        motions: one per person.
        names: display name of each.
        meshes: vertices (V, 3) m and faces (F, 3) of objects, by the names that the motions give them.
    """

    motions: tuple[MotionArtifact, ...]
    names: tuple[str, ...]
    options: ExportOptions = ExportOptions()
    meshes: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @cached_property
    def times(self) -> np.ndarray:
        """(T,) seconds of the video that the frames of the scene show: the span of all persons, evenly."""
        spans = [np.asarray(motion.timestamps) for motion in self.motions]
        fps = self.options.fps or float(self.motions[0].fps)
        if len(spans) == 1:
            return uniform_times(spans[0], fps)
        first, last = min(span[0] for span in spans), max(span[-1] for span in spans)
        return first + np.arange(round((last - first) * fps) + 1) / fps

    @cached_property
    def fps(self) -> float:
        """Frames per second."""
        return self.options.fps or float(self.motions[0].fps)

    @cached_property
    def scene(self) -> Scene:
        """The motions as animation formats hold them.

        The first motion's world is that of all. A person who is not there yet, or no more, keeps the first or last
        pose with confidence 0.

        Raises:
            AnyliftError: a motion's body is not installed.
        """
        first = self.motions[0]
        made = Scene(
            self.fps,
            tuple(
                _character(motion, name, self.times, self.options)
                for motion, name in zip(in_one_world(self.motions), self.names, strict=True)
            ),
            _camera(first, self.times),
            tuple(_props(first, self.times, self.meshes)),
        )
        made = made if self.options.up == "y" else made.z_up()
        return made.in_unit(self.options.metres_per_unit)


def _character(motion: MotionArtifact, name: str, times: np.ndarray, options: ExportOptions) -> Character:
    body = body_of(motion)
    shape = shape_of(motion, body)
    rest = body.rest_joints(shape)[0].double().numpy()
    rotations, pelvis = resample(
        pose_matrices(motion).double().numpy(),
        rest[0] + motion.trans.astype(np.float64),
        motion.timestamps,
        times,
    )
    rotations[:, 0] = Y_UP_FROM_Z_UP @ rotations[:, 0]
    pelvis = pelvis @ Y_UP_FROM_Z_UP.T
    arms = _arms_down() if options.rest == "a-pose" else np.tile(np.eye(3), (len(SMPL_JOINTS), 1, 1))
    vertices, faces = _mesh(body, shape, arms)
    rest, rotations = _with_rest(rest, rotations, arms)
    translations = np.tile(_offsets(rest), (len(times), 1, 1))
    translations[:, 0] = pelvis
    skin_joints, skin_weights = _skin(body)
    there = (times >= motion.timestamps[0] - 0.5 / motion.fps) & (times <= motion.timestamps[-1] + 0.5 / motion.fps)
    made = Character(
        name,
        JOINT_NAMES[options.names][: len(SMPL_JOINTS)],
        SMPL_PARENTS,
        rest,
        rotations,
        translations,
        vertices,
        faces,
        skin_joints,
        skin_weights,
        CONTACT_NAMES,
        resample_values(motion.foot_contact, motion.timestamps, times) * there[:, None],
        resample_values(motion.confidence, motion.timestamps, times) * there,
    )
    return _with_ground_root(made) if options.root == "ground" else made


def _arms_down() -> np.ndarray:
    pose = np.tile(np.eye(3), (len(SMPL_JOINTS), 1, 1))
    for side, sign in (("left", -1), ("right", 1)):
        pose[J[f"{side}_shoulder"]] = Rotation.from_euler("z", sign * _A_POSE, degrees=True).as_matrix()
    return pose


def _with_rest(rest: np.ndarray, rotations: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rest positions and rotations (T, J, 3, 3) relative to a rest that is `pose` (J, 3, 3) of the old one."""
    turns, places = pose.copy(), rest.copy()
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            turns[joint] = turns[parent] @ pose[joint]
            places[joint] = places[parent] + turns[parent] @ (rest[joint] - rest[parent])
    before = np.stack([turns[max(parent, 0)] if parent >= 0 else np.eye(3) for parent in SMPL_PARENTS])
    return places, before @ rotations @ turns.swapaxes(-1, -2)


def _mesh(body: BodyModel, shape: torch.Tensor, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    posed = torch.from_numpy(pose).float()[None]
    return body.vertices(posed, shape, torch.zeros(1, 3))[0].double().numpy(), body.faces


def _skin(body: BodyModel) -> tuple[np.ndarray, np.ndarray]:
    weights = body.lbs_weights.double().numpy()
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :_SKIN]
    chosen = np.take_along_axis(weights, joints, 1)
    return np.where(chosen > 0, joints, 0), chosen / chosen.sum(1, keepdims=True)


def _with_ground_root(one: Character) -> Character:
    """With a joint "root" on the floor below the pelvis, which carries it along."""
    pelvis = one.translations[:, 0]
    ground = pelvis * (1, 0, 1)
    root = np.zeros((1, 3))
    translations = np.concatenate([ground[:, None], (pelvis - ground)[:, None], one.translations[:, 1:]], 1)
    still = np.tile(np.eye(3), (len(pelvis), 1, 1, 1))
    return Character(
        one.name,
        ("root", *one.joint_names),
        (-1, *(parent + 1 for parent in one.parents)),
        np.concatenate([root, one.rest - one.rest[0] * (1, 0, 1)]),
        np.concatenate([still, one.rotations], 1),
        translations,
        one.vertices - one.rest[0] * (1, 0, 1),
        one.faces,
        one.skin_joints + 1,
        one.skin_weights,
        one.contact_names,
        one.contacts,
        one.confidence,
    )


def _camera(motion: MotionArtifact, times: np.ndarray) -> Camera | None:
    if NO_CAMERA in motion.meta:
        return None
    pose = _y_up(resample_poses(motion.world_from_camera, motion.timestamps, times))
    pose[:, :3, :3] = pose[:, :3, :3] @ _CAMERA_AXES
    K = resample_values(motion.K, motion.timestamps, times)
    width, height = (int(side) for side in motion.image_size)
    return Camera(pose, K[:, [0, 1], [0, 1]], K[:, :2, 2], (width, height))


def _props(
    motion: MotionArtifact, times: np.ndarray, meshes: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> list[Prop]:
    if motion.object_names is None or motion.world_from_object is None:
        return []
    empty = np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    return [
        Prop(str(name), *meshes.get(str(name), empty), _y_up(resample_poses(pose, motion.timestamps, times)))
        for name, pose in zip(motion.object_names, motion.world_from_object, strict=True)
    ]


def _y_up(pose: np.ndarray) -> np.ndarray:
    turned = pose.copy()
    turned[:, :3] = Y_UP_FROM_Z_UP @ pose[:, :3]
    return turned


def _offsets(rest: np.ndarray) -> np.ndarray:
    return np.stack([rest[j] - (rest[p] if p >= 0 else 0.0) for j, p in enumerate(SMPL_PARENTS)])

"""A BVH file as a motion of the open body: bones as long as the file's, turned as the file's are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS, NUM_BETAS, convention_arrays, pose_arrays, rate_arrays
from anylift_cli.body.contacts import (
    CONTACT_POINTS,
    contact_probability,
    floor_height,
    foot_clearance,
    still_probability,
)
from anylift_cli.body.model import BodyModel, BodyPoints
from anylift_cli.body.posing import posed, with_parameters
from anylift_cli.body.skeleton import SMPL_PARENTS
from anylift_cli.export.bvh_names import BvhHuman, read_human
from anylift_cli.export.camera_path import NO_CAMERA
from anylift_cli.export.scene import Y_UP_FROM_Z_UP
from anylift_cli.geometry.rotations import rotation_between

_SHAPE_PASSES = 10
_PLAIN = 2e-5
"""How much a shape coefficient costs, m² per squared unit, so that what bones do not tell stays average."""
_STILL_SPEED, _STILL_WIDTH = 0.15, 0.05


def read_bvh_as_motion(path: Path) -> MotionArtifact:
    """The person of a BVH file, in metres with z up, where the file has it.

    Shape is what bone lengths tell of it. A rest pose other than SMPL's is allowed for: bones point where the file's
    do at every frame; how a limb turns about itself is taken from the file where a joint has several children, from
    its parent otherwise. Joints that the file does not have go along with their parents. Contacts are those of feet
    that stand still on a floor. There is no camera.

    Raises:
        AnyliftError: see `read_human`.
    """
    human = read_human(path)
    body = BodyModel.load("open")
    betas = _shape(human, body)
    rest = body.rest_joints(torch.from_numpy(betas[None]).float())[0].double().numpy()
    positions, rotations = human.world()
    frames = len(positions)
    local = _local(_world(human, rest, rotations))
    pose = Rotation.from_matrix(local[:, :BODY_JOINTS].reshape(-1, 3, 3)).as_rotvec().reshape(frames, -1)
    trans = positions[:, human.places[0]] - rest[0]
    shape = np.zeros(NUM_BETAS)
    shape[: len(betas)] = betas
    blank = MotionArtifact(
        **pose_arrays(pose),
        **rate_arrays(human.fps, frames),
        **convention_arrays(),
        trans=trans,
        betas=shape,
        num_betas=body.num_betas,
        timestamps=np.arange(frames) / human.fps,
        frame_index=np.arange(frames),
        joints=np.zeros((frames, 24, 3)),
        joint_confidence=np.ones((frames, 24)),
        confidence=np.ones(frames),
        foot_contact=np.zeros((frames, 4)),
        world_from_camera=np.tile(np.eye(4), (frames, 1, 1)),
        K=np.tile(np.eye(3), (frames, 1, 1)),
        image_size=np.ones(2),
        height=float(body.standing_height(torch.from_numpy(betas[None]).float())),
        meta={"body": {"name": body.name, "sha256": body.sha256}, "made_from": path.name, NO_CAMERA: True},
    )
    clearance = foot_clearance(body, torch.from_numpy(betas[None]).float())
    return with_parameters(blank, blank.poses, trans, foot_contact=_contact(posed(blank), clearance, blank.timestamps))


def _shape(human: BvhHuman, body: BodyModel) -> np.ndarray:
    """Shape (S,) whose bones are as long as the file's, by Gauss-Newton steps on the lengths."""
    template, directions = (value.double().numpy() for value in (body.joint_template, body.joint_shapedirs))
    rest = human.rest()
    bones = [(joint, above) for joint in human.places if (above := _above(joint, human)) is not None]
    joint, above = np.array(bones).T
    places = np.vectorize(human.places.__getitem__)
    wanted = np.linalg.norm(rest[places(joint)] - rest[places(above)], axis=-1)
    betas = np.zeros(body.num_betas)
    for _ in range(_SHAPE_PASSES):
        bone = (template + directions @ betas)[joint] - (template + directions @ betas)[above]
        length = np.linalg.norm(bone, axis=-1)
        slope = np.einsum("bi,bis->bs", bone / length[:, None], directions[joint] - directions[above])
        square = slope.T @ slope + _PLAIN / len(bones) * np.eye(len(betas))
        betas = np.linalg.solve(square, slope.T @ (wanted - length + slope @ betas))
    return betas


def _above(joint: int, human: BvhHuman) -> int | None:
    """The nearest joint above `joint` that the file has; None for the highest."""
    above = SMPL_PARENTS[joint]
    while above >= 0 and above not in human.places:
        above = SMPL_PARENTS[above]
    return above if above >= 0 else None


def _world(human: BvhHuman, rest: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """World rotations (T, 24, 3, 3) of the body's joints.

    `file_from_body` of a joint turns its bones at the body's rest to where they point at the file's.
    """
    file_rest = human.rest()
    file_from_body: dict[int, np.ndarray] = {}
    world = np.zeros((len(rotations), len(SMPL_PARENTS), 3, 3))
    for joint, parent in enumerate(SMPL_PARENTS):
        if joint not in human.places:
            file_from_body[joint], world[:, joint] = file_from_body[parent], world[:, parent]
            continue
        below = [other for other in human.places if _above(other, human) == joint]
        ours = _unit(rest[below] - rest[joint])
        theirs = _unit(file_rest[[human.places[other] for other in below]] - file_rest[human.places[joint]])
        start = file_from_body[parent] if joint else Y_UP_FROM_Z_UP.T
        file_from_body[joint] = _turned(start, ours, theirs)
        world[:, joint] = rotations[:, human.places[joint]] @ file_from_body[joint]
    return world


def _turned(start: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """The rotation nearest to `start` that brings directions `ours` (N, 3) to `theirs` (N, 3)."""
    if not len(ours):
        return start
    if len(ours) == 1:
        first, second = (torch.from_numpy(value) for value in (ours @ start.T, theirs))
        return rotation_between(first, second)[0].numpy() @ start
    return Rotation.align_vectors(theirs, ours)[0].as_matrix()


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _local(world: np.ndarray) -> np.ndarray:
    above = [max(parent, 0) for parent in SMPL_PARENTS]
    local = world[:, above].swapaxes(-1, -2) @ world
    local[:, 0] = world[:, 0]
    return local


def _contact(points: BodyPoints, clearance: Tensor, times: np.ndarray) -> np.ndarray:
    """Probability (T, 4) that heels and toes stand on the floor; 0 where nothing stands."""
    feet = points.keypoints[:, list(CONTACT_POINTS)]
    moments = torch.from_numpy(times).float()
    unseen = torch.zeros_like(feet[:, 0])
    still = still_probability(feet, unseen, moments, _STILL_SPEED, _STILL_WIDTH, depth_share=1.0)
    floor = floor_height(feet[..., 2] - clearance, still)
    if floor is None:
        return np.zeros(still.shape)
    return contact_probability(feet, still, floor, clearance, moments).numpy()

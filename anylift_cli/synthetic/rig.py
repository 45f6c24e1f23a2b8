"""Turns a choreography (where the pelvis, the feet and the hands are) into SMPL rotations by analytic two-bone IK."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS, J

SIDES = ("left", "right")
REACH = 0.992
"""Share of a limb's length up to which it is stretched; full extension makes knees and elbows snap."""

_SPINE = ("spine1", "spine2", "spine3")
_SMOOTHING_ROUNDS = 40


@dataclass
class LimbTrack:
    """Where a wrist or an ankle goes: a mix of a world target and one that moves with the trunk.

    Attributes:
        world: (T, 3) metres.
        local: (T, 3) from the shoulder (in axes of the chest) or the hip (pelvis): x left, y up, z forward, in limb
            lengths.
        hold: (T,) 1 where the limb follows `world`, 0 where it follows `local`.
        pole: (T, 3) direction in which the elbow or the knee points, in axes of the chest or the pelvis.
        grip: (3, 3) world rotation of a hand while it holds its world target; None where the hand follows the forearm.
    """

    world: np.ndarray
    local: np.ndarray
    hold: np.ndarray
    pole: np.ndarray
    grip: np.ndarray | None = None


@dataclass
class FootTrack:
    """The orientation of a foot, and what of it stands on the floor.

    Attributes:
        heading: (T,) radians of the toes' direction.
        pitch: (T,) radians, toes up positive.
        toe_pitch: (T,) radians, of the toes alone.
        contact: (T, 2) heel, toe.
        ankle_bend: (T,) radians of plantar flexion, where the limb's `hold` is 0.
    """

    heading: np.ndarray
    pitch: np.ndarray
    toe_pitch: np.ndarray
    contact: np.ndarray
    ankle_bend: np.ndarray


@dataclass(frozen=True)
class Box:
    """A box that the motion needs: `size` (3,) metres, standing at the origin of `world_from_box` (T, 4, 4)."""

    name: str
    size: tuple[float, float, float]
    world_from_box: np.ndarray
    tone: tuple[int, int, int] = (172, 134, 92)


@dataclass
class Choreography:
    """An authored motion of T frames; x, y, z of angles turn about the body's left, up and forward axes.

    Attributes:
        pelvis: (T, 3) world, before the reach of planted limbs corrects it.
        pelvis_rotation: (T, 3, 3), world from rest.
        trunk, head: (T, 3) radians, pitch forward, twist left, roll right.
        legs, arms: tracks by side.
        feet: orientation by side.
        boxes: props that are sat on or carried.
    """

    pelvis: np.ndarray
    pelvis_rotation: np.ndarray
    trunk: np.ndarray
    head: np.ndarray
    legs: dict[str, LimbTrack]
    feet: dict[str, FootTrack]
    arms: dict[str, LimbTrack]
    boxes: list[Box] = field(default_factory=list)


@dataclass(frozen=True)
class Rig:
    """A body's rest joints (24, 3), rest heels by side (3,) and height of its soles, metres."""

    rest: np.ndarray
    heels: dict[str, np.ndarray]
    sole: float

    @classmethod
    def of(cls, body: BodyModel, betas: torch.Tensor) -> Rig:
        """Measure a body of shape `betas` (1, S)."""
        identity = torch.eye(3).expand(1, 24, 3, 3)
        with torch.no_grad():
            rest = body.rest_joints(betas)[0].double().numpy()
            vertices = body.vertices(identity, betas, torch.zeros(1, 3))[0].double().numpy()
        heels = {side: vertices[body.landmark_vertices[f"{side}_heel"]] for side in SIDES}
        return cls(rest, heels, float(vertices[:, 1].min()))

    def bone(self, start: str, end: str) -> np.ndarray:
        """Vector (3,) between two rest joints."""
        return self.rest[J[end]] - self.rest[J[start]]

    def leg_length(self) -> float:
        """Hip to ankle, metres."""
        return float(
            np.linalg.norm(self.bone("left_hip", "left_knee")) + np.linalg.norm(self.bone("left_knee", "left_ankle"))
        )

    def arm_length(self) -> float:
        """Shoulder to wrist, metres."""
        return float(
            np.linalg.norm(self.bone("left_shoulder", "left_elbow"))
            + np.linalg.norm(self.bone("left_elbow", "left_wrist"))
        )

    @property
    def pelvis_height(self) -> float:
        """Of the T-pose above the floor, metres."""
        return float(self.rest[0, 1] - self.sole)

    @property
    def ball_height(self) -> float:
        """Of the ball of the foot (joint `foot`) above the floor, metres."""
        return float(self.rest[J["left_foot"], 1] - self.sole)


def heading(yaw: np.ndarray) -> np.ndarray:
    """World rotation (..., 3, 3) of an upright rest body that faces (cos yaw, sin yaw, 0)."""
    yaw = np.asarray(yaw, float)
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)
    left = np.stack([-np.sin(yaw), np.cos(yaw), zero], -1)
    forward = np.stack([np.cos(yaw), np.sin(yaw), zero], -1)
    return np.stack([left, np.stack([zero, zero, one], -1), forward], -1)


def about(axis: str, angle: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) about a rest axis."""
    angle = np.asarray(angle, float)
    vector = angle.reshape(-1, 1) * np.eye(3)["xyz".index(axis)]
    return Rotation.from_rotvec(vector).as_matrix().reshape(*angle.shape, 3, 3)


def solve(choreography: Choreography, rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """SMPL parameters of a choreography.

    Feet and hands that hold a world target are there exactly: the pelvis gives way, smoothly, where a limb is too
    short.

    Returns:
        local rotations (T, 24, 3, 3) and transl (T, 3), so that world pelvis = rest pelvis + transl.
    """
    frames = len(choreography.pelvis)
    rotations = np.broadcast_to(np.eye(3), (frames, 24, 3, 3)).copy()
    rotations[:, 0] = choreography.pelvis_rotation
    share = choreography.trunk / len(_SPINE)
    for name in _SPINE:
        rotations[:, J[name]] = _turn(rotations[:, SMPL_PARENTS[J[name]]], share)
    for name in ("neck", "head"):
        rotations[:, J[name]] = _turn(rotations[:, SMPL_PARENTS[J[name]]], choreography.head / 2)
    chest = rotations[:, J["spine3"]]
    for side in SIDES:
        rotations[:, J[f"{side}_collar"]] = chest

    offsets = _trunk_offsets(rig, rotations)
    targets = _Targets(choreography, rig, chest, offsets)
    pelvis = _give_way(choreography, rig, targets)
    for side in SIDES:
        _solve_arm(rotations, choreography, rig, side, targets.arm(side, pelvis), pelvis + offsets[f"{side}_shoulder"])
        _solve_leg(rotations, choreography, rig, side, targets.leg(side, pelvis), pelvis + offsets[f"{side}_hip"])
    local = rotations.copy()
    for joint in range(1, 24):
        local[:, joint] = rotations[:, SMPL_PARENTS[joint]].swapaxes(-1, -2) @ rotations[:, joint]
    return local, pelvis - rig.rest[0]


def _turn(parent: np.ndarray, angles: np.ndarray) -> np.ndarray:
    return parent @ about("y", angles[:, 1]) @ about("z", angles[:, 2]) @ about("x", angles[:, 0])


def _trunk_offsets(rig: Rig, rotations: np.ndarray) -> dict[str, np.ndarray]:
    """World vectors (T, 3) from the pelvis to the shoulders and the hips."""
    offsets = {"pelvis": np.zeros((len(rotations), 3))}
    for joint in range(1, 24):
        name, parent = SMPL_JOINTS[joint], SMPL_JOINTS[SMPL_PARENTS[joint]]
        if name.endswith(("hip", "spine1", "spine2", "spine3", "collar", "shoulder")):
            offsets[name] = offsets[parent] + rotations[:, J[parent]] @ rig.bone(parent, name)
    return offsets


class _Targets:
    """World targets of the ankles and the wrists for a given pelvis path."""

    def __init__(self, choreography: Choreography, rig: Rig, chest: np.ndarray, offsets: dict[str, np.ndarray]) -> None:
        self._choreography, self._rig, self._chest, self.offsets = choreography, rig, chest, offsets

    def leg(self, side: str, pelvis: np.ndarray) -> np.ndarray:
        track = self._choreography.legs[side]
        return self._mix(
            track, self._choreography.pelvis_rotation, pelvis + self.offsets[f"{side}_hip"], self._rig.leg_length()
        )

    def arm(self, side: str, pelvis: np.ndarray) -> np.ndarray:
        track = self._choreography.arms[side]
        return self._mix(track, self._chest, pelvis + self.offsets[f"{side}_shoulder"], self._rig.arm_length())

    @staticmethod
    def _mix(track: LimbTrack, frame: np.ndarray, root: np.ndarray, length: float) -> np.ndarray:
        carried = root + length * np.einsum("tij,tj->ti", frame, track.local)
        return carried + track.hold[:, None] * (track.world - carried)


def _give_way(choreography: Choreography, rig: Rig, targets: _Targets) -> np.ndarray:
    """The pelvis path, moved no more than it takes for every held limb to reach its world target."""
    limbs = [
        (track.world, track.hold > 0.999, targets.offsets[f"{side}_{root}"], REACH * length)
        for tracks, root, length in (
            (choreography.legs, "hip", rig.leg_length()),
            (choreography.arms, "shoulder", rig.arm_length()),
        )
        for side, track in tracks.items()
    ]

    def project(pelvis: np.ndarray) -> np.ndarray:
        for _ in range(8):
            for world, held, offset, reach in limbs:
                gap = world - pelvis - offset
                distance = np.linalg.norm(gap, axis=-1)
                excess = np.where(held, np.maximum(distance - reach, 0), 0)
                pelvis = pelvis + gap * (excess / np.maximum(distance, 1e-9))[:, None]
        return pelvis

    pelvis = choreography.pelvis
    for _ in range(_SMOOTHING_ROUNDS):
        pelvis = pelvis + 1.5 * gaussian_filter1d(project(pelvis) - pelvis, 2.5, axis=0, mode="nearest")
    return project(pelvis)


def _solve_leg(
    rotations: np.ndarray, motion: Choreography, rig: Rig, side: str, target: np.ndarray, hip: np.ndarray
) -> None:
    joints = [J[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "foot")]
    bones = rig.bone(f"{side}_hip", f"{side}_knee"), rig.bone(f"{side}_knee", f"{side}_ankle")
    pole = np.einsum("tij,tj->ti", motion.pelvis_rotation, motion.legs[side].pole)
    thigh, shank = _two_bones(target - hip, pole, bones, np.array([0.0, 0.0, 1.0]))
    foot, hold = motion.feet[side], motion.legs[side].hold
    planted = heading(foot.heading) @ about("x", -foot.pitch)
    rotations[:, joints[0]], rotations[:, joints[1]] = thigh, shank
    rotations[:, joints[2]] = _between(shank @ about("x", foot.ankle_bend), planted, hold)
    toes = heading(foot.heading) @ about("x", -foot.toe_pitch)
    rotations[:, joints[3]] = _between(rotations[:, joints[2]], toes, hold)


def _solve_arm(
    rotations: np.ndarray, motion: Choreography, rig: Rig, side: str, target: np.ndarray, shoulder: np.ndarray
) -> None:
    joints = [J[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand")]
    bones = rig.bone(f"{side}_shoulder", f"{side}_elbow"), rig.bone(f"{side}_elbow", f"{side}_wrist")
    pole = np.einsum("tij,tj->ti", rotations[:, J["spine3"]], motion.arms[side].pole)
    rotations[:, joints[0]], rotations[:, joints[1]] = _two_bones(
        target - shoulder, pole, bones, np.array([0.0, 0.0, -1.0])
    )
    track, hand = motion.arms[side], rotations[:, joints[1]]
    if track.grip is not None:
        hand = _between(hand, np.broadcast_to(track.grip, hand.shape), track.hold)
    rotations[:, joints[2]] = rotations[:, joints[3]] = hand


def _two_bones(
    reach: np.ndarray, pole: np.ndarray, bones: tuple[np.ndarray, np.ndarray], rest_pole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World rotations (T, 3, 3) of both bones, whose chain then ends at `reach` (T, 3) from its root."""
    upper, lower = (float(np.linalg.norm(bone)) for bone in bones)
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    direction = reach / np.maximum(distance, 1e-9)
    distance = distance.clip(abs(upper - lower) + 1e-4, (upper + lower) * (1 - 1e-6))
    side = pole - (pole * direction).sum(-1, keepdims=True) * direction
    side = side / np.linalg.norm(side, axis=-1, keepdims=True)
    cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
    middle = upper * (cosine * direction + np.sqrt(np.maximum(1 - cosine**2, 0)) * side)
    hinge = np.cross(side, direction)
    rest_hinge = np.cross(rest_pole, bones[0] + bones[1])
    return (
        _frame(middle, hinge) @ _frame(bones[0], rest_hinge).T,
        _frame(distance * direction - middle, hinge) @ _frame(bones[1], rest_hinge).T,
    )


def _frame(along: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Orthonormal axes (..., 3, 3): along the bone, the hinge made perpendicular to it, and their product."""
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    hinge = hinge - (hinge * along).sum(-1, keepdims=True) * along
    hinge = hinge / np.linalg.norm(hinge, axis=-1, keepdims=True)
    return np.stack([along, hinge, np.cross(along, hinge)], -1)


def _between(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) on the shortest way from `first` (weight 0) to `second` (1)."""
    difference = Rotation.from_matrix(first.swapaxes(-1, -2) @ second).as_rotvec()
    return first @ Rotation.from_rotvec(difference * weight[:, None]).as_matrix()

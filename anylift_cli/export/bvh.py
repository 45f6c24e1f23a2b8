"""BVH: the shaped skeleton of one person at an even rate, without mesh or camera, in the axes and unit of the scene.

The format names neither axes nor unit. Joints that travel have OFFSET zero, because programs disagree on whether
position channels add to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.skeleton import SMPL_JOINTS, J
from anylift_cli.errors import AnyliftError
from anylift_cli.export.scene import Character
from anylift_cli.export.take import Take

POSITION_CHANNELS = "Xposition Yposition Zposition"
ROTATION_CHANNELS = "Zrotation Yrotation Xrotation"
_HEAD, _TOES, _FINGERS = 0.12, 0.045, 0.06
"""Lengths from the last joints to the End Sites, as fractions of standing height."""


class BvhExporter:
    """Biovision hierarchy."""

    name = "bvh"
    suffix = ".bvh"
    one_person = True

    def write(self, take: Take, path: Path) -> Path:
        """Write the person of `take`.

        Raises:
            AnyliftError: several persons, a body that is not installed, or a `path` that cannot be written.
        """
        if len(take.motions) != 1:
            raise AnyliftError(f"a BVH file holds one person, not {len(take.motions)}", "write one file per person")
        one = take.scene.characters[0]
        angles = euler_zyx(one.rotations)
        columns = [_channels(one, angles, joint) for joint in _depth_first(one, 0)]
        with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as stream:
            stream.write("\n".join(_hierarchy(one, _tips(one, take.scene.up))))
            stream.write(f"\nMOTION\nFrames: {take.scene.frames}\nFrame Time: {1 / take.scene.fps:.9g}\n")
            np.savetxt(stream, np.concatenate(columns, axis=1), fmt="%.6f")
        return Path(path)


def euler_zyx(rotations: np.ndarray) -> np.ndarray:
    """Angles in degrees, (T, J, 3) as z, y, x with R = Rz Ry Rx, of rotations (T, J, 3, 3), continuous over time.

    Each rotation has two Euler triples, each known up to full turns; the nearest to the frame before is taken, so
    that a program that interpolates the channels between frames does not spin the joint.
    """
    frames, joints = rotations.shape[:2]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock")
        first = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_euler("ZYX", degrees=True)
    first = first.reshape(frames, joints, 3)
    candidates = np.stack([first, first * (1, -1, 1) + 180], axis=-2)
    angles = first.copy()
    for frame in range(1, frames):
        before = angles[frame - 1][:, None]
        near = candidates[frame] - 360 * np.round((candidates[frame] - before) / 360)
        best = np.abs(near - before).sum(-1).argmin(-1)
        angles[frame] = near[np.arange(joints), best]
    return angles


def _channels(one: Character, angles: np.ndarray, joint: int) -> np.ndarray:
    travels = joint in one.travelling
    return np.concatenate([one.translations[:, joint], angles[:, joint]], 1) if travels else angles[:, joint]


def _tips(one: Character, up: str) -> dict[int, np.ndarray]:
    """End Sites of the SMPL joints without children: {joint: (3,)} from it, in the rest pose."""
    upwards, forwards = np.eye(3)[[1, 2]] if up == "y" else np.array([[0.0, 0, 1], [0, -1, 0]])
    height = np.ptp(one.vertices @ upwards)
    first = len(one.joint_names) - len(SMPL_JOINTS)
    tips = {first + J["head"]: _HEAD * height * upwards}
    for side in ("left", "right"):
        hand = first + J[f"{side}_hand"]
        along = one.rest[hand] - one.rest[one.parents[hand]]
        tips[first + J[f"{side}_foot"]] = _TOES * height * forwards
        tips[hand] = _FINGERS * height * along / np.linalg.norm(along)
    return tips


def _hierarchy(one: Character, tips: dict[int, np.ndarray]) -> Iterator[str]:
    def offset(vector: np.ndarray) -> str:
        return "OFFSET " + " ".join(f"{value:.6f}" for value in vector)

    def joint(index: int, indent: str) -> Iterator[str]:
        travels = index in one.travelling
        yield f"{indent}{'JOINT' if one.parents[index] >= 0 else 'ROOT'} {one.joint_names[index]}"
        yield f"{indent}{{"
        yield f"{indent}\t{offset(np.zeros(3) if travels else one.rest_offsets[index])}"
        channels = f"6 {POSITION_CHANNELS}" if travels else "3"
        yield f"{indent}\tCHANNELS {channels} {ROTATION_CHANNELS}"
        for child in _children(one, index):
            yield from joint(child, indent + "\t")
        if index in tips:
            yield from (f"{indent}\tEnd Site", f"{indent}\t{{")
            yield f"{indent}\t\t{offset(tips[index])}"
            yield f"{indent}\t}}"
        yield f"{indent}}}"

    yield "HIERARCHY"
    yield from joint(0, "")


def _depth_first(one: Character, index: int) -> Iterator[int]:
    yield index
    for child in _children(one, index):
        yield from _depth_first(one, child)


def _children(one: Character, index: int) -> list[int]:
    return [child for child, parent in enumerate(one.parents) if parent == index]

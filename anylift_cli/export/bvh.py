"""BVH: y up, centimetres, the shaped SMPL skeleton resting in T-pose.

The world is turned from z up to y up by x, y, z → x, z, -y, as Blender's importer (forward -Z, up Y) and GMR undo it.
The root's OFFSET is zero, because programs disagree on whether its position channels add to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from anylift_cli.export.parameters import body_of, pose_matrices, shape_of
from anylift_cli.export.resampling import resample, uniform_times

CENTIMETRES = 100.0
Y_UP_FROM_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
ROTATION_CHANNELS = "Zrotation Yrotation Xrotation"

TIPS = {
    "head": (0.0, 0.12, 0.0),
    "left_foot": (0.0, 0.0, 0.045),
    "right_foot": (0.0, 0.0, 0.045),
    "left_hand": (0.06, 0.0, 0.0),
    "right_hand": (-0.06, 0.0, 0.0),
}
"""End Sites in the rest pose (left = +x, up = +y, forward = +z), as fractions of standing height."""


class BvhExporter:
    """Biovision hierarchy, one person per file."""

    name = "bvh"
    suffix = ".bvh"

    def write(self, motion: MotionArtifact, path: Path) -> Path:
        """Write `motion` at its own frame rate; uneven timestamps are resampled to it, keeping the duration.

        Raises:
            AnyliftError: the motion's body is not installed, or `path` cannot be written.
        """
        body = body_of(motion)
        rest = body.rest_joints(shape_of(motion, body))[0].double().numpy()
        rotations = pose_matrices(motion).double().numpy()
        pelvis = rest[0] + motion.trans.astype(np.float64)

        fps = float(motion.fps)
        rotations, pelvis = resample(rotations, pelvis, motion.timestamps, uniform_times(motion.timestamps, fps))
        rotations[:, 0] = Y_UP_FROM_Z_UP @ rotations[:, 0]
        pelvis = pelvis @ Y_UP_FROM_Z_UP.T * CENTIMETRES

        angles = euler_zyx(rotations)[:, list(_depth_first(0))]
        frames = np.concatenate([pelvis, angles.reshape(len(angles), -1)], axis=1)
        with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as stream:
            stream.write("\n".join(_hierarchy(rest, float(motion.height))))
            stream.write(f"\nMOTION\nFrames: {len(frames)}\nFrame Time: {1 / fps:.9g}\n")
            np.savetxt(stream, frames, fmt="%.6f")
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


def _hierarchy(rest: np.ndarray, height: float) -> Iterator[str]:
    def offset(vector: np.ndarray) -> str:
        return "OFFSET " + " ".join(f"{value:.6f}" for value in np.asarray(vector) * CENTIMETRES)

    def joint(index: int, indent: str) -> Iterator[str]:
        name, parent = SMPL_JOINTS[index], SMPL_PARENTS[index]
        yield f"{indent}{'JOINT' if parent >= 0 else 'ROOT'} {name}"
        yield f"{indent}{{"
        if parent >= 0:
            yield f"{indent}\t{offset(rest[index] - rest[parent])}"
            yield f"{indent}\tCHANNELS 3 {ROTATION_CHANNELS}"
        else:
            yield f"{indent}\t{offset(np.zeros(3))}"
            yield f"{indent}\tCHANNELS 6 Xposition Yposition Zposition {ROTATION_CHANNELS}"
        for child in _children(index):
            yield from joint(child, indent + "\t")
        if name in TIPS:
            yield from (f"{indent}\tEnd Site", f"{indent}\t{{")
            yield f"{indent}\t\t{offset(np.array(TIPS[name]) * height)}"
            yield f"{indent}\t}}"
        yield f"{indent}}}"

    yield "HIERARCHY"
    yield from joint(0, "")


def _depth_first(index: int) -> Iterator[int]:
    yield index
    for child in _children(index):
        yield from _depth_first(child)


def _children(index: int) -> list[int]:
    return [child for child, parent in enumerate(SMPL_PARENTS) if parent == index]

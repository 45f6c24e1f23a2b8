"""Joints and object poses as holosoma (OmniRetarget) reads them with `--data_format smplx`: z up, metres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.export.motion_at import evenly
from anylift_cli.export.take import Take

JOINTS = 22
"""holosoma's SMPLX_DEMO_JOINTS are the first joints of SMPL, in SMPL's order."""
_READERS_RATE = 30.0


class HolosomaExporter:
    """`global_joint_positions`, `height` and, with objects, `object_poses`; one person per file."""

    name = "holosoma"
    suffix = ".holosoma.npz"
    one_person = True

    def write(self, take: Take, path: Path) -> Path:
        """Write the first motion of `take`, at its `fps` or, without one, at the 30 that holosoma assumes.

        `object_poses` (T, 7) is the first object's qw, qx, qy, qz, x, y, z; further objects follow as
        `object_poses_2`, …, in the order of `object_names`.

        Raises:
            AnyliftError: the motion's body is not installed, its times are unusable, or `path` cannot be written.
        """
        motion = evenly(take.motions[0], take.options.fps or _READERS_RATE)
        arrays = {
            "global_joint_positions": motion.joints[:, :JOINTS],
            "height": motion.height,
            "fps": motion.fps,
            "foot_contact": motion.foot_contact,
        }
        if motion.world_from_object is not None and len(motion.world_from_object):
            arrays["object_names"] = motion.object_names
            for number, pose in enumerate(motion.world_from_object, 1):
                arrays["object_poses" if number == 1 else f"object_poses_{number}"] = wxyz_xyz(pose)
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, **arrays)
        return Path(path)


def wxyz_xyz(pose: np.ndarray) -> np.ndarray:
    """Rigid poses (T, 4, 4) as (T, 7): quaternion in wxyz order, without sign flips over time, then position."""
    quaternion = Rotation.from_matrix(pose[:, :3, :3]).as_quat()[:, [3, 0, 1, 2]]
    flips = np.sign((quaternion[1:] * quaternion[:-1]).sum(-1))
    quaternion[1:] *= np.cumprod(np.where(flips < 0, -1.0, 1.0))[:, None]
    return np.concatenate([quaternion, pose[:, :3, 3]], 1)

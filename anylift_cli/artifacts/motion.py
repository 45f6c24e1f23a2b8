"""`motion.npz`: the result, an AMASS superset that Meshcapade, GMR and PHC readers accept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anylift_cli.artifacts.base import Artifact, array

BODY_JOINTS = 22
"""Joints of the SMPL-X order that SMPL has too; SMPL's two hands have no rotation of their own in a motion."""
SMPLX_JOINTS = 55
"""Rotations in `MotionArtifact.poses`: 22 of the body, jaw, two eyes, 15 of each hand."""
NUM_BETAS = 16


@dataclass(kw_only=True)
class MotionArtifact(Artifact):
    """One person's motion in the metric world (z up, floor z = 0, first-frame root above the origin).

    SMPL parameters map rest to world: world pelvis = J0(betas) + trans. Both AMASS key families are present.
    `joints` are the body's 24 SMPL joints in world coordinates; `foot_contact` columns are left heel, left toe,
    right heel, right toe (probability).
    """

    schema: ClassVar[str] = "anylift.motion"
    version: ClassVar[int] = 1

    poses: np.ndarray = array("T 165", "f4", "rad axis-angle, SMPL-X order, hands and face zero")
    root_orient: np.ndarray = array("T 3", "f4", "rad axis-angle")
    pose_body: np.ndarray = array("T 63", "f4", "rad axis-angle")
    pose_hand: np.ndarray = array("T 90", "f4", "rad axis-angle")
    pose_jaw: np.ndarray = array("T 3", "f4", "rad axis-angle")
    pose_eye: np.ndarray = array("T 6", "f4", "rad axis-angle")
    trans: np.ndarray = array("T 3", "f4", "m")
    betas: np.ndarray = array("16", "f4", "shape coefficients of meta.body")
    gender: np.ndarray = array("", "U")
    surface_model_type: np.ndarray = array("", "U")
    num_betas: np.ndarray = array("", "i8")
    mocap_frame_rate: np.ndarray = array("", "f8", "1/s")
    mocap_framerate: np.ndarray = array("", "f8", "1/s")
    mocap_time_length: np.ndarray = array("", "f8", "s")
    fps: np.ndarray = array("", "f8", "1/s")
    timestamps: np.ndarray = array("T", "f8", "s of the video")
    frame_index: np.ndarray = array("T", "i8", "frame of the video")
    joints: np.ndarray = array("T 24 3", "f4", "m")
    joint_confidence: np.ndarray = array("T 24", "f4", "0..1")
    confidence: np.ndarray = array("T", "f4", "0..1")
    foot_contact: np.ndarray = array("T 4", "f4", "probability: left heel, left toe, right heel, right toe")
    world_from_camera: np.ndarray = array("T 4 4", "f8", "m")
    K: np.ndarray = array("T 3 3", "f8", "px")
    image_size: np.ndarray = array("2", "i8", "px width, height")
    height: np.ndarray = array("", "f4", "m, standing height of the fitted body")
    up_axis: np.ndarray = array("", "U")
    unit: np.ndarray = array("", "U")
    schema_version: np.ndarray = array("", "U")
    object_names: np.ndarray | None = array("O", "U", optional=True)
    world_from_object: np.ndarray | None = array("O T 4 4", "f8", "m", optional=True)
    object_confidence: np.ndarray | None = array("O T", "f4", "0..1, 0 where it was not seen", optional=True)
    object_scale: np.ndarray | None = array("O", "f8", "metres per unit of the mesh file", optional=True)


def pose_arrays(poses: np.ndarray) -> dict[str, np.ndarray]:
    """Both key families of `MotionArtifact` from `poses` (T, 165), or from those of the body alone, (T, 66)."""
    full = np.zeros((len(poses), 3 * SMPLX_JOINTS))
    full[:, : poses.shape[1]] = poses
    return {
        "poses": full,
        "root_orient": full[:, :3],
        "pose_body": full[:, 3:66],
        "pose_jaw": full[:, 66:69],
        "pose_eye": full[:, 69:75],
        "pose_hand": full[:, 75:],
    }


def rate_arrays(fps: float, frames: int) -> dict[str, float]:
    """The names that readers know a motion's rate and duration by."""
    return {"fps": fps, "mocap_frame_rate": fps, "mocap_framerate": fps, "mocap_time_length": frames / fps}


def convention_arrays(family: str = "open", gender: str = "neutral") -> dict[str, str]:
    """What every motion says of itself: whose parameters it has, in SMPL-X's order, z up, metres."""
    return {
        "gender": gender,
        "surface_model_type": "smplx" if family == "open" else family,
        "up_axis": "z",
        "unit": "m",
        "schema_version": str(MotionArtifact.version),
    }

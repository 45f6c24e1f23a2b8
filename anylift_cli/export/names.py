"""What programs call SMPL's 24 joints, in SMPL's order."""

from __future__ import annotations

from anylift_cli.body.skeleton import SMPL_JOINTS

_MIXAMO = (
    "Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot", "Spine2",
    "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm", "RightArm",
    "LeftForeArm", "RightForeArm", "LeftHand", "RightHand", "LeftHandMiddle1", "RightHandMiddle1",
)  # fmt: skip
_UNREAL = (
    "pelvis", "thigh_l", "thigh_r", "spine_01", "calf_l", "calf_r", "spine_02", "foot_l", "foot_r", "spine_03",
    "ball_l", "ball_r", "neck_01", "clavicle_l", "clavicle_r", "head", "upperarm_l", "upperarm_r", "lowerarm_l",
    "lowerarm_r", "hand_l", "hand_r", "middle_01_l", "middle_01_r",
)  # fmt: skip

JOINT_NAMES: dict[str, tuple[str, ...]] = {
    "smpl": SMPL_JOINTS,
    "mixamo": tuple(f"mixamorig:{name}" for name in _MIXAMO),
    "humanik": _MIXAMO,
    "unreal": _UNREAL,
}
"""Mixamo's are those of Autodesk's HumanIK with a prefix."""

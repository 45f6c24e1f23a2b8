"""Names, order and tree of the two point sets used everywhere: SMPL's 24 joints and the 24 points of `body24`."""

from __future__ import annotations

SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip
SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

BODY24 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
"""MVLift's 18 points (ALGORITHM 1.1, OpenPose-COCO order) and six feet points. `neck` is the shoulders' mean."""

K: dict[str, int] = {name: index for index, name in enumerate(BODY24)}
J: dict[str, int] = {name: index for index, name in enumerate(SMPL_JOINTS)}

LEFT_HIP, RIGHT_HIP = K["left_hip"], K["right_hip"]
"""The root of `body24` is the mean of these two."""

BODY24_FROM_SMPL_JOINT = {name: J[name] for name in BODY24 if name in J}
"""Points of `body24` that are SMPL joints; the face, toes and heels are vertices, `neck` a mean."""

BODY24_BONES = tuple(
    (K[a], K[b])
    for a, b in (
        ("right_shoulder", "left_shoulder"), ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("right_hip", "left_hip"),
        ("right_shoulder", "right_hip"), ("left_shoulder", "left_hip"), ("right_hip", "right_knee"),
        ("right_knee", "right_ankle"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("neck", "nose"), ("nose", "right_eye"), ("nose", "left_eye"), ("right_eye", "right_ear"),
        ("left_eye", "left_ear"), ("right_ear", "left_ear"),
        ("left_ankle", "left_heel"), ("left_heel", "left_big_toe"), ("left_ankle", "left_big_toe"),
        ("left_big_toe", "left_small_toe"), ("right_ankle", "right_heel"), ("right_heel", "right_big_toe"),
        ("right_ankle", "right_big_toe"), ("right_big_toe", "right_small_toe"),
    )
)  # fmt: skip
"""Pairs of points at a constant distance; also what overlays draw."""

BODY24_MIRROR = tuple(
    K[name.replace("left_", "right_") if name.startswith("left_") else name.replace("right_", "left_")]
    for name in BODY24
)
SMPL_MIRROR = tuple(
    J[name.replace("left_", "right_") if name.startswith("left_") else name.replace("right_", "left_")]
    for name in SMPL_JOINTS
)

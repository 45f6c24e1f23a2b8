"""Rest joints of the open body.

Segment lengths follow the fractions of stature of Drillis & Contini (1966, as printed in Winter, "Biomechanics and
Motor Control of Human Movement", fig. 4.1); the arms are shortened so that the span is 1.03 statures, the mean of the
ANSUR II survey. Joint centres are placed inside the body where SMPL's tree has joints that the tables lack.
"""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import SMPL_JOINTS

STATURE = 1.70

ANKLE_HEIGHT = 0.042 * STATURE
KNEE_HEIGHT = 0.285 * STATURE
HIP_HEIGHT = 0.525 * STATURE
SHOULDER_HEIGHT = 0.812 * STATURE
UPPER_ARM, FOREARM, HAND = 0.164 * STATURE, 0.144 * STATURE, 0.050 * STATURE
SHOULDER_X, ARM_Z = 0.104 * STATURE, -0.032

_CENTRE = {
    "pelvis": (0, 0.960, -0.012),
    "spine1": (0, 1.065, -0.022),
    "spine2": (0, 1.180, -0.028),
    "spine3": (0, 1.270, -0.026),
    "neck": (0, 1.440, -0.034),
    "head": (0, 1.525, -0.012),
}
_LEFT = {
    "hip": (0.088, HIP_HEIGHT, -0.008),
    "knee": (0.092, KNEE_HEIGHT, -0.006),
    "ankle": (0.094, ANKLE_HEIGHT, -0.040),
    "foot": (0.104, 0.024, 0.088),
    "collar": (0.062, 1.375, -0.022),
    "shoulder": (SHOULDER_X, SHOULDER_HEIGHT, ARM_Z),
    "elbow": (SHOULDER_X + UPPER_ARM, SHOULDER_HEIGHT, ARM_Z - 0.004),
    "wrist": (SHOULDER_X + UPPER_ARM + FOREARM, SHOULDER_HEIGHT, ARM_Z + 0.004),
    "hand": (SHOULDER_X + UPPER_ARM + FOREARM + HAND, SHOULDER_HEIGHT - 0.004, ARM_Z + 0.008),
}


def rest_joints() -> np.ndarray:
    """Joints of the T-pose, (24, 3) metres: y up, faces +z, left = +x, soles at y = 0."""
    mirrored = {f"right_{name}": (-x, y, z) for name, (x, y, z) in _LEFT.items()}
    places = {**_CENTRE, **{f"left_{name}": place for name, place in _LEFT.items()}, **mirrored}
    return np.array([places[name] for name in SMPL_JOINTS], np.float64)

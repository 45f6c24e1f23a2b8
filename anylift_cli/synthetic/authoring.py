"""Words to author motions with: arms, angles, stances."""

from __future__ import annotations

import numpy as np

from anylift_cli.synthetic.footsteps import Footprint
from anylift_cli.synthetic.rig import SIDES, LimbTrack, about, heading

HANG = (0.20, -0.95, 0.06)
ELBOW_BACK = (0.2, 0.0, -1.0)
HIP_WIDTH = 0.085


def arm(side: str, local: np.ndarray, elbow: np.ndarray = ELBOW_BACK) -> LimbTrack:
    """An arm moved with the chest.

    Args:
        side: "left" or "right".
        local: (T, 3) wrist from the shoulder: outwards, up, forward, in arm lengths.
        elbow: (3,) or (T, 3) direction of the elbow: outwards, up, forward.
    """
    outwards = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])
    local = np.asarray(local) * outwards
    pole = np.broadcast_to(np.asarray(elbow) * outwards, local.shape)
    return LimbTrack(np.zeros_like(local), local, np.zeros(len(local)), pole)


def arms(local: np.ndarray, elbow: np.ndarray = ELBOW_BACK) -> dict[str, LimbTrack]:
    """Both arms, mirrored."""
    return {side: arm(side, local, elbow) for side in SIDES}


def sway(time: np.ndarray, period: float, amount: float, phase: float = 0.0) -> np.ndarray:
    """A sine, (T,)."""
    return amount * np.sin(2 * np.pi * (time / period + phase))


def angles(time: np.ndarray, pitch=0.0, twist=0.0, roll=0.0) -> np.ndarray:
    """(T, 3) radians; each a number or (T,)."""
    return np.stack([np.broadcast_to(np.asarray(value, float), time.shape) for value in (pitch, twist, roll)], -1)


def tilted(yaw: np.ndarray, pitch=0.0, roll=0.0) -> np.ndarray:
    """Pelvis rotations (T, 3, 3): heading, then roll right, then pitch forward, radians."""
    yaw = np.asarray(yaw, float)
    return heading(yaw) @ about("z", np.broadcast_to(roll, yaw.shape)) @ about("x", np.broadcast_to(pitch, yaw.shape))


def standing(footprint_width: float, until: float, toe_out: float = 0.12, y: float = 0.0) -> dict[str, list[Footprint]]:
    """Feet that never leave the floor, facing +x, ankles at x = 0."""
    return {
        side: [Footprint(0, until, 0.0, y + sign * footprint_width, sign * toe_out)]
        for side, sign in (("left", 1), ("right", -1))
    }

"""Motions with a prop: sitting down on a box, lifting and carrying one."""

from __future__ import annotations

import numpy as np

from anylift_cli.synthetic.authoring import HANG, angles, arm, arms, standing, sway, tilted
from anylift_cli.synthetic.footsteps import Footprint, ease, keyed, walk_feet
from anylift_cli.synthetic.rig import SIDES, Box, Choreography, Rig

_SEAT_UNDER_PELVIS = 0.165
_BOX = (0.30, 0.36, 0.32)
_HAND_HEIGHT = 0.20


def sit(time: np.ndarray, rig: Rig) -> Choreography:
    """Sits down on a box, looks around, gets up."""
    thigh = float(np.linalg.norm(rig.bone("left_hip", "left_knee")))
    shank = float(np.linalg.norm(rig.bone("left_knee", "left_ankle")))
    seat = shank - 0.03
    high, low, back = 0.985 * rig.pelvis_height, seat + _SEAT_UNDER_PELVIS, -thigh - 0.02
    place = keyed(
        time,
        (0.5, (0, high)), (1.15, (0.5 * back, 0.60 * high + 0.4 * low)), (1.8, (back, low)), (3.3, (back, low)),
        (3.65, (0.85 * back, low + 0.03)), (4.0, (0.42 * back, 0.5 * high + 0.5 * low)), (4.7, (0, high)),
    )  # fmt: skip
    lean = keyed(
        time, (0.4, 0), (1.15, 0.62), (1.75, 0.25), (2.1, 0.04), (3.1, 0.04), (3.6, 0.72), (4.05, 0.55), (4.7, 0)
    )
    seated = keyed(time, (0.7, 0), (1.8, 1), (3.3, 1), (4.2, 0))[:, None]
    legs, feet = walk_feet(time, rig, standing(0.12, time[-1], 0.15), knees=(0.15, 0, 1))
    glance = keyed(time, (1.9, 0), (2.3, 0.6), (2.7, 0.5), (3.1, 0))
    pose = np.broadcast_to(np.eye(4), (len(time), 4, 4)).copy()
    pose[:, 0, 3] = back - 0.06
    return Choreography(
        pelvis=np.stack([place[:, 0], 0 * time, place[:, 1]], -1),
        pelvis_rotation=tilted(0 * time, 0.55 * lean - 0.12 * seated[:, 0]),
        trunk=angles(time, 0.55 * lean + 0.1 * seated[:, 0], 0.15 * glance),
        head=angles(time, -0.5 * lean + 0.05 * np.sin(2 * time), glance),
        legs=legs,
        feet=feet,
        arms=arms((1 - seated) * HANG + seated * [0.1, -0.68, 0.52], (0.5, -0.1, -1.0)),
        boxes=[Box("seat", (0.42, 0.5, seat), pose)],
    )


def carry(time: np.ndarray, rig: Rig) -> Choreography:
    """Squats, takes a box from the floor, rises, and walks four steps with it."""
    footprints = {
        "left": [
            Footprint(0, 3.2, 0, 0.13, 0.15, push=0.45),
            Footprint(3.55, 4.25, 0.78, 0.09, 0.08, strike=0.2, push=0.5),
            Footprint(4.6, 9, 1.62, 0.10, 0.12, strike=0.15),
        ],
        "right": [
            Footprint(0, 2.7, 0, -0.13, -0.15, push=0.4),
            Footprint(3.05, 3.75, 0.34, -0.09, -0.08, strike=0.15, push=0.5),
            Footprint(4.1, 4.8, 1.22, -0.09, -0.08, strike=0.2, push=0.4),
            Footprint(5.1, 9, 1.64, -0.11, -0.12),
        ],
    }
    legs, feet = walk_feet(time, rig, footprints, knees=(0.3, 0, 1))
    down = keyed(time, (0.3, 0), (1.3, 1), (1.6, 1), (2.5, 0))
    down = ease(down)
    x = keyed(time, (2.45, 0), (2.8, 0.06), (3.3, 0.38), (3.8, 0.82), (4.3, 1.24), (4.8, 1.55), (5.3, 1.63))
    high = 0.985 * rig.pelvis_height
    shift = keyed(time, (2.5, 0), (2.85, 0.03), (3.35, -0.03), (3.85, 0.03), (4.4, -0.03), (4.95, 0.03), (5.4, 0))
    held = keyed(time, (1.45, 0), (1.75, 0.12), (2.5, 1))
    pose = np.broadcast_to(np.eye(4), (len(time), 4, 4)).copy()
    pose[:, 0, 3] = 0.36 + x - 0.02 * held
    pose[:, 2, 3] = ease(held) * (rig.pelvis_height + 0.02) + held * sway(time, 0.5, 0.006)
    hold = ease(keyed(time, (0.7, 0), (1.35, 1)))
    forward, left, up = np.eye(3)
    tracks = {}
    for side, sign in zip(SIDES, (1, -1), strict=True):
        track = arm(side, np.tile(HANG, (len(time), 1)), (0.7, -0.3, -1.0))
        track.world = pose[:, :3, 3] + [-0.10, sign * (_BOX[1] / 2 + 0.035), _HAND_HEIGHT]
        track.hold = hold
        track.grip = np.stack([sign * forward, sign * left, up], -1)
        tracks[side] = track
    return Choreography(
        pelvis=np.stack([x - 0.24 * down, shift, high - 0.02 * held - 0.46 * down], -1),
        pelvis_rotation=tilted(0 * time, 0.55 * down - 0.06 * held, -0.5 * shift),
        trunk=angles(time, 0.55 * down - 0.10 * held),
        head=angles(time, -0.35 * down + 0.05),
        legs=legs,
        feet=feet,
        arms=tracks,
        boxes=[Box("box", _BOX, pose)],
    )

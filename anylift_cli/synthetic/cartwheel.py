"""A cartwheel to the left, on planted hands and feet."""

from __future__ import annotations

import numpy as np

from anylift_cli.synthetic.authoring import HANG, angles, arm, tilted
from anylift_cli.synthetic.footsteps import Footprint, keyed, walk_feet
from anylift_cli.synthetic.rig import Choreography, Rig

_WRIST_HEIGHT = 0.032


def cartwheel(time: np.ndarray, rig: Rig) -> Choreography:
    """Faces +x and turns once over the left side, 2.6 m along +y; about 1.4 s from the first hand to the last foot."""
    footprints = {
        "left": [
            Footprint(0, 0.65, 0, 0.12, 0.2, push=0.3),
            Footprint(1.0, 1.46, 0, 0.66, 0.7, push=0.6, lift=0.10),
            Footprint(2.52, 9, 0, 2.92, 0.3),
        ],
        "right": [Footprint(0, 1.10, 0, -0.12, -0.2, push=0.7), Footprint(2.22, 9, 0, 2.40, -0.3)],
    }
    legs, feet = walk_feet(time, rig, footprints, knees=(0.3, 0, 1))
    for side, sign, leaves, lands in (("left", 1, 1.46, 2.52), ("right", -1, 1.10, 2.22)):
        legs[side].hold = keyed(time, (leaves, 1), (leaves + 0.2, 0), (lands - 0.2, 0), (lands, 1))
        wide, landing = (sign * 0.62, -0.76, 0.0), (sign * 0.42, -0.84, 0.0)
        legs[side].local = keyed(time, (lands - 0.4, wide), (lands - 0.12, landing))
        feet[side].ankle_bend = keyed(time, (lands - 0.45, 0.5), (lands - 0.15, -0.4))
    tracks = {}
    for side, sign, y, lands, leaves in (("left", 1, 1.28, 1.44, 1.92), ("right", -1, 1.76, 1.62, 2.18)):
        over = np.array([0.30, 0.92, 0.02])
        local = keyed(
            time, (0.2, HANG), (0.5, (0.9, 0.1, 0.25)), (0.85, over), (2.7, over), (3.0, (0.9, 0.1, 0.2)), (3.4, HANG)
        )
        track = arm(side, local, (1.0, 0.0, -0.4))
        track.world = np.tile([0.04, y, _WRIST_HEIGHT], (len(time), 1))
        track.hold = keyed(time, (lands - 0.32, 0), (lands, 1), (leaves, 1), (leaves + 0.2, 0))
        fingers, up = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
        track.grip = np.stack([sign * fingers, up, np.cross(sign * fingers, up)], -1)
        tracks[side] = track
    high = rig.pelvis_height
    path = keyed(
        time,
        (0.5, (0.0, 0.985 * high)), (0.75, (0.12, 0.96 * high)), (1.05, (0.42, 0.90 * high)),
        (1.25, (0.68, 0.88 * high)), (1.47, (1.02, 0.82 * high)), (1.80, (1.52, 0.92 * high)),
        (2.12, (1.98, 0.77 * high)), (2.35, (2.30, 0.81 * high)),
        (2.6, (2.56, 0.91 * high)), (3.1, (2.66, 0.975 * high)),
    )  # fmt: skip
    roll = keyed(
        time,
        (0.7, 0), (1.0, -0.18), (1.25, -0.85), (1.47, -1.60), (1.80, -np.pi), (2.12, -4.65), (2.35, -5.45),
        (2.6, -6.05), (3.0, -2 * np.pi),
    )  # fmt: skip
    bend = keyed(time, (0.9, 0), (1.35, -0.40), (1.6, -0.15), (1.8, 0), (2.0, 0.15), (2.25, 0.40), (2.8, 0))
    return Choreography(
        pelvis=np.stack([0 * time, path[:, 0], path[:, 1]], -1),
        pelvis_rotation=tilted(0 * time, 0.0, roll),
        trunk=angles(time, 0.04, 0.0, bend),
        head=angles(time, 0.0, 0.0, 0.3 * bend),
        legs=legs,
        feet=feet,
        arms=tracks,
    )

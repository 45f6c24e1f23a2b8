"""Motions that everyone knows, authored as curves on the pelvis, trunk, hands and footprints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anylift_cli.synthetic.authoring import ELBOW_BACK, HANG, angles, arm, arms, standing, sway, tilted
from anylift_cli.synthetic.cartwheel import cartwheel
from anylift_cli.synthetic.footsteps import Footprint, ease, keyed, walk_feet
from anylift_cli.synthetic.gaits import jog, walk_and_turn
from anylift_cli.synthetic.handling import carry, sit
from anylift_cli.synthetic.rig import SIDES, Choreography, Rig


@dataclass(frozen=True)
class Motion:
    """`author(time (T,), rig)` makes the choreography.

    Attributes:
        seconds: how long the whole of it takes.
        azimuth: radians from the person, from where it is best seen.
    """

    author: Callable[[np.ndarray, Rig], Choreography]
    seconds: float
    azimuth: float


def squat(time: np.ndarray, rig: Rig) -> Choreography:
    """Deep knee bends with the arms held forward, 2.4 s each."""
    depth = 0.5 - 0.5 * np.cos(2 * np.pi * np.maximum(time - 0.3, 0) / 2.4)
    depth = ease(depth)
    legs, feet = walk_feet(time, rig, standing(0.17, time[-1], toe_out=0.3), knees=(0.35, 0, 1))
    zero = np.zeros_like(time)
    hang, front = np.array(HANG), np.array([0.05, 0.55, 0.78])
    raise_ = ease(np.clip(depth * 1.3, 0, 1))[:, None]
    between = np.array([0.35, -0.6, 0.7])
    return Choreography(
        pelvis=np.stack(
            [0.04 - 0.17 * depth, 0.008 * np.sin(2.1 * time), 0.985 * rig.pelvis_height - 0.40 * depth], -1
        ),
        pelvis_rotation=tilted(zero, 0.45 * depth),
        trunk=angles(time, 0.42 * depth, 0.02 * np.sin(time)),
        head=angles(time, -0.6 * depth),
        legs=legs,
        feet=feet,
        arms=arms(
            (1 - raise_) ** 2 * hang + 2 * raise_ * (1 - raise_) * between + raise_**2 * front, (0.5, -0.7, -0.6)
        ),
    )


def kick(time: np.ndarray, rig: Rig) -> Choreography:
    """Two front kicks from a guard, the left leg leading."""
    guard = {
        "left": [Footprint(0, time[-1], 0.24, 0.11, 0.15)],
        "right": [
            Footprint(0, 1.05, -0.26, -0.12, -0.5, push=0.5),
            Footprint(2.05, 3.15, -0.26, -0.12, -0.5, push=0.5),
            Footprint(4.15, 9, -0.26, -0.12, -0.5),
        ],
    }
    legs, feet = walk_feet(time, rig, guard, knees=(0.2, 0, 1))
    beat = np.where(time < 2.1, time, time - 2.1)
    beat = np.where(time < 4.2, beat, 0.0)
    leg, foot = legs["right"], feet["right"]
    leg.hold = 1 - keyed(beat, (1.06, 0), (1.34, 1), (1.72, 1), (2.03, 0))
    leg.local = keyed(
        beat,
        (1.05, (-0.02, -0.9, -0.25)), (1.28, (0.02, -0.30, 0.20)), (1.36, (0.04, -0.25, 0.25)),
        (1.52, (0.10, 0.16, 0.96)), (1.58, (0.10, 0.16, 0.96)), (1.76, (0.03, -0.35, 0.25)), (2.0, (-0.02, -0.85, 0.0)),
    )  # fmt: skip
    leg.pole = keyed(beat, (1.05, (-0.2, 0, 1)), (1.3, (0, 0.8, 1)), (1.8, (0, 0.8, 1)), (2.0, (-0.2, 0, 1)))
    foot.ankle_bend = keyed(beat, (1.05, 0.1), (1.4, 0.1), (1.52, 0.5), (1.6, 0.5), (1.8, 0.1))
    raised = keyed(beat, (0.75, 0), (1.1, 0.75), (1.4, 1), (1.6, 1), (2.1, 0))
    struck = keyed(beat, (1.3, 0), (1.53, 1), (1.6, 1), (1.85, 0))
    zero = np.zeros_like(time)
    pelvis = np.stack(
        [0.0 + 0.20 * raised, 0.07 * raised, 0.93 * rig.pelvis_height + 0.03 * raised + sway(time, 0.7, 0.006)], -1
    )
    return Choreography(
        pelvis=pelvis,
        pelvis_rotation=tilted(zero - 0.45 + 0.5 * raised, 0.08 - 0.35 * struck, -0.10 * struck),
        trunk=angles(time, 0.12 - 0.25 * struck, -0.1 + 0.15 * struck),
        head=angles(time, 0.25 * struck, 0.5 - 0.5 * raised),
        legs=legs,
        feet=feet,
        arms={
            "left": arm(
                "left",
                keyed(beat, (0.8, (-0.05, -0.12, 0.52)), (1.5, (0.2, -0.4, 0.45)), (2.0, (-0.05, -0.12, 0.52))),
                (0.7, -1, 0),
            ),
            "right": arm(
                "right",
                keyed(beat, (0.8, (-0.12, -0.16, 0.42)), (1.5, (0.35, -0.75, -0.05)), (2.0, (-0.12, -0.16, 0.42))),
                (0.7, -1, -0.3),
            ),
        },
    )


def wave(time: np.ndarray, rig: Rig) -> Choreography:
    """Stands, shifts the weight, and waves with the right hand."""
    legs, feet = walk_feet(time, rig, standing(0.12, time[-1], 0.2))
    up = keyed(time, (0.4, 0), (1.1, 1), (time[-1] - 1.0, 1), (time[-1] - 0.3, 0))
    beat = sway(time, 0.62, 1.0)
    hand = keyed(up, (0, HANG), (0.45, (0.6, -0.3, 0.4)), (1, (0.52, 0.52, 0.18)))
    hand = hand + (up * beat)[:, None] * [0.17, -0.04, 0.0]
    elbow = keyed(up, (0, ELBOW_BACK), (1, (0.5, -1.0, -0.2)))
    shift = sway(time, 3.1, 0.035)
    left = np.tile(HANG, (len(time), 1)) + np.stack([0 * time, 0 * time, sway(time, 3.1, 0.04)], -1)
    return Choreography(
        pelvis=np.stack([0.01 * np.sin(time), shift, 0.985 * rig.pelvis_height - 0.004 * np.cos(4 * time)], -1),
        pelvis_rotation=tilted(0.05 * np.sin(1.3 * time), 0.0, 1.2 * shift),
        trunk=angles(time, 0.02, 0.06 * np.sin(1.1 * time), -1.6 * shift - 0.06 * up),
        head=angles(time, 0.03 * np.sin(2 * time), 0.15 * np.sin(0.9 * time), 0.08 * up),
        legs=legs,
        feet=feet,
        arms={"left": arm("left", left), "right": arm("right", hand, elbow)},
    )


def dance(time: np.ndarray, rig: Rig) -> Choreography:
    """Side steps to a beat of 0.6 s, arms swinging from side to side and over the head."""
    beat = 0.6
    footprints: dict[str, list[Footprint]] = {side: [] for side in SIDES}
    # Two steps to the left, two to the right: the trailing foot closes.
    for bar in range(-1, int(time[-1] / (4 * beat)) + 2):
        start = bar * 4 * beat
        for side, opposite, sign, offset in (("left", "right", 1, 0.0), ("right", "left", -1, 2 * beat)):
            reach, close = sign * 0.38, sign * 0.15
            footprints[side].append(
                Footprint(
                    start + offset + 0.36,
                    start + offset + 2 * beat + beat,
                    0.0,
                    reach,
                    0.25 * sign,
                    push=0.35,
                    lift=0.07,
                )
            )
            footprints[opposite].append(
                Footprint(
                    start + offset + beat + 0.36,
                    start + offset + 2 * beat,
                    0.0,
                    close,
                    -0.25 * sign,
                    push=0.3,
                    lift=0.06,
                )
            )
    for side in SIDES:
        footprints[side].sort(key=lambda step: step.start)
    legs, feet = walk_feet(time, rig, footprints, knees=(0.25, 0, 1))
    bar = 2 * np.pi * (time - 0.75 * beat) / (4 * beat)
    side_to_side = np.sin(bar)
    bounce = np.abs(np.sin(np.pi * (time / beat)))
    over = 0.5 - 0.5 * np.cos(2 * np.pi * time / (8 * beat))
    tracks = {}
    for side, sign in (("left", 1), ("right", -1)):
        swing = sign * side_to_side
        low = np.stack([0.25 + 0.45 * swing, -0.62 + 0.25 * np.abs(swing), 0.42 - 0.1 * swing], -1)
        high = np.stack([0.35 + 0.3 * swing, 0.72 + 0.05 * swing, 0.15 + 0 * swing], -1)
        tracks[side] = arm(side, low + ease(over)[:, None] * (high - low), (0.8, -0.4, -0.6))
    return Choreography(
        pelvis=np.stack([0.01 * np.sin(bar), 0.22 * side_to_side, 0.955 * rig.pelvis_height - 0.035 * bounce], -1),
        pelvis_rotation=tilted(0.18 * np.sin(bar + 0.5), 0.06, 0.07 * np.cos(bar)),
        trunk=angles(time, 0.06, 0.2 * np.sin(bar), -0.10 * np.cos(bar)),
        head=angles(time, 0.05 * np.cos(2 * np.pi * time / beat), -0.2 * np.sin(bar), 0.05 * side_to_side),
        legs=legs,
        feet=feet,
        arms=tracks,
    )


MOTIONS = {
    "walk": Motion(walk_and_turn, 6.0, -1.2),
    "jog": Motion(jog, 5.2, -0.9),
    "squat": Motion(squat, 5.1, -0.6),
    "kick": Motion(kick, 4.4, -0.9),
    "wave": Motion(wave, 5.0, -0.1),
    "dance": Motion(dance, 6.0, 0.2),
    "sit": Motion(sit, 5.4, -0.8),
    "carry": Motion(carry, 5.8, -0.8),
    "cartwheel": Motion(cartwheel, 4.0, 0.1),
}

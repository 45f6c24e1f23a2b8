"""Walking and jogging along a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from anylift_cli.synthetic.authoring import angles, arm, tilted
from anylift_cli.synthetic.footsteps import Footprint, walk_feet
from anylift_cli.synthetic.rig import SIDES, Choreography, Rig


@dataclass(frozen=True)
class Gait:
    """Rhythm of a walk or a run, seconds, metres and radians."""

    speed: float
    step: float
    stance: float
    strike: float
    push: float
    lift: float
    tuck: float
    width: float
    bounce: float
    lean: float


WALK = Gait(
    speed=1.1,
    step=0.54,
    stance=0.66,
    strike=0.28,
    push=0.62,
    lift=0.05,
    tuck=0.15,
    width=0.075,
    bounce=0.012,
    lean=0.04,
)
JOG = Gait(
    speed=2.1, step=0.36, stance=0.27, strike=0.05, push=0.75, lift=0.20, tuck=0.85, width=0.06, bounce=0.035, lean=0.14
)


def along(gait: Gait, time: np.ndarray, rig: Rig, path: Callable[[np.ndarray], np.ndarray]) -> Choreography:
    """Walk or run along `path`: metres (T,) → x, y, yaw (T, 3)."""
    footprints: dict[str, list[Footprint]] = {side: [] for side in SIDES}
    for number in range(-2, int(time[-1] / gait.step) + 3):
        side, sign = ("left", 1) if number % 2 else ("right", -1)
        start = number * gait.step
        x, y, yaw = path(np.array([gait.speed * (start + gait.stance / 2)]))[0]
        left = np.array([-np.sin(yaw), np.cos(yaw)]) * sign * gait.width
        footprints[side].append(
            Footprint(
                start,
                start + gait.stance,
                x + left[0],
                y + left[1],
                yaw + 0.08 * sign,
                gait.strike,
                gait.push,
                gait.lift,
                gait.tuck,
            )
        )
    legs, feet = walk_feet(time, rig, footprints)
    # Mid stance of the right foot is phase 0; a stride takes two steps.
    phase = 2 * np.pi * (time - gait.stance / 2) / (2 * gait.step)
    place = path(gait.speed * time)
    left = np.stack([-np.sin(place[:, 2]), np.cos(place[:, 2])], -1)
    pelvis = np.zeros((len(time), 3))
    pelvis[:, :2] = place[:, :2] - 0.02 * np.cos(phase)[:, None] * left
    pelvis[:, 2] = 0.985 * rig.pelvis_height + gait.bounce * np.cos(2 * phase)
    swing = np.sin(phase)
    yaw = place[:, 2] + 0.07 * swing
    tracks = {}
    for side, sign in (("left", -1), ("right", 1)):
        forward = -sign * swing
        if gait is WALK:
            local = np.stack([np.full_like(swing, 0.17), -0.95 + 0.06 * forward**2, 0.08 + 0.38 * forward], -1)
        else:
            local = np.stack([0.12 - 0.1 * forward, -0.55 + 0.12 * forward, 0.32 + 0.4 * forward], -1)
        tracks[side] = arm(side, local)
    return Choreography(
        pelvis=pelvis,
        pelvis_rotation=tilted(yaw, gait.lean, -0.035 * np.cos(phase)),
        trunk=angles(time, gait.lean, -0.16 * swing, 0.05 * np.cos(phase)),
        head=angles(time, -gait.lean, 0.09 * swing, -0.015 * np.cos(phase)),
        legs=legs,
        feet=feet,
        arms=tracks,
    )


def walk_and_turn(time: np.ndarray, rig: Rig) -> Choreography:
    """Three metres, a half turn of 0.7 m radius, and back."""
    return along(WALK, time, rig, lambda s: _hairpin(s, length=2.6, radius=0.7))


def _hairpin(s: np.ndarray, length: float, radius: float) -> np.ndarray:
    """x, y, yaw (T, 3) after `s` metres: straight along +x, half a circle to the left, back along -x."""
    turn = np.clip((s - length) / radius, 0, np.pi)
    straight = np.minimum(s, length) - np.maximum(s - length - np.pi * radius, 0)
    x = straight + radius * np.sin(turn) - length / 2
    return np.stack([x, radius * (1 - np.cos(turn)) - radius, turn], -1)


def jog(time: np.ndarray, rig: Rig) -> Choreography:
    """Rounds on a circle of 1.7 m radius."""
    radius = 1.7

    def circle(s: np.ndarray) -> np.ndarray:
        turn = s / radius
        return np.stack([radius * np.sin(turn), -radius * np.cos(turn), turn], -1)

    return along(JOG, time, rig, circle)

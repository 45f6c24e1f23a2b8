"""Feet that stand still while they stand: footprints in, foot tracks out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator

from anylift_cli.body.skeleton import J
from anylift_cli.synthetic.rig import FootTrack, LimbTrack, Rig, about, heading

_ROLL_IN = 0.12
_ROLL_OUT = 0.26


@dataclass(frozen=True)
class Footprint:
    """One stance of one foot, and the swing that leads to it.

    Attributes:
        start, end: seconds.
        x, y: metres, below the ankle of the flat foot.
        yaw: radians, direction of the toes.
        strike: radians of the toes above the floor when the heel touches.
        push: radians of the heel above the floor when the toes leave.
        lift: metres of the ball of the foot in mid swing.
        tuck: radians that the foot points down more in mid swing.
    """

    start: float
    end: float
    x: float
    y: float
    yaw: float
    strike: float = 0.0
    push: float = 0.0
    lift: float = 0.06
    tuck: float = 0.0


def ease(share: np.ndarray) -> np.ndarray:
    """0 → 1 with zero speed and acceleration at both ends (minimum jerk)."""
    share = np.clip(share, 0, 1)
    return share**3 * (10 + share * (6 * share - 15))


def keyed(time: np.ndarray, *keys: tuple) -> np.ndarray:
    """Monotone cubic through keys (seconds, value or vector), constant outside: (T,) or (T, N)."""
    times, values = zip(*keys, strict=True)
    return PchipInterpolator(times, np.asarray(values, float), axis=0)(np.clip(time, times[0], times[-1]))


def walk_feet(
    time: np.ndarray, rig: Rig, footprints: dict[str, list[Footprint]], knees: tuple[float, float, float] = (0.08, 0, 1)
) -> tuple[dict[str, LimbTrack], dict[str, FootTrack]]:
    """Leg and foot tracks by side; before the first footprint and after the last one the foot stays where it is.

    Args:
        time: (T,) seconds.
        rig: the body.
        footprints: by side, in order of time.
        knees: direction of the left knee in axes of the pelvis; the right one is mirrored.
    """
    legs, feet = {}, {}
    for side, prints in footprints.items():
        ball, yaw, pitch, toe_pitch, contact = _foot_path(time, rig, side, prints)
        ankle_to_ball = rig.bone(f"{side}_ankle", f"{side}_foot")
        ankle = ball - heading(yaw) @ about("x", -pitch) @ ankle_to_ball
        pole = np.array(knees) * [1 if side == "left" else -1, 1, 1]
        legs[side] = LimbTrack(
            ankle, np.tile([0.0, -0.9, 0.0], (len(time), 1)), np.ones(len(time)), np.tile(pole, (len(time), 1))
        )
        feet[side] = FootTrack(yaw, pitch, toe_pitch, contact, np.zeros(len(time)))
    return legs, feet


def _foot_path(time: np.ndarray, rig: Rig, side: str, prints: list[Footprint]) -> tuple[np.ndarray, ...]:
    ball = np.zeros((len(time), 3))
    yaw, pitch, toe_pitch = np.zeros(len(time)), np.zeros(len(time)), np.zeros(len(time))
    contact = np.zeros((len(time), 2))
    for index, step in enumerate(prints):
        first, last = index == 0, index == len(prints) - 1
        now = (
            (time >= step.start if not first else True)
            & (time < step.end if not last else True)
            & np.ones(len(time), bool)
        )
        stance = step.end - step.start
        roll_in, roll_out = min(_ROLL_IN, 0.3 * stance), min(_ROLL_OUT, 0.45 * stance)
        strike = np.zeros_like(time) if first else step.strike * (1 - ease((time - step.start) / roll_in))
        push = np.zeros_like(time) if last else step.push * ease((time - step.end + roll_out) / roll_out)
        tilt = (strike - push)[now]
        ball[now], yaw[now], pitch[now] = _standing_ball(rig, side, step, tilt), step.yaw, tilt
        toe_pitch[now] = np.maximum(tilt, 0)
        contact[now] = np.stack([tilt > -1e-3, tilt < 1e-3], -1)
    for before, after in pairwise(prints):
        now = (time >= before.end) & (time < after.start)
        share = (time[now] - before.end) / (after.start - before.end)
        start = _standing_ball(rig, side, before, np.array([-before.push]))
        stop = _standing_ball(rig, side, after, np.array([after.strike]))
        bump = np.sin(np.pi * share) ** 2
        ball[now] = start + ease(share)[:, None] * (stop - start)
        ball[now, 2] += after.lift * bump
        yaw[now] = before.yaw + ease(share) * (after.yaw - before.yaw)
        pitch[now] = -before.push + ease(share) * (after.strike + before.push) - after.tuck * bump
        toe_pitch[now] = pitch[now] * ease((share - 0.1) / 0.6)
    return ball, yaw, pitch, toe_pitch, contact


def _standing_ball(rig: Rig, side: str, step: Footprint, tilt: np.ndarray) -> np.ndarray:
    """Ball of the foot (T, 3): it rests while the heel is up, and turns about the heel while the toes are up."""
    turn = heading(step.yaw)
    ankle = np.array([step.x, step.y, 0.0])
    ankle_rest, ball_rest = rig.rest[J[f"{side}_ankle"]], rig.rest[J[f"{side}_foot"]]
    floor = np.array([ankle_rest[0], rig.sole, ankle_rest[2]])
    ball, heel = ankle + turn @ (ball_rest - floor), ankle + turn @ (rig.heels[side] - floor)
    raised = heel + turn @ about("x", -np.maximum(tilt, 0)) @ (ball_rest - rig.heels[side])
    return np.where(tilt[:, None] > 0, raised, ball)

"""Who holds what when, told from the image: a hand before or behind an object that moves along with it.

How far away a hand is, one camera hardly tells; that it stays with an object which moves, it tells well. So a hand is
compared with an object wherever on its line of sight it may be, and the distance at which it would touch is kept: the
object's size is known, and says how far away the person is (ALGORITHM 5, scale tie).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_closing, binary_erosion, binary_opening, gaussian_filter1d, label

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.body.skeleton import K
from anylift_cli.fitting.things import Thing, in_world
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.runs import runs

SIDES = ("left", "right")
PALM = 0.03
"""Metres from the middle of a hand to what it holds."""
FINE = np.linspace(-0.3, 0.3, 41)
COARSE = np.linspace(-1.4, 1.4, 85)
"""Logarithms of how much farther away hands may be than they were lifted."""
_HAND_BEYOND_WRIST = 0.085
NEAR, _FREE = 0.07, 0.2
"""Metres: a hand this near may hold, an object without any hand this near is on its own."""
_SAME_SPEED, _MOVES, _RESTS = 0.4, 0.12, 0.08
"""m/s: a hand that moves past an object faster does not hold it; an object that moves faster is moved by somebody, one
that is slower and that nobody holds rests."""
_SHORTEST, _BRIDGED = 0.2, 0.25
"""Seconds."""
_GUESSED = 0.07
"""Metres of deviation, beside that of the point which is known best, beyond which a hand was guessed and not seen."""
_SMOOTH = 0.07
_BEHIND, _ALWAYS = 0.5, 0.9
"""Seconds for which, and share of the frames in which, what one hand holds is before the other, unseen one."""


@dataclass(frozen=True)
class Grips:
    """Hands of P persons and one object over T frames.

    Attributes:
        gap: (P, T, 2, G) how far from touching a hand would be at each factor of the grid, m; inf far off.
        held: (P, T, 2) whether it is seen to hold the object.
        hidden: (P, T, 2) whether it holds the object where it is not seen: as before or afterwards, or as the other
            hand does.
        free: (T,) whether nobody is near it.
        rests: (T,) whether nobody holds it and it does not move.
    """

    gap: np.ndarray
    held: np.ndarray
    hidden: np.ndarray
    free: np.ndarray
    rests: np.ndarray

    @property
    def holds(self) -> np.ndarray:
        """(P, T, 2) whether it holds the object, seen or not."""
        return self.held | self.hidden

    def frames(self, span: slice) -> Grips:
        """The hands in some frames."""
        return Grips(self.gap[:, span], self.held[:, span], self.hidden[:, span], self.free[span], self.rests[span])


def hands_in_camera(lifted: LiftedArtifact) -> np.ndarray:
    """Middles of left and right hands before the camera, (P, T, 2, 3) m."""
    camera = transform(invert(lifted.world_from_camera), lifted.joints.astype(np.float64))
    elbow, wrist = (camera[:, :, [K[f"{side}_{joint}"] for side in SIDES]] for joint in ("elbow", "wrist"))
    along = wrist - elbow
    return wrist + _HAND_BEYOND_WRIST * along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)


def find_grips(thing: Thing, lifted: LiftedArtifact, grid: np.ndarray) -> Grips:
    """What hands do to an object."""
    hands = hands_in_camera(lifted)
    gap = _gaps(thing, hands, lifted.present, grid)
    nearest = gap.min(-1)
    free = (nearest > _FREE).all((0, 2)) & thing.known
    held = (nearest < NEAR) & (_passing_speed(thing, hands, lifted.timestamps) < _SAME_SPEED)
    speed = speeds(in_world(thing, lifted) @ at(thing.middle), lifted.timestamps)
    interval = float(np.median(np.diff(lifted.timestamps))) if len(lifted.timestamps) > 1 else 1.0
    seen, moves = _seen(lifted, interval), (speed > _MOVES) & thing.known
    held = _lasting(held & thing.known[:, None] & seen, moves, interval)
    hidden = _unseen(held, seen, (moves | held.any((0, 2))) & thing.known)
    hidden |= _behind(held, seen | hidden, nearest < NEAR + _GUESSED, interval)
    rests = (speed < _RESTS) & thing.known & ~(held | hidden).any((0, 2))
    return Grips(gap, held, hidden, free, rests)


def slips(thing: Thing, lifted: LiftedArtifact, grips: Grips, grid: np.ndarray) -> np.ndarray:
    """How far hands that hold an object are from their middle places on it, (P, T, 2, G) m; 0 where none holds it, or
    it is not seen where they do.

    As the object turns, only hands that are as far away as they should be seem to stay where they took hold.

    Args:
        grid: (G,) logarithms of how much farther away they may be than they were lifted.
    """
    hands, found = hands_in_camera(lifted), np.zeros((*grips.held.shape, len(grid)))
    for person, side in np.argwhere(grips.held.any(1)):
        for start, stop in runs(grips.held[person, :, side]):
            rows = start + np.flatnonzero(thing.known[start:stop])
            tried = hands[person, rows, side][:, None] * np.exp(grid)[:, None]
            local = transform(invert(thing.camera_from_object[rows]), tried)
            found[person, rows, side] = np.linalg.norm(local - np.median(local, axis=0), axis=-1)
    return found


def deviations(lifted: LiftedArtifact) -> np.ndarray:
    """Standard deviations of wrists, (P, T, 2) m."""
    return lifted.joint_std[:, :, [K[f"{side}_wrist"] for side in SIDES]].astype(np.float64)


def speeds(poses: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Speed (T,) m/s of the origins of poses (T, 4, 4), over about 0.15 s."""
    if len(times) < 2:
        return np.zeros(len(times))
    return np.linalg.norm(np.gradient(_smoothed(poses[:, :3, 3], times), times, axis=0), axis=-1)


def _gaps(thing: Thing, hands: np.ndarray, present: np.ndarray, grid: np.ndarray) -> np.ndarray:
    gap = np.full((*hands.shape[:3], len(grid)), np.inf)
    centre = transform(thing.camera_from_object, thing.middle[None])[:, 0]
    sight = hands / np.linalg.norm(hands, axis=-1, keepdims=True)
    beside = np.linalg.norm(np.cross(sight, np.nan_to_num(centre)[None, :, None]), axis=-1)
    close = (beside < thing.radius + _FREE) & thing.known[None, :, None] & present[..., None]
    person, frame, side = np.nonzero(close)
    if not len(person):
        return gap
    tried = hands[person, frame, side][:, None] * np.exp(grid)[:, None]
    local = transform(invert(thing.camera_from_object[frame]), tried)
    distance = thing.surface.nearest(local.reshape(-1, 3))[1].reshape(len(person), len(grid))
    gap[person, frame, side] = np.abs(distance - PALM)
    return gap


def _passing_speed(thing: Thing, hands: np.ndarray, times: np.ndarray) -> np.ndarray:
    """How fast hands (P, T, 2, 3) move in the object's axes if they are as far away as it is, (P, T, 2) m/s."""
    if len(times) < 2:
        return np.zeros(hands.shape[:3])
    pose = np.where(thing.known[:, None, None], thing.camera_from_object, np.eye(4))
    depth = transform(pose, thing.middle[None])[:, 0, 2]
    beside = hands * (depth[:, None, None] / np.maximum(hands[..., 2:], 0.1))
    local = transform(invert(pose), beside)
    return np.linalg.norm(np.gradient(_smoothed(local, times, 1), times, axis=1), axis=-1)


def _seen(lifted: LiftedArtifact, interval: float) -> np.ndarray:
    """Whether hands are seen, (P, T, 2), and not for a moment only: an estimator guesses where hidden ones are.

    Frames in which the speed of a hand is told by guesses do not count.
    """
    least = np.ones((1, max(1, round(_BRIDGED / interval)), 1), bool)
    around = np.ones((1, 2 * round(2 * _SMOOTH / interval) + 1, 1), bool)
    margin = least.size + around.size
    surest = lifted.joint_std.min(-1, keepdims=True).astype(np.float64)
    seen = deviations(lifted) ** 2 - surest**2 < _GUESSED**2
    seen = np.pad(seen, [(0, 0), (margin, margin), (0, 0)], mode="edge")
    return binary_erosion(binary_opening(seen, least), around)[:, margin:-margin]


def _unseen(held: np.ndarray, seen: np.ndarray, handled: np.ndarray) -> np.ndarray:
    """Where hands that held an object are hidden, or are hidden before they are seen to hold it, (P, T, 2).

    Args:
        handled: (T,) frames in which somebody moves or holds it; otherwise it may have been let go.
    """
    hidden = np.zeros_like(held)
    for person, side in np.argwhere(held.any(1)):
        for start, stop in runs(~(seen | held)[person, :, side]):
            length = stop - start
            ways = (start - 1, handled[start:stop], 1), (stop, handled[start:stop][::-1], -1)
            for before, part, way in ways:
                if 0 <= before < len(handled) and held[person, before, side]:
                    lasts = length if part.all() else int(part.argmin())
                    hidden[person, start:stop, side][::way][:lasts] = True
    return hidden


def _behind(held: np.ndarray, known: np.ndarray, near: np.ndarray, interval: float) -> np.ndarray:
    """Hands that are hidden all the while by what the other hand holds, (P, T, 2): most such things take two hands.

    Args:
        known: (P, T, 2) where it is known what hands do.
        near: (P, T, 2) where lines of sight to hands, as far as they can be guessed, meet the object.
    """
    behind = np.zeros_like(held)
    for person in range(len(held)):
        for side in range(2):
            for start, stop in runs(held[person, :, 1 - side] & ~(held | known)[person, :, side]):
                lasts = (stop - start) * interval >= _BEHIND
                behind[person, start:stop, side] = lasts and near[person, start:stop, side].mean() >= _ALWAYS
    return behind


def _lasting(held: np.ndarray, moves: np.ndarray, interval: float) -> np.ndarray:
    """Without short gaps, and without stretches that are short or in which the object never moves."""
    kept = np.zeros_like(held)
    bridge = np.ones(2 * max(1, round(_BRIDGED / interval / 2)) + 1, bool)
    for person in range(len(held)):
        for side in range(2):
            closed = binary_closing(np.pad(held[person, :, side], len(bridge)), bridge)[len(bridge) : -len(bridge)]
            numbers, count = label(closed)
            for number in range(1, count + 1):
                run = numbers == number
                if run.sum() * interval >= _SHORTEST and (run & moves).sum() >= 3:
                    kept[person, run, side] = True
    return kept


def _smoothed(values: np.ndarray, times: np.ndarray, axis: int = 0) -> np.ndarray:
    interval = max(float(np.median(np.diff(times))), 1e-4)
    return gaussian_filter1d(values, max(_SMOOTH / interval, 0.5), axis=axis, mode="nearest")


def at(place: np.ndarray) -> np.ndarray:
    """The pose (4, 4) of a frame at `place` (3,), not turned."""
    pose = np.eye(4)
    pose[:3, 3] = place
    return pose

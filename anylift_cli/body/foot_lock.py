"""Feet that stay where they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS, SMPLX_JOINTS, pose_arrays
from anylift_cli.body.contacts import CONTACT_POINTS
from anylift_cli.body.legs import out_of_reach, step_to
from anylift_cli.body.posing import posed, poses_from, rotations_of, with_parameters
from anylift_cli.body.skeleton import J
from anylift_cli.errors import UsageError
from anylift_cli.geometry.rotations import rotation_between
from anylift_cli.geometry.runs import runs
from anylift_cli.geometry.vectors import length

IN_CONTACT = 0.5
_FADE = 0.15
"""Seconds over which a foot goes over from being held to being free."""
_CHUNK = 500
"""Frames changed at once."""
_PASSES = 2
"""Heels and toes are skin; where they go to when the leg moves is found by trying."""
_FEET = {"left": slice(0, 2), "right": slice(2, 4)}
"""Columns of heel and toe of the left and the right foot."""
_TOES = [J["left_foot"], J["right_foot"]]


def lock_feet(motion: MotionArtifact, strength: float) -> MotionArtifact:
    """Hold each planted heel and toe at its mean place over the contact; `strength` 1 entirely, 0 not at all.

    Raises:
        UsageError: a strength outside 0 … 1.
        AnyliftError: the motion's body is not installed.
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"a foot lock of strength {strength:g} does not exist", "give a number from 0 to 1")
    flat = (motion.foot_contact.reshape(-1, 2, 2) > IN_CONTACT).all(-1)
    toes = toes_of(motion)
    held = toes.copy()
    for side in range(2):
        for start, stop in runs(flat[:, side]):
            held[start:stop, side] = Rotation.from_matrix(toes[start:stop, side]).mean().as_matrix()
        held[:, side] = held[_nearest(flat[:, side]), side]
    motion = hold_toes(motion, between(toes, held, np.full(toes.shape[:2], strength)))
    points = feet_of(motion)
    anchors = np.concatenate([_anchors(points[:, foot], motion.foot_contact[:, foot]) for foot in _FEET.values()], 1)
    return hold_feet(motion, points + strength * (anchors - points))


def hold_toes(motion: MotionArtifact, toes: np.ndarray) -> MotionArtifact:
    """Toes turned as `toes` (T, 2, 3, 3), left and right relative to their feet, while heel and toes are planted.

    Raises:
        AnyliftError: the motion's body is not installed.
    """
    weight = hold_weights(motion.foot_contact, motion.timestamps).reshape(-1, 2, 2).min(-1)

    def held(part: MotionArtifact, frames: slice) -> MotionArtifact:
        rotations = rotations_of(part)
        rotations[:, _TOES] = between(rotations[:, _TOES], toes[frames], weight[frames])
        return with_parameters(part, poses_from(rotations), part.trans)

    return _in_parts(motion, held)


def hold_feet(motion: MotionArtifact, places: np.ndarray) -> MotionArtifact:
    """Legs that keep planted heels and toes at `places` (T, 4, 3) m, columns as `foot_contact`; free feet stay free.

    Where a leg is too short, the pelvis follows the foot.

    Raises:
        AnyliftError: the motion's body is not installed.
    """
    weight = hold_weights(motion.foot_contact, motion.timestamps)
    return _in_parts(motion, lambda part, frames: _held(part, places[frames], weight[frames]))


def _in_parts(motion: MotionArtifact, change: Callable[[MotionArtifact, slice], MotionArtifact]) -> MotionArtifact:
    """`motion` changed frame by frame, some frames at a time, so that memory does not grow with the clip."""
    spans = [slice(start, start + _CHUNK) for start in range(0, len(motion.poses), _CHUNK)]
    parts = [change(motion.frames(span), span) for span in spans]
    names = ("trans", "joints")
    changed = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(motion, **pose_arrays(np.concatenate([part.poses for part in parts])), **changed)


def _held(motion: MotionArtifact, places: np.ndarray, weight: np.ndarray) -> MotionArtifact:
    points = feet_of(motion)
    shift = weight[..., None] * (places - points)
    targets = torch.from_numpy(points + shift + (1 - weight[..., None]) * shift[:, [1, 0, 3, 2]])
    firmness = torch.from_numpy(weight)
    rotations = rotations_of(motion)
    trans = motion.trans.astype(np.float64)
    for _ in range(_PASSES):
        joints, keypoints = (values.double() for values in posed(motion))
        body = torch.from_numpy(rotations[:, : joints.shape[1]])
        goals = {
            side: _foot(
                joints[:, J[f"{side}_ankle"]],
                keypoints[:, list(CONTACT_POINTS)[foot]],
                targets[:, foot],
                firmness[:, foot],
            )
            for side, foot in _FEET.items()
        }
        pulls = [
            out_of_reach(joints, side, goals[side][0]) * firmness[:, foot].amax(1, keepdim=True)
            for side, foot in _FEET.items()
        ]
        pull = torch.where((length(pulls[0]) > length(pulls[1]))[:, None], *pulls)
        for side, goal in goals.items():
            body = step_to(body, joints + pull[:, None], side, *goal)
        rotations[:, :BODY_JOINTS] = body[:, :BODY_JOINTS].numpy()
        trans += pull.numpy()
        motion = with_parameters(motion, poses_from(rotations), trans)
    return motion


def between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) that are `share` (...) of the shortest way from `first` to `second`."""
    way = Rotation.from_matrix((first.swapaxes(-1, -2) @ second).reshape(-1, 3, 3)).as_rotvec()
    part = Rotation.from_rotvec(way * share.reshape(-1, 1)).as_matrix()
    return first @ part.reshape(first.shape)


def toes_of(motion: MotionArtifact) -> np.ndarray:
    """Rotations (T, 2, 3, 3) of the left and right toes relative to their feet."""
    turns = motion.poses.reshape(len(motion.poses), SMPLX_JOINTS, 3)[:, _TOES].astype(np.float64)
    return Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(-1, 2, 3, 3)


def feet_of(motion: MotionArtifact) -> np.ndarray:
    """Heels and toes (T, 4, 3) m, columns as `foot_contact`."""
    return posed(motion).keypoints[:, list(CONTACT_POINTS)].double().numpy()


def hold_weights(contact: np.ndarray, times: np.ndarray) -> np.ndarray:
    """How firmly points are held, (T, 4): 1 in contact, fading to 0 within `_FADE` or half of the time between two.

    Args:
        contact: (T, 4) probability.
        times: (T,) s.
    """
    weights = np.zeros(contact.shape)
    for column, active in enumerate((contact > IN_CONTACT).T):
        if not active.any():
            continue
        places = np.flatnonzero(active)
        after = np.searchsorted(places, np.arange(len(active)))
        before = np.searchsorted(places, np.arange(len(active)), side="right") - 1
        since = np.where(before >= 0, times - times[places[before]], np.inf)
        until = np.where(after < len(places), times[places[np.minimum(after, len(places) - 1)]] - times, np.inf)
        left = 1 - np.minimum(since, until) / np.minimum(_FADE, (since + until) / 2 + 1e-9)
        left = np.clip(left, 0, 1)
        weights[:, column] = np.where(active, 1.0, left**2 * (3 - 2 * left))
    return weights


def _anchors(points: np.ndarray, contact: np.ndarray) -> np.ndarray:
    """Where heel and toe of one foot stand over each contact, (T, 2, 3); between contacts they move as they do.

    Each stands at its mean place, but as far from the other as the foot is long where the other stood already.

    Args:
        points: (T, 2, 3) m.
        contact: (T, 2) probability.
    """
    planted = contact > IN_CONTACT
    offsets = np.zeros(points.shape)
    contacts = [(start, stop, column) for column in range(2) for start, stop in runs(planted[:, column])]
    done = np.zeros(planted.shape, bool)
    for start, stop, column in sorted(contacts):
        run = slice(start, stop)
        anchor = np.average(points[run, column], axis=0, weights=contact[run, column])
        if (both := np.flatnonzero(done[run, 1 - column])).size:
            other = (points + offsets)[run][both[0], 1 - column]
            long = np.linalg.norm(points[run, 0] - points[run, 1], axis=-1)[both].mean()
            anchor = other + (anchor - other) * (long / np.linalg.norm(anchor - other))
        offsets[run, column] = anchor - points[run, column]
        done[run, column] = True
    for column in range(2):
        offsets[:, column] = offsets[_nearest(planted[:, column]), column]
    return points + offsets


def _nearest(active: np.ndarray) -> np.ndarray:
    """Index of the nearest True of (T,) for each frame; the frame itself where there is none."""
    places = np.flatnonzero(active)
    if not len(places):
        return np.arange(len(active))
    middles = (places[1:] + places[:-1]) / 2
    return places[np.searchsorted(middles, np.arange(len(active)))]


def _foot(ankle: Tensor, now: Tensor, wanted: Tensor, firmness: Tensor) -> tuple[Tensor, Tensor]:
    """Where the ankle (T, 3) goes and how the foot turns (T, 3, 3) to bring heel and toe (T, 2, 3) to others.

    Where the two are not as far apart as they are wanted to be, the planted one, of `firmness` (T, 2) 1, is right.
    """
    firm = torch.where(firmness < 1, 1e-3 * firmness, 1.0) + 1e-9
    share = (firm / firm.sum(-1, keepdim=True))[..., None]
    turn = rotation_between(now[:, 1] - now[:, 0], wanted[:, 1] - wanted[:, 0])
    arm = ankle - (share * now).sum(1)
    return (share * wanted).sum(1) + (turn @ arm[..., None])[..., 0], turn

"""From tracks to the arrays of `keypoints.npz`: who counts, who comes first."""

from __future__ import annotations

import numpy as np

from anylift_cli.body.skeleton import BODY24
from anylift_cli.keypoints.plausibility import box_of, is_whole_person
from anylift_cli.keypoints.swaps import doubt_swaps
from anylift_cli.keypoints.tracking import Track

MIN_PRESENCE = 0.5
"""Seconds for which a person must be seen at a stretch to count, or `MIN_SHARE` of the shot where that is shorter."""
MIN_SHARE = 0.3
MAX_MISSES = 2
"""Frames that may be missing from an unbroken view of a person."""
MIN_RELATIVE_RATE = 0.02
"""Least prominence per second compared with the most prominent person's; a seventh of the height has this."""
LASTING_PRESENCE = 1.0
"""The same for those whom `person="all"` keeps."""


def seconds_present(track: Track, times: np.ndarray) -> float:
    """How long a track is seen: each frame counts until the next one."""
    return float(_durations(times)[sorted(track.poses)].sum())


def is_person(track: Track, times: np.ndarray, least: float = MIN_PRESENCE) -> bool:
    """Whether a track shows a whole person for long enough, almost without a break, to be somebody.

    Feet or furniture that look like a person do so for moments only.
    """
    durations = _durations(times)
    whole = np.zeros(len(times), bool)
    whole[[position for position, pose in track.poses.items() if is_whole_person(pose)]] = True
    longest = run = misses = 0.0
    for seen, duration in zip(whole, durations, strict=True):
        run, misses = (run + duration, 0) if seen else (run, misses + 1)
        if misses > MAX_MISSES:
            run = 0.0
        longest = max(longest, run)
    return whole.sum() > 1 and longest >= min(least, MIN_SHARE * durations.sum())


def ranked(tracks: list[Track], times: np.ndarray, width: int, height: int) -> list[Track]:
    """Those who are somebody, most prominent first; tiny ones, often furniture, only beside nobody larger."""
    people = [track for track in tracks if is_person(track, times)]
    worth = {id(track): prominence(track, times, width, height) for track in people}
    people.sort(key=lambda track: -worth[id(track)])
    rates = [worth[id(track)] / seconds_present(track, times) for track in people]
    return [track for track, rate in zip(people, rates, strict=True) if rate >= MIN_RELATIVE_RATE * rates[0]]


def prominence(track: Track, times: np.ndarray, width: int, height: int) -> float:
    """Integral over time of (box height / image height)² x mean confidence x centrality (1 centre, 0.5 border)."""
    durations, total = _durations(times), 0.0
    for position, pose in track.poses.items():
        box = box_of(pose)
        middle = (box[:2] + box[2:]) / 2 / (width, height)
        centrality = 1 - min(1.0, float(np.abs(middle - 0.5).max()))
        total += durations[position] * ((box[3] - box[1]) / height) ** 2 * pose.confidence.mean() * centrality
    return float(total)


def to_arrays(tracks: list[Track], times: np.ndarray, scale: float) -> dict[str, np.ndarray]:
    """The per-person arrays of `KeypointsArtifact`; pixels are multiplied by `scale`."""
    shape = (len(tracks), len(times))
    arrays = {
        "keypoints": np.full((*shape, len(BODY24), 2), np.nan, np.float32),
        "confidence": np.zeros((*shape, len(BODY24)), np.float32),
        "boxes": np.full((*shape, 4), np.nan, np.float32),
        "present": np.zeros(shape, bool),
        "local_joints": np.full((*shape, len(BODY24), 3), np.nan, np.float32),
    }
    for person, track in enumerate(tracks):
        for position, pose in track.poses.items():
            arrays["keypoints"][person, position] = pose.points * scale
            arrays["confidence"][person, position] = pose.confidence
            arrays["boxes"][person, position] = box_of(pose) * scale
            arrays["present"][person, position] = True
            if pose.local_joints is not None:
                arrays["local_joints"][person, position] = pose.local_joints
        sizes = (arrays["boxes"][person, :, 2:] - arrays["boxes"][person, :, :2]).max(axis=-1)
        arrays["confidence"][person] = doubt_swaps(
            arrays["keypoints"][person], arrays["confidence"][person], sizes, times
        )
    if np.isnan(arrays["local_joints"]).all():
        del arrays["local_joints"]
    return arrays


def _durations(times: np.ndarray) -> np.ndarray:
    steps = np.diff(times)
    return np.append(steps, np.median(steps))

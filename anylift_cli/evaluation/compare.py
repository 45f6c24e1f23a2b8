"""Results of several tools beside each other, against any ground truth: the same people, frames, points and floor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from anylift_cli.body.skeleton import BODY24, LEFT_HIP, RIGHT_HIP
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.formats.floor import on_floor
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.evaluation.formats.record import MotionRecord, PersonRecord
from anylift_cli.evaluation.measure import align_to_truth, measure_points
from anylift_cli.evaluation.results import ClipResult

MAX_GAP = 0.1
"""Seconds between two frames of a file over which its motion is still interpolated; at least two frames."""
MIN_FRAMES = 3


@dataclass(frozen=True)
class Comparison:
    """Measured results, and on what they were measured.

    Attributes:
        results: one per file and person, `lifter` the file's name and `mode` its kind.
        points: names of the `body24` points that every file and the truth know, by person of the truth.
        seconds: first and last time measured, by person of the truth.
        notes: what a reader of the figures has to know about each file.
    """

    results: tuple[ClipResult, ...]
    points: dict[str, tuple[str, ...]]
    seconds: dict[str, tuple[float, float]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Match:
    """One person of a file at the truth's times: points (T, 24, 3), NaN where the file has nothing."""

    label: str
    record: MotionRecord
    points: np.ndarray


def compare(
    files: Sequence[Path | str],
    truth: Path | str,
    *,
    fps: float | None = None,
    shift: float = 0.0,
    body: Path | str | None = None,
) -> Comparison:
    """Measure motion files against the truth in one convention (see `read_motion` for the kinds of files).

    A file's people are matched with the truth's by how well pose and path agree once the first frames are joined. They
    are taken to the truth's times by linear interpolation, never over gaps longer than `MAX_GAP`. All files are
    measured on the same frames and points: the longest run of frames in which all of them have the person, and the
    points that all of them know. Few formats say where the floor is, so each file's, and the truth's, is put under the
    feet: at the 2nd percentile over time of the lowest foot point.

    Args:
        files: at least one.
        truth: of any of the same kinds.
        fps: frames per second of files that do not say; 30 when not given.
        shift: seconds added to the truth's times, where it started earlier or later than the video.
        body: the user's SMPL file, for the shapes in the files to count.

    Raises:
        UsageError: no files.
        AnyliftError: a file cannot be read, or shares no person or too little time with the truth.
    """
    if not files:
        raise UsageError("there is nothing to compare", "name one motion file or more")
    judge = read_motion(truth, fps, body)
    labels = _labels([Path(file) for file in files])
    records = [read_motion(file, fps, body) for file in files]
    matches: dict[str, list[_Match]] = {person.id: [] for person in judge.people}
    for label, record in zip(labels, records, strict=True):
        found = _matched(record, judge, shift)
        if not found:
            raise AnyliftError(
                f"{label} shares no time with {judge.name}",
                "check the frame rates (fps) and when the truth starts (shift)",
            )
        for person, points in found.items():
            matches[person].append(_Match(label, record, points))

    results: list[ClipResult] = []
    points: dict[str, tuple[str, ...]] = {}
    seconds: dict[str, tuple[float, float]] = {}
    for person in judge.people:
        if matches[person.id]:
            name = judge.name if len(judge.people) == 1 else f"{judge.name}#{person.id}"
            times, known, measured = _measured(person, matches[person.id], name, shift)
            results += measured
            points[person.id] = tuple(BODY24[point] for point in known)
            seconds[person.id] = (float(times[0]), float(times[-1]))
    return Comparison(tuple(results), points, seconds, tuple(map(_note, labels, records)))


def resampled(person: PersonRecord, times: np.ndarray) -> np.ndarray:
    """Points (T, 24, 3) of `person` at `times` (T,), NaN outside its frames and within gaps."""
    usable = max(MAX_GAP, 2.01 * float(np.median(np.diff(person.times)))) if len(person.times) > 1 else 0.0
    after = np.searchsorted(person.times, times - 1e-6).clip(0, len(person.times) - 1)
    before = np.where(np.abs(person.times[after] - times) <= 1e-6, after, after - 1).clip(0)
    span = person.times[after] - person.times[before]
    share = np.divide(times - person.times[before], span, out=np.zeros(len(times)), where=span > 0)
    inside = (times >= person.times[0] - 1e-6) & (times <= person.times[-1] + 1e-6) & (span <= usable)
    between = person.points[before] + share.clip(0, 1)[:, None, None] * (person.points[after] - person.points[before])
    return np.where(inside[:, None, None], between, np.nan)


def _labels(files: list[Path]) -> list[str]:
    """File names, with their folders where several files have the same name."""
    names = Counter(file.name for file in files)
    return [file.name if names[file.name] == 1 else str(file) for file in files]


def _matched(record: MotionRecord, judge: MotionRecord, shift: float) -> dict[str, np.ndarray]:
    """Points at the truth's times, by person of the truth."""
    candidates = [[resampled(person, true.times + shift) for true in judge.people] for person in record.people]
    cost = np.array(
        [[_distance(points, true.points) for points, true in zip(row, judge.people, strict=True)] for row in candidates]
    )
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e9))
    return {
        judge.people[column].id: candidates[row][column]
        for row, column in zip(rows, columns, strict=True)
        if math.isfinite(cost[row, column])
    }


def _distance(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of the points known on both sides, first frames joined; infinite where no frame is shared."""
    frames = np.flatnonzero(np.isfinite(points[:, [LEFT_HIP, RIGHT_HIP]]).all((1, 2)))
    if len(frames) < MIN_FRAMES:
        return math.inf
    aligned, expected = align_to_truth(points[frames], truth[frames])
    return float(np.nanmean(np.linalg.norm(aligned - expected, axis=-1)))


def _measured(
    person: PersonRecord, matches: list[_Match], name: str, shift: float
) -> tuple[np.ndarray, list[int], list[ClipResult]]:
    everyone = np.stack([person.points, *(match.points for match in matches)])
    hips = np.isfinite(everyone[:, :, [LEFT_HIP, RIGHT_HIP]]).all((0, 2, 3))
    run = _longest_run(hips)
    if run.stop - run.start < MIN_FRAMES:
        raise AnyliftError(
            f"{', '.join(match.label for match in matches)} and {name} have fewer than {MIN_FRAMES} frames in common",
            "check the frame rates (fps) and when the truth starts (shift), or compare fewer files at a time",
        )
    known = np.flatnonzero(np.isfinite(everyone[:, run]).all((0, 1, 3)))
    everyone[:, :, np.setdiff1d(np.arange(len(BODY24)), known)] = np.nan
    times = person.times[run] + shift
    truth = on_floor(everyone[0, run])
    results = []
    for match, points in zip(matches, everyone[1:, run], strict=True):
        predicted = on_floor(points)
        aligned, expected = align_to_truth(predicted, truth)
        results.append(
            ClipResult(
                clip=name,
                action="",
                cameras="unknown",
                mode=match.record.kind,
                lifter=match.label,
                height="unknown",
                seconds=math.nan,
                errors=measure_points(predicted, truth, times),
                predicted=aligned,
                truth=expected,
            )
        )
    return times, known.tolist(), results


def _longest_run(flags: np.ndarray) -> slice:
    edges = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts):
        return slice(0, 0)
    longest = int((stops - starts).argmax())
    return slice(int(starts[longest]), int(stops[longest]))


def _note(label: str, record: MotionRecord) -> str:
    place = "its own world" if record.world else "no world: an upright camera at rest is assumed"
    return f"{label}: {record.kind}, {record.frame_rate:g} frames/s, {record.body}, {place}"

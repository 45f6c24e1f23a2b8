"""The keypoints stage: video in, 2D points of each person over the frames of one shot out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import NothingFoundError, UsageError
from anylift_cli.keypoints.base import KeypointOptions, PoseEstimator
from anylift_cli.keypoints.imports.estimator import ImportedPoses
from anylift_cli.keypoints.local_poses import read_local_poses, with_local_poses
from anylift_cli.keypoints.people import LASTING_PRESENCE, is_person, prominence, ranked, seconds_present, to_arrays
from anylift_cli.keypoints.tracking import Track, Tracker
from anylift_cli.plugins import is_file, load_backend
from anylift_cli.progress import SILENT, Progress
from anylift_cli.video import Frame, Shot, VideoInfo, find_shots, probe, read_frames
from anylift_cli.warm import model

STAGE_VERSION = 1

MAX_SIZE = 1920
"""Larger videos are decoded at this longer side; the estimator looks at far smaller crops anyway."""
READING_AND_SEARCHING = 2
"""Threads beside the one that follows people."""
MAX_PEOPLE = {"main": 2}
MAX_PEOPLE_OTHERWISE = 8


def run_keypoints(video: Path, options: KeypointOptions, progress: Progress = SILENT) -> KeypointsArtifact:
    """Find and follow the people of one shot.

    `meta` holds `estimator`, `video` (name, sha256, width, height, fps), `shots` (number, start, end in seconds),
    `shot` (the chosen number) and `people` (per person: seconds present, prominence, mean confidence, kept); with
    `options.local_poses` also `local_poses` (see `with_local_poses`).

    Raises:
        UsageError: options out of range.
        NothingFoundError: no person, or fewer than two frames, in the range.
        AnyliftError: the video, or what the options name, cannot be read.
    """
    video = Path(video)
    _check(options)
    info = probe(video)
    local = None if options.local_poses is None else read_local_poses(Path(options.local_poses), info)
    shots = find_shots(video, options.start, options.end, progress)
    with _estimator(options, info) as estimator:
        for shot in _candidates(shots, options.shot, video):
            artifact = _track_shot(video, info, shot, options, estimator, progress)
            if artifact is not None:
                artifact.meta["shots"] = [{"number": s.number, "start": s.start_time, "end": s.end_time} for s in shots]
                return artifact if local is None else with_local_poses(artifact, local)
    raise _nobody(video, shots, options)


def _estimator(options: KeypointOptions, info: VideoInfo) -> AbstractContextManager[PoseEstimator]:
    backend = options.backend
    if is_file("anylift.keypoints", backend):
        return closing(ImportedPoses(options, info))
    made_of = backend, options.model, options.flip_test, options.device
    return model("keypoints", made_of, lambda: load_backend("anylift.keypoints", backend)(options))


def _check(options: KeypointOptions) -> None:
    for name in ("person", "shot"):
        value, words = getattr(options, name), {"person": ("main", "all"), "shot": ("auto",)}[name]
        if value not in words and not (value.isdecimal() and int(value) > 0):
            raise UsageError(f"{name} '{value}' is not known", f"use {', '.join(words)} or a number from 1 up")
    start, end = options.start or 0.0, options.end
    if start < 0 or (end is not None and end <= start):
        raise UsageError(f"the range from {start} s to {end} s is empty", "start must be 0 or more, end after it")


def _candidates(shots: list[Shot], chosen: str, video: Path) -> list[Shot]:
    """Shots to try, in order."""
    if chosen == "auto":
        return sorted(shots, key=lambda shot: shot.start_time - shot.end_time)
    if int(chosen) > len(shots):
        raise UsageError(
            f"{video} has no shot {chosen} in this range", f"it has {len(shots)}; use --shot 1 to {len(shots)}"
        )
    return [shots[int(chosen) - 1]]


def _track_shot(
    video: Path,
    info: VideoInfo,
    shot: Shot,
    options: KeypointOptions,
    estimator: PoseEstimator,
    progress: Progress,
) -> KeypointsArtifact | None:
    """One streaming pass over a shot; None where nobody is found."""
    numbers: list[int] = []
    with (
        ThreadPoolExecutor(READING_AND_SEARCHING) as pool,
        progress.task(f"people in shot {shot.number}", shot.stop - shot.first) as task,
    ):
        tracker = Tracker(estimator, MAX_PEOPLE.get(options.person, MAX_PEOPLE_OTHERWISE), pool)
        for frame in _ahead(read_frames(video, shot.start_time, shot.end_time, MAX_SIZE), pool):
            tracker.step(frame)
            numbers.append(frame.index)
            scale = info.width / frame.image.shape[1]
            task.advance()
    if len(numbers) < 2:
        return None
    times = np.array(tracker.times)
    size = info.width / scale, info.height / scale
    people = ranked(tracker.tracks, times, *size)
    if not people:
        return None
    kept = _kept(people, times, options.person, video)
    return KeypointsArtifact(
        **to_arrays([people[index] for index in kept], times, scale),
        timestamps=times,
        frame_index=np.array(numbers),
        image_size=np.array([info.width, info.height]),
        meta={
            "estimator": estimator.name,
            "video": {
                "name": video.name,
                "sha256": sha256_of(video),
                "width": info.width,
                "height": info.height,
                "fps": info.fps,
            },
            "shot": shot.number,
            "people": [
                {
                    "number": index + 1,
                    "kept": index in kept,
                    "seconds": round(seconds_present(track, times), 3),
                    "prominence": round(prominence(track, times, *size), 4),
                    "confidence": round(float(np.mean([p.confidence.mean() for p in track.poses.values()])), 3),
                }
                for index, track in enumerate(people)
            ],
        },
    )


def _ahead(frames: Iterator[Frame], pool: ThreadPoolExecutor) -> Iterator[Frame]:
    """The same frames, each decoded while the one before is being worked on."""
    coming = pool.submit(next, frames, None)
    while (frame := coming.result()) is not None:
        coming = pool.submit(next, frames, None)
        yield frame


def _kept(people: list[Track], times: np.ndarray, person: str, video: Path) -> list[int]:
    """Indices of the people that were asked for; `people` come in order of prominence."""
    if person == "main":
        return [0]
    if person == "all":
        return [i for i, track in enumerate(people) if i == 0 or is_person(track, times, LASTING_PRESENCE)]
    if int(person) > len(people):
        raise UsageError(f"{video} shows no person {person}", f"found: {len(people)}; use --person 1 to {len(people)}")
    return [int(person) - 1]


def _nobody(video: Path, shots: list[Shot], options: KeypointOptions) -> NothingFoundError:
    if all(shot.stop - shot.first < 2 for shot in shots):
        return NothingFoundError(f"{video} has fewer than two frames in this range", "choose a longer range")
    where = "" if (options.shot, options.start, options.end) == ("auto", None, None) else " in the chosen part"
    return NothingFoundError(
        f"no whole person is seen for long enough in {video}{where}",
        "torso and legs must be visible for half a second, at least about 60 pixels tall; "
        "try another --shot, --start or --end",
    )

"""The work on one clip, the same on every machine: lift it, and say in one record what came of it."""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anylift_cli import __version__
from anylift_cli.batch.storage import at_hand
from anylift_cli.errors import AnyliftError, Interrupted, NothingFoundError, UsageError, explained
from anylift_cli.progress import SILENT, Progress

if TYPE_CHECKING:
    from anylift_cli.chain import ShotResult
    from anylift_cli.pipeline import Outcome
    from anylift_cli.request import Request

DONE, UNCHANGED, EMPTY, FAILED = "done", "unchanged", "empty", "failed"
"""Lifted now; nothing to do; nobody in the video; anything else."""
THUMBNAIL = "thumbnail.jpg"


@dataclass(frozen=True)
class Job:
    """What a worker is told of one clip.

    Attributes:
        name: of the clip.
        source: path or URL of the video.
        place: path or URL of the batch's folder.
        request: what to do, with paths relative to `place`; None where the clip's options are wrong.
        empty_key: what the keypoints would be known by if nothing has changed since nobody was found; "" otherwise.
        reason, hint: why the clip cannot be lifted, or what was said when nobody was found.
    """

    name: str
    source: str
    place: str
    request: Request | None
    empty_key: str = ""
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Record:
    """What came of one clip; a line of `results.jsonl`.

    Attributes:
        clip, video: its name, and the path or URL of the video.
        status: DONE, UNCHANGED, EMPTY or FAILED.
        exit_code: what `anylift run` would have ended with.
        reason, hint: what went wrong, and what to do.
        seconds: of each step that was run, by name; total_seconds: of everything, reading and hashing too.
        reused: steps that were still valid.
        quality: figures of each motion file (`report.quality`), by its path below the batch's folder.
        rating, severity: the worst of the figures: "good", "fair" or "poor"; 0 at the limit of good, 1 at that of poor.
        thumbnail: path of the picture below the batch's folder, or "".
        key: of the keypoints where nobody was found, so that the search is not repeated.
        attempts: how often it was tried in this run.
        worker: host and process.
        anylift, finished: version, and when.
    """

    clip: str
    video: str
    status: str
    exit_code: int = 0
    reason: str = ""
    hint: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    total_seconds: float = 0.0
    reused: tuple[str, ...] = ()
    quality: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rating: str = ""
    severity: float | None = None
    thumbnail: str = ""
    key: str = ""
    attempts: int = 1
    worker: str = ""
    anylift: str = __version__
    finished: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def failed(job: Job, error: AnyliftError) -> Record:
    """The record of a clip that could not be lifted."""
    return Record(
        job.name, job.source, FAILED, error.exit_code, error.message, error.hint, worker=_here(), finished=_now()
    )


def prepare() -> None:
    """Load what every clip needs, so that no clip's time goes into it."""
    import_module("anylift_cli.chain")


def lift_clip(job: Job, progress: Progress = SILENT) -> Record:
    """Lift one clip; whatever goes wrong with it is said in the record.

    Raises:
        Interrupted: Ctrl-C; finished stages are kept.
    """
    started = time.perf_counter()
    try:
        record = _lifted(job, progress)
    except Interrupted:
        raise
    except Exception as error:
        record = failed(job, explained(error))
    if record.status == DONE:
        _settle()
    return replace(record, total_seconds=round(time.perf_counter() - started, 3), worker=_here(), finished=_now())


@cache
def _settle() -> None:
    """Once: what the first clip has loaded stays, and collections between stages need not look at it again."""
    gc.collect()
    gc.freeze()


def _lifted(job: Job, progress: Progress) -> Record:
    if job.request is None:
        raise UsageError(job.reason, job.hint)

    from anylift_cli.chain import run_chain

    with at_hand(job.request, job.source, job.place) as request:
        if job.empty_key and _keypoints_key(request) == job.empty_key:
            return _empty(job, job.reason, job.hint, job.empty_key)
        try:
            shots = run_chain(request, progress)
        except NothingFoundError as error:
            return _empty(job, error.message, error.hint, _keypoints_key(request))
        outcomes = [outcome for shot in shots for outcome in shot.outcomes] + [_thumbnail(request, shots[0])]
        folder = _folder(request, job.request)
        return _told(job, outcomes, shots, folder)


def _told(job: Job, outcomes: list[Outcome], shots: list[ShotResult], folder: Path) -> Record:
    from anylift_cli.report.html_verdict import overall

    seconds: dict[str, float] = {}
    for outcome in outcomes:
        if not outcome.reused:
            seconds[outcome.name] = round(seconds.get(outcome.name, 0.0) + outcome.seconds, 3)
    quality = {file.relative_to(folder).as_posix(): figures for shot in shots for file, figures in shot.quality.items()}
    rating, severity = max((overall(figures) for figures in quality.values()), key=lambda one: one[1])
    return Record(
        job.name,
        job.source,
        DONE if seconds else UNCHANGED,
        seconds=seconds,
        reused=tuple(dict.fromkeys(outcome.name for outcome in outcomes if outcome.name not in seconds)),
        quality=quality,
        rating=rating,
        severity=round(severity, 3),
        thumbnail=outcomes[-1].file.relative_to(folder).as_posix(),
    )


def _empty(job: Job, reason: str, hint: str, key: str) -> Record:
    return Record(job.name, job.source, EMPTY, NothingFoundError.exit_code, reason, hint, key=key)


def _keypoints_key(request: Request) -> str:
    from anylift_cli.pipeline import Source
    from anylift_cli.stages import keypoints_stage

    return keypoints_stage(request.keypoints).key({"video": Source.from_file(request.video)})


def _thumbnail(request: Request, shot: ShotResult) -> Outcome:
    from anylift_cli.artifacts import MotionArtifact
    from anylift_cli.artifacts.files import sha256_of
    from anylift_cli.chain import RECORD
    from anylift_cli.outputs import make_output
    from anylift_cli.report.thumbnail import write_thumbnail

    file, motions = request.work_dir / THUMBNAIL, list(shot.quality)
    made_from = {motion.name: sha256_of(motion) for motion in motions}

    def write() -> None:
        write_thumbnail(request.video, [MotionArtifact.load(motion) for motion in motions], file)

    return make_output("thumbnail", file, made_from, write, request.work_dir / RECORD)


def _folder(request: Request, relative: Request) -> Path:
    """The folder below which the request's results lie."""
    return request.out.parents[len(relative.out.parts) - 1]


def _here() -> str:
    return f"{platform.node()}:{os.getpid()}"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")

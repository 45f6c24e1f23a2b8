"""A clip through another program, piece by piece: what is done stays done, and is not done again after a failure."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
import platformdirs
from filelock import FileLock, Timeout

from anylift_cli.artifacts.base import Artifact
from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.tools import Tool, require, run_tool
from anylift_cli.progress import Progress, Task
from anylift_cli.video.stills import write_stills

A = TypeVar("A", bound=Artifact)

LOG = "log.txt"
STILLS = Path("clip") / "color"


class Program(Protocol[A]):
    """What one tool makes of the images of one piece.

    Attributes:
        tool: the program.
        kept: what is kept of a piece.
        most: frames it is given at once.
        overlap: frames that neighbouring pieces share.
        max_size: pixels on the longer side of the images that it is given.
    """

    tool: Tool
    kept: type[A]
    most: int
    overlap: int
    max_size: int

    def commands(self, work: Path) -> list[list[str | Path]]:
        """The commands that turn the images in `work / STILLS` into results, in order."""
        ...

    @property
    def cwd(self) -> Path:
        """Where they run."""
        ...

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that they need."""
        ...

    def result(self, work: Path, rows: range, size: tuple[int, int], video: tuple[int, int]) -> A:
        """What they wrote, of these rows of the clip.

        Args:
            size: width and height of the images, px.
            video: the same of the video.

        Raises:
            AnyliftError: files that are missing, damaged, or of another number of frames.
        """
        ...

    def leftovers(self, work: Path) -> Iterable[Path]:
        """Files and folders outside `work` that they leave behind."""
        ...


@dataclass(frozen=True)
class Clip:
    """Frames of a video: the file, frame numbers (T,), and the displayed width and height in pixels."""

    video: Path
    frame_index: np.ndarray
    image_size: tuple[int, int]


@dataclass(frozen=True)
class Solved(Generic[A]):
    """What a tool made of a clip: its version, and what is kept of each piece, in order."""

    version: str
    pieces: list[A]


def piece_rows(count: int, most: int, overlap: int) -> list[range]:
    """Rows of a clip of `count` frames in pieces of `most` at most and of about the same length; neighbours share
    `overlap` rows.
    """
    if not 0 <= overlap < most:
        raise ValueError(f"pieces of {most} frames cannot share {overlap}")
    if count <= most:
        return [range(count)]
    number = -(-(count - overlap) // (most - overlap))
    edges = np.linspace(0, count - overlap, number + 1).round().astype(int)
    return [range(int(start), int(stop) + overlap) for start, stop in pairwise(edges)]


@contextmanager
def solved_pieces(program: Program[A], clip: Clip, progress: Progress) -> Iterator[Solved[A]]:
    """Run `program` on each piece of `clip` that it has not solved yet, in the platform's cache folder.

    Logs stay there. Images and the program's own files go when their piece is solved, solved pieces at the end of the
    block, unless it ends with an error.

    Raises:
        MissingDependencyError: the tool is not set up here.
        AnyliftError: it failed, or its files cannot be read; solved pieces are kept.
    """
    version = require(program.tool)
    folder = _folder(program, clip, version)
    rows = piece_rows(len(clip.frame_index), program.most, program.overlap)
    files = [folder / f"piece-{number:03d}.npz" for number in range(len(rows))]
    title = program.tool.title
    with _alone(folder):
        if done := sum(file.exists() for file in files):
            progress.note(
                f"{program.tool.stage}: {title} solved {done} of {len(files)} pieces before; the rest follows"
            )
        steps = 1 + len(program.commands(folder))
        with progress.task(f"{program.tool.stage}: {title}", total=steps * len(files), unit="steps") as task:
            for file, part in zip(files, rows, strict=True):
                if file.exists():
                    task.advance(steps)
                else:
                    _solve(program, clip, part, file, task)
        yield Solved(version, [program.kept.load(file) for file in files])
        for file in files:
            file.unlink()


def _solve(program: Program[A], clip: Clip, rows: range, file: Path, task: Task) -> None:
    work = file.with_suffix("")
    _remove(work, *program.leftovers(work))
    frames = clip.frame_index[rows.start : rows.stop]
    size = write_stills(clip.video, frames, work / STILLS, program.max_size)
    task.advance()
    log = work / LOG
    try:
        for command in program.commands(work):
            run_tool(program.tool, command, log, cwd=program.cwd, variables=program.variables)
            task.advance()
        made = program.result(work, rows, size, clip.image_size)
    except AnyliftError as error:
        where = f"frames {frames[0]} to {frames[-1]} of {clip.video}: {error.message}"
        hint = error.hint if str(log) in error.hint else f"{error.hint}; its whole log: {log}".removeprefix("; ")
        raise AnyliftError(where, f"{hint}. Running the same command again goes on with this piece") from error
    made.save(file)
    log.replace(file.with_suffix(".log"))
    _remove(work, *program.leftovers(work))


def _folder(program: Program[A], clip: Clip, version: str) -> Path:
    limits = f"{program.most} {program.overlap} {program.max_size} {program.kept.schema} {program.kept.version}"
    digest = hashlib.sha256(f"{sha256_of(clip.video)} {version} {limits} ".encode())
    digest.update(np.ascontiguousarray(clip.frame_index, np.int64).tobytes())
    name = f"{clip.video.stem}-{digest.hexdigest()[:16]}"
    return platformdirs.user_cache_path("anylift", appauthor=False) / program.tool.name / name


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnyliftError(f"{folder} cannot be made: {error.strerror}", "set XDG_CACHE_HOME to another") from error
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise AnyliftError(f"another anylift is working in {folder}", "wait until it has ended") from error
    try:
        yield
    finally:
        lock.release()


def _remove(*places: Path) -> None:
    for place in places:
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

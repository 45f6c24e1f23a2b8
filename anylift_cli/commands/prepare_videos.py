"""What `anylift train prepare` does: keypoints and cameras of each shot of each video, and the clips cut from them."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.errors import AnyliftError, MissingDependencyError, NothingFoundError, UsageError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.progress import Progress

if TYPE_CHECKING:
    from anylift_cli.pipeline import Source, Stage
    from anylift_cli.training.cutting import Cut

TABLE = "clips.csv"


@dataclass(frozen=True)
class Row:
    """A line of the table: a part of a video, its length in seconds, and why it was left out ("" if it was not)."""

    clip: str
    seconds: float
    reason: str


def prepare_videos(
    videos: Path, out: Path, keypoints: KeypointOptions, cameras: CameraOptions, progress: Progress
) -> list[Row]:
    """Make a folder of training clips; what is there already and still valid is reused.

    Args:
        videos: a folder; all videos in it and below.
        keypoints: their `local_poses` is a folder that holds, under each video's name without its suffix, the result
            of another tool; videos without one keep the estimator's own local points.
        out: gets `clips/`, the artifacts in `work/`, and the table `clips.csv`.

    Raises:
        UsageError: no folder of local poses.
        NothingFoundError: no video in the folder, or no clip in the videos.
        AnyliftError: `out` cannot be written.
    """
    from anylift_cli.batch.clips import VIDEO_SUFFIXES
    from anylift_cli.checks import check_writable
    from anylift_cli.pipeline import work_folder
    from anylift_cli.stages import cameras_stage, keypoints_stage

    files = sorted(path for path in videos.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    if not files:
        raise NothingFoundError(f"{videos} holds no video", f"names should end with one of {', '.join(VIDEO_SUFFIXES)}")
    check_writable(out, "--out")
    poses = None if keypoints.local_poses is None else Path(keypoints.local_poses)
    if poses is not None and not poses.is_dir():
        raise UsageError(f"{poses} is no folder", "give the folder that holds a folder for each video")
    stages = keypoints_stage(replace(keypoints, local_poses=None)), cameras_stage(cameras)
    for stage in stages:
        if stage.choice:
            progress.note(f"{stage.name}: {stage.choice}")
    stages = stages[0], replace(stages[1], choice="")
    rows: list[Row] = []
    with work_folder(out / "work"), progress.task("prepare", total=len(files), unit="videos") as task:
        for path in files:
            name = path.relative_to(videos).with_suffix("")
            source = "_".join(name.parts)
            own = None if poses is None or not (poses / name).exists() else str(poses / name)
            rows += _prepare_video(path, source, out, stages, own, progress)
            _write_table(out / TABLE, rows)
            task.advance(1)
    if all(row.reason for row in rows):
        raise NothingFoundError(f"no training clip in {len(files)} videos", f"{out / TABLE} tells why")
    return rows


def _prepare_video(
    path: Path, source: str, out: Path, stages: tuple[Stage, Stage], local_poses: str | None, progress: Progress
) -> list[Row]:
    """The clips of one video; a video or a shot that fails is a row of the table, not the end."""
    from anylift_cli.pipeline import Source
    from anylift_cli.stages import keypoints_stage
    from anylift_cli.training.clips import file_name
    from anylift_cli.video import find_shots

    options = replace(stages[0].options, local_poses=local_poses)
    try:
        stages = keypoints_stage(options), stages[1]
        shots = [shot.number for shot in find_shots(path, options.start, options.end, progress)]
    except AnyliftError as error:
        return [Row(source, 0.0, error.message)]
    video, folder = Source.from_file(path), out / "clips"
    stale = set(folder.glob(f"{Path(file_name(source)).stem}.shot*.npz"))
    rows = []
    for number in shots:
        name = f"{source}.shot{number}"
        try:
            cuts = _cuts(video, source, number, out / "work" / name, stages, progress)
        except MissingDependencyError:
            raise
        except AnyliftError as error:
            rows.append(Row(name, 0.0, error.message))
            continue
        for cut in cuts:
            rows.append(Row(cut.name, round(cut.seconds, 2), cut.reason))
            if cut.clip is not None:
                stale.discard(cut.clip.save(folder / file_name(cut.name)))
    for file in stale:
        file.unlink()
    return rows


def _cuts(
    video: Source, source: str, shot: int, work: Path, stages: tuple[Stage, Stage], progress: Progress
) -> list[Cut]:
    from anylift_cli.pipeline import Source, run_stage
    from anylift_cli.training.cutting import cut_clips

    of_shot = replace(stages[0], options=replace(stages[0].options, shot=str(shot)))
    found, _ = run_stage(of_shot, {"video": video}, work / "keypoints.npz", progress)
    inputs = {"video": video, "keypoints": Source.from_artifact(found)}
    solved, _ = run_stage(stages[1], inputs, work / "cameras.npz", progress)
    return [cut for person in range(len(found.present)) for cut in cut_clips(found, solved, person, source, shot)]


def _write_table(path: Path, rows: list[Row]) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["clip", "seconds", "kept", "reason"])
        writer.writerows([row.clip, row.seconds, "no" if row.reason else "yes", row.reason] for row in rows)

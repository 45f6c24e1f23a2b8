"""The browser report: one HTML file that holds everything it shows and asks for nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli import __version__
from anylift_cli.artifacts import KeypointsArtifact, MotionArtifact
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.parameters import body_of
from anylift_cli.errors import AnyliftError
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.progress import SILENT, Progress
from anylift_cli.report.html_arrays import pack
from anylift_cli.report.html_page import LIBRARIES, LOOK, as_json, asset, filled_page
from anylift_cli.report.html_provenance import describe_making
from anylift_cli.report.html_scene import describe_keypoints, describe_scene
from anylift_cli.report.html_timelines import describe_lanes, lane_arrays
from anylift_cli.report.html_verdict import MOST_MOMENTS, headline, judge, seen, weak_moments
from anylift_cli.report.html_video import small_video
from anylift_cli.report.quality import measure

SCRIPTS = ("data.js", "player.js", "scene.js", "picture.js", "lanes.js", "facts.js", "main.js")
"""Parts of the page's program, one module scope, in this order after the libraries."""


@dataclass(frozen=True)
class ReportSources:
    """What a report is made from.

    Attributes:
        take: the motions of one video, the most prominent person first, their names, and meshes of objects.
        title: of the page.
        keypoints: what the motions were lifted from, or None: then nothing is said of the reprojection error.
        video: the video, or None for a report without its picture.
        metas: `meta` of the artifacts that led to the motions, in the order of the chain, without the motions' own.
    """

    take: Take
    title: str
    keypoints: KeypointsArtifact | None = None
    video: Path | None = None
    metas: tuple[Mapping[str, Any], ...] = ()


def write_report(sources: ReportSources, out: Path, progress: Progress = SILENT) -> Path:
    """Write the report of some motions as one HTML file, whole or not at all.

    Raises:
        AnyliftError: no motion, a missing body, an unreadable video, keypoints of another lift, an unwritable `out`.
    """
    text = report_page(sources, progress)
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(out)


def report_page(sources: ReportSources, progress: Progress = SILENT) -> str:
    """The page's text; see `write_report`."""
    motions = sources.take.motions
    if not motions:
        raise AnyliftError("there is no motion to report on", "run `anylift run` first")
    persons = [_person(motion, sources.keypoints) for motion in motions]
    origin = float(min(motion.timestamps[0] for motion in motions))
    shown = replace(sources.take, options=ExportOptions(metres_per_unit=1.0))
    facts, arrays = describe_scene(shown.scene, shown.times, origin)
    lanes, measured = _measure(sources, persons, origin, progress)
    arrays |= lanes
    if sources.keypoints is not None:
        arrays |= describe_keypoints(sources.keypoints, persons, origin)
    video = b"" if sources.video is None else _video(sources, sources.video, origin, progress)
    index, data = pack(arrays)
    report = {
        "title": sources.title,
        "made": f"anylift {__version__}",
        "scene": facts,
        "lanes": describe_lanes(),
        "clip": _clip(shown),
        "making": describe_making([*sources.metas, *(motion.meta for motion in motions)]),
        "arrays": index,
        **measured,
    }
    return _page(sources.title, report, data, video)


def _person(motion: MotionArtifact, keypoints: KeypointsArtifact | None) -> int:
    """The row of `keypoints` that a motion belongs to."""
    person = motion.meta.get("person", 0)
    person = person if isinstance(person, int) else 0
    if keypoints is not None and not 0 <= person < len(keypoints.present):
        raise AnyliftError(
            f"the motion is of person {person + 1}, the keypoints hold {len(keypoints.present)}",
            "give the work folder of the same run with --work-dir",
        )
    return person


def _measure(
    sources: ReportSources, persons: Sequence[int], origin: float, progress: Progress
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays: dict[str, np.ndarray] = {}
    people, moments = [], []
    with progress.task("report: figures", len(sources.take.motions), "people") as task:
        for number, (motion, person) in enumerate(zip(sources.take.motions, persons, strict=True)):
            figures, series = measure(motion, sources.keypoints, body_of(motion), person)
            arrays |= lane_arrays(number, motion, series, origin)
            people.append({"figures": judge(figures, series), "seen": seen(figures)})
            moments += weak_moments(series, motion.timestamps - origin, number)
            task.advance()
    moments.sort(key=lambda moment: -moment.severity)
    seconds = max(float(np.ptp(motion.timestamps)) for motion in sources.take.motions)
    verdict = headline([one["figures"] for one in people], moments, seconds)
    chosen = [asdict(moment) for moment in moments[:MOST_MOMENTS]]
    return arrays, {"people": people, "moments": chosen, "momentCount": len(moments), "verdict": verdict}


def _clip(take: Take) -> dict[str, Any]:
    return {
        "fps": take.fps,
        "frames": len(take.times),
        "seconds": float(take.times[-1] - take.times[0]),
        "camera": str(take.motions[0].meta.get("motion", "")),
        "heights": [round(float(motion.height), 3) for motion in take.motions],
    }


def _video(sources: ReportSources, video: Path, origin: float, progress: Progress) -> bytes:
    """The video over the frames of the motions; between two of them that are apart, their keypoints' frames."""
    numbered = {
        int(index): float(time)
        for motion in (*sources.take.motions, *([sources.keypoints] if sources.keypoints is not None else []))
        for index, time in zip(motion.frame_index, motion.timestamps, strict=True)
    }
    first = min(int(motion.frame_index[0]) for motion in sources.take.motions)
    last = max(int(motion.frame_index[-1]) for motion in sources.take.motions)
    wanted = sorted(index for index in numbered if first <= index <= last)
    times = np.array([numbered[index] for index in wanted])
    width, height = (int(side) for side in sources.take.motions[0].image_size)
    return small_video(video, wanted, times, origin, (width, height), progress)


def _page(title: str, report: Mapping[str, Any], data: str, video: bytes) -> str:
    slots = {
        "title": html.escape(title.encode("utf-8", "replace").decode("utf-8")),
        "report": as_json(report),
        "arrays": data,
        "video": base64.b64encode(video).decode("ascii"),
    }
    return filled_page(
        asset("page.html"),
        style=asset(LOOK) + asset("page.css"),
        libraries=asset(LIBRARIES),
        program="\n".join(asset(name) for name in SCRIPTS),
        slots=slots,
        allowed={"img-src": "data:", "media-src": "blob:"},
    )

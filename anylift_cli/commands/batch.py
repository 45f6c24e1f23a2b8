"""`anylift batch`: many videos in, many motions out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anylift_cli.commands import options as opt
from anylift_cli.commands.run import FILES, request_of, run
from anylift_cli.errors import AnyliftError, NothingFoundError, UsageError

if TYPE_CHECKING:
    from anylift_cli.batch.clips import Clip
    from anylift_cli.batch.schedule import Crew
    from anylift_cli.batch.work import Job, Record

FORMATS = ("bvh", "fbx", "glb", "usd")
OF_THE_BATCH = ("video", "out", "overlay", "report", *FORMATS)
"""Parameters of `run` that the batch sets for each clip."""
PAGE = "index.html"
_BATCH = {"rich_help_panel": "Batch"}
_SHARD = re.compile(r"(\d+)/(\d+)")


def _shard(value: str) -> str:
    match = _SHARD.fullmatch(value)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(f"'{value}' is no shard such as 2/8.")
    return value


def _formats(value: str) -> str:
    unknown = set(filter(None, value.split(","))) - set(FORMATS)
    if unknown:
        raise typer.BadParameter(f"'{min(unknown)}' is none of {', '.join(FORMATS)}.")
    return value


@opt.command
@opt.with_options_of(request_of, leave_out=FILES)
def batch(
    common: opt.Common,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Folders, globs in quotes, videos, or manifests (.csv, .jsonl); paths, or URLs such as s3://bucket/clips.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option("--out", "-o", metavar="DIR|URL", help="Folder of the results; keeps the inputs' tree.", **_BATCH),
    ],
    to: Annotated[
        str, typer.Option(metavar="FORMAT,...", callback=_formats, help="Further files: bvh, fbx, glb, usd.", **_BATCH)
    ] = "bvh",
    overlay: Annotated[bool, typer.Option("--overlay", help="Also draw each result over its video.", **_BATCH)] = False,
    report: Annotated[bool, typer.Option("--report", help="Also write a page for each clip.", **_BATCH)] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes, or Ray actors, at most. Default: 1; with --ray all that fit.", **_BATCH),
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", callback=_shard, help="Only the I-th of N parts, for job arrays.", **_BATCH)
    ] = "1/1",
    retry: Annotated[
        int, typer.Option(min=0, help="Further tries of a clip that failed or whose worker was lost.", **_BATCH)
    ] = 1,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="Stop a clip that takes longer.", **_BATCH)
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failure.", **_BATCH)] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list the clips and their last results.", **_BATCH)
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(metavar="auto|local|ADDRESS", help="Work on a Ray cluster, which has the same paths.", **_BATCH),
    ] = None,
    ray_cpus: Annotated[float, typer.Option(min=0.01, help="CPUs that each Ray actor holds.", **_BATCH)] = 1,
    ray_gpus: Annotated[float, typer.Option(min=0, help="GPUs, or the part of one, likewise.", **_BATCH)] = 0,
    **given: Any,
) -> None:
    """Lift many videos.

    Each clip is lifted as by `anylift run`, whose options apply to all; a manifest's columns `video`, `name` and any of
    these options say it for one clip. Run it again to go on: what is finished and unchanged is kept.

    results.jsonl gets a line for each clip, index.html shows them all. Failures are listed, never fatal.

    Exit codes: 0 each clip was lifted or shows nobody, 1 some failed, 3 no clip shows anybody.

    Example: anylift batch videos/ --out motions/ --workers 4
    """
    from anylift_cli.batch.clips import find_clips, in_shard
    from anylift_cli.batch.results import read_results, results_name
    from anylift_cli.commands.batch_options import RowOptions

    number, count = (int(part) for part in shard.split("/"))
    clips = in_shard(find_clips(inputs), number, count)
    rows = RowOptions(run, OF_THE_BATCH)
    rows.check_names(clips)
    place = _place(out)
    earlier = read_results(place)
    if dry_run:
        listed = [_listed(clip, earlier) for clip in clips]
        common.show({"clips": listed}, lambda: _list(listed))
        return
    if not clips:
        common.progress.note(f"no clip falls to shard {shard}" if count > 1 else "no clip was found")
        raise typer.Exit(NothingFoundError.exit_code if count == 1 else 0)
    common = replace(common, work_dir=None)
    wanted = [name for name in FORMATS if name in to.split(",")]
    jobs = [_job(common, clip, rows, place, wanted, overlay, report, given, earlier.get(clip.name)) for clip in clips]

    from anylift_cli.batch.schedule import Limits

    limits = Limits(retry, timeout, fail_fast)
    records = _lift(
        jobs, _crew(ray, workers, ray_cpus, ray_gpus), limits, place, results_name(number, count), common.quiet
    )
    counts = Counter(record.status for record in records)
    result = {"out": place, "counts": dict(counts), "clips": [record.as_json() for record in records]}
    common.show(result, lambda: _summary(records, len(jobs), place))
    if counts["failed"]:
        raise typer.Exit(AnyliftError.exit_code)
    if counts["empty"] == len(records):
        raise typer.Exit(NothingFoundError.exit_code)


def _place(out: str) -> str:
    """The folder of results, checked before any work."""
    from anylift_cli.batch.storage import is_url
    from anylift_cli.checks import check_writable

    if is_url(out):
        return out.rstrip("/")
    folder = Path(out).absolute()
    if folder.is_file():
        raise UsageError(f"--out {out} is a file", "give a folder")
    check_writable(folder, "--out")
    return str(folder)


def _job(
    common: opt.Common,
    clip: Clip,
    rows: Any,
    place: str,
    formats: list[str],
    overlay: bool,
    report: bool,
    given: Mapping[str, Any],
    before: Mapping[str, Any] | None,
) -> Job:
    """The work on one clip. A wrong row is no reason to stop: it becomes the clip's failure."""
    from anylift_cli.batch.work import EMPTY, Job

    out = Path(f"{clip.name}.npz")
    exports = {name: out.with_suffix(f".{name}") for name in formats}
    drawn = out.with_suffix(".overlay.mp4") if overlay else None
    page = out.with_suffix(".html") if report else None
    try:
        options = {**given, **rows.values(clip)}
        request = request_of(common, Path(clip.source), out, exports, drawn, page, **options)
    except UsageError as error:
        return Job(clip.name, clip.source, place, None, reason=error.message, hint=error.hint)
    if before is None or before.get("status") != EMPTY or common.force:
        return Job(clip.name, clip.source, place, request)
    key, reason, hint = (str(before.get(name, "")) for name in ("key", "reason", "hint"))
    return Job(clip.name, clip.source, place, request, key, reason, hint)


def _lift(jobs: list[Job], crew: Crew, limits: Any, place: str, log_name: str, quiet: bool) -> list[Record]:
    from anylift_cli.batch.results import opened_log
    from anylift_cli.batch.schedule import work_through
    from anylift_cli.commands.batch_watch import watching

    records = []
    with (
        _page_afterwards(place),
        _closed(crew),
        opened_log(place, log_name) as log,
        watching(len(jobs), quiet) as watch,
    ):
        for record in work_through(jobs, crew, limits, watch):
            log.add(record)
            records.append(record)
    return records


@contextmanager
def _closed(crew: Crew) -> Iterator[None]:
    try:
        yield
    finally:
        crew.close()


@contextmanager
def _page_afterwards(place: str) -> Iterator[None]:
    """Writes the page of all clips that the folder knows, other shards' too, however the block ends."""
    try:
        yield
    finally:
        from anylift_cli.artifacts.files import atomic_path
        from anylift_cli.batch.results import read_results
        from anylift_cli.batch.storage import is_url, publish_text
        from anylift_cli.report.batch_page import batch_page

        text = batch_page(place.rstrip("/").rsplit("/", 1)[-1], list(read_results(place).values()))
        if is_url(place):
            publish_text(text, f"{place}/{PAGE}")
        else:
            with atomic_path(Path(place, PAGE)) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")


def _crew(ray: str | None, workers: int | None, cpus: float, gpus: float) -> Crew:
    if ray is not None:
        from anylift_cli.batch.cluster import Cluster

        return Cluster(ray, workers, cpus, gpus)
    from anylift_cli.batch.processes import Processes

    return Processes(workers or 1)


def _listed(clip: Clip, earlier: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    before = earlier.get(clip.name, {})
    status, reason = before.get("status", "new"), before.get("reason", "")
    return {"clip": clip.name, "video": clip.source, "options": dict(clip.options), "before": status, "reason": reason}


def _list(listed: list[dict[str, Any]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("clip", "video", "options", "before", box=None)
    for one in listed:
        options = " ".join(f"{name}={value}" for name, value in one["options"].items())
        before = f"{one['before']}: {one['reason']}" if one["reason"] else one["before"]
        table.add_row(*(escape(cell) for cell in (one["clip"], one["video"], options, before)))
    return table


def _summary(records: list[Record], total: int, place: str) -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    failures = Table("failed", "why", "next", box=None)
    for record in records:
        if record.status == "failed":
            failures.add_row(escape(record.clip), escape(record.reason), escape(record.hint))
    counts = ", ".join(f"{count} {status}" for status, count in Counter(one.status for one in records).items())
    left = f", {total - len(records)} not tried" if total > len(records) else ""
    line = f"{counts}{left}; results in {place}, all of them in {PAGE}"
    return Group(failures, escape(line)) if failures.row_count else escape(line)

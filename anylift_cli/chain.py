"""`anylift run`: the stages one after the other, for each shot and each person, and the files that come out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.artifacts import ObjectsArtifact
from anylift_cli.artifacts.base import read_meta
from anylift_cli.artifacts.files import atomic_path, sha256_of
from anylift_cli.checks import check_device, check_output, check_writable
from anylift_cli.errors import NothingFoundError, UsageError
from anylift_cli.export.base import exporter, takes_of
from anylift_cli.export.take import Take
from anylift_cli.outputs import make_output
from anylift_cli.pipeline import Outcome, Source, Stage, run_stage, work_folder
from anylift_cli.progress import SILENT, Progress
from anylift_cli.request import Request
from anylift_cli.stages import (
    cameras_stage,
    fit_stage,
    keypoints_stage,
    lift_stage,
    lift_with_objects_stage,
    objects_stage,
    prompts_source,
)
from anylift_cli.steps import Step
from anylift_cli.video import find_shots, probe

MOTION = Path("motion.npz")
RECORD = "outputs.json"
OBJECTS = "objects.npz"
DRAWN_FACES, REPORTED_FACES = 3000, 20000
"""At most of an object's mesh in a video and in a page."""


@dataclass(frozen=True)
class ShotResult:
    """What one shot gave.

    Attributes:
        number: of the shot, 1-based; None unless all were asked for.
        outcomes: each step and output, in order.
        quality: figures of each motion file (`report.quality`).
    """

    number: int | None
    outcomes: list[Outcome]
    quality: dict[Path, dict[str, Any]]


def run_chain(request: Request, progress: Progress = SILENT) -> list[ShotResult]:
    """Lift a video. Everything that can be refused is refused before any work is done.

    Raises:
        UsageError: options that contradict each other or name nothing.
        NothingFoundError: no person, or no frames in the range.
        AnyliftError: an unreadable video, an unwritable folder, a full disk.
        Interrupted: Ctrl-C; finished stages are kept.
    """
    _check(request)
    stages = Stages(
        keypoints_stage(request.keypoints),
        cameras_stage(request.cameras),
        objects_stage(request.objects, request.prompts),
        (lift_stage if request.prompts is None else lift_with_objects_stage)(request.lift),
        fit_stage(request.fit, with_objects=request.prompts is not None),
    )
    with work_folder(request.work_dir):
        video = Source.from_file(request.video)
        if request.keypoints.shot != "all":
            return [_run_shot(request, stages, video, progress)]
        return _run_all_shots(request, stages, video, progress)


def export_motions(request: Request, motions: Sequence[Source]) -> list[Outcome]:
    """Write or keep `request.files` of the persons of one shot."""
    keys = {numbered(MOTION, person=person + 1).name: motion.key for person, motion in enumerate(motions)}
    take = _take(request, motions)
    record, forced = request.work_dir / RECORD, _forced(request, Step.EXPORT)
    outcomes = []
    for name, file in request.files.items():
        one = exporter(name)
        parts = takes_of(take, one.one_person)
        together = {**keys, "number of persons": str(len(keys))}
        made_from = [{made: key} for made, key in keys.items()] if one.one_person else [together]
        for person, (part, inputs) in enumerate(zip(parts, made_from, strict=True)):
            path = numbered(file, person=person + 1, suffix=one.suffix)
            outcomes.append(make_output("export", path, inputs, partial(one.write, part, path), record, forced))
    return outcomes


@dataclass(frozen=True)
class Stages:
    """The chain."""

    keypoints: Stage
    cameras: Stage
    objects: Stage
    lift: Stage
    fit: Stage


def _check(request: Request) -> None:
    probe(request.video)
    if request.out.suffix != ".npz":
        raise UsageError(
            f"--out {request.out} must end with .npz or the suffix of an export format",
            f"try --out {request.out.with_suffix('.npz')}",
        )
    outputs = {"--out": request.out, **{f"--{name}": path for name, path in request.files.items()}}
    outputs |= {"--overlay": request.overlay} if request.overlay is not None else {}
    outputs |= {"--report": request.report} if request.report is not None else {}
    taken: dict[Path, str] = {}
    for option, path in outputs.items():
        check_output(path, option, request.video)
        if (other := taken.setdefault(path.resolve(), option)) != option:
            raise UsageError(f"{other} and {option} are both {path}", "choose another name for one of them")
    for name in request.files:
        exporter(name)
    if request.prompts is not None:
        prompts_source(request.prompts)
    check_writable(request.work_dir, "--work-dir")
    check_device(request.lift.device)


def _run_all_shots(request: Request, stages: Stages, video: Source, progress: Progress) -> list[ShotResult]:
    results = []
    for shot in find_shots(request.video, request.keypoints.start, request.keypoints.end, progress):
        progress.note(f"shot {shot.number}: {shot.start_time:.2f} s to {shot.end_time:.2f} s")
        number = shot.number
        of_shot = replace(
            request,
            out=numbered(request.out, shot=number),
            exports={
                name: numbered(path, shot=number, suffix=exporter(name).suffix) for name, path in request.files.items()
            },
            overlay=request.overlay and numbered(request.overlay, shot=number),
            report=request.report and numbered(request.report, shot=number),
            work_dir=request.work_dir / f"shot{number}",
        )
        options = replace(stages.keypoints.options, shot=str(number))
        of_stages = replace(stages, keypoints=replace(stages.keypoints, options=options))
        try:
            results.append(replace(_run_shot(of_shot, of_stages, video, progress), number=number))
        except NothingFoundError as error:
            progress.note(f"shot {number} is left out: {error.message}")
    if not results:
        raise NothingFoundError(f"no shot of {request.video} shows a person", "give --shot or --start and --end")
    return results


def _run_shot(request: Request, stages: Stages, video: Source, progress: Progress) -> ShotResult:
    outcomes: list[Outcome] = []

    def run(stage: Stage, file: Path | str, **inputs: Source) -> Source:
        forced = _forced(request, Step(stage.name))
        artifact, outcome = run_stage(stage, inputs, request.work_dir / file, progress, forced)
        outcomes.append(outcome)
        return Source.from_artifact(artifact)

    keypoints = run(stages.keypoints, "keypoints.npz", video=video)
    cameras = run(stages.cameras, "cameras.npz", video=video, keypoints=keypoints)
    things = {}
    if request.prompts is not None:
        inputs = {"video": video, "keypoints": keypoints, "cameras": cameras}
        things = {"objects": run(stages.objects, OBJECTS, **inputs, prompts=prompts_source(request.prompts))}
    lifted = run(stages.lift, "lifted.npz", keypoints=keypoints, cameras=cameras, **things)
    motions = []
    for person in range(len(keypoints.value.present)):
        stage = replace(stages.fit, options=replace(stages.fit.options, person=person))
        motions.append(run(stage, numbered(MOTION, person=person + 1), lifted=lifted, keypoints=keypoints, **things))
    quality = {}
    outcomes += [_copy(request, person) for person in range(len(motions))]
    outcomes += export_motions(request, motions)
    for person, motion in enumerate(motions):
        outcome, figures = _measure(request, motion, keypoints, person)
        outcomes.append(outcome)
        quality[numbered(request.out, person=person + 1)] = figures
    if request.overlay is not None:
        outcomes.append(_overlay(request, motions, keypoints, video, progress))
    if request.report is not None:
        earlier = {"keypoints": keypoints, "cameras": cameras, **things, "lifted": lifted}
        outcomes.append(_report(request, motions, earlier, video, progress))
    return ShotResult(None, outcomes, quality)


def _copy(request: Request, person: int) -> Outcome:
    made = request.work_dir / numbered(MOTION, person=person + 1)
    out = numbered(request.out, person=person + 1)

    def copy() -> None:
        with atomic_path(out) as temporary:
            shutil.copyfile(made, temporary)

    forced = _forced(request, Step.EXPORT)
    return make_output("export", out, {made.name: sha256_of(made)}, copy, request.work_dir / RECORD, forced)


def _measure(
    request: Request, motion: Source, keypoints: Source, person: int
) -> tuple[Outcome, dict[str, float | None]]:
    file = request.work_dir / numbered(Path("quality.json"), person=person + 1)

    def write() -> None:
        from anylift_cli.body.parameters import body_of
        from anylift_cli.report.quality import quality

        figures = quality(motion.value, keypoints.value, body_of(motion.value), person)
        with atomic_path(file) as temporary:
            temporary.write_text(json.dumps(figures, indent=1), encoding="utf-8")

    made_from = {"motion": motion.key, "keypoints": keypoints.key}
    outcome = make_output("quality", file, made_from, write, request.work_dir / RECORD, _forced(request, Step.QUALITY))
    return outcome, json.loads(file.read_text(encoding="utf-8"))


def _overlay(request: Request, motions: list[Source], keypoints: Source, video: Source, progress: Progress) -> Outcome:
    def write() -> None:
        from anylift_cli.report.overlay import render_overlay

        meshes = _meshes(request, motions, DRAWN_FACES)
        shown = [motion.value for motion in motions]
        render_overlay(video.value, shown, keypoints.value, request.overlay, progress, meshes)

    made_from = {"video": video.key, "keypoints": keypoints.key}
    made_from |= {f"motion {person + 1}": motion.key for person, motion in enumerate(motions)}
    record, forced = request.work_dir / RECORD, _forced(request, Step.OVERLAY)
    return make_output("overlay", request.overlay, made_from, write, record, forced)


def _report(
    request: Request, motions: Sequence[Source], earlier: Mapping[str, Source], video: Source, progress: Progress
) -> Outcome:
    def write() -> None:
        from anylift_cli.report.html import ReportSources, write_report

        metas = tuple(read_meta(request.work_dir / f"{name}.npz") for name in earlier)
        sources = ReportSources(
            _take(request, motions, REPORTED_FACES), request.video.name, earlier["keypoints"].value, video.value, metas
        )
        write_report(sources, request.report, progress)

    made_from = {"video": video.key, **{name: source.key for name, source in earlier.items()}}
    made_from |= {f"motion {person + 1}": motion.key for person, motion in enumerate(motions)}
    record, forced = request.work_dir / RECORD, _forced(request, Step.REPORT)
    return make_output("report", request.report, made_from, write, record, forced)


def _take(request: Request, motions: Sequence[Source], most_faces: int | None = None) -> Take:
    names = (numbered(request.out, person=person + 1).stem for person in range(len(motions)))
    values = tuple(motion.value for motion in motions)
    return Take(values, tuple(names), meshes=_meshes(request, motions, most_faces))


def _meshes(
    request: Request, motions: Sequence[Source], most_faces: int | None = None
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Vertices (V, 3) m and faces (F, 3) of the objects of the motions, by name; coarser where they have too many."""
    motion = motions[0].value
    if motion.object_names is None or motion.object_scale is None:
        return {}
    from anylift_cli.meshes.simplify import simplified

    objects = ObjectsArtifact.load(request.work_dir / OBJECTS)
    meshes = {}
    for number, name in enumerate(objects.names.tolist()):
        vertices, faces = objects.mesh(number)
        scale = float(motion.object_scale[number]) / objects.meta.get("units", {}).get(name, 1.0)
        coarse = (vertices, faces) if most_faces is None else simplified(vertices, faces, most_faces)
        meshes[name] = (coarse[0] * scale, coarse[1])
    return meshes


def numbered(path: Path, shot: int = 1, person: int = 1, suffix: str = "") -> Path:
    """The name of a further shot's or person's file: NAME.shot2.person2.SUFFIX; the first of each has no number.

    `suffix` is what to keep at the end when that is more than `path.suffix`.
    """
    ending = path.name[-len(suffix) :] if suffix and path.name.lower().endswith(suffix) else path.suffix
    parts = [path.name.removesuffix(ending)]
    parts += [f"shot{shot}"] if shot > 1 else []
    parts += [f"person{person}"] if person > 1 else []
    return path.with_name(".".join(parts) + ending)


def _forced(request: Request, step: Step) -> str:
    steps = list(Step)
    for earlier in steps[: steps.index(step) + 1]:
        if earlier in request.force:
            return f"--force {earlier.value}" if earlier is step else f"follows --force {earlier.value}"
    return ""

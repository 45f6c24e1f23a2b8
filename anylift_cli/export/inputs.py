"""From the files that a person names to a take: motions, folders of them, meshes of objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.errors import UsageError
from anylift_cli.export.bvh_motion import read_bvh_as_motion
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.meshes.reading import read_mesh

WORK_FOLDER = ".anylift"


def read_take(paths: Iterable[Path], options: ExportOptions, meshes: Mapping[str, Path]) -> Take:
    """The motions of `paths` as one take, each named after its file, with distinct names.

    Args:
        paths: motion files, BVH files of persons, or folders that `anylift run` worked in, which stand for all persons
            in them.
        meshes: files with the meshes of objects in the object's own axes, by the objects' names; in the unit that the
            motion knows them in (`object_scale`), else in metres.

    Raises:
        UsageError: a path that is no motion, or a mesh of an object that the motions do not have.
        AnyliftError: a file that cannot be read.
    """
    files = _motion_files(paths)
    motions = tuple(_motion(file) for file in files.values())
    objects = {str(name) for motion in motions if motion.object_names is not None for name in motion.object_names}
    if unknown := sorted(set(meshes) - objects):
        there = f"the objects are: {', '.join(sorted(objects))}" if objects else "the motion has no objects"
        raise UsageError(f"there is no object '{unknown[0]}' to give a mesh to", there)
    scales = _scales(motions)
    scaled = {}
    for name, file in meshes.items():
        vertices, faces = read_mesh(file)
        scaled[name] = vertices * scales.get(name, 1.0), faces
    return Take(motions, tuple(files), options, scaled)


def _scales(motions: Iterable[MotionArtifact]) -> dict[str, float]:
    """Metres per unit of the objects' mesh files, where a motion knows it."""
    return {
        str(name): float(scale)
        for motion in motions
        if motion.object_names is not None and motion.object_scale is not None
        for name, scale in zip(motion.object_names, motion.object_scale, strict=True)
    }


def _motion(file: Path) -> MotionArtifact:
    return read_bvh_as_motion(file) if file.suffix.lower() == ".bvh" else MotionArtifact.load(file)


def _motion_files(paths: Iterable[Path]) -> dict[str, Path]:
    """{name: file}, names distinct also where upper and lower case are the same."""
    named: dict[str, Path] = {}
    for path in paths:
        for name, file in _persons(path):
            unused, number = name, 1
            while unused.casefold() in map(str.casefold, named):
                number += 1
                unused = f"{name}-{number}"
            named[unused] = file
    return named


def _persons(path: Path) -> list[tuple[str, Path]]:
    if not path.is_dir():
        return [(path.stem, path)]
    files = {file.name.removeprefix("motion").removesuffix(".npz"): file for file in path.glob("motion*.npz")}
    numbers = {tail: int(tail[len(".person") :]) for tail in files if tail[len(".person") :].isdigit()} | {"": 1}
    persons = sorted((tail for tail in files if tail in numbers), key=numbers.__getitem__)
    if not persons:
        raise UsageError(f"there is no motion.npz in the folder {path}", "name the work folder of a finished run")
    name = path.resolve().name.removesuffix(WORK_FOLDER) or "motion"
    return [(name + tail, files[tail]) for tail in persons]

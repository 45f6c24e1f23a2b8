"""Everything that reads files of strangers: what makes whole files for it, and how far it reads them."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hostile import files
from hostile.damage import damage

from anylift_cli.artifacts.base import declared_arrays, read_meta
from anylift_cli.errors import AnyliftError
from anylift_cli.progress import SILENT


@dataclass(frozen=True)
class Parser:
    """Something that reads files.

    Attributes:
        name: of the kind of file, for people.
        make: writes whole files, or folders of them, of one kind each.
        read: reads one of them, as deep as a run would, and raises AnyliftError or nothing.
        share: of all cases, percent; less where reading takes long.
    """

    name: str
    make: Callable[[Path], list[Path]]
    read: Callable[[Path], object]
    share: int


def read_video(path: Path) -> None:
    """All of its frames, small, from the begin and from the middle on; a display that a page may have."""
    from anylift_cli.video import probe, read_frames

    info = probe(path)
    for start in (None, info.duration / 2):
        for count, _ in enumerate(read_frames(path, start=start, max_size=64)):
            if count > 20:
                break


def read_artifact(path: Path) -> None:
    """As `anylift info` does, which also reads it as the artifact that it says it is."""
    from anylift_cli.describe import describe

    read_meta(path), declared_arrays(path)
    describe(path)


def read_keypoints(path: Path) -> None:
    """To the poses that the tracker asks for."""
    from anylift_cli.keypoints.base import KeypointOptions, Region
    from anylift_cli.keypoints.imports.estimator import ImportedPoses
    from anylift_cli.video import Frame

    poses = ImportedPoses(KeypointOptions(str(path)), _info())
    for index in range(files.FRAMES):
        frame = Frame(index, index / files.FPS, np.zeros((files.SIZE[1], files.SIZE[0], 3), np.uint8))
        poses.find(frame, (0, 0, *files.SIZE))
        poses.estimate(frame, [Region(30.0, 20.0, 30.0)])


def read_cameras(path: Path) -> None:
    """To the artifact of the stage."""
    from anylift_cli.cameras.base import CameraOptions
    from anylift_cli.cameras.imports.solver import ImportedCameras

    for focal in (None, 60.0):
        with suppress(AnyliftError):
            ImportedCameras().solve(_video(), files.keypoints(), CameraOptions(str(path), focal), SILENT)


def read_motion(path: Path) -> None:
    """As evaluation and as the tracker of objects read other tools' results; the body is loaded once for all."""
    from anylift_cli.body.tracks.posing import Poser
    from anylift_cli.evaluation.formats.read import read_motion
    from anylift_cli.objects.delta import read_tracks

    with patch.object(Poser, "load", lambda body: _poser()):
        if path.is_dir():
            read_motion(path / "hps/hps_track_0.npy")
            return
        with suppress(AnyliftError):
            read_motion(path)
        with suppress(AnyliftError):
            read_motion(f"{path}#a")
    if path.suffix == ".pkl":
        read_tracks(path, np.array(files.SIZE), np.arange(files.FRAMES))


def read_mocap(path: Path) -> None:
    """As training reads it."""
    from anylift_cli.body.mocap import read_mocap

    read_mocap(path)


def read_bvh(path: Path) -> None:
    """As `anylift info` and `anylift evaluate` do."""
    from anylift_cli.describe import describe
    from anylift_cli.evaluation.formats.bvh import read_bvh_motion

    describe(path)
    read_bvh_motion(path)


def read_mesh(path: Path) -> None:
    """As the mesh of an object, in whatever unit."""
    from anylift_cli.evaluation.formats.ply import read_ply_vertices
    from anylift_cli.meshes.reading import read_object

    path = path / "box.gltf" if path.is_dir() else path
    read_object(path, 0.4)
    if path.suffix == ".ply":
        read_ply_vertices(path)


def read_checkpoint(path: Path) -> None:
    """To a network that is ready to run."""
    from anylift_cli.lifting.checkpoint import load_checkpoint

    load_checkpoint(path)


def read_points(path: Path) -> None:
    """To the poses of the object."""
    from anylift_cli.meshes.reading import Mesh
    from anylift_cli.objects.prompts import anchors_from, read_points

    mesh = Mesh(np.eye(3) * 0.3, np.array([[0, 1, 2]]))
    for name, entries in read_points(path).items():
        anchors_from(path, name, entries, mesh, np.tile(files.K, (files.FRAMES, 1, 1)), np.arange(files.FRAMES))


def read_body(path: Path) -> None:
    """To a body that can be posed."""
    from anylift_cli.body.model import BodyModel

    BodyModel.load(path)


def read_manifest(path: Path) -> None:
    """Both kinds of its entries."""
    from anylift_cli.weights_store.manifest import external_weights, read_manifest

    read_manifest(path)
    external_weights(path)


def read_clips(path: Path) -> None:
    """As `anylift batch` does: before any work, and for its page afterwards."""
    from anylift_cli.batch.clips import find_clips, in_shard
    from anylift_cli.batch.results import read_results
    from anylift_cli.report.batch_page import batch_page

    if path.name == "results.jsonl":
        batch_page("page", list(read_results(str(path.parent)).values())).encode()
        return
    clips = find_clips([str(path)])
    in_shard(clips, 1, 3)
    _rows().check_names(clips)
    for clip in clips:
        with suppress(AnyliftError):
            _rows().values(clip)


def import_weights(path: Path) -> None:
    """`anylift weights import`; nothing may come to lie outside of the weights' folder."""
    from anylift_cli.weights_store.fetching import import_file

    target = path.parent / "store"
    before = {file for file in path.parent.parent.rglob("*") if target not in file.parents}
    os.environ["ANYLIFT_WEIGHTS"] = str(target)
    try:
        import_file(path)
    finally:
        del os.environ["ANYLIFT_WEIGHTS"]
        after = {file for file in path.parent.parent.rglob("*") if target not in file.parents}
        assert after <= before | {target}


PARSERS = {
    parser.name: parser
    for parser in (
        Parser("artifacts (npz)", files.artifacts, read_artifact, 1),
        Parser("keypoints (JSON, TRC, npz)", files.keypoint_files, read_keypoints, 12),
        Parser("cameras (TUM, KITTI, COLMAP, npz, npy)", files.camera_files, read_cameras, 5),
        Parser("motion (pickle, torch, npy, npz)", files.motion_files, read_motion, 6),
        Parser("BVH", files.bvh, read_bvh, 14),
        Parser("meshes", files.meshes, read_mesh, 14),
        Parser("video", files.videos, read_video, 2),
        Parser("checkpoints (safetensors)", files.checkpoints, read_checkpoint, 1),
        Parser("body models (npz, pickle)", files.bodies, read_body, 3),
        Parser("motion capture (npz)", lambda folder: [files.mocap(folder)], read_mocap, 8),
        Parser("points.json", files.points, read_points, 13),
        Parser("manifest.toml", files.manifests, read_manifest, 12),
        Parser("clip lists (CSV, JSON Lines)", files.clip_lists, read_clips, 5),
        Parser("weights archives (zip)", files.weight_archives, import_weights, 4),
    )
}


class Cases:
    """Damaged files for a parser; the same number gives the same file.

    Attributes:
        whole: content of each whole file, by name, of every file and folder that the parser's maker writes.
    """

    def __init__(self, parser: Parser) -> None:
        self.parser = parser
        with tempfile.TemporaryDirectory() as folder:
            self.whole = [(path.name, _contents(path)) for path in parser.make(Path(folder))]

    def write(self, number: int, folder: Path) -> Path:
        """Put case `number` into `folder`; negative numbers are the whole files, -1 the first."""
        rng = random.Random(f"{self.parser.name} {number}")
        name, contents = self.whole[~number] if number < 0 else rng.choice(self.whole)
        hurt = rng.choice(sorted(contents)) if number >= 0 else None
        others = [content for _, one in self.whole for content in one.values()]
        for relative, content in contents.items():
            file = folder / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(damage(content, rng, others) if relative == hurt else content)
        return folder / name


def _contents(path: Path) -> dict[str, bytes]:
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in found if file.is_file()}


@cache
def _video() -> Path:
    return files.video(Path(tempfile.mkdtemp(prefix="hostile-")))


@cache
def _info():
    from anylift_cli.video import probe

    return probe(_video())


@cache
def _rows():
    from anylift_cli.commands.batch import OF_THE_BATCH
    from anylift_cli.commands.batch_options import RowOptions
    from anylift_cli.commands.run import run

    return RowOptions(run, OF_THE_BATCH)


@cache
def _poser():
    from anylift_cli.body.model import BodyModel
    from anylift_cli.body.tracks.posing import Poser

    return Poser(BodyModel.load("open"), False)

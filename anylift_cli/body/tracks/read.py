"""People in each frame's camera, from the result of GVHMR, WHAM, TRAM, GLAMR or ROMP, told by its content."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.artifacts.files import content_key, sha256_of
from anylift_cli.body.files import find_body
from anylift_cli.body.tracks import glamr, gvhmr, romp, tram, wham
from anylift_cli.body.tracks.posing import Poser
from anylift_cli.body.tracks.track import PointTrack, SmplTrack
from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.foreign.unpickle import load_npz_member, load_object_array, load_pickle, load_torch

RESULTS = ("hmr4d_results.pt", "wham_output.pkl", "hps", "hps_track_*.npy", "*.npz", "*.pkl", "*.pt")
"""What GVHMR, WHAM, TRAM and ROMP leave in a video's folder, the surest names first."""
TRACKS = "hps_track_*.npy"
BODIES = {"smpl": "smpl-neutral", "smplx": "smplx-neutral"}
"""The users' bodies that show shapes as well, by family."""
ACCEPTED = (
    "local poses can be: GVHMR's hmr4d_results.pt, WHAM's wham_output.pkl, TRAM's hps folder or one hps_track_0.npy, "
    "GLAMR's pkl, ROMP's npz, or the folder of the video that holds one of them"
)


@dataclass(frozen=True)
class CameraPeople:
    """What a tool saw.

    Attributes:
        file: its name.
        kind: which tool.
        people: points in OpenCV axes of each frame's camera, m.
        K: (F, 3, 3) intrinsics by frame of the video, or (1, 3, 3) of all; None where the file does not say.
        body: what turned parameters into points.
    """

    file: str
    kind: str
    people: tuple[PointTrack, ...]
    K: np.ndarray | None
    body: str


def find_result(path: Path) -> Path:
    """The file or folder to read: `path` itself, or what lies in the folder of a video's results.

    Raises:
        AnyliftError: nothing there.
    """
    if not path.exists():
        raise AnyliftError(f"{path} does not exist", "check the path")
    if not path.is_dir() or next(path.glob(TRACKS), None):
        return path
    found = [file for pattern in RESULTS for file in sorted(path.glob(pattern))]
    if not found:
        raise AnyliftError(f"{path} holds no result of a tool that anylift knows", ACCEPTED)
    return found[0]


def keys_of_result(path: Path) -> dict[str, str]:
    """sha256 of all that decides what `read_camera_people` reads: the result, its cameras, the bodies, by name.

    Raises:
        AnyliftError: no result there.
    """
    found = find_result(path)
    cameras = tram.tram_camera_file(found / TRACKS if found.is_dir() else found)
    keys = {"local poses": content_key(found)} | ({} if cameras is None else {"their cameras": sha256_of(cameras)})
    return keys | {f"{family} body of local poses": sha256_of(find_body(_body_of(family))) for family in BODIES}


def read_camera_people(path: Path) -> CameraPeople:
    """Read what `find_result` finds.

    Raises:
        AnyliftError: missing, damaged or hostile, or of no accepted kind (the kinds are listed).
    """
    path = find_result(path)
    if path.is_dir():
        files = sorted(path.glob(TRACKS))
        if not files:
            raise AnyliftError(f"{path} holds no {TRACKS}", ACCEPTED)
        return _posed(path, tram.KIND, [_tram_track(file) for file in files], _one(tram.tram_intrinsics(files[0])))
    start = _start(path)
    if start.startswith(b"\x93NUMPY"):
        return _posed(path, tram.KIND, [_tram_track(path)], _one(tram.tram_intrinsics(path)))
    if start.startswith(b"PK"):
        return _read_zip(path)
    if start[:1] in (b"\x80", b"\x78", b"\x1f"):
        stored = load_pickle(path)
        if glamr.is_glamr(stored):
            return _posed(path, glamr.KIND, glamr.glamr_in_camera(path, stored), glamr.glamr_intrinsics(path, stored))
        if wham.is_wham(stored):
            return _posed(path, wham.KIND, wham.wham_in_camera(path, stored), None)
    raise _unknown(path)


def _read_zip(path: Path) -> CameraPeople:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise AnyliftError(f"{path} is damaged: {error}", "write it again") from error
    if "results.npy" in names:
        people = romp.romp_in_camera(path, load_npz_member(path, "results"))
        return CameraPeople(path.name, romp.KIND, tuple(people), None, "the file's joints")
    if not all(name.endswith(".npy") for name in names):
        stored = load_torch(path)
        if gvhmr.is_gvhmr(stored):
            return _posed(path, gvhmr.KIND, [gvhmr.gvhmr_in_camera(path, stored)], gvhmr.gvhmr_intrinsics(path, stored))
    raise _unknown(path)


def _tram_track(path: Path) -> SmplTrack:
    stored: Any = load_object_array(path)
    if not isinstance(stored, Mapping) or not tram.is_tram(stored):
        raise _unknown(path)
    return tram.tram_in_camera(path, stored)


def _posed(path: Path, kind: str, tracks: list[SmplTrack], K: np.ndarray | None) -> CameraPeople:
    family = tracks[0].family
    name = _body_of(family)
    poser = Poser.load(None if name == "open" else name)
    return CameraPeople(path.name, kind, tuple(poser.points_of(track) for track in tracks), K, poser.name)


def _body_of(family: str) -> str:
    """The user's body of a family, or the open one."""
    try:
        find_body(BODIES[family])
    except MissingDependencyError:
        return "open"
    return BODIES[family]


def _one(K: np.ndarray | None) -> np.ndarray | None:
    return None if K is None else K[None]


def _start(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(64)
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}", ACCEPTED) from error


def _unknown(path: Path) -> AnyliftError:
    return AnyliftError(f"{path} has no poses that anylift knows", ACCEPTED)

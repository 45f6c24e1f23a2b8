"""Tell what a motion file is by its content, and read it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.base import read_meta, read_npz
from anylift_cli.artifacts.files import DAMAGED
from anylift_cli.body.tracks.glamr import is_glamr
from anylift_cli.body.tracks.gvhmr import is_gvhmr
from anylift_cli.body.tracks.posing import Poser
from anylift_cli.body.tracks.tram import is_tram
from anylift_cli.body.tracks.wham import is_wham
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.formats.amass import read_amass
from anylift_cli.evaluation.formats.anylift import read_anylift
from anylift_cli.evaluation.formats.bvh import read_bvh_motion
from anylift_cli.evaluation.formats.glamr import read_glamr
from anylift_cli.evaluation.formats.gvhmr import read_gvhmr
from anylift_cli.evaluation.formats.mocap import KEYS, read_mocap
from anylift_cli.evaluation.formats.record import MotionRecord
from anylift_cli.evaluation.formats.romp import read_romp
from anylift_cli.evaluation.formats.tram import read_tram
from anylift_cli.evaluation.formats.wham import read_wham
from anylift_cli.foreign.unpickle import load_npz_member, load_object_array, load_pickle, load_torch

ACCEPTED = (
    "motion files can be: anylift motion.npz, AMASS npz, GVHMR hmr4d_results.pt, WHAM wham_output.pkl, "
    "TRAM hps_track_0.npy (beside or below its camera.npy), GLAMR pkl, ROMP npz, BVH, a clip of a mocap npz "
    "(FILE.npz#CLIP)"
)


def read_motion(path: Path | str, fps: float | None = None, body: Path | str | None = None) -> MotionRecord:
    """Read a motion file of any accepted kind, told by its content.

    Args:
        path: the file; of a compact mocap npz one clip, as `FILE.npz#CLIP`.
        fps: frames per second of files that do not say; 30 when not given.
        body: an SMPL body file (see `BodyModel.load`) to pose SMPL parameters with; the open body's mean shape
            when not given.

    Raises:
        AnyliftError: missing, damaged or hostile, or of no accepted kind (the kinds are listed).
        UsageError: `fps` is not positive, or a clip is not named.
    """
    if fps is not None and not fps > 0:
        raise UsageError(f"{fps} frames per second", "give a positive number")
    path, clip = _split(Path(path))
    start = _start(path)
    if start.startswith(b"\x93NUMPY"):
        stored = load_object_array(path)
        if is_tram(stored):
            return read_tram(path, stored, Poser.load(body), fps)
    elif start.startswith(b"PK"):
        return _read_zip(path, clip, fps, body)
    elif start.lstrip()[:9].upper() == b"HIERARCHY":
        return read_bvh_motion(path)
    elif start[:1] in (b"\x80", b"\x78", b"\x1f"):
        stored = load_pickle(path)
        if is_glamr(stored):
            return read_glamr(path, stored, Poser.load(body), fps)
        if is_wham(stored):
            return read_wham(path, stored, Poser.load(body), fps)
    raise _unknown(path)


def _read_zip(path: Path, clip: str | None, fps: float | None, body: Path | str | None) -> MotionRecord:
    members = _members(path)
    if not all(name.endswith(".npy") for name in members):
        stored = load_torch(path)
        if is_gvhmr(stored):
            return read_gvhmr(path, stored, Poser.load(body), fps)
        raise _unknown(path)
    names = {name.removesuffix(".npy") for name in members}
    if "results" in names:
        return read_romp(path, load_npz_member(path, "results"), fps)
    if "meta" in names and read_meta(path).get("schema") == MotionArtifact.schema:
        return read_anylift(path)
    if names >= KEYS:
        return read_mocap(path, read_npz(path), clip)
    if "trans" in names and ("poses" in names or {"root_orient", "pose_body"} <= names):
        return read_amass(path, _amass_arrays(path, names), Poser.load(body), fps)
    raise _unknown(path)


def _amass_arrays(path: Path, names: set[str]) -> dict[str, np.ndarray]:
    """Only what is read: some AMASS files hold pickled marker labels besides."""
    wanted = names & {
        "poses", "root_orient", "pose_body", "trans", "betas", "gender", "surface_model_type",
        "mocap_frame_rate", "mocap_framerate", "fps",
    }  # fmt: skip
    return {name: np.asarray(load_npz_member(path, name)) for name in wanted}


def _split(path: Path) -> tuple[Path, str | None]:
    name, mark, clip = path.name.rpartition("#")
    return (path.with_name(name), clip) if mark and not path.exists() else (path, None)


def _start(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(64)
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "check the path") from error
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}", ACCEPTED) from error


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except DAMAGED as error:
        raise AnyliftError(f"{path} is damaged: {error}", "write it again") from error


def _unknown(path: Path) -> AnyliftError:
    return AnyliftError(f"{path} is no motion file that anylift knows", ACCEPTED)

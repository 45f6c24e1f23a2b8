"""Tell by its content what a file or folder of cameras is, and read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts import CamerasArtifact
from anylift_cli.artifacts.base import declared_arrays, read_meta
from anylift_cli.cameras.imports.megasam import KEYS as MEGASAM
from anylift_cli.cameras.imports.megasam import read_megasam
from anylift_cli.cameras.imports.path import CameraPath, rigid, with_size
from anylift_cli.cameras.imports.trajectories import read_trajectory
from anylift_cli.cameras.imports.tram import read_tram
from anylift_cli.cameras.imports.vipe import KEYS as VIPE
from anylift_cli.cameras.imports.vipe import pose_file, read_vipe
from anylift_cli.errors import AnyliftError
from anylift_cli.video import VideoInfo

ACCEPTED = (
    "cameras can be: MegaSaM's *_sgd_cvd_hr.npz or *_droid.npz, ViPE's output folder or pose/NAME.npz, a COLMAP model "
    "(folder), TUM (also DPVO's) or KITTI text with --focal or --fov, TRAM's camera.npy, an anylift cameras.npz"
)


def read_path(path: Path, info: VideoInfo) -> CameraPath:
    """The camera path in a file or folder of any accepted kind.

    Args:
        info: of the video that was filmed with it.

    Raises:
        AnyliftError: missing, damaged, of no accepted kind (the kinds are listed), or of another video.
    """
    found = _read_folder(path, info) if path.is_dir() else _read_file(path, info)
    if len(found.places) < 2:
        raise AnyliftError(
            f"{path} has {len(found.places)} poses; a path needs two", "use --camera still for a still camera"
        )
    return found


def _read_file(path: Path, info: VideoInfo) -> CameraPath:
    video = (info.width, info.height)
    try:
        with open(path, "rb") as stream:
            start = stream.read(64)
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}", ACCEPTED) from error
    if start.startswith(b"PK"):
        return _read_npz(path, video)
    if start.startswith(b"\x93NUMPY"):
        return read_tram(path, video)
    if start.lstrip()[:1] in b"#+-.0123456789":
        return read_trajectory(path, info)
    raise AnyliftError(f"{path} is no file of cameras that anylift knows", ACCEPTED)


def _read_npz(path: Path, video: tuple[int, int]) -> CameraPath:
    names = declared_arrays(path).keys()
    if names >= MEGASAM:
        return read_megasam(path, video)
    if names >= VIPE:
        return read_vipe(path, video)
    if "meta" in names and read_meta(path).get("schema") == CamerasArtifact.schema:
        return _own(path, video)
    raise AnyliftError(f"{path} is no file of cameras that anylift knows", ACCEPTED)


def _read_folder(folder: Path, info: VideoInfo) -> CameraPath:
    from anylift_cli.cameras.imports.colmap import model_folder, read_colmap

    if model := model_folder(folder):
        return read_colmap(model, info)
    if poses := pose_file(folder):
        return read_vipe(poses, (info.width, info.height))
    raise AnyliftError(f"{folder} holds neither a COLMAP model nor ViPE's results", ACCEPTED)


def _own(path: Path, video: tuple[int, int]) -> CameraPath:
    cameras = CamerasArtifact.load(path)
    if (np.diff(cameras.timestamps) <= 0).any():
        raise AnyliftError(f"{path}: its times go back")
    return CameraPath(
        "anylift",
        cameras.timestamps,
        True,
        rigid(path, cameras.world_from_camera),
        metric=cameras.meta.get("scale") == "metric",
        K=with_size(path, cameras.K, tuple(cameras.image_size), video),
        up=cameras.up,
        up_source=cameras.meta.get("up_source", "assumed"),
        motion=cameras.meta.get("motion", ""),
    )

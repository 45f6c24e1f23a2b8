"""COLMAP's sparse model, text or binary, by pycolmap (colmap/colmap, doc/format.rst)."""

from __future__ import annotations

import re
from pathlib import Path

import cv2  # isort: skip  (cv2 must be loaded before pycolmap)
import numpy as np
import pycolmap

from anylift_cli.cameras.imports.path import CameraPath, rigid, with_size
from anylift_cli.errors import AnyliftError
from anylift_cli.video import VideoInfo

assert cv2, "loaded first"
FILES = ("cameras", "images", "points3D")


def model_folder(folder: Path) -> Path | None:
    """The folder of the model: `folder` itself, or `sparse/0`, `sparse` or `0` in it; None where there is none."""
    for place in (folder, folder / "sparse" / "0", folder / "sparse", folder / "0"):
        if any(all((place / f"{name}{suffix}").is_file() for name in FILES) for suffix in (".bin", ".txt")):
            return place
    return None


def read_colmap(folder: Path, info: VideoInfo) -> CameraPath:
    """The poses of the registered images. An image's frame is the last number in its name, from 0, or from 1 where
    the last one is the video's number of frames. Its unit is arbitrary; lens distortion is left out of account.

    Raises:
        AnyliftError: damaged, empty, or images without numbers or with the same one.
    """
    try:
        model = pycolmap.Reconstruction(folder)
    except (RuntimeError, ValueError, IndexError, OSError) as error:
        raise AnyliftError(f"{folder} cannot be read as a COLMAP model: {error}", "export it again") from error
    images = [image for image in model.images.values() if image.has_pose]
    if len(images) < 2:
        raise AnyliftError(f"{folder}: {len(images)} images have a pose", "COLMAP did not find a path")
    numbers = np.array([_number(folder, image.name) for image in images])
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    if (np.diff(numbers) == 0).any():
        raise AnyliftError(f"{folder}: two images are of one frame", "name images by the frame of the video")
    if numbers[0] > 0 and numbers[-1] == info.frame_count:
        numbers = numbers - 1
    images = [images[index] for index in order]
    poses = np.tile(np.eye(4), (len(images), 1, 1))
    poses[:, :3] = [image.cam_from_world().inverse().matrix() for image in images]
    video = (info.width, info.height)
    K = np.concatenate([_intrinsics(folder, model.cameras[image.camera_id], video) for image in images])
    return CameraPath("COLMAP", numbers, False, rigid(folder, poses), K=K)


def _number(folder: Path, name: str) -> int:
    digits = re.findall(r"\d+", Path(name).stem)
    if not digits:
        raise AnyliftError(f"{folder}: the image '{name}' has no number", "name images by the frame of the video")
    return int(digits[-1])


def _intrinsics(folder: Path, camera: pycolmap.Camera, video: tuple[int, int]) -> np.ndarray:
    return with_size(folder, camera.calibration_matrix()[None], (camera.width, camera.height), video)

"""MegaSaM's `outputs_cvd/<scene>_sgd_cvd_hr.npz` and `outputs/<scene>_droid.npz` (mega-sam/mega-sam)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from anylift_cli.artifacts.base import declared_arrays, read_npz
from anylift_cli.cameras.imports.path import CameraPath, rigid, with_size
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.foreign.fields import arrays_of

KEYS = {"intrinsic", "cam_c2w", "images"}
PIXELS = 384 * 512
STEP = 8


def read_megasam(path: Path, video: tuple[int, int]) -> CameraPath:
    """One pose a frame and one K, in pixels of images that MegaSaM resized (and then cropped, which K ignores).

    Its unit is near the metre, but nothing holds it there.

    Raises:
        AnyliftError: a missing or malformed array.
        UsageError: the images are not this video's.
    """
    stored = read_npz(path, only={"intrinsic", "cam_c2w"})
    K, poses = arrays_of(path, "MegaSaM", stored, {"intrinsic": "3 3", "cam_c2w": "T 4 4"})
    shape, _ = declared_arrays(path)["images"]
    size = resized(*video)
    cropped = tuple(side - side % STEP for side in size)
    if len(shape) != 4 or (shape[2], shape[1]) != cropped:
        raise UsageError(
            f"{path} was made from images of another shape: {shape[1:3]} (height, width), of this video they would be "
            f"{cropped[::-1]}",
            "give the result of this video, displayed upright and not cropped",
        )
    every = np.tile(with_size(path, K[None], size, video), (len(poses), 1, 1))
    return CameraPath("MegaSaM", np.arange(len(poses)), False, rigid(path, poses), K=every)


def resized(width: int, height: int) -> tuple[int, int]:
    """The size to which MegaSaM resizes an image (camera_tracking_scripts/test_demo.py)."""
    factor = np.sqrt(PIXELS / (height * width))
    return int(width * factor), int(height * factor)


def median_depths(path: Path) -> np.ndarray:
    """(T,) median depth of each image in the unit of the path, read image by image: together they fill gigabytes.

    Raises:
        AnyliftError: damaged, or without depths of all images.
    """
    shape, dtype = declared_arrays(path).get("depths", ((), np.dtype(float)))
    if len(shape) != 3 or 0 in shape:
        raise AnyliftError(f"{path} holds no depths", "was it written completely?")
    size = int(np.prod(shape[1:])) * dtype.itemsize
    with zipfile.ZipFile(path) as archive, archive.open("depths.npy") as stream:
        version = npy_format.read_magic(stream)
        (npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0)(stream)
        medians = [float(np.median(np.frombuffer(stream.read(size), dtype)[::STEP])) for _ in range(shape[0])]
    return np.array(medians)

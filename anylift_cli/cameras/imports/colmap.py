"""COLMAP's sparse model, text or binary (colmap/colmap, doc/format.rst).

Read here and not by pycolmap, whose reader trusts the counts in a file: it runs without end, or ends the process, on
damaged ones.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.cameras.imports.path import CameraPath, from_world, with_size
from anylift_cli.errors import AnyliftError
from anylift_cli.video import VideoInfo

FILES = ("cameras", "images")
MODELS = {
    "SIMPLE_PINHOLE": 3, "PINHOLE": 4, "SIMPLE_RADIAL": 4, "RADIAL": 5, "OPENCV": 8, "OPENCV_FISHEYE": 8,
    "FULL_OPENCV": 12, "FOV": 5, "SIMPLE_RADIAL_FISHEYE": 4, "RADIAL_FISHEYE": 5, "THIN_PRISM_FISHEYE": 12,
    "RAD_TAN_THIN_PRISM_FISHEYE": 16,
}  # fmt: skip
"""Number of parameters, in the order of the models' numbers (colmap/sensor/models.h)."""
ONE_FOCAL = ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
POINT_BYTES = 24
"""Of a 2D point in images.bin."""


@dataclass(frozen=True)
class _Camera:
    size: tuple[int, int]
    K: np.ndarray


@dataclass(frozen=True)
class _Image:
    """`pose` is qw, qx, qy, qz, tx, ty, tz from the world to the camera."""

    name: str
    camera: int
    pose: tuple[float, ...]


def model_folder(folder: Path) -> Path | None:
    """The folder of the model: `folder` itself, or `sparse/0`, `sparse` or `0` in it; None where there is none."""
    for place in (folder, folder / "sparse" / "0", folder / "sparse", folder / "0"):
        if _suffix(place):
            return place
    return None


def read_colmap(folder: Path, info: VideoInfo) -> CameraPath:
    """The poses of the registered images. An image's frame is the last number in its name, from 0, or from 1 where
    the last one is the video's number of frames. Its unit is arbitrary; lens distortion is left out of account.

    Raises:
        AnyliftError: damaged, empty, or images without numbers or with the same one.
    """
    try:
        if _suffix(folder) == ".bin":
            cameras = _binary_cameras(_Bytes((folder / "cameras.bin").read_bytes()))
            images = _binary_images(_Bytes((folder / "images.bin").read_bytes()))
        else:
            cameras = _text_cameras(_lines(folder / "cameras.txt"))
            images = _text_images(_lines(folder / "images.txt"))
        used = [cameras[image.camera] for image in images]
    except (ValueError, KeyError, IndexError, OSError, struct.error) as error:
        raise AnyliftError(f"{folder} cannot be read as a COLMAP model: {error}", "export it again") from error
    if len(images) < 2:
        raise AnyliftError(f"{folder}: {len(images)} images have a pose", "COLMAP did not find a path")
    numbers = np.array([_number(folder, image.name) for image in images])
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    if (np.diff(numbers) == 0).any():
        raise AnyliftError(f"{folder}: two images are of one frame", "name images by the frame of the video")
    if numbers[0] > 0 and numbers[-1] == info.frame_count:
        numbers = numbers - 1
    video = (info.width, info.height)
    K = np.concatenate([with_size(folder, used[index].K[None], used[index].size, video) for index in order])
    poses = _matrices(folder, np.array([images[index].pose for index in order]))
    return CameraPath("COLMAP", numbers, False, from_world(folder, poses), K=K)


def _suffix(folder: Path) -> str:
    """Of a whole model in the folder; "" where there is none."""
    return next((end for end in (".bin", ".txt") if all((folder / f"{name}{end}").is_file() for name in FILES)), "")


def _number(folder: Path, name: str) -> int:
    digits = re.findall(r"\d{1,15}", Path(name).stem)
    if not digits:
        raise AnyliftError(f"{folder}: the image '{name}' has no number", "name images by the frame of the video")
    return int(digits[-1])


def _matrices(folder: Path, values: np.ndarray) -> np.ndarray:
    """(N, 4, 4) of quaternions wxyz and translations (N, 7)."""
    lengths = np.linalg.norm(values[:, :4], axis=1)
    if not np.isfinite(values).all() or not (np.abs(lengths - 1) < 0.05).all():
        raise AnyliftError(f"{folder}: a pose has no unit quaternion", "export the model again")
    poses = np.tile(np.eye(4), (len(values), 1, 1))
    poses[:, :3, :3] = Rotation.from_quat(values[:, [1, 2, 3, 0]]).as_matrix()
    poses[:, :3, 3] = values[:, 4:]
    return poses


def _camera(model: str, width: int, height: int, values: tuple[float, ...]) -> _Camera:
    if len(values) != MODELS[model]:
        raise ValueError(f"a camera {model} with {len(values)} parameters")
    if width < 1 or height < 1:
        raise ValueError(f"images of {width}x{height}")
    fx, fy, cx, cy = (values[0], *values[:3]) if model in ONE_FOCAL else values[:4]
    return _Camera((width, height), np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]))


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if not line.startswith("#")]


def _text_cameras(lines: list[str]) -> dict[int, _Camera]:
    rows = [line.split() for line in lines if line]
    return {int(row[0]): _camera(row[1], int(row[2]), int(row[3]), tuple(map(float, row[4:]))) for row in rows}


def _text_images(lines: list[str]) -> list[_Image]:
    """Two lines an image, the second with its points."""
    rows = [line.split(maxsplit=9) for line in lines[::2] if line]
    return [_Image(row[9], int(row[8]), tuple(map(float, row[1:8]))) for row in rows]


class _Bytes:
    """Numbers out of bytes, never beyond their end."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Little-endian numbers of a `struct` layout."""
        values = struct.unpack_from(f"<{layout}", self.content, self.place)
        self.place += struct.calcsize(f"<{layout}")
        return values

    def name(self) -> str:
        """A text that ends with a zero byte."""
        end = self.content.index(0, self.place)
        start, self.place = self.place, end + 1
        return self.content[start:end].decode("utf-8", "replace")

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        if size > len(self.content) - self.place:
            raise ValueError("the file ends too early")
        self.place += size


def _binary_cameras(stream: _Bytes) -> dict[int, _Camera]:
    cameras, names = {}, list(MODELS)
    for _ in range(stream.take("Q")[0]):
        number, model, width, height = stream.take("IiQQ")
        if not 0 <= model < len(names):
            raise ValueError(f"the camera model {model} is not known")
        cameras[number] = _camera(names[model], width, height, stream.take(f"{MODELS[names[model]]}d"))
    return cameras


def _binary_images(stream: _Bytes) -> list[_Image]:
    images = []
    for _ in range(stream.take("Q")[0]):
        _, *pose, camera = stream.take("I7dI")
        name, (points,) = stream.name(), stream.take("Q")
        stream.skip(POINT_BYTES * points)
        images.append(_Image(name, camera, tuple(pose)))
    return images

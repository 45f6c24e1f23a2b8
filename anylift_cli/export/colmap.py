"""The camera as a COLMAP text model: a folder with cameras.txt, images.txt and an empty points3D.txt.

Poses are world to camera; the world is anylift's, z up, metres. Images are the video's own frames, so the model is
not resampled: `ffmpeg -i VIDEO -fps_mode passthrough -start_number 0 frame_%06d.png` makes files of their names.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.errors import AnyliftError
from anylift_cli.export.camera_path import CameraPath, camera_path
from anylift_cli.export.take import Take
from anylift_cli.geometry.cameras import invert

OTHER_MODEL = ("cameras.bin", "images.bin", "points3D.bin", "rigs.bin", "frames.bin", "rigs.txt", "frames.txt")
"""Files that COLMAP would read instead of ours, or beside them."""


class ColmapExporter:
    """The video's camera in every frame, with one set of intrinsics, or one per frame when it zooms."""

    name = "colmap"
    suffix = ".colmap"
    one_person = False

    def write(self, take: Take, path: Path) -> Path:
        """Write the folder `path`; other files in it stay.

        Raises:
            AnyliftError: the folder holds another COLMAP model, or cannot be written.
        """
        path = Path(path)
        if present := [name for name in OTHER_MODEL if (path / name).exists()]:
            raise AnyliftError(f"{path} holds another COLMAP model: {present[0]}", "choose another folder with --out")
        camera = camera_path(take.motions)
        files = {"cameras.txt": _cameras(camera), "images.txt": _images(camera), "points3D.txt": ["# no points"]}
        for name, lines in files.items():
            with atomic_path(path / name) as temporary:
                temporary.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
        return path


def _zooms(camera: CameraPath) -> bool:
    return bool(np.abs(camera.K - camera.K[0]).max() > 1e-6)


def _cameras(camera: CameraPath) -> list[str]:
    width, height = camera.image_size
    some = camera.K if _zooms(camera) else camera.K[:1]
    lines = ["# CAMERA_ID MODEL WIDTH HEIGHT fx fy cx cy"]
    for number, K in enumerate(some, 1):
        values = " ".join(f"{value:.6f}" for value in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
        lines.append(f"{number} PINHOLE {width} {height} {values}")
    return lines


def _images(camera: CameraPath) -> list[str]:
    pose = invert(camera.world_from_camera)
    quaternions = Rotation.from_matrix(pose[:, :3, :3]).as_quat()[:, [3, 0, 1, 2]]
    zooms = _zooms(camera)
    lines = ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then its (no) points"]
    for number, (turn, place, frame) in enumerate(zip(quaternions, pose[:, :3, 3], camera.frame_index, strict=True), 1):
        values = " ".join(f"{value:.9f}" for value in (*turn, *place))
        lines += [f"{number} {values} {number if zooms else 1} frame_{frame:06d}.png", ""]
    return lines

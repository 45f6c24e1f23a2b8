"""Camera path in TUM format: `timestamp tx ty tz qx qy qz qw`, camera to world (z up), metres, OpenCV axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.export.camera_path import camera_path
from anylift_cli.export.take import Take


class TumExporter:
    """The video's camera, without its intrinsics."""

    name = "tum"
    suffix = ".tum.txt"
    one_person = False

    def write(self, take: Take, path: Path) -> Path:
        """Write the camera at the frames of `take`.

        Raises:
            AnyliftError: the motions' times are unusable, or `path` cannot be written.
        """
        pose = camera_path(take.motions).pose_at(take.times)
        rows = np.column_stack([take.times, pose[:, :3, 3], Rotation.from_matrix(pose[:, :3, :3]).as_quat()])
        with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as stream:
            np.savetxt(stream, rows, fmt="%.9f")
        return Path(path)

"""CSV: one row per frame for spreadsheets and data frames; z up, metres, seconds of the video."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.export.motion_at import evenly
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.take import CONTACT_NAMES, Take


class CsvExporter:
    """Comma-separated values with one header row that names units; one person per file."""

    name = "csv"
    suffix = ".csv"
    one_person = True

    def write(self, take: Take, path: Path) -> Path:
        """Write frame, time, confidence, foot contacts (probability) and joints of the first motion of `take`.

        Raises:
            AnyliftError: the motion's body is not installed, its times are unusable, or `path` cannot be written.
        """
        motion = evenly(take.motions[0], take.fps)
        frames = len(motion.poses)
        columns = {
            "frame": ("%d", np.arange(frames)),
            "time_s": ("%.6f", motion.timestamps),
            "confidence": ("%.4f", motion.confidence),
        }
        for name, values in zip(CONTACT_NAMES, motion.foot_contact.T, strict=True):
            columns[f"contact_{name}"] = ("%.4f", values)
        for name, place in zip(JOINT_NAMES[take.options.names], motion.joints.swapaxes(0, 1), strict=True):
            for axis, values in zip("xyz", place.T, strict=True):
                columns[f"{name}_{axis}_m"] = ("%.6f", values)
        formats, values = zip(*columns.values(), strict=True)
        with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
            np.savetxt(
                stream, np.column_stack(values), fmt=formats, delimiter=",", newline="\r\n",
                header=",".join(columns), comments="",
            )  # fmt: skip
        return Path(path)

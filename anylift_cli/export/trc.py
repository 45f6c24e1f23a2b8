"""TRC markers (Motion Analysis) for OpenSim: y up, millimetres, joints and surface points as markers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.model import LANDMARKS
from anylift_cli.body.posing import posed
from anylift_cli.body.skeleton import K
from anylift_cli.export.labels import unique_labels
from anylift_cli.export.motion_at import evenly
from anylift_cli.export.names import JOINT_NAMES
from anylift_cli.export.scene import Y_UP_FROM_Z_UP
from anylift_cli.export.take import Take

MILLIMETRES = 1000.0


class TrcExporter:
    """Track row column file, one person per file."""

    name = "trc"
    suffix = ".trc"
    one_person = True

    def write(self, take: Take, path: Path) -> Path:
        """Write the 24 joints, and the face's and feet's points, of the first motion of `take`; time starts at 0.

        Raises:
            AnyliftError: the motion's body is not installed, its times are unusable, or `path` cannot be written.
        """
        motion = evenly(take.motions[0], take.fps)
        points = posed(motion)
        markers = np.concatenate([points.joints, points.keypoints[:, [K[name] for name in LANDMARKS]]], 1)
        names = (*JOINT_NAMES[take.options.names], *LANDMARKS)
        frames = len(markers)
        rate = f"{take.fps:.10g}"
        times = np.arange(frames) / take.fps
        placed = markers.astype(np.float64) @ Y_UP_FROM_Z_UP.T * MILLIMETRES
        (title,) = unique_labels([Path(path).name])
        header = (
            f"PathFileType\t4\t(X/Y/Z)\t{title}",
            "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
            f"{rate}\t{rate}\t{frames}\t{len(names)}\tmm\t{rate}\t1\t{frames}",
            "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
            "\t\t" + "\t".join(f"X{number}\tY{number}\tZ{number}" for number in range(1, len(names) + 1)),
            "",
        )
        rows = np.column_stack([np.arange(1, frames + 1), times, placed.reshape(frames, -1)])
        with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as stream:
            stream.write("\n".join(header) + "\n")
            np.savetxt(stream, rows, fmt=["%d", "%.6f", *["%.4f"] * (rows.shape[1] - 2)], delimiter="\t")
        return Path(path)

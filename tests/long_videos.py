"""A video that takes minutes to lift, for tests of what is done meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anylift_cli.video import VideoWriter

FRAMES = 6000


def write_long_video(path: Path) -> Path:
    """An empty room in which somebody is looked for in every frame; made in a second or two."""
    image = np.full((96, 128, 3), 128, np.uint8)
    with VideoWriter(path, 128, 96, 25) as writer:
        for _ in range(FRAMES):
            writer.write(image)
    return path

"""One small picture of a lifted clip: a frame from its middle with the bodies drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.rendering.mesh import draw_mesh
from anylift_cli.report.overlay import COLORS, MESH_OPACITY, Track
from anylift_cli.video import read_frames_at

HEIGHT, MAX_WIDTH = 180, 320
"""Pixels."""


def write_thumbnail(video: Path, motions: Sequence[MotionArtifact], out: Path) -> Path:
    """Draw the middle one of the frames that show the first person, as JPEG.

    Raises:
        AnyliftError: an unreadable video, a missing body, an unwritable `out`.
    """
    main = motions[0]
    shown = np.flatnonzero(main.confidence > 0)
    index = int(main.frame_index[shown[len(shown) // 2] if len(shown) else len(main.frame_index) // 2])
    frame = next(iter(read_frames_at(video, np.array([index]), max_size=2 * MAX_WIDTH)))
    height, width = frame.image.shape[:2]
    scale = min(HEIGHT / height, MAX_WIDTH / width)
    size = round(width * scale), round(height * scale)
    picture = np.ascontiguousarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA))
    to_picture = np.diag([size[0] / main.image_size[0], size[1] / main.image_size[1], 1.0])
    row = int(np.searchsorted(main.frame_index, index))
    for motion, color in zip(motions, cycle(COLORS), strict=False):
        person = Track(motion, color)
        if person.is_present(index):
            body = person.posed(index)
            view = motion.world_from_camera[row], to_picture @ motion.K[row]
            draw_mesh(picture, body.vertices, body.faces, *view, color, opacity=MESH_OPACITY)
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    with atomic_path(out) as temporary:
        temporary.write_bytes(encoded.tobytes())
    return Path(out)

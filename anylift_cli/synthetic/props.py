"""The boxes of a scene as an object tracker is given them: mesh files, and points clicked in the first frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.geometry.cameras import invert, project_camera, transform
from anylift_cli.synthetic.rig import Box
from anylift_cli.synthetic.scene import Scene

CLICK_NOISE = 1.0
"""Pixels by which someone who clicks is off."""


def box_mesh(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (8, 3) m and triangles (12, 3), counter-clockwise seen from outside, of a box in its own axes."""
    x, y, z = box.size
    corners = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    faces = [(a, b, c) for a, b, c, _ in quads] + [(a, c, d) for a, _, c, d in quads]
    return (corners - [0.5, 0.5, 0]) * [x, y, z], np.array(faces)


def clicked_points(scene: Scene, box: Box) -> dict[str, list]:
    """An entry of a points file: the corners of a box that its sides do not hide in the first frame, off by a pixel."""
    vertices, faces = box_mesh(box)
    camera_from_box = invert(scene.world_from_camera[0]) @ box.world_from_box[0]
    camera = transform(camera_from_box, vertices)
    a, b, c = (camera[faces[:, i]] for i in range(3))
    facing = (np.cross(b - a, c - a) * a).sum(-1) < 0
    seen = np.unique(faces[facing])
    pixels = project_camera(camera[seen], scene.K[0])
    pixels = pixels + np.random.default_rng([scene.spec.seed, 2]).normal(0, CLICK_NOISE, pixels.shape)
    return {"frame": 0, "pixels": pixels.round(1).tolist(), "points": vertices[seen].tolist()}


def write_props(scene: Scene, folder: Path) -> dict[str, Path]:
    """Write NAME.obj of each box, and points.json; nothing where the scene has no boxes.

    Raises:
        AnyliftError: `folder` cannot be written.
    """
    paths = {}
    for box in scene.boxes:
        vertices, faces = box_mesh(box)
        lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
        lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
        paths[box.name] = folder / f"{box.name}.obj"
        _write(paths[box.name], "\n".join(lines) + "\n")
    if scene.boxes:
        paths["points"] = folder / "points.json"
        clicks = {box.name: [clicked_points(scene, box)] for box in scene.boxes}
        _write(paths["points"], json.dumps(clicks, indent=1) + "\n")
    return paths


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

"""Blender as a reader of what the exporters write.

Needs an interpreter with `bpy` installed, named by ANYLIFT_BLENDER_PYTHON:

    python3.11 -m venv blender && blender/bin/pip install "numpy<2" "bpy==4.5.*"
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

_SCRIPT = Path(__file__).with_name("blender_script.py")


@dataclass(frozen=True)
class BlenderScene:
    """A file as Blender sees it; z up, metres.

    Attributes:
        about: fps, actions, objects, bones (name and parent, by armature), groups (of vertices, by mesh), properties.
        arrays: "bones/ARMATURE" (T, J, 3), "pose/OBJECT" (T, 4, 4), "lens/CAMERA" (T, 5) lens and sensor in mm and
            shift, "mesh/OBJECT" (2, V, 3) at the first and the last frame, "weights/OBJECT" (V, G).
    """

    about: dict
    arrays: dict[str, np.ndarray]

    def joints(self, armature: str | None = None) -> tuple[list[str], np.ndarray]:
        """Names and world positions (T, J, 3) of an armature's bones; of the only one by default."""
        armature = armature or next(iter(self.about["bones"]))
        return [name for name, _ in self.about["bones"][armature]], self.arrays[f"bones/{armature}"]


def read_with_blender(
    path: Path, fps: float, frames: int, scale: float = 1.0, png: Path | None = None, legacy: bool = False
) -> BlenderScene:
    """Import `path` in a process of its own; skips the test where Blender is not installed.

    Args:
        path: .fbx, .bvh, .glb, .usd.
        fps: rate of the file, at which `frames` moments are sampled.
        scale: metres per unit, for BVH.
        png: where to draw the middle frame through the first camera.
        legacy: use Blender's older FBX importer, which is written in Python. It places keys of rates such as 29.97
            as if they were whole, 0.1 % late.
    """
    python = os.environ.get("ANYLIFT_BLENDER_PYTHON")
    if not python:
        pytest.skip("ANYLIFT_BLENDER_PYTHON names no interpreter with bpy")
    out = path.with_name(path.name + ".blender.npz")
    wanted = {"path": str(path), "out": str(out), "fps": fps, "frames": frames, "scale": scale, "legacy": legacy}
    if png:
        wanted["render"] = str(png)
    done = subprocess.run(
        [python, str(_SCRIPT), json.dumps(wanted)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    with np.load(out) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "about"}
        return BlenderScene(json.loads(str(stored["about"])), arrays)

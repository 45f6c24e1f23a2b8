"""assimp's command line (Debian: assimp-utils) as a reader of what the exporters write."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class AssimpScene:
    """A file as assimp sees it, in its own axes and unit.

    Attributes:
        poses: {node: (T, 4, 4)} to the world at each frame.
        parents: {node: parent}, None at the root.
        rate: ticks per second, of which the keys lie on whole ones; duration: ticks.
        bones: {mesh: {joint: sum of its weights over the mesh's corners}}.
        cameras: {name: assimp's numbers}.
    """

    poses: dict[str, np.ndarray]
    parents: dict[str, str | None]
    rate: float
    duration: float
    bones: dict[int, dict[str, float]]
    cameras: dict[str, dict]

    def joints(self, names: list[str] | tuple[str, ...]) -> np.ndarray:
        """World positions (T, J, 3) of the named nodes."""
        return np.stack([self.poses[name][:, :3, 3] for name in names], 1)


def read_with_assimp(path: Path, frames: int) -> AssimpScene:
    """Read `path`; skips the test where assimp is not installed."""
    program = shutil.which("assimp") or pytest.skip("assimp is not installed (Debian: assimp-utils)")
    out = path.with_name(path.name + ".assjson")
    done = subprocess.run([program, "export", path, out, "-fassjson"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and out.exists(), done.stdout + done.stderr
    scene = json.loads(out.read_text(encoding="utf-8").replace("\\'", "'"))
    animation = scene["animations"][0]
    channels = {one["name"]: one for one in animation["channels"]}
    poses: dict[str, np.ndarray] = {}
    parents: dict[str, str | None] = {}

    def walk(node: dict, above: np.ndarray, parent: str | None) -> None:
        name = node["name"]
        local = np.tile(np.array(node["transformation"]).reshape(4, 4), (frames, 1, 1))
        if name in channels:
            local = _animated(channels[name], frames)
        poses[name], parents[name] = above @ local, parent
        for child in node.get("children", []):
            walk(child, poses[name], name)

    walk(scene["rootnode"], np.eye(4), None)
    return AssimpScene(
        poses,
        parents,
        animation["tickspersecond"],
        animation["duration"],
        {
            number: {bone["name"]: sum(weight for _, weight in bone["weights"]) for bone in mesh.get("bones", [])}
            for number, mesh in enumerate(scene["meshes"])
        },
        {one["name"]: one for one in scene.get("cameras", [])},
    )


def _animated(channel: dict, frames: int) -> np.ndarray:
    """(T, 4, 4) of a node's keys at whole ticks; a channel of one key stands still."""
    whole = np.arange(frames)

    def at(keys: list) -> np.ndarray:
        times, values = np.array([key[0] for key in keys]), np.array([key[1] for key in keys])
        nearest = np.abs(times[:, None] - whole).argmin(0)
        assert len(times) == 1 or np.abs(times[nearest] - whole).max() < 1e-2
        return values[nearest]

    pose = np.tile(np.eye(4), (frames, 1, 1))
    turn = Rotation.from_quat(at(channel["rotationkeys"]), scalar_first=True).as_matrix()
    pose[:, :3, :3] = turn * at(channel["scalingkeys"])[:, None]
    pose[:, :3, 3] = at(channel["positionkeys"])
    return pose

"""ufbx (MIT, https://github.com/ufbx/ufbx) as a reader of FBX files: what it sees, in z-up metres."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest


@dataclass(frozen=True)
class UfbxScene:
    """A file as ufbx sees it, turned to z up and scaled to metres by ufbx itself.

    Attributes:
        about: fps, unit (metres), begin and end (s), warnings, take.
        poses: {node: (T, 4, 4)} to the world; cameras look along their -z with their y up.
        parents: {node: parent}, "" for the scene's root.
        values: {property: (T,)} of the numbers that are animated, of the last that has it.
        properties: {node: names of what it has}.
        lenses: {camera: film width, height (inches), field of view x, y (degrees), image width, height}.
        vertices: {mesh: (V, 3)} in its own axes and the file's unit; normals: the same of unit length; faces: (F, 3).
        weights: {mesh: {joint: (V,)}}.
        binds: {joint: (3,)} of the bind pose in the world of the file.
    """

    about: dict
    poses: dict[str, np.ndarray]
    parents: dict[str, str]
    values: dict[str, np.ndarray]
    properties: dict[str, set[str]]
    lenses: dict[str, tuple[float, ...]]
    vertices: dict[str, np.ndarray]
    normals: dict[str, np.ndarray]
    faces: dict[str, np.ndarray]
    weights: dict[str, dict[str, np.ndarray]]
    binds: dict[str, np.ndarray]

    def joints(self, names: list[str] | tuple[str, ...]) -> np.ndarray:
        """World positions (T, J, 3) of the named nodes."""
        return np.stack([self.poses[name][:, :3, 3] for name in names], 1)


def read_with_ufbx(path: Path, fps: float, frames: int, numbers: tuple[str, ...] = ()) -> UfbxScene:
    """Read `path` and evaluate its take at k / `fps` seconds; skips the test where ufbx is not installed.

    In a process of its own, because ufbx's Python binding can crash.

    Args:
        numbers: names of animated numbers to evaluate.
    """
    if not importlib.util.find_spec("ufbx"):
        pytest.skip("ufbx is not installed (pip install ufbx)")
    out = path.with_name(path.name + ".ufbx.pickle")
    wanted = {"path": str(path), "out": str(out), "fps": fps, "frames": frames, "numbers": numbers}
    done = subprocess.run([sys.executable, __file__, json.dumps(wanted)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"
    return UfbxScene(**pickle.loads(out.read_bytes()))


def main() -> None:
    """Do what the first argument asks for, then end the process at once.

    Objects of the binding do not keep alive what they belong to: all that is asked for twice is held in a list, and
    nothing is ever freed.
    """
    import ufbx

    wanted = json.loads(sys.argv[1])
    axes = {"target_axes": ufbx.axes_right_handed_z_up, "target_camera_axes": ufbx.axes_right_handed_y_up}
    file = ufbx.load_file(wanted["path"])
    scene = ufbx.load_file(wanted["path"], target_unit_meters=1.0, **axes)
    stack, root = scene.anim_stacks[0], scene.root_node
    anim = stack.anim
    nodes = [node for node in scene.nodes][1:]
    above = [node.parent for node in nodes]
    names, parents = [node.name for node in nodes], [node.name for node in above]
    times = np.arange(wanted["frames"]) / wanted["fps"]

    poses = {"": np.tile(_matrix(root.local_transform), (len(times), 1, 1))}
    for node, name, parent in zip(nodes, names, parents, strict=True):
        poses[name] = poses[parent] @ np.array([_matrix(ufbx.evaluate_transform(anim, node, time)) for time in times])
    del poses[""]

    cameras = list(scene.cameras)
    curves = [one for one in scene.anim_values]
    values = {
        one.name: np.array([ufbx.evaluate_anim_value_real(one, time) for time in times])
        for one in curves
        if one.name in wanted["numbers"]
    }
    properties = [(element.name, list(element.props.props)) for element in [*nodes, *cameras]]

    plain = list(file.nodes)
    meshes = [(node.name, node.mesh) for node in plain if node.mesh is not None]
    skins = [(name, mesh, list(mesh.skin_deformers)) for name, mesh in meshes]
    clusters = [(name, mesh, cluster) for name, mesh, group in skins for skin in group for cluster in skin.clusters]
    bones = [cluster.bone_node for _, _, cluster in clusters]
    weights: dict[str, dict[str, np.ndarray]] = {}
    for (name, mesh, cluster), bone in zip(clusters, bones, strict=True):
        weights.setdefault(name, {})[bone.name] = _weights(cluster, mesh.num_vertices)

    settings, metadata = file.settings, file.metadata
    found = {
        "about": {
            "fps": settings.frames_per_second,
            "unit": settings.unit_meters,
            "begin": stack.time_begin,
            "end": stack.time_end,
            "warnings": [one.description for one in metadata.warnings],
            "take": stack.name,
        },
        "poses": poses,
        "parents": dict(zip(names, parents, strict=True)),
        "values": values,
        "properties": {name: {one.name for one in held} for name, held in properties},
        "lenses": {one.name: _lens(one) for one in cameras},
        "vertices": {name: np.array([tuple(one) for one in mesh.vertices]) for name, mesh in meshes},
        "normals": {name: _per_vertex(mesh.vertex_normal, mesh) for name, mesh in meshes},
        "faces": {name: np.array(list(mesh.vertex_indices)).reshape(-1, 3) for name, mesh in meshes},
        "weights": weights,
        "binds": {
            bone.name: np.array(tuple(cluster.bind_to_world.c3))
            for (_, _, cluster), bone in zip(clusters, bones, strict=True)
        },
    }
    Path(wanted["out"]).write_bytes(pickle.dumps(found))
    os._exit(0)


def _matrix(transform) -> np.ndarray:
    x, y, z, w = transform.rotation
    turn = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(turn) * tuple(transform.scale)
    matrix[:3, 3] = tuple(transform.translation)
    return matrix


def _lens(camera) -> tuple[float, ...]:
    return (*camera.film_size_inch, *camera.field_of_view_deg, *camera.resolution)


def _per_vertex(attribute, mesh) -> np.ndarray:
    values, index = np.array([tuple(one) for one in attribute.values]), np.array(list(attribute.indices))
    found = np.zeros((mesh.num_vertices, 3))
    found[np.array(list(mesh.vertex_indices))] = values[index]
    return found


def _weights(cluster, count: int) -> np.ndarray:
    weights = np.zeros(count)
    weights[np.array(list(cluster.vertices), int)] = list(cluster.weights)
    return weights


if __name__ == "__main__":
    main()

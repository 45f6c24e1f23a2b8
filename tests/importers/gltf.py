"""Reads GLB files by the letter of the glTF 2.0 specification, with nothing but `struct`, `json` and numpy."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_VALIDATE = (
    "require('gltf-validator').validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[1])),"
    "{maxIssues: 0}).then(found => console.log(JSON.stringify(found.issues)))"
)


class GltfScene:
    """A GLB file; nodes are indices.

    Attributes:
        model: the JSON chunk.
    """

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON" and size % 4 == 0
        self.model = json.loads(data[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0" and binary_size % 4 == 0 and 28 + size + binary_size == len(data)
        self._binary = data[28 + size :]
        assert self.model["buffers"][0]["byteLength"] <= binary_size

    def array(self, accessor: int) -> np.ndarray:
        """Values of an accessor (N, width), normalised where it says so; matrices (N, 4, 4) by rows."""
        about = self.model["accessors"][accessor]
        view = self.model["bufferViews"][about["bufferView"]]
        width, kind = _WIDTHS[about["type"]], np.dtype(_COMPONENTS[about["componentType"]])
        start = view.get("byteOffset", 0) + about.get("byteOffset", 0)
        assert start % kind.itemsize == 0 and about["count"] * width * kind.itemsize <= view["byteLength"]
        values = np.frombuffer(self._binary, kind, about["count"] * width, start).reshape(about["count"], width)
        if "min" in about:
            np.testing.assert_array_equal(values.min(0), np.array(about["min"], kind))
            np.testing.assert_array_equal(values.max(0), np.array(about["max"], kind))
        if about.get("normalized"):
            values = values / np.iinfo(kind).max
        return values.reshape(-1, 4, 4).swapaxes(1, 2) if about["type"] == "MAT4" else values

    @cached_property
    def parents(self) -> dict[int, int]:
        """Parent of each node that has one."""
        return {child: index for index, node in enumerate(self.model["nodes"]) for child in node.get("children", ())}

    def node(self, name: str) -> int:
        """The only node called `name`."""
        found = [index for index, node in enumerate(self.model["nodes"]) if node.get("name") == name]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    def seconds(self) -> float:
        """Length of the animation."""
        samplers = self.model["animations"][0]["samplers"]
        return max(float(self.array(sampler["input"])[-1, 0]) for sampler in samplers)

    def worlds(self, times: np.ndarray) -> np.ndarray:
        """World matrices (T, N, 4, 4) of all nodes at seconds (T,)."""
        worlds = np.tile(np.eye(4), (len(times), len(self.model["nodes"]), 1, 1))
        for index, node in enumerate(self.model["nodes"]):
            assert "matrix" not in node and "scale" not in node
            turn = self._sampled(index, "rotation", np.array(node.get("rotation", (0, 0, 0, 1.0))), times)
            worlds[:, index, :3, :3] = Rotation.from_quat(turn).as_matrix()
            worlds[:, index, :3, 3] = self._sampled(
                index, "translation", np.array(node.get("translation", (0, 0, 0.0))), times
            )
        done: set[int] = set()

        def finish(index: int) -> None:
            if index not in done and index in self.parents:
                finish(self.parents[index])
                worlds[:, index] = worlds[:, self.parents[index]] @ worlds[:, index]
            done.add(index)

        for index in range(len(self.model["nodes"])):
            finish(index)
        return worlds

    def skinned(self, node: int, times: np.ndarray) -> np.ndarray:
        """World vertices (T, V, 3) of a skinned mesh's node."""
        skin = self.model["skins"][self.model["nodes"][node]["skin"]]
        attributes = self.attributes(node)
        matrices = self.worlds(times)[:, skin["joints"]] @ self.array(skin["inverseBindMatrices"])
        points = np.pad(attributes["POSITION"], ((0, 0), (0, 1)), constant_values=1.0)
        joints, weights = attributes["JOINTS_0"], attributes["WEIGHTS_0"]
        moved = np.einsum("tvkij,vj->tvki", matrices[:, joints], points)[..., :3]
        return np.einsum("vk,tvki->tvi", weights, moved)

    def attributes(self, node: int) -> dict[str, np.ndarray]:
        """Attributes of a node's mesh, and "indices" (F, 3)."""
        (primitive,) = self.model["meshes"][self.model["nodes"][node]["mesh"]]["primitives"]
        found = {name: self.array(accessor) for name, accessor in primitive["attributes"].items()}
        return {**found, "indices": self.array(primitive["indices"]).reshape(-1, 3)}

    def pointed(self, pointer: str, times: np.ndarray) -> np.ndarray:
        """Values (T, width) of a property animated by KHR_animation_pointer."""
        for channel in self.model["animations"][0]["channels"]:
            if channel["target"].get("extensions", {}).get("KHR_animation_pointer") == {"pointer": pointer}:
                return self._interpolated(channel, times, False)
        raise KeyError(pointer)

    def _sampled(self, node: int, path: str, still: np.ndarray, times: np.ndarray) -> np.ndarray:
        for channel in self.model["animations"][0]["channels"]:
            if channel["target"].get("node") == node and channel["target"]["path"] == path:
                return self._interpolated(channel, times, path == "rotation")
        return np.tile(still, (len(times), 1))

    def _interpolated(self, channel: dict, times: np.ndarray, turns: bool) -> np.ndarray:
        sampler = self.model["animations"][0]["samplers"][channel["sampler"]]
        assert sampler.get("interpolation", "LINEAR") == "LINEAR"
        keys, values = self.array(sampler["input"])[:, 0].astype(float), self.array(sampler["output"])
        assert len(keys) == len(values) and (np.diff(keys) > 0).all()
        inside = np.clip(times, keys[0], keys[-1])
        if turns:
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)
            assert (np.einsum("ti,ti->t", values[1:], values[:-1]) >= 0).all(), "turns the long way round"
            if len(keys) > 1:
                return Slerp(keys, Rotation.from_quat(values))(inside).as_quat()
        return np.stack([np.interp(inside, keys, column) for column in values.T.astype(float)], 1)


def joints_of(path: Path, fps: float, frames: int) -> dict[str, tuple[list[str], np.ndarray]]:
    """Of each person: names of joints, and their positions (T, J, 3) in z-up metres at k / fps seconds."""
    scene = GltfScene(path)
    positions = scene.worlds(np.arange(frames) / fps)[..., :3, 3]
    z_up = np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], -1)
    return {
        skin["name"]: ([scene.model["nodes"][joint]["name"] for joint in skin["joints"]], z_up[:, skin["joints"]])
        for skin in scene.model["skins"]
    }


def validate(path: Path) -> dict:
    """What Khronos' validator says: numErrors, numWarnings, numInfos, numHints, messages.

    Skips the test without `node` or a folder with `npm install gltf-validator` named by ANYLIFT_GLTF_VALIDATOR.
    """
    folder = os.environ.get("ANYLIFT_GLTF_VALIDATOR")
    if not folder or not shutil.which("node"):
        pytest.skip("ANYLIFT_GLTF_VALIDATOR names no folder with npm's gltf-validator, or there is no node")
    done = subprocess.run(
        ["node", "-e", _VALIDATE, str(path.resolve())], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)

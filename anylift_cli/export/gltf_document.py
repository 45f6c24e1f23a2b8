"""A glTF document that grows node by node, with one animation and one binary buffer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pygltflib as gltf

_COMPONENTS = {
    np.dtype(np.uint8): gltf.UNSIGNED_BYTE,
    np.dtype(np.uint16): gltf.UNSIGNED_SHORT,
    np.dtype(np.uint32): gltf.UNSIGNED_INT,
    np.dtype(np.float32): gltf.FLOAT,
}
_TYPES = {(): gltf.SCALAR, (3,): gltf.VEC3, (4,): gltf.VEC4, (4, 4): gltf.MAT4}
POINTER = "KHR_animation_pointer"


class GltfDocument:
    """Nodes of one scene that move on the same frames.

    Attributes:
        model: pygltflib's document.
        times: accessor of the frames' seconds from 0.
    """

    def __init__(self, name: str, generator: str, frames: int, fps: float) -> None:
        """An empty scene of `frames` at `fps`; `name` is the animation's."""
        self.model = gltf.GLTF2(asset=gltf.Asset(generator=generator), scene=0, scenes=[gltf.Scene()])
        self.model.animations = [gltf.Animation(name=name, extras={"fps": fps, "frames": frames})]
        self._bytes = bytearray()
        self.times = self.accessor((np.arange(frames) / fps).astype(np.float32), bounds=True)

    def accessor(
        self, values: np.ndarray, target: int | None = None, bounds: bool = False, normalized: bool = False
    ) -> int:
        """Store `values` (N, ...) and return their accessor; matrices (N, 4, 4) are stored column by column.

        Args:
            values: uint8, uint16, uint32 or float32; whole elements take a multiple of 4 bytes, or follow each other.
            target: what the GPU takes them for.
            bounds: state the least and the greatest, as positions and times must.
            normalized: integers stand for 0 … 1.
        """
        stored = np.ascontiguousarray(values.swapaxes(1, 2) if values.ndim == 3 else values)
        self._bytes.extend(bytes(-len(self._bytes) % 4))
        self.model.bufferViews.append(
            gltf.BufferView(buffer=0, byteOffset=len(self._bytes), byteLength=stored.nbytes, target=target)
        )
        self._bytes.extend(stored.tobytes())
        self.model.accessors.append(
            gltf.Accessor(
                bufferView=len(self.model.bufferViews) - 1,
                componentType=_COMPONENTS[values.dtype],
                normalized=normalized,
                count=len(values),
                type=_TYPES[values.shape[1:]],
                min=np.atleast_1d(values.min(0)).tolist() if bounds else [],
                max=np.atleast_1d(values.max(0)).tolist() if bounds else [],
            )
        )
        return len(self.model.accessors) - 1

    def node(self, parent: int | None = None, **properties: object) -> int:
        """Add a node with pygltflib's `properties` below `parent`, or to the scene."""
        self.model.nodes.append(gltf.Node(**properties))
        index = len(self.model.nodes) - 1
        siblings = self.model.scenes[0].nodes if parent is None else self.model.nodes[parent].children
        siblings.append(index)
        return index

    def animate(self, node: int, path: str, values: np.ndarray) -> None:
        """Let a node's "rotation" (T, 4) xyzw or "translation" (T, 3) take `values`."""
        self._channel(gltf.AnimationChannelTarget(node=node, path=path), values)

    def animate_pointer(self, pointer: str, values: np.ndarray) -> None:
        """Let the property that a JSON pointer names take `values` (T, ...): `KHR_animation_pointer`."""
        if POINTER not in self.model.extensionsUsed:
            self.model.extensionsUsed.append(POINTER)
        target = gltf.AnimationChannelTarget(path="pointer", extensions={POINTER: {"pointer": pointer}})
        self._channel(target, values)

    def mesh(
        self,
        name: str,
        vertices: np.ndarray,
        faces: np.ndarray,
        normals: np.ndarray,
        colours: np.ndarray | None,
        material: int,
        joints: np.ndarray | None = None,
        weights: np.ndarray | None = None,
    ) -> int:
        """Add a mesh of triangles and return its index.

        Args:
            name: display name.
            vertices, normals: (V, 3); faces: (F, 3).
            colours: (V, 3) linear, 0 … 1.
            material: index.
            joints, weights: (V, 4) of a skin.
        """
        narrow = np.uint16 if len(vertices) < 0xFFFF else np.uint32

        def attribute(values: np.ndarray | None, kind: type, **details: bool) -> int | None:
            return None if values is None else self.accessor(values.astype(kind), gltf.ARRAY_BUFFER, **details)

        attributes = gltf.Attributes(
            POSITION=attribute(vertices, np.float32, bounds=True),
            NORMAL=attribute(normals, np.float32),
            COLOR_0=attribute(None if colours is None else _opaque(colours), np.uint16, normalized=True),
            JOINTS_0=attribute(joints, np.uint16),
            WEIGHTS_0=attribute(weights, np.float32),
        )
        indices = self.accessor(faces.ravel().astype(narrow), gltf.ELEMENT_ARRAY_BUFFER)
        primitive = gltf.Primitive(attributes=attributes, indices=indices, material=material)
        self.model.meshes.append(gltf.Mesh(primitives=[primitive], name=name))
        return len(self.model.meshes) - 1

    def material(self, name: str, colour: Sequence[float], double_sided: bool) -> int:
        """Add a dull material of a linear `colour`, which vertex colours multiply, and return its index."""
        look = gltf.PbrMetallicRoughness(baseColorFactor=[*colour, 1.0], metallicFactor=0.0, roughnessFactor=0.8)
        self.model.materials.append(gltf.Material(name=name, pbrMetallicRoughness=look, doubleSided=double_sided))
        return len(self.model.materials) - 1

    def skin(self, name: str, joints: list[int], inverse_bind: np.ndarray) -> int:
        """Add a skin moved by the nodes `joints`, the first of which is their root, and return its index.

        `inverse_bind` (J, 4, 4) takes a vertex at rest to each joint's axes.
        """
        matrices = self.accessor(inverse_bind.astype(np.float32))
        self.model.skins.append(gltf.Skin(name=name, inverseBindMatrices=matrices, skeleton=joints[0], joints=joints))
        return len(self.model.skins) - 1

    def camera(self, name: str, yfov: float, aspect: float, near: float, far: float) -> int:
        """Add a perspective camera and return its index; `yfov` in radians, `near` and `far` in metres."""
        lens = gltf.Perspective(yfov=yfov, aspectRatio=aspect, znear=near, zfar=far)
        self.model.cameras.append(gltf.Camera(name=name, type="perspective", perspective=lens))
        return len(self.model.cameras) - 1

    def glb(self) -> bytes:
        """The whole file."""
        self._bytes.extend(bytes(-len(self._bytes) % 4))
        self.model.buffers = [gltf.Buffer(byteLength=len(self._bytes))]
        self.model.set_binary_blob(bytes(self._bytes))
        return b"".join(self.model.save_to_bytes())

    def _channel(self, target: gltf.AnimationChannelTarget, values: np.ndarray) -> None:
        animation = self.model.animations[0]
        output = self.accessor(values.astype(np.float32))
        animation.samplers.append(gltf.AnimationSampler(input=self.times, output=output))
        animation.channels.append(gltf.AnimationChannel(sampler=len(animation.samplers) - 1, target=target))


def _opaque(colours: np.ndarray) -> np.ndarray:
    """(V, 4) 0 … 65535 of linear colours (V, 3)."""
    return np.pad(np.round(colours * 65535), ((0, 0), (0, 1)), constant_values=65535)

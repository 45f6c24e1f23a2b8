"""Runs inside Blender's Python (`bpy`): imports one file, samples its animation, writes what it finds as npz.

    python blender_script.py '{"path": "a.fbx", "out": "a.npz", "fps": 30, "frames": 60}'

Frame k of the file is sampled at k / fps seconds after the first key. World coordinates are Blender's: z up, metres.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy
import numpy as np


def import_file(path: Path, scale: float, legacy: bool) -> None:
    """Import with the importer's defaults; BVH has no unit, so `scale` gives metres per unit of its."""
    name = str(path)
    if path.suffix == ".bvh":
        bpy.ops.import_anim.bvh(filepath=name, global_scale=scale, update_scene_fps=True)
    elif path.suffix == ".fbx" and legacy:
        bpy.ops.import_scene.fbx(filepath=name)
    elif path.suffix == ".fbx":
        bpy.ops.wm.fbx_import(filepath=name)
    elif path.suffix in (".glb", ".gltf"):
        bpy.ops.import_scene.gltf(filepath=name, disable_bone_shape=True)
    else:
        bpy.ops.wm.usd_import(filepath=name)


def first_key() -> float:
    """The earliest key of any action, or the scene's first frame."""
    starts = [action.frame_range[0] for action in bpy.data.actions]
    return min(starts) if starts else bpy.context.scene.frame_start


def sample(scene: bpy.types.Scene, start: float, fps: float, frames: int, found: dict) -> None:
    """Fill `found` with world positions of bones, and poses of everything else, at every frame."""
    rate = scene.render.fps / scene.render.fps_base
    for index in range(frames):
        moment = start + index * rate / fps
        scene.frame_set(int(moment // 1), subframe=moment % 1)
        graph = bpy.context.evaluated_depsgraph_get()
        for item in scene.objects:
            seen = item.evaluated_get(graph)
            if item.type == "ARMATURE":
                heads = [seen.matrix_world @ bone.head for bone in seen.pose.bones]
                found.setdefault(f"bones/{item.name}", []).append(heads)
            found.setdefault(f"pose/{item.name}", []).append(np.array(seen.matrix_world))
            if item.type == "CAMERA":
                lens = seen.data
                values = (lens.lens, lens.sensor_width, lens.sensor_height, lens.shift_x, lens.shift_y)
                found.setdefault(f"lens/{item.name}", []).append(values)
            if item.type == "MESH" and index in (0, frames - 1):
                mesh = seen.to_mesh()
                found.setdefault(f"mesh/{item.name}", []).append([seen.matrix_world @ v.co for v in mesh.vertices])
                seen.to_mesh_clear()


def weights_of(item: bpy.types.Object) -> np.ndarray:
    """(V, G) share of each vertex group."""
    weights = np.zeros((len(item.data.vertices), len(item.vertex_groups)), np.float32)
    for vertex in item.data.vertices:
        for group in vertex.groups:
            weights[vertex.index, group.group] = group.weight
    return weights


def render(path: str, moment: float) -> None:
    """Draw one frame through the scene's first camera, in flat studio light."""
    scene = bpy.context.scene
    scene.camera = next(item for item in scene.objects if item.type == "CAMERA")
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 8
    scene.cycles.device = "CPU"
    film = scene.camera.data
    scene.render.resolution_x, scene.render.resolution_y = 640, round(640 * film.sensor_height / film.sensor_width)
    scene.world = bpy.data.worlds.new("grey")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.5, 0.5, 0.5, 1)
    light = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    light.data.energy = 3
    light.rotation_euler = (0.7, 0.3, 0)
    scene.collection.objects.link(light)
    scene.frame_set(round(moment))
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


def main() -> None:
    """Do what the first argument asks for."""
    wanted = json.loads(sys.argv[1])
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = round(wanted["fps"])
    scene.render.fps_base = round(wanted["fps"]) / wanted["fps"]
    import_file(Path(wanted["path"]), wanted.get("scale", 1.0), wanted.get("legacy", False))

    found: dict[str, list] = {}
    start = first_key()
    sample(scene, start, wanted["fps"], wanted["frames"], found)
    about = {
        "fps": scene.render.fps / scene.render.fps_base,
        "actions": {action.name: list(action.frame_range) for action in bpy.data.actions},
        "objects": {
            item.name: {"type": item.type, "parent": item.parent.name if item.parent else None}
            for item in scene.objects
        },
        "bones": {
            item.name: [[bone.name, bone.parent.name if bone.parent else None] for bone in item.data.bones]
            for item in scene.objects
            if item.type == "ARMATURE"
        },
        "groups": {
            item.name: [group.name for group in item.vertex_groups] for item in scene.objects if item.type == "MESH"
        },
        "properties": {
            f"{item.name}/{bone.name}": {key: value for key, value in bone.items() if isinstance(value, float)}
            for item in scene.objects
            if item.type == "ARMATURE"
            for bone in item.pose.bones
        },
    }
    arrays = {name: np.array(values, np.float64) for name, values in found.items()}
    arrays |= {f"weights/{item.name}": weights_of(item) for item in scene.objects if item.type == "MESH"}
    np.savez(wanted["out"], about=json.dumps(about), **arrays)
    if "render" in wanted:
        render(wanted["render"], start + wanted["frames"] // 2)


if __name__ == "__main__":
    main()

"""The 3D view's content: the scene that exporters write, in metres with y up, as arrays of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.export.scene import Character, Prop, Scene
from anylift_cli.report.html_arrays import quaternions


def describe_scene(scene: Scene, times: np.ndarray, origin: float) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Facts and arrays of a scene.

    Args:
        scene: y up, metres.
        times: (T,) seconds of the video.
        origin: time of the video at which the page's clock is 0.
    """
    arrays = {"times": (times - origin).astype(np.float32)}
    facts: dict[str, Any] = {"people": [], "props": [], "camera": None}
    for number, character in enumerate(scene.characters):
        facts["people"].append(
            {
                "name": character.name,
                "joints": list(character.joint_names),
                "parents": list(character.parents),
                "contacts": list(character.contact_names),
            }
        )
        arrays |= {f"person{number}.{name}": value for name, value in _character(character).items()}
    for number, prop in enumerate(scene.props):
        facts["props"].append({"name": prop.name})
        arrays |= {f"prop{number}.{name}": value for name, value in _prop(prop).items()}
    if scene.camera is not None:
        facts["camera"] = {"size": list(scene.camera.image_size)}
        arrays |= _pose("camera", scene.camera.pose)
        arrays["camera.focal"] = scene.camera.focal.astype(np.float32)
        arrays["camera.principal"] = scene.camera.principal.astype(np.float32)
    return facts, arrays


def describe_keypoints(keypoints: KeypointsArtifact, persons: Sequence[int], origin: float) -> dict[str, np.ndarray]:
    """Detected points of `persons`: px as float32, unobserved ones NaN, and confidence 0 … 255."""
    arrays = {"detected.times": (keypoints.timestamps - origin).astype(np.float32)}
    for number, person in enumerate(persons):
        confidence = np.clip(np.round(keypoints.confidence[person] * 255), 0, 255)
        arrays[f"detected{number}.points"] = keypoints.keypoints[person].astype(np.float32)
        arrays[f"detected{number}.confidence"] = confidence.astype(np.uint8)
    return arrays


def _character(one: Character) -> dict[str, np.ndarray]:
    return {
        "rest": one.rest.astype(np.float32),
        "rotations": quaternions(one.rotations),
        "root": one.translations[:, 0].astype(np.float32),
        "vertices": one.vertices.astype(np.float32),
        "faces": one.faces.astype(np.uint32),
        "skin_joints": one.skin_joints.astype(np.uint16),
        "skin_weights": one.skin_weights.astype(np.float32),
        "confidence": one.confidence.astype(np.float32),
    }


def _prop(prop: Prop) -> dict[str, np.ndarray]:
    mesh = {"vertices": prop.vertices.astype(np.float32), "faces": prop.faces.astype(np.uint32)}
    return mesh | _pose("pose", prop.pose)


def _pose(name: str, pose: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{name}.rotation": quaternions(pose[:, :3, :3]), f"{name}.position": pose[:, :3, 3].astype(np.float32)}

"""Takes with everything that formats can hold, and what must be found in the files."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import torch
from motions import make_motion, walking

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices, shape_of
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.geometry.cameras import look_at
from anylift_cli.weights_store import find_weights

CHOICES = [
    {"rest": rest, "root": root, "up": up, "metres_per_unit": unit}
    for rest, root, up, unit in itertools.product(("t-pose", "a-pose"), ("pelvis", "ground"), "yz", (1.0, 0.01))
]
MILLIMETRE = 1e-3
FPS = 29.97
HOSTILE = (
    "\"quoted\" 'and' <b>tagged</b> & {braced}",
    "/../a\\b:c|d*e?.glb",
    "Zoë 走る 🏃",
    "9 lives",
    "",
    "   ",
    "walk",
    "walk",
    "walk_2",
    "a\x00b\nc\x1b[31m\ud800",
    "n" * 400,
)
TETRAHEDRON = (
    np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.1]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
)


def spinning(body: BodyModel, frames: int) -> MotionArtifact:
    """Everything turns by up to half a turn a frame: each joint about an axis of its own, through many full turns."""
    rng = np.random.default_rng(3)
    axes = rng.normal(size=(22, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    speeds = rng.uniform(-2.5, 2.5, 22)
    angles = np.arange(frames)[:, None] * speeds
    wrapped = (angles + np.pi) % (2 * np.pi) - np.pi
    return make_motion(body, wrapped[..., None] * axes, rng.normal(size=(frames, 3)))


def filmed(motion: MotionArtifact) -> MotionArtifact:
    """`motion` filmed by a camera that walks along, zooms and has its centre off the picture's, with a moving box."""
    frames = len(motion.timestamps)
    share = np.linspace(0, 1, frames)
    camera = np.stack([look_at((5.0 - s, 1.0 + 2 * s, 1.4), (0.0, 0.5 * s, 0.9)) for s in share])
    K = motion.K.copy()
    K[:, 0, 0] *= 1 + 0.4 * share
    K[:, 1, 1] *= 1.1 * (1 + 0.4 * share)
    K[:, :2, 2] += np.stack([12 + 3 * share, -7 - 2 * share], -1)
    box = np.tile(np.eye(4), (frames, 1, 1))
    box[:, :3, :3] = look_at((1.0, 2.0, 3.0), (0.0, 0.0, 0.0))[:3, :3]
    box[:, :3, 3] = np.outer(share, [1.0, 2.0, 0.5]) + np.array([0.2, 0.0, 1.0])
    contacts = np.stack([share, 1 - share, share**2, 0 * share + 0.25], -1)
    return dataclasses.replace(
        motion,
        world_from_camera=camera,
        K=K,
        object_names=np.array(["box", "bare"]),
        world_from_object=np.stack([box, box]),
        foot_contact=contacts,
        confidence=1 - 0.5 * share,
    )


def whole_take(body: BodyModel, frames: int = 12, rate: float = FPS, **options: object) -> Take:
    """A person who walks at `rate` frames/s, the camera, a box and an object without a mesh."""
    motion = filmed(walking(body, frames, fps=rate))
    return Take((motion,), ("walker",), ExportOptions(**options), {"box": TETRAHEDRON})


def crowd(body: BodyModel, names: tuple[str, ...] = HOSTILE) -> Take:
    """One person per name, each a metre behind the one before, and an object named like the first."""
    motion = filmed(walking(body, 2))
    steps = [np.array([0.0, step, 0.0]) for step in range(len(names))]
    people = tuple(
        dataclasses.replace(motion, trans=motion.trans + step, joints=motion.joints + step) for step in steps
    )
    first = dataclasses.replace(people[0], object_names=np.array([names[0], "bare"]))
    return Take((first, *people[1:]), names, meshes={names[0]: TETRAHEDRON})


def colourless(body: BodyModel, folder: Path) -> Take:
    """The whole take with a body whose file, in `folder`, has no colours."""
    arrays = read_npz(find_weights("open_body.npz"))
    del arrays["vertex_colors"]
    path = folder / "plain.npz"
    np.savez(path, **arrays)
    take = whole_take(body, 2)
    (motion,) = take.motions
    return dataclasses.replace(take, motions=(dataclasses.replace(motion, meta={"body": {"name": str(path)}}),))


def blended(motion: MotionArtifact, body: BodyModel) -> np.ndarray:
    """World vertices (T, V, 3), z up, metres, of the body at rest moved by plain linear blending of all its weights."""
    rotations = pose_matrices(motion).double().numpy()
    for joint, parent in enumerate(body.parents.tolist()):
        if parent >= 0:
            rotations[:, joint] = rotations[:, parent] @ rotations[:, joint]
    shape = shape_of(motion, body)
    rest = body.rest_joints(shape)[0].double().numpy()
    vertices = body.vertices(torch.eye(3).expand(1, 24, 3, 3), shape, torch.zeros(1, 3))[0].double().numpy()
    offsets = motion.joints - np.einsum("tjab,jb->tja", rotations, rest)
    weights = body.lbs_weights.double().numpy()
    turned = np.einsum("vj,tjab->tvab", weights, rotations)
    return np.einsum("tvab,vb->tva", turned, vertices) + np.einsum("vj,tja->tva", weights, offsets)


def boxes(motion: MotionArtifact) -> np.ndarray:
    """World vertices (T, V, 3), z up, metres, of the box of a `filmed` motion."""
    pose = motion.world_from_object[0]
    return np.einsum("tij,vj->tvi", pose[:, :3, :3], TETRAHEDRON[0]) + pose[:, None, :3, 3]


def pictured(points: np.ndarray, motion: MotionArtifact) -> np.ndarray:
    """Pixels (T, N, 2) at which the motion's camera has z-up points (T, N, 3)."""
    camera_from_world = np.linalg.inv(motion.world_from_camera)
    seen = np.einsum("tij,tnj->tni", camera_from_world[:, :3, :3], points) + camera_from_world[:, None, :3, 3]
    return np.einsum("tij,tnj->tni", motion.K, seen / seen[..., 2:])[..., :2]

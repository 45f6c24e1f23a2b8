"""Protocol `hoi`: people and the objects they handle, from motion capture of both, under virtual cameras.

Compared are a lifter and per-frame PnP that know nothing of each other, and the two in one world, as `anylift fit
--objects` brings them. The person is seen as in `mocap`; the object's points as a tracker sees them: with a trembling
and a drifting error, those on its near side that the person is not before, for spans hidden one by one, and in some
clips all at once.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from anylift_cli.artifacts import LiftedArtifact
from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.mocap import MEASURED_POINTS, mocap_points
from anylift_cli.body.skeleton import J
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation import metrics
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import Motion, film, retaken
from anylift_cli.evaluation.measure import HIPS
from anylift_cli.evaluation.mocap import mean_lengths
from anylift_cli.evaluation.results import ClipResult
from anylift_cli.evaluation.running import Contender, judged
from anylift_cli.evaluation.visibility import seen_points
from anylift_cli.fitting.base import HANDS
from anylift_cli.fitting.joint_path import joint_path
from anylift_cli.fitting.object_scale import find_scales, rescaled
from anylift_cli.fitting.objects import place_thing
from anylift_cli.fitting.things import Thing, in_world
from anylift_cli.fitting.upright import upright
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.geometry.cameras import invert, project_camera, transform
from anylift_cli.geometry.rotations import matrix_from_quaternion
from anylift_cli.geometry.runs import runs
from anylift_cli.geometry.vectors import unit
from anylift_cli.lifting.base import LiftedPerson, LiftOptions
from anylift_cli.lifting.joint import category_name
from anylift_cli.lifting.joint_lifter import Thing as JointThing
from anylift_cli.lifting.joint_lifter import lift_together
from anylift_cli.lifting.stage import load_lifter
from anylift_cli.meshes.reading import read_object
from anylift_cli.meshes.simplify import simplified
from anylift_cli.meshes.surface import sampled, spread
from anylift_cli.meshes.symmetry import symmetries
from anylift_cli.objects.base import Anchor
from anylift_cli.objects.pnp import pose_from_points
from anylift_cli.objects.track_poses import poses_of_tracks
from anylift_cli.progress import SILENT, Progress
from anylift_cli.synthetic.draw import Draw

FRAMES = 120
POINTS = 48
"""Points that are followed on an object, and measured; about half of them are on the side that is seen."""
APART, TOGETHER = "apart", "one world"
JOINT, JOINT_CONTACTS = "joint", "joint + contacts"
"""What is compared."""
UNSEEN = 0.1
"""Seconds from which on an object counts as out of sight."""
_FACES = 4000
_POSE = 4
"""Points that a pose takes."""
_TREMBLING, _DRIFTING = 0.7, 1.5
"""px at 1080p."""
_HIDDEN_POINT, _HIDDEN_OBJECT = 0.5, 0.3
"""Chance that a point, or the whole object, is hidden for a span of the clip."""


@dataclass(frozen=True)
class ObjectMotion:
    """A recorded object.

    Attributes:
        name: of its mesh.
        vertices, faces: (V, 3) m, (F, 3).
        points: (M, 3) far apart on its surface, m.
        symmetries: (S, 3, 3).
        world_from_object: (T, 4, 4) m.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    points: np.ndarray
    symmetries: np.ndarray
    world_from_object: np.ndarray


@dataclass(frozen=True)
class HoiClip:
    """A person's clip, the object's truth, and its points as a tracker gives them, (T, M, 2) px, NaN where hidden."""

    person: EvaluationClip
    object: ObjectMotion
    tracks: np.ndarray


def hoi_clips(path: Path, cameras: Sequence[str], seed: int, frames: int = FRAMES, takes: int = 1) -> list[HoiClip]:
    """The middle `frames` of each clip whose object has its mesh, NAME.obj, beside the file.

    Args:
        takes: how often each clip is filmed by each kind of camera.

    Raises:
        AnyliftError: not such a file, or no mesh beside it.
    """
    lengths = mean_lengths()
    recorded = list(recorded_motions(path, frames))
    if not recorded:
        raise AnyliftError(
            f"{path} has no clip of {frames} frames whose object has a mesh beside it", "put NAME.obj into its folder"
        )
    return [
        _filmed(film(take, kind, seed, lengths), thing, seed)
        for kind in cameras
        for motion, thing in recorded
        for take in retaken(motion, takes)
    ]


def out_of_sight(results: Sequence[ClipResult]) -> list[ClipResult]:
    """Those of clips whose object is out of sight for a while."""
    return [result for result in results if result.errors.values["object_unseen_s"] >= UNSEEN]


def compete(
    clips: Sequence[HoiClip],
    lifter: str,
    heights: Sequence[str],
    seed: int,
    joint: Path | None = None,
    progress: Progress = SILENT,
) -> list[ClipResult]:
    """Results of all ways on each clip, told the person's height or not ("given", "unknown").

    Args:
        joint: checkpoint of a joint network that is to compete too.
    """
    results = []
    with progress.task("evaluate", total=len(clips) * len(heights), unit="clips") as task:
        for height in heights:
            for clip in clips:
                results += lift_clip(clip, lifter, height, seed)
                results += [] if joint is None else lift_clip_jointly(clip, joint, height, seed)
                task.advance()
    return sorted(results, key=lambda result: (result.height, result.lifter))


def lift_clip(clip: HoiClip, lifter: str, height: str, seed: int) -> list[ClipResult]:
    """Lift person and object of one clip apart, and bring them into one world; measure both."""
    metres = clip.person.height if height == "given" else None
    begin = time.perf_counter()
    person = load_lifter(lifter).lift(
        clip.person.keypoints, clip.person.estimated, 0, LiftOptions(lifter, metres, seed=seed), SILENT
    )
    lifted = _lifted(clip, person)
    thing = _followed(clip)
    lifting = time.perf_counter() - begin
    results = [_judged(clip, Contender(f"{lifter}, {APART}", height), lifted, in_world(thing, lifted), lifting)]
    together, poses = _in_one_world(lifted, thing, metres)
    seconds = time.perf_counter() - begin
    return [*results, _judged(clip, Contender(f"{lifter}, {TOGETHER}", height), together, poses, seconds)]


def lift_clip_jointly(clip: HoiClip, checkpoint: Path, height: str, seed: int) -> list[ClipResult]:
    """Lift person and object of one clip with a joint network, without contacts and with them; measure both."""
    metres = clip.person.height if height == "given" else None
    begin = time.perf_counter()
    thing = _followed(clip)
    told = JointThing(thing.vertices, thing.camera_from_object, thing.confidence, category_name(thing.name))
    options = LiftOptions(str(checkpoint), metres, seed=seed)
    found = lift_together(clip.person.keypoints, clip.person.estimated, [told], checkpoint, options, SILENT)
    lifted = replace(
        _lifted(clip, found.person), object_corners=found.corners, object_std=found.deviation.astype(np.float32)
    )
    poses = joint_path(thing, lifted, 0)
    lifting = time.perf_counter() - begin
    results = [_judged(clip, Contender(JOINT, height), lifted, poses, lifting)]
    together, poses = _in_one_world(lifted, thing, metres)
    seconds = time.perf_counter() - begin
    return [*results, _judged(clip, Contender(JOINT_CONTACTS, height), together, poses, seconds)]


def _in_one_world(lifted: LiftedArtifact, thing: Thing, metres: float | None) -> tuple[LiftedArtifact, np.ndarray]:
    """What was lifted, and the object's path, upright and in the scale that `anylift fit --objects` would give them."""
    lifted = upright(lifted, [thing])
    scales, (thing,), (grips,) = find_scales(lifted, [thing], metres, contacts=True)
    lifted = rescaled(lifted, scales)
    return lifted, place_thing(thing, 0, grips, lifted, None, (HANDS,)).poses


def _lifted(clip: HoiClip, person: LiftedPerson) -> LiftedArtifact:
    return LiftedArtifact(
        joints=person.joints[None],
        joint_std=person.joint_std[None],
        present=clip.person.keypoints.present,
        world_from_camera=person.world_from_camera,
        K=clip.person.estimated.K,
        timestamps=clip.person.keypoints.timestamps,
        meta={**person.meta, "motion": clip.person.estimated.meta["motion"]},
    )


def object_errors(
    clip: HoiClip, joints: np.ndarray, world_from_camera: np.ndarray, poses: np.ndarray
) -> dict[str, float]:
    """The paper's errors of objects: `t_root_object_mm`, `o_mpjpe_mm`; and the median `object_rotation_deg`.

    Worlds are brought to one heading by their cameras, and to one place by the person's first root.

    Args:
        joints: (T, 24, 3) as lifted; world_from_camera, poses: (T, 4, 4) of the same world.
    """
    heading = metrics.yaw_between(world_from_camera[:, :3, :3], clip.person.world_from_camera[:, :3, :3])
    truth = transform(clip.object.world_from_object, clip.object.points) - clip.person.points[0, HIPS].mean(0)
    ours = (transform(poses, clip.object.points) - joints[0, HIPS].mean(0)) @ heading.T
    turns = metrics.object_rotation_errors(
        heading @ poses[:, :3, :3], clip.object.world_from_object[:, :3, :3], clip.object.symmetries
    )
    return {
        "t_root_object_mm": 1000 * metrics.object_root_error(ours, truth),
        "o_mpjpe_mm": 1000 * metrics.object_mpjpe(ours, truth),
        "object_rotation_deg": float(np.median(turns)),
    }


def unseen_seconds(clip: HoiClip) -> float:
    """The longest time for which too few points of the object are seen to tell its pose."""
    unseen = np.isfinite(clip.tracks).all(-1).sum(1) < _POSE
    interval = float(np.median(np.diff(clip.person.keypoints.timestamps)))
    return interval * max((stop - start for start, stop in runs(unseen)), default=0)


def _judged(
    clip: HoiClip, contender: Contender, lifted: LiftedArtifact, poses: np.ndarray, seconds: float
) -> ClipResult:
    joints = lifted.joints[0].astype(np.float64)
    result = judged(clip.person, contender, joints, lifted.world_from_camera, seconds)
    values = result.errors.values | object_errors(clip, joints, lifted.world_from_camera, poses)
    values["object_unseen_s"] = unseen_seconds(clip)
    return replace(result, errors=replace(result.errors, values=values))


def _followed(clip: HoiClip) -> Thing:
    """The object as PnP finds it, from the frame outwards in which most of it is seen."""
    K, points = clip.person.estimated.K, clip.object.points
    seen = np.isfinite(clip.tracks).all(-1)
    first = int(seen.sum(1).argmax())
    start = pose_from_points(points[seen[first]], clip.tracks[first, seen[first]], K[first], tolerance=8.0)
    if start is None:
        raise AnyliftError(f"the object of clip {clip.person.name} cannot be placed in any frame")
    track = poses_of_tracks(points, clip.tracks, K, [Anchor(first, start.camera_from_object)], tolerance=8.0)
    return Thing(
        clip.object.name, clip.object.vertices, clip.object.faces, True, track.points3d, track.points2d,
        np.isfinite(track.points2d).all(-1), track.camera_from_object, track.confidence,
    )  # fmt: skip


def recorded_motions(path: Path, frames: int | None = None) -> Iterator[tuple[Motion, ObjectMotion]]:
    """Clips whose object has its mesh beside the file: their middle `frames`, or all of them; the floor is z = 0.

    Raises:
        AnyliftError: not such a file.
    """
    stored = read_npz(path)
    arrays = {"joints": "N 24 3", "obj_pos": "N 3", "obj_quat_xyzw": "N 4", "clip_start": "C", "clip_len": "C",
              "fps": ""}  # fmt: skip
    joints, place, quaternion, start, length, fps = arrays_of(path, "human-object motion", stored, arrays)
    if missing := {"clip_name", "object"} - set(stored):
        raise AnyliftError(f"{path}: '{sorted(missing)[0]}' is missing", "docs/hoi.md says what such a file holds")
    poses = np.tile(np.eye(4), (len(place), 1, 1))
    poses[:, :3, :3] = matrix_from_quaternion(torch.from_numpy(quaternion[:, [3, 0, 1, 2]])).numpy()
    poses[:, :3, 3] = place
    known = np.zeros(24, bool)
    known[list(MEASURED_POINTS)] = True
    meshes: dict[str, tuple[np.ndarray, ...] | None] = {}
    for clip, (begin, count) in enumerate(zip(start.astype(int), length.astype(int), strict=True)):
        thing = str(stored["object"][clip])
        if thing not in meshes:
            meshes[thing] = _mesh(path.with_name(f"{thing}.obj"))
        wanted = count if frames is None else frames
        if count < wanted or meshes[thing] is None:
            continue
        rows = slice(begin + (count - wanted) // 2, begin + (count - wanted) // 2 + wanted)
        measured = torch.from_numpy(joints[rows])
        floor = float(np.quantile(joints[begin : begin + count, [J["left_foot"], J["right_foot"]], 2].min(1), 0.02))
        shift = np.array([0, 0, floor])
        points = mocap_points(measured, _axes(measured)).numpy() - shift
        name = str(stored["clip_name"][clip])
        moved = poses[rows].copy()
        moved[:, :3, 3] -= shift
        yield (
            Motion(name, name, thing, points, known, np.arange(wanted) / float(fps)),
            ObjectMotion(thing, *meshes[thing], moved),
        )


def _mesh(path: Path) -> tuple[np.ndarray, ...] | None:
    """Vertices, faces, points and symmetries of a mesh, coarse enough to measure distances to; None without a file."""
    if not path.is_file():
        return None
    mesh = read_object(path)
    vertices, faces = simplified(mesh.vertices, mesh.faces, _FACES)
    cloud = sampled(vertices, faces, 2000)
    return vertices, faces, cloud[spread(cloud, POINTS)], symmetries(vertices, faces)


def _axes(joints: torch.Tensor) -> torch.Tensor:
    """Axes (T, 3, 3, 3) of head and feet (left, up, front) that positions (T, 24, 3) alone tell."""
    left = unit(joints[:, J["left_shoulder"]] - joints[:, J["right_shoulder"]])
    axes = [_frame(left, joints[:, J["head"]] - joints[:, J["neck"]])]
    for side in ("left", "right"):
        front = joints[:, J[f"{side}_foot"]] - joints[:, J[f"{side}_ankle"]]
        shin = joints[:, J[f"{side}_knee"]] - joints[:, J[f"{side}_ankle"]]
        axes.append(_frame(torch.linalg.cross(shin, front), shin))
    return torch.stack(axes, 1)


def _frame(left: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    left = unit(left)
    front = unit(torch.linalg.cross(left, up))
    return torch.stack([left, torch.linalg.cross(front, left), front], -1)


def _filmed(person: EvaluationClip, thing: ObjectMotion, seed: int) -> HoiClip:
    """The object's points before the true camera, as a tracker sees them."""
    draw = Draw.seeded(zlib.crc32(f"{person.name}/{thing.name}/{seed}".encode()))
    times = torch.as_tensor(person.keypoints.timestamps, dtype=torch.float32)
    camera = transform(invert(person.world_from_camera) @ thing.world_from_object, thing.points)
    ahead = camera[..., 2] > 0.1
    pixels = project_camera(np.where(ahead[..., None], camera, 1.0), person.estimated.K)
    size = person.keypoints.image_size[1] / 1080
    count = len(thing.points)
    trembling = draw.normal((len(times), count, 2), _TREMBLING)
    drifting = draw.wander((count, 2), times, 0.05, 0.5).permute(1, 0, 2) * _DRIFTING
    drifting = drifting if drifting.shape == trembling.shape else drifting.permute(1, 0, 2)
    pixels = pixels + size * (trembling + drifting).double().numpy()
    hidden = draw.spans((count,), len(times), _HIDDEN_POINT, 15, 60).numpy().T
    hidden = hidden | draw.spans((1,), len(times), _HIDDEN_OBJECT, 10, 40).numpy().T
    inside = ((pixels > 0) & (pixels < person.keypoints.image_size)).all(-1)
    mesh = thing.vertices, thing.faces
    near = seen_points(thing.points, mesh, thing.world_from_object, person.points, person.world_from_camera)
    return HoiClip(person, thing, np.where((near & inside & ahead & ~hidden)[..., None], pixels, np.nan))

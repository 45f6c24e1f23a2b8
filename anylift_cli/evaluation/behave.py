"""The paper's protocol on BEHAVE (Bhatnagar et al., CVPR 2022), read from the data set's own files.

The formats are what xiexh20/behave-dataset reads (data/seq_utils.py, data/utils.py, tools/parse_obj_pose.py): the world
is the colour camera of Kinect 1 (OpenCV axes, metres); people are SMPL-H with SMPL's translation, objects the centred
template turned by `angles` and moved by `trans`; `calibs/*/config` maps each Kinect to that world. BEHAVE does not say
where gravity is, so the vertical is found from the true feet and balance, and the floor put under the feet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from anylift_cli.body.contacts import CONTACT_POINTS, still_probability
from anylift_cli.body.skeleton import K
from anylift_cli.body.tracks.posing import Poser, rotations_of
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import Motion
from anylift_cli.evaluation.formats.floor import height_under_feet
from anylift_cli.evaluation.formats.ply import read_ply_vertices
from anylift_cli.evaluation.formats.record import Z_UP_FROM_CAMERA, poses_of
from anylift_cli.evaluation.still_clip import StillCamera, projected, read_json, require, still_clip
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.foreign.unpickle import load_npz_member
from anylift_cli.geometry.cameras import project, transform
from anylift_cli.geometry.rotations import matrix_from_axis_angle, rotation_between
from anylift_cli.lifting.gravity import find_gravity

FPS = 30
LENGTH, SHORTEST = 120, 60
KINDS = ("box", "chair", "table")
"""Objects that the paper trains models for; each stands for all whose names start so."""
POINTS = 5
"""Points sampled on an object, as many as MVLift's models have."""
SEQUENCE_FOLDERS = ("behave-30fps-params-v1", "sequences")
FEET = [K[f"{side}_{name}"] for side in ("left", "right") for name in ("heel", "big_toe", "small_toe")]
_SLOW, _AT_REST = (0.35, 0.08), (0.15, 0.03)
"""Speed and width, m/s, of feet that carry someone and of feet that rest on the floor."""
_SOLE_DEVIATION, _VERTICAL_DEVIATION, _INDEPENDENT_SECONDS = 0.02, 5.0, 0.5
"""Metres by which a resting sole's points are off the floor; degrees by which the first vertical is; and how far apart
in time frames are independent evidence."""

HINT = """get "SMPL and object parameters" at 30 fps, the calibrations, the object templates and split.json from
https://virtualhumans.mpi-inf.mpg.de/behave/license.html and unpack them as
FOLDER/
  split.json
  behave-30fps-params-v1/Date03_Sub03_boxlong/info.json, smpl_fit_all.npz, object_fit_all.npz …
    (info.json may lie in sequences/Date03_Sub03_boxlong instead)
  calibs/Date03/config/0/config.json …, calibs/intrinsics/0/calibration.json …
  objects/boxlong/boxlong_f1000.ply …"""


@dataclass(frozen=True)
class ObjectTruth:
    """The object of a clip.

    Attributes:
        name: of the template.
        vertices: (V, 3) of the simplified template, m, centred.
        world_from_object: (T, 4, 4) true poses in the clip's world, m.
        points: (M, 3) vertices far apart from each other, m, in the object's frame.
        pixels: (T, M, 2) where the clip's camera sees them, px.
    """

    name: str
    vertices: np.ndarray
    world_from_object: np.ndarray
    points: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True)
class BehaveClip:
    """A person's clip, and the object that the person handles."""

    person: EvaluationClip
    object: ObjectTruth


def read_behave(
    folder: Path | str,
    split: str = "test",
    *,
    camera: int = 1,
    kinds: Collection[str] = KINDS,
    length: int = LENGTH,
    shortest: int = SHORTEST,
    body: Path | str | None = None,
    film: Callable[[Motion], EvaluationClip] | None = None,
) -> Iterator[BehaveClip]:
    """Clips of the split: of every sequence the first `length` frames of its first run without gaps.

    BEHAVE's 30 fps annotations come without detections; as the paper does for objects, the 2D points are the true ones
    projected, where they are in the image. Left out are other objects and runs shorter than `shortest`.

    Args:
        folder: the unpacked data set.
        split: "train" or "test".
        camera: which of the four Kinects looks.
        kinds: starts of the objects' names.
        body: the user's SMPL file; without it, the open body of mean height stands in, whose proportions differ.
        film: makes the dynamic protocol's clips: called with the true motion, it gives the clip to measure.

    Raises:
        UsageError: no such split.
        AnyliftError: the data set or a file of it is missing or damaged.
    """
    folder = Path(folder)
    require(folder, ("split.json", "calibs", "objects"), "BEHAVE", HINT)
    splits = read_json(folder / "split.json")
    if not isinstance(splits, dict) or not isinstance(splits.get(split), list):
        raise UsageError(f"{folder / 'split.json'} has no split '{split}'", "BEHAVE's splits are train and test")
    poser = Poser.load(body)
    for name in map(str, splits[split]):
        info = _info(folder, name)
        if not str(info["cat"]).startswith(tuple(kinds)):
            continue
        clip = _clip(folder, name, info, camera, length, shortest, poser, film)
        if clip is not None:
            yield clip


def far_apart(vertices: np.ndarray, count: int) -> np.ndarray:
    """`count` of the vertices (V, 3), each farthest from those before, the first from the middle."""
    chosen = [int(np.linalg.norm(vertices - vertices.mean(0), axis=-1).argmax())]
    distance = np.full(len(vertices), np.inf)
    while len(chosen) < min(count, len(vertices)):
        distance = np.minimum(distance, np.linalg.norm(vertices - vertices[chosen[-1]], axis=-1))
        chosen.append(int(distance.argmax()))
    return vertices[chosen]


def _clip(
    folder: Path,
    name: str,
    info: dict[str, str],
    camera: int,
    length: int,
    shortest: int,
    poser: Poser,
    film: Callable[[Motion], EvaluationClip] | None,
) -> BehaveClip | None:
    people, objects, seconds = _fits(folder, name)
    poses, trans, betas = people
    _, points = poser.from_translation(rotations_of(poses), trans, betas, gender=info["gender"])
    upright = upright_from(points, seconds, _soles(poser))
    points = transform(upright, points)
    run = _first_run(seconds, shortest)
    if run is None:
        return None
    run = slice(run.start, min(run.stop, run.start + length))
    times, points = seconds[run] - seconds[run.start], points[run]
    known = np.ones(len(K), bool)
    motion = Motion(name=name, recording=name, action=info["cat"], points=points, known=known, times=times)
    if film is not None:
        person = film(motion)
    else:
        placed = _camera(folder, info, camera, upright)
        pixels, inside = projected(points, placed)
        person = still_clip(motion, poser.height, placed, pixels, inside.astype(float))
    return BehaveClip(person, _object(folder, info["cat"], upright @ objects[run], person))


def _fits(folder: Path, name: str) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
    """The person's poses (N, 156), trans and betas; object poses (N, 4, 4); seconds (N,): where both were fitted."""
    wanted = {"poses": "N 156", "trans": "N 3", "betas": "N 10"}
    person, person_times = _stored(_file(folder, name, "smpl_fit_all.npz"), wanted)
    (angles, place), object_times = _stored(
        _file(folder, name, "object_fit_all.npz"), {"angles": "N 3", "trans": "N 3"}
    )
    seconds, ours, theirs = np.intersect1d(person_times, object_times, return_indices=True)
    if not len(seconds):
        raise AnyliftError(f"{name}: the fits of the person and of the object share no frame", "unpack them again")
    turn = matrix_from_axis_angle(torch.from_numpy(angles[theirs])).numpy()
    return tuple(values[ours] for values in person), poses_of(turn, place[theirs]), seconds


def _stored(path: Path, wanted: dict[str, str]) -> tuple[list[np.ndarray], np.ndarray]:
    """Arrays of a fit and its seconds; `frame_times` are names like "t0003.033"."""
    arrays = arrays_of(path, "BEHAVE fit", {name: load_npz_member(path, name) for name in wanted}, wanted)
    try:
        seconds = np.array([float(str(name).lstrip("t")) for name in np.ravel(load_npz_member(path, "frame_times"))])
    except ValueError as error:
        raise AnyliftError(f"{path}: 'frame_times' are not times: {error}", "unpack it again") from error
    if len(seconds) != len(arrays[0]):
        raise AnyliftError(f"{path}: {len(seconds)} frame times for {len(arrays[0])} frames", "unpack it again")
    return arrays, seconds


def _first_run(seconds: np.ndarray, shortest: int) -> slice | None:
    """The first frames without a gap that are at least `shortest`."""
    breaks = np.flatnonzero(np.diff(seconds) > 1.5 / FPS) + 1
    starts, stops = np.concatenate([[0], breaks]), np.concatenate([breaks, [len(seconds)]])
    return next((slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True) if b - a >= max(shortest, 1)), None)


def upright_from(points: np.ndarray, seconds: np.ndarray, soles: np.ndarray) -> np.ndarray:
    """Pose (4, 4) that takes Kinect 1's frame to a world with z up and the floor at z = 0.

    First the vertical that the lifter would find, then the level on which the feet rest: heels and toes of feet that do
    not move lie at the height of `soles` above one plane.

    Args:
        points: (N, 24, 3) `body24` in the frame of an OpenCV camera, m.
        seconds: (N,).
        soles: (F,) heights of the points `FEET` above the ground when a foot stands flat, m.
    """
    roughly = torch.from_numpy(points @ Z_UP_FROM_CAMERA.T).float()
    times = torch.from_numpy(seconds - seconds[0]).float()
    centre = torch.zeros(len(times), 3)
    still = [
        still_probability(roughly[:, list(feet)], centre, times, speed, width, depth_share=1.0)
        for feet, speed, width in ((CONTACT_POINTS, *_SLOW), (FEET, *_AT_REST))
    ]
    gravity = find_gravity(roughly, still[0], torch.tensor([0.0, 1.0, 0.0]), times, {})
    near = gravity.upright_from_world
    slope = _slope((roughly[:, FEET] @ near.T).double().numpy() - soles[:, None] * [0, 0, 1], still[1].numpy(), times)
    normal = torch.tensor([-slope[0], -slope[1], 1.0], dtype=torch.float64)
    level = rotation_between(normal, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    pose = np.eye(4)
    pose[:3, :3] = (level @ near.double()).numpy() @ Z_UP_FROM_CAMERA
    pose[2, 3] = -height_under_feet(transform(pose, points))
    return pose


def _soles(poser: Poser) -> np.ndarray:
    """Heights (F,) of the points `FEET` above the lowest of them, in the rest pose, m."""
    _, points = poser.from_pelvis(np.tile(np.eye(3), (1, 24, 1, 1)), np.zeros((1, 3)))
    heights = points[0, FEET, 1]
    return heights - heights.min()


def _slope(feet: np.ndarray, still: np.ndarray, times: torch.Tensor) -> np.ndarray:
    """Slopes (2,) along x and y of the level of resting points (N, F, 3), weights (N, F); robust, zero when unsure."""
    places, weights = feet.reshape(-1, 3), still.reshape(-1).astype(np.float64)
    weights = weights * max(float(times[-1]) / _INDEPENDENT_SECONDS, 1.0) / len(feet)
    plane = np.zeros(3)
    columns = np.column_stack([places[:, :2] - places[:, :2].mean(0), np.ones(len(places))])
    prior = np.diag([1 / np.tan(np.radians(_VERTICAL_DEVIATION)) ** 2] * 2 + [1e-6])
    for spread in (0.2, 0.1, 0.05, 0.05, _SOLE_DEVIATION, _SOLE_DEVIATION, _SOLE_DEVIATION):
        residual = places[:, 2] - columns @ plane
        trusted = weights / (1 + (residual / spread) ** 2) ** 2 / _SOLE_DEVIATION**2
        plane = np.linalg.solve((columns.T * trusted) @ columns + prior, (columns.T * trusted) @ places[:, 2])
    return plane[:2]


def _camera(folder: Path, info: dict[str, str], camera: int, upright: np.ndarray) -> StillCamera:
    pose_file = folder / info["config"] / str(camera) / "config.json"
    lens_file = folder / info["intrinsic"] / str(camera) / "calibration.json"
    rotation, place = arrays_of(pose_file, "BEHAVE config", _flat(pose_file), {"rotation": "9", "translation": "3"})
    stored = read_json(lens_file)
    wanted = dict.fromkeys(("fx", "fy", "cx", "cy", "width", "height"), "")
    lens = arrays_of(lens_file, "BEHAVE calibration", stored.get("color") if isinstance(stored, dict) else None, wanted)
    fx, fy, cx, cy, width, height = map(float, lens)
    local = poses_of(rotation.reshape(1, 3, 3), place[None])[0]
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return StillCamera(upright @ local, intrinsics, (int(width), int(height)))


def _flat(path: Path) -> object:
    """The calibration's rotation may be nine numbers or three rows of three."""
    stored = read_json(path)
    if isinstance(stored, dict) and isinstance(stored.get("rotation"), list):
        stored["rotation"] = np.ravel(stored["rotation"])
    return stored


def _object(folder: Path, name: str, world_from_object: np.ndarray, person: EvaluationClip) -> ObjectTruth:
    templates = sorted((folder / "objects" / name).glob("*_f*.ply"))
    if not templates:
        raise AnyliftError(f"{folder / 'objects' / name} holds no simplified template ({name}_f….ply)", HINT)
    vertices = read_ply_vertices(templates[0])
    vertices = vertices - vertices.mean(0)
    points = far_apart(vertices, POINTS)
    pixels = project(
        transform(world_from_object, np.tile(points, (len(world_from_object), 1, 1))),
        person.world_from_camera,
        person.estimated.K,
    )
    return ObjectTruth(name, vertices, world_from_object, points, pixels)


def _info(folder: Path, name: str) -> dict[str, str]:
    """`info.json` with its paths, which are relative to the sequence, made relative to the data set."""
    path = _file(folder, name, "info.json")
    stored = read_json(path)
    wanted = ("config", "intrinsic", "cat", "gender")
    if not isinstance(stored, dict) or not all(isinstance(stored.get(key), str) for key in wanted):
        raise AnyliftError(f"{path} should say {', '.join(wanted)}", "unpack it again")
    info = {key: stored[key] for key in wanted}
    for key in ("config", "intrinsic"):
        place = (path.parent / info[key]).resolve()
        if not place.is_relative_to(folder.resolve()):
            raise AnyliftError(f"{path}: '{key}' leads out of the data set, to {place}", HINT)
        info[key] = str(place.relative_to(folder.resolve()))
    if Path(info["cat"]).name != info["cat"]:
        raise AnyliftError(f"{path}: '{info['cat']}' is no name of an object", "unpack it again")
    return info


def _file(folder: Path, name: str, file: str) -> Path:
    places = [folder / part / name / file for part in SEQUENCE_FOLDERS]
    found = next((place for place in places if place.is_file()), None)
    if found is None or Path(name).name != name:
        raise AnyliftError(f"{name} is in the split, but {places[0]} does not exist", HINT)
    return found

"""The paper's protocol on AIST++ (Li et al., ICCV 2021), read from the data set's own files.

The formats are what google/aistplusplus_api reads (aist_plusplus/loader.py) and writes (processing/): the world is
y up, in centimetres, its origin about on the floor; SMPL is the male mean shape times `smpl_scaling`, moved by
`smpl_trans`; cameras map world to camera (rotation vector, translation). As in ALGORITHM 6.2 the translation is divided
by the scaling, and the cameras with it, so that the body has scale 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anylift_cli.body.skeleton import K
from anylift_cli.body.tracks.posing import Poser, rotations_of
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.filming import Motion
from anylift_cli.evaluation.formats.floor import height_under_feet
from anylift_cli.evaluation.formats.record import Z_UP_FROM_Y_UP, poses_of
from anylift_cli.evaluation.still_clip import StillCamera, projected, read_json, require, still_clip
from anylift_cli.foreign.fields import arrays_of
from anylift_cli.foreign.unpickle import load_pickle
from anylift_cli.geometry.cameras import invert

FPS, STEP = 60, 2
LENGTH, SHORTEST = 120, 60
"""Frames of a clip after decimation, and the fewest that are still measured."""
VIEWS = tuple(f"c{index:02d}" for index in range(1, 10))
SPLITS = ("train", "val", "test")
GENRES = {
    "gBR": "break", "gPO": "pop", "gLO": "lock", "gMH": "middle hip-hop", "gLH": "LA hip-hop", "gHO": "house",
    "gWA": "waack", "gKR": "krump", "gJS": "street jazz", "gJB": "ballet jazz",
}  # fmt: skip
COCO17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip

HINT = """get the annotations from https://google.github.io/aistplusplus_dataset/download.html and unpack them as
FOLDER/
  motions/gBR_sBM_cAll_d04_mBR0_ch01.pkl …
  keypoints2d/gBR_sBM_cAll_d04_mBR0_ch01.pkl …
  cameras/mapping.txt, cameras/setting1.json …
  splits/pose_train.txt, pose_val.txt, pose_test.txt
  ignore_list.txt"""


def read_aist(
    folder: Path | str,
    split: str = "test",
    *,
    camera: str = "c01",
    length: int = LENGTH,
    shortest: int = SHORTEST,
    body: Path | str | None = None,
    film: Callable[[Motion], EvaluationClip] | None = None,
) -> Iterator[EvaluationClip]:
    """Clips of the split: the first window of every sequence, in the order of the split's file.

    Left out are the sequences of `ignore_list.txt`, those shorter than `shortest`, and, of the static clips, those in
    which a true point leaves the image. (MVLift left out 48 more windows by hand, which its paper does not list.)

    Args:
        folder: the unpacked annotations.
        split: "train", "val" or "test".
        camera: which of the nine views, "c01" (the front) to "c09", gives the detections. They are undistorted.
        length: frames at 30 per second.
        body: the male SMPL file; without it, the open body of mean height stands in, whose proportions differ.
        film: makes the dynamic protocol's clips: called with the true motion, it gives the clip to measure.

    Raises:
        AnyliftError: the data set or a file of it is missing or damaged.
    """
    folder = Path(folder)
    if split not in SPLITS or camera not in VIEWS:
        raise AnyliftError(
            f"AIST++ has no split '{split}' seen by '{camera}'", f"splits are {', '.join(SPLITS)}; views c01 to c09"
        )
    parts = ("motions", "keypoints2d", "cameras/mapping.txt", f"splits/pose_{split}.txt", "ignore_list.txt")
    require(folder, parts, "AIST++", HINT)
    settings = _settings(folder / "cameras" / "mapping.txt")
    poser = Poser.load(body)
    for name in _sequences(folder, split):
        motion, placed = _motion(folder, name, settings, camera, length, poser)
        if len(motion.times) < shortest:
            continue
        if film is not None:
            yield film(motion)
            continue
        if projected(motion.points, placed)[1].all():
            seen, confidence = _detections(folder, name, VIEWS.index(camera), len(motion.times), settings[name])
            yield still_clip(motion, poser.height, placed, seen, confidence)


def body24_from_coco17(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """COCO's points (T, 17, 3) as x, y, confidence → pixels (T, 24, 2), confidence (T, 24); feet unobserved.

    The neck is the mean of the shoulders, as sure as the less sure of them.
    """
    points = np.where(np.isfinite(points).all(-1, keepdims=True), points, 0.0)
    full = np.zeros((len(points), len(K), 3))
    full[:, [K[name] for name in COCO17]] = points
    shoulders = full[:, [K["left_shoulder"], K["right_shoulder"]]]
    full[:, K["neck"], :2] = shoulders[..., :2].mean(1)
    full[:, K["neck"], 2] = shoulders[..., 2].min(1)
    return full[..., :2], full[..., 2].clip(0, 1)


def _sequences(folder: Path, split: str) -> list[str]:
    """Sequence names, each once; the split's file may name the views' videos instead."""
    ignored = set(_lines(folder / "ignore_list.txt"))
    names = [_sequence(line) for line in _lines(folder / "splits" / f"pose_{split}.txt")]
    return [name for name in dict.fromkeys(names) if name not in ignored]


def _sequence(video: str) -> str:
    return "_".join("cAll" if part in VIEWS else part for part in video.split("_"))


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _settings(mapping: Path) -> dict[str, Path]:
    """Sequence → file of its cameras."""
    pairs = [line.split() for line in _lines(mapping)]
    if any(len(pair) != 2 for pair in pairs):
        raise AnyliftError(f"{mapping} is damaged: each line should name a sequence and a setting", HINT)
    return {sequence: mapping.with_name(f"{setting}.json") for sequence, setting in pairs}


def _motion(
    folder: Path, name: str, settings: dict[str, Path], view: str, length: int, poser: Poser
) -> tuple[Motion, StillCamera]:
    path = folder / "motions" / f"{name}.pkl"
    if name not in settings:
        raise AnyliftError(f"{folder / 'cameras' / 'mapping.txt'} does not say which cameras saw {name}", HINT)
    stored = load_pickle(path)
    poses, trans, scaling = arrays_of(
        path, "AIST++ motion", stored, {"smpl_poses": "N 72", "smpl_trans": "N 3", "smpl_scaling": "1"}
    )
    if not scaling[0] > 0:
        raise AnyliftError(f"{path}: 'smpl_scaling' is {scaling[0]}", "unpack the data set again")
    window = slice(0, length * STEP, STEP)
    _, points = poser.from_translation(rotations_of(poses[window]), trans[window] / scaling[0], gender="male")
    points = points @ Z_UP_FROM_Y_UP.T
    floor = np.array([0.0, 0.0, height_under_feet(points)])
    camera = _camera(settings[name], view)
    size, matrix, turn, translation = camera["size"], camera["matrix"], camera["turn"], camera["translation"]
    pose = invert(poses_of(turn[None], translation[None] / scaling[0])[0])
    upright = np.eye(4)
    upright[:3, :3], upright[:3, 3] = Z_UP_FROM_Y_UP, -floor
    placed = StillCamera(upright @ pose, matrix, (int(size[0]), int(size[1])))
    action = GENRES.get(name.partition("_")[0], "dance")
    times = np.arange(len(points)) * STEP / FPS
    known = np.ones(len(K), bool)
    motion = Motion(name=name, recording=name, action=action, points=points - floor, known=known, times=times)
    return motion, placed


def _camera(path: Path, view: str) -> dict[str, np.ndarray]:
    stored: Any = read_json(path)
    found = [camera for camera in stored if camera.get("name") == view] if isinstance(stored, list) else []
    if not found:
        raise AnyliftError(f"{path} has no camera {view}", HINT)
    wanted = {"size": "2", "matrix": "3 3", "rotation": "3", "translation": "3", "distortions": "5"}
    size, matrix, rotation, translation, distortion = arrays_of(path, "AIST++ camera", found[0], wanted)
    turn = cv2.Rodrigues(rotation)[0]
    return {"size": size, "matrix": matrix, "turn": turn, "translation": translation, "distortion": distortion}


def _detections(folder: Path, name: str, view: int, frames: int, setting: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels without lens distortion (T, 24, 2) and confidence (T, 24); frames after the last detection have none."""
    path = folder / "keypoints2d" / f"{name}.pkl"
    (stored,) = arrays_of(path, "AIST++ keypoints", load_pickle(path), {"keypoints2d": "9 N 17 3"}, finite=False)
    seen = np.full((frames, 17, 3), np.nan)
    taken = stored[view, ::STEP][:frames]
    seen[: len(taken)] = taken
    pixels, confidence = body24_from_coco17(seen)
    camera = _camera(setting, VIEWS[view])
    flat = pixels.reshape(-1, 1, 2)
    straight = cv2.undistortPoints(flat, camera["matrix"], camera["distortion"], P=camera["matrix"])
    return straight.reshape(pixels.shape), confidence

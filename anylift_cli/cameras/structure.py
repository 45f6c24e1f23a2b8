"""Structure from motion on key frames, by COLMAP (Schönberger & Frahm, CVPR 2016), people masked out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2  # isort: skip  (cv2 must be loaded before pycolmap)
import numpy as np
import pycolmap

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.cameras.tracking import Tracks, background_mask, people_boxes
from anylift_cli.progress import Progress, Task
from anylift_cli.video import read_frames_at

MIN_IMAGES, MAX_IMAGES = 16, 60
STEP_PX = 10.0
IMAGE_SIDE = 800
SMALL_SIDE = 640
MIN_REGISTERED = 4
MIN_POINTS = 60
ATTEMPTS = 3
DATABASE = "database.db"
SOLVED_BELOW = 0.15
LEAST_DEVIATION = 0.01
NOISE_INFLATION = 4.0
"""Feature errors repeat from image to image, so deviations are larger than the covariance says."""


@dataclass(frozen=True)
class Structure:
    """The largest model of one attempt of COLMAP's.

    Attributes:
        world_from_camera: frame → pose (4, 4), unit arbitrary.
        focal: working pixels of the tracks.
        focal_deviation: relative standard deviation of the focal length; None when it was kept.
        points: number of 3D points.
        angle: median over the points of the largest angle between two of their rays, degrees.
        models: number of separate models found.
    """

    world_from_camera: dict[int, np.ndarray]
    focal: float
    focal_deviation: float | None
    points: int
    angle: float
    models: int


def choose_images(tracks: Tracks) -> list[int]:
    """`MIN_IMAGES` to `MAX_IMAGES` frames: key frames, and others with about `STEP_PX` of flow between them."""
    travelled = np.zeros(tracks.frame_count)
    for link in tracks.links:
        moved = np.linalg.norm(link.points[:, 1] - link.points[:, 0], axis=1)
        travelled[link.second] = travelled[link.first] + np.median(moved)
    path = np.concatenate([[0], np.cumsum(np.abs(np.diff(travelled)))])
    keys = np.array([key.frame for key in tracks.keys])
    keys = keys[np.linspace(0, len(keys) - 1, min(len(keys), MAX_IMAGES - 1)).astype(int)]
    wanted = int(np.clip(path[-1] / STEP_PX, MIN_IMAGES, MAX_IMAGES)) - len(keys)
    between = np.searchsorted(path, np.linspace(0, path[-1], max(wanted, 1) + 1)[1:])
    return sorted({*keys.tolist(), *between.clip(0, tracks.frame_count - 1).tolist()})


def reconstructions(
    video: Path, keypoints: KeypointsArtifact, tracks: Tracks, focal: float, focal_known: bool, progress: Progress
) -> Iterator[Structure]:
    """Map the frames that `choose_images` picks, `ATTEMPTS` times with other random choices.

    Attempts of which COLMAP makes no model worth the name are left out.

    Args:
        video, keypoints: the shot and its people.
        tracks: its background flow.
        focal: working pixels of `tracks`; kept if known, else where to start from.
        focal_known: whether to keep it.
    """
    chosen = choose_images(tracks)
    with tempfile.TemporaryDirectory(prefix="anylift-") as folder:
        root = Path(folder)
        width = _write_images(root, video, keypoints, chosen, progress)
        scale = width / tracks.size[0]
        with progress.task("camera: matching key frames", total=None):
            _match(root, focal * scale)
        for seed in range(ATTEMPTS):
            with progress.task("camera: structure from motion", total=len(chosen), unit="images") as task:
                model, models = _map(root, focal_known, seed, task)
                deviation = None if focal_known or model is None else _focal_deviation(model)
                if deviation is not None and deviation > SOLVED_BELOW:
                    deviation = None
                    model, models = _map(root, True, seed, task)
            if model is not None:
                yield _structure(model, scale, deviation, models)


def _write_images(root: Path, video: Path, keypoints: KeypointsArtifact, chosen: list[int], progress: Progress) -> int:
    images, masks = root / "images", root / "masks"
    images.mkdir()
    masks.mkdir()
    boxes = people_boxes(keypoints)
    frames = read_frames_at(video, keypoints.frame_index[chosen], IMAGE_SIDE)
    width = 0
    with progress.task("camera: reading key frames", total=len(chosen)) as task:
        for t, frame in zip(chosen, frames, strict=True):
            height, width = frame.image.shape[:2]
            name = f"{t:07d}.png"
            cv2.imwrite(str(images / name), cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY))
            scaled = boxes[:, t] * width / keypoints.image_size[0]
            cv2.imwrite(str(masks / f"{name}.png"), background_mask((width, height), scaled))
            task.advance()
    return width


def _match(root: Path, focal: float) -> None:
    """Features and their matches into `root`/database.db; `focal` is in pixels of the images there."""
    pycolmap.logging.minloglevel = pycolmap.logging.FATAL
    pycolmap.set_random_seed(0)
    folder = root / "images"
    height, width = cv2.imread(str(next(folder.iterdir())), cv2.IMREAD_GRAYSCALE).shape
    reader = pycolmap.ImageReaderOptions(
        camera_model="SIMPLE_PINHOLE", camera_params=f"{focal},{width / 2},{height / 2}", mask_path=root / "masks"
    )
    extraction = pycolmap.FeatureExtractionOptions(use_gpu=False)
    extraction.sift.max_num_features = 1024
    extraction.sift.first_octave = 0 if max(width, height) > SMALL_SIDE else -1
    pycolmap.extract_features(
        root / DATABASE,
        folder,
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        extraction_options=extraction,
        device=pycolmap.Device.cpu,
    )
    pycolmap.match_sequential(
        root / DATABASE,
        matching_options=pycolmap.FeatureMatchingOptions(use_gpu=False),
        pairing_options=pycolmap.SequentialPairingOptions(overlap=5, quadratic_overlap=True, loop_detection=False),
        device=pycolmap.Device.cpu,
    )


def _map(root: Path, keep_focal: bool, seed: int, task: Task) -> tuple[pycolmap.Reconstruction | None, int]:
    """The largest model, if large enough, and the number of models."""
    options = pycolmap.IncrementalPipelineOptions(
        min_model_size=MIN_REGISTERED, ba_refine_focal_length=not keep_focal, extract_colors=False, random_seed=seed
    )
    options.mapper.init_min_tri_angle = 4
    options.mapper.abs_pose_refine_focal_length = False
    options.mapper.random_seed = seed
    found = pycolmap.incremental_mapping(
        root / DATABASE, root / "images", root, options, next_image_callback=task.advance
    )
    if not found:
        return None, 0
    model = max(found.values(), key=lambda one: (one.num_reg_images(), one.num_points3D()))
    large = model.num_reg_images() >= MIN_REGISTERED and model.num_points3D() >= MIN_POINTS
    return (model if large else None), len(found)


def _focal_deviation(model: pycolmap.Reconstruction) -> float:
    """Relative standard deviation of the focal length: its covariance in a last bundle adjustment of the model."""
    config = pycolmap.BundleAdjustmentConfig()
    for image in model.reg_image_ids():
        config.add_image(image)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    adjuster = pycolmap.create_default_ceres_bundle_adjuster(pycolmap.BundleAdjustmentOptions(), config, model)
    adjuster.solve()
    options = pycolmap.BACovarianceOptions()
    options.params = pycolmap.BACovarianceOptionsParams.ALL
    covariance = pycolmap.estimate_ba_covariance(options, model, adjuster)
    (camera,) = model.cameras.values()
    block = None if covariance is None else covariance.get_other_params_cov(camera.params)
    if block is None:
        return float("inf")
    noise = NOISE_INFLATION * model.compute_mean_reprojection_error()
    return float(np.hypot(noise * np.sqrt(block[0, 0]) / camera.focal_length, LEAST_DEVIATION))


def _structure(model: pycolmap.Reconstruction, scale: float, deviation: float | None, models: int) -> Structure:
    poses = {}
    for image in model.images.values():
        if image.has_pose:
            pose = np.eye(4)
            pose[:3] = image.cam_from_world().inverse().matrix()
            poses[int(image.name.split(".")[0])] = pose
    (camera,) = model.cameras.values()
    centres = {image.image_id: image.projection_center() for image in model.images.values() if image.has_pose}
    angles = []
    for point in model.points3D.values():
        rays = np.array([centres[element.image_id] for element in point.track.elements]) - point.xyz
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        angles.append(np.degrees(np.arccos(np.clip((rays @ rays.T).min(), -1, 1))))
    return Structure(
        poses, camera.focal_length / scale, deviation, model.num_points3D(), float(np.median(angles)), models
    )

"""ViTPose through transformers: its own classes and processors, with random weights and with weights set by hand."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra 'vitpose' is not installed")

import torch
from dots import draw_dots, seen_at
from safetensors.torch import load_file, save_file
from transformers import VitPoseForPoseEstimation
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil
from vitpose_networks import dot_network, one_person_detector, random_network

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.imports.layouts import COCO17, WHOLEBODY
from anylift_cli.keypoints.networks import network_files
from anylift_cli.keypoints.person_detector import PersonDetector
from anylift_cli.keypoints.stage import run_keypoints
from anylift_cli.keypoints.top_down import TopDown
from anylift_cli.keypoints.vitpose import VitPoseNetwork
from anylift_cli.pipeline import Source, run_stage
from anylift_cli.plugins import load_backend
from anylift_cli.stages import keypoints_stage
from anylift_cli.video import Frame, VideoWriter

WIDTH, HEIGHT = 480, 640
DOT = 14
"""Size of the dots, px."""
OFF = 13.0
"""How far from the dots the hand-made network may be, px: up to 1.7 % of the crop, which `seen_at` tells exactly."""
BOXES = np.array([[60.0, 30, 300, 600], [-40, 200, 100, 500], [300, 420, 560, 700], [200, 100, 420, 190]])
"""A standing person, two who are cut by the image's edges, and one who lies."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A weights folder with hand-made networks in place of `vitpose-base` and `rtdetr`."""
    folder = tmp_path_factory.mktemp("weights")
    dot_network(folder / "vitpose-base")
    one_person_detector(folder / "rtdetr")
    return folder


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """An image that is unlike its mirror image and its turned ones."""
    blocks = np.random.default_rng(3).integers(0, 256, (HEIGHT // 20, WIDTH // 20, 3), np.uint8)
    return np.repeat(np.repeat(blocks, 20, 0), 20, 1)


def person(x: float, y: float, size: float) -> np.ndarray:
    """(17, 2) px: a cartoon with outstretched arms, whose points are far enough apart for dots; its left is right."""
    places = {
        "nose": (0, 0.02), "eye": (0.11, 0.0), "ear": (0.22, 0.03), "shoulder": (0.12, 0.2), "elbow": (0.28, 0.28),
        "wrist": (0.36, 0.42), "hip": (0.09, 0.52), "knee": (0.13, 0.75), "ankle": (0.12, 1.0),
    }  # fmt: skip
    points = np.empty((17, 2))
    for index, name in enumerate(COCO17):
        across, down = places[name.split("_")[-1]]
        points[index] = x + size * across * (-1 if name.startswith("right") else 1), y + size * down
    return points


def box_around(points: np.ndarray) -> np.ndarray:
    low, high = points.min(0), points.max(0)
    return np.concatenate([low - 0.1 * (high - low), high + 0.1 * (high - low)])


@pytest.mark.parametrize("kind", [{"simple": True}, {"simple": False}, {"points": 133, "experts": 6}])
@pytest.mark.parametrize("flip", [False, True])
def test_points_equal_the_reference_pipeline(kind, flip, noise, tmp_path):
    """Against image processor → model → post_process_pose_estimation, as transformers' documentation has it; the flip
    test against mirrored pixels, points and names, put together by hand."""
    folder = random_network(tmp_path, **kind)
    processor, model = (
        VitPoseImageProcessorPil.from_pretrained(folder),
        VitPoseForPoseEstimation.from_pretrained(folder),
    )
    model.eval()
    boxes = [[[left, top, right - left, bottom - top] for left, top, right, bottom in BOXES]]
    inputs = processor(noise, boxes=boxes, return_tensors="pt")
    names = WHOLEBODY if kind.get("points") == 133 else COCO17
    expert = torch.full((len(BOXES),), 5) if "experts" in kind else None
    with torch.no_grad():
        output = model(**inputs, dataset_index=expert)
        if flip:
            mirrored = model(inputs.pixel_values.flip(-1), dataset_index=expert).heatmaps.flip(-1)
            other = [names.index(_mirror(name)) for name in names]
            output.heatmaps[:, : len(names)] = (output.heatmaps[:, : len(names)] + mirrored[:, other]) / 2
    expected = processor.post_process_pose_estimation(output, boxes=boxes)[0]
    points, scores = VitPoseNetwork(folder, flip_test=flip)(noise, BOXES)
    assert points.shape == (len(BOXES), len(names), 2)
    for index, one in enumerate(expected):
        np.testing.assert_allclose(points[index], one["keypoints"][: len(names)], atol=1e-3)
        np.testing.assert_allclose(scores[index], one["scores"][: len(names)], atol=1e-5)


def _mirror(name: str) -> str:
    return name.replace("left_", "?").replace("right_", "left_").replace("?", "right_")


def test_a_planted_heatmap_comes_back_where_it_was_planted(tmp_path):
    """Heatmap place h of a crop is h / (size - 1) of the way across it (UDP); the crop is 1.25 times the box, made
    3:4 upright."""
    network = VitPoseNetwork(random_network(tmp_path))
    rng = np.random.default_rng(0)
    middle = (BOXES[:, :2] + BOXES[:, 2:]) / 2
    size = 1.25 * np.maximum((BOXES[:, 2] - BOXES[:, 0]) / 3, (BOXES[:, 3] - BOXES[:, 1]) / 4)[:, None] * (3, 4)
    places = rng.uniform((8, 8), (39, 55), (len(BOXES), 17, 2))
    planted = (middle - size / 2)[:, None] + places / (47, 63) * size[:, None]
    x, y = np.meshgrid(np.arange(48), np.arange(64))
    squared = (x - places[..., 0, None, None]) ** 2 + (y - places[..., 1, None, None]) ** 2
    points, scores = network.points(torch.tensor(np.exp(-squared / 8), dtype=torch.float32), BOXES)
    np.testing.assert_allclose(points, planted, atol=0.02 * size.max() / 64)
    assert (scores > 0.9).all()


def test_half_precision_moves_points_by_less_than_a_pixel(weights, monkeypatch):
    """What is used on GPUs, on the processor."""
    points = person(240, 60, 500)
    image, box = draw_dots(points, WIDTH, HEIGHT, DOT), box_around(points)[None]
    single, sure = VitPoseNetwork(weights / "vitpose-base")(image, box)
    monkeypatch.setattr("anylift_cli.keypoints.vitpose.precision", lambda device: torch.float16)
    half, half_sure = VitPoseNetwork(weights / "vitpose-base")(image, box)
    assert 0 < np.abs(half - single).max() < 1
    np.testing.assert_allclose(half_sure, sure, atol=0.02)


@pytest.mark.parametrize("kind", ["rtdetr", "dfine"])
def test_a_detector_says_where_the_person_is(kind, noise, tmp_path):
    """In pixels of the image, whatever the size it was looked at."""
    boxes = PersonDetector(one_person_detector(tmp_path, (0.4, 0.5, 0.3, 0.6), kind), "cpu")(noise)
    np.testing.assert_allclose(boxes, [[0.25 * WIDTH, 0.2 * HEIGHT, 0.55 * WIDTH, 0.8 * HEIGHT]], atol=0.01)


def test_dfine_is_taken_before_rtdetr(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path))
    shutil.copytree(weights, tmp_path, dirs_exist_ok=True)
    assert network_files(KeypointOptions("vitpose"))["detector"].parent == tmp_path / "rtdetr"
    shutil.copytree(weights / "rtdetr", tmp_path / "dfine")
    assert network_files(KeypointOptions("vitpose"))["detector"].parent == tmp_path / "dfine"


def write_video(path: Path, images: list[np.ndarray]) -> Path:
    with VideoWriter(path, WIDTH, HEIGHT, 10) as writer:
        for image in images:
            writer.write(image)
    return path


def apart(found: KeypointsArtifact, points: np.ndarray) -> np.ndarray:
    """(T, 17) px between what was found and the points (T, 17, 2) or (17, 2)."""
    return np.linalg.norm(found.keypoints[0][:, [K[name] for name in COCO17]] - points, axis=-1)


def test_a_person_of_dots_is_followed_from_pixels_to_the_file(weights, tmp_path, monkeypatch):
    """The whole way: detector, crops, network, heatmaps, tracker, file."""
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(weights))
    moved = [person(200 + 8 * t, 70 + 3 * t, 460) for t in range(8)]
    video = write_video(tmp_path / "dots.mp4", [draw_dots(points, WIDTH, HEIGHT, DOT) for points in moved])
    stage = keypoints_stage(KeypointOptions("vitpose", device="cpu"))
    run_stage(stage, {"video": Source.from_file(video)}, tmp_path / "keypoints.npz")
    found = KeypointsArtifact.load(tmp_path / "keypoints.npz")
    assert found.present.all() and found.keypoints.shape == (1, 8, 24, 2) and found.local_joints is None
    off = apart(found, np.stack(moved))
    assert off.max() < OFF and np.median(off) < 0.8 * OFF
    feet = [index for index, name in enumerate(BODY24) if name.endswith(("toe", "heel"))]
    assert np.isnan(found.keypoints[:, :, feet]).all() and not found.confidence[:, :, feet].any()
    assert "vitpose-base" in found.meta["estimator"] and "rtdetr" in found.meta["estimator"]
    assert {"network", "detector"} == set(found.meta["key_parts"]["weights"])


@pytest.mark.parametrize("turn", [90, 180])
def test_points_are_in_the_displayed_image_of_a_turned_video(turn, weights, tmp_path, monkeypatch):
    """The picture is stored turned, and the file says so, as telephones do."""
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(weights))
    points = person(230, 70, 460)
    shown = draw_dots(points, WIDTH, HEIGHT, DOT)
    stored = np.ascontiguousarray(np.rot90(shown, -turn // 90))
    with av.open(str(tmp_path / "turned.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "16"}
        stream.set_display_rotation(turn)
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, "rgb24")))
        container.mux(stream.encode())
    found = run_keypoints(tmp_path / "turned.mp4", KeypointOptions("vitpose"))
    assert found.image_size.tolist() == [WIDTH, HEIGHT] and found.present.all()
    assert apart(found, points).max() < OFF


def test_someone_cut_by_the_edge_keeps_the_points_that_are_seen(weights):
    """Half a person: the dots beyond the edge are not seen, and nothing is said of them."""
    points = person(30, 60, 500)
    image = draw_dots(points, WIDTH, HEIGHT, DOT)
    box = box_around(points)
    found, scores = VitPoseNetwork(weights / "vitpose-base")(image, box[None] - 0.5)
    inside = (points > DOT).all(1)
    assert 0 < inside.sum() < 17
    np.testing.assert_allclose(found[0, inside] + 0.5, seen_at(points, box)[inside], atol=1.5)
    assert scores[0, inside].min() > 0.6
    assert scores[0, inside].min() > scores[0, ~inside].max()


def test_a_batch_gives_what_each_box_gives_alone(noise, tmp_path):
    network = VitPoseNetwork(random_network(tmp_path))
    together, _ = network(noise, BOXES)
    alone = np.concatenate([network(noise, box[None])[0] for box in BOXES])
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_nobody_is_followed_across_a_cut(weights, tmp_path, monkeypatch):
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(weights))
    first = [draw_dots(person(200 + 2 * t, 70, 460), WIDTH, HEIGHT, DOT) for t in range(10)]
    second = [np.full((HEIGHT, WIDTH, 3), 250, np.uint8)] * 10
    found = run_keypoints(write_video(tmp_path / "cut.mp4", first + second), KeypointOptions("vitpose", shot="1"))
    assert len(found.meta["shots"]) == 2 and found.frame_index.max() == 9


def test_a_limb_that_goes_unseen_does_not_shrink_the_box(weights, tmp_path):
    """Else the legs would be outside the next crop, and never seen again."""
    points = person(240, 60, 500)
    legs = [COCO17.index(f"{side}_{part}") for side in ("left", "right") for part in ("knee", "ankle")]
    points[legs] = np.nan
    network = VitPoseNetwork(dot_network(tmp_path, threshold=0.75))
    estimator = TopDown("dots", PersonDetector(weights / "rtdetr", "cpu"), network)
    frame = Frame(0, 0.0, draw_dots(points, WIDTH, HEIGHT, DOT))
    [before] = estimator.find(frame, (0, 0, WIDTH, HEIGHT))
    [pose] = estimator.estimate(frame, [before])
    assert pose.confidence[K["left_ankle"]] < 0.3 < pose.confidence[K["left_wrist"]]
    (left, top, right, bottom), old = pose.region.box, before.box
    assert right - left >= old[2] - old[0] - 1e-3 and bottom - top >= old[3] - old[1] - 1e-3


def test_what_is_missing_is_said_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"'vitpose-base'.* are not here") as raised:
        network_files(KeypointOptions("vitpose"))
    assert raised.value.hint == "`anylift weights fetch vitpose-base`" and raised.value.exit_code == 4
    dot_network(tmp_path / "vitpose-base")
    with pytest.raises(MissingDependencyError, match="'rtdetr'") as raised:
        network_files(KeypointOptions("vitpose"))
    assert raised.value.hint == "`anylift weights fetch rtdetr`"
    with pytest.raises(UsageError, match="neither the name"):
        network_files(KeypointOptions("vitpose", model="huge"))
    assert network_files(KeypointOptions()) == {}


def test_networks_of_no_known_people_are_refused(tmp_path):
    with pytest.raises(AnyliftError, match="no expert"):
        VitPoseNetwork(random_network(tmp_path / "experts", points=26, experts=6))
    with pytest.raises(AnyliftError, match="people with 9 points"):
        VitPoseNetwork(random_network(tmp_path / "nine", points=9))
    folder = random_network(tmp_path / "part")
    stored = load_file(folder / "model.safetensors")
    save_file({name: value for name, value in stored.items() if "head" not in name}, folder / "model.safetensors")
    with pytest.raises(AnyliftError, match=r"lacks head\."):
        VitPoseNetwork(folder)
    (tmp_path / "nine" / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(AnyliftError, match="holds no ViTPose"):
        VitPoseNetwork(tmp_path / "nine")


def test_auto_takes_vitpose_where_its_network_is_chosen(weights, monkeypatch):
    """Else MediaPipe, whose feet and 3D points are worth more (docs/backends.md)."""
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(weights))
    asked = [KeypointOptions("auto", **how) for how in ({}, {"model": "vitpose-base"}, {"flip_test": True})]
    assert [keypoints_stage(one).options.backend for one in asked] == ["mediapipe", "vitpose", "vitpose"]


def test_other_backends_refuse_a_choice_of_networks(tmp_path):
    with VideoWriter(tmp_path / "grey.mp4", 320, 240, 10) as writer:
        for _ in range(3):
            writer.write(np.full((240, 320, 3), 90, np.uint8))
    with pytest.raises(UsageError, match="no choice of networks"):
        run_keypoints(tmp_path / "grey.mp4", KeypointOptions(flip_test=True))


def test_without_transformers_the_extra_is_named(monkeypatch):
    for module in ("vitpose", "person_detector"):
        monkeypatch.delitem(sys.modules, f"anylift_cli.keypoints.{module}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match="'vitpose' cannot be loaded") as raised:
        load_backend("anylift.keypoints", "vitpose")
    assert raised.value.hint == "pip install 'anylift-cli[vitpose]'"

"""Shots: made scenes with known cuts, and real footage that has none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from anylift_cli.errors import AnyliftError, NothingFoundError
from anylift_cli.video import VideoWriter, find_shots, read_frames

WIDTH, HEIGHT, FPS = 320, 180, 30
SHARED_VIDEOS = Path(__file__).parents[2] / "shared/data/videos"
WITHOUT_CUTS = [
    "mmaction2_structuralize.mp4",
    "mmaction2_test.mp4",
    "mmhuman3d_multi.mp4",
    "mmhuman3d_single.mp4",
    "sam2_juggle.mp4",
    "sports2d_demo.mp4",
    "tfjs_pose_squats.mp4",
]


def scene(seed: int, width: int = 1600, height: int = 400) -> np.ndarray:
    """A large coloured picture with structure at several scales."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cell in (100, 40, 15, 6):
        coarse = rng.random((height // cell + 1, width // cell + 1, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = picture.min(), picture.max()
    return ((picture - low) / (high - low) * 255).astype(np.uint8)


def view(picture: np.ndarray, x: float, y: float = 100.0) -> np.ndarray:
    return cv2.getRectSubPix(picture, (WIDTH, HEIGHT), (WIDTH / 2 + x, HEIGHT / 2 + y))


def write(path: Path, images: Iterable[np.ndarray]) -> Path:
    with VideoWriter(path, WIDTH, HEIGHT, FPS) as writer:
        for image in images:
            writer.write(image)
    return path


def still(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    image = view(scene(seed), 0)
    return [np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def pan(seed: int, count: int, speed: float) -> list[np.ndarray]:
    picture = scene(seed)
    return [view(picture, speed * frame) for frame in range(count)]


def test_three_shots(tmp_path: Path) -> None:
    path = write(tmp_path / "cuts.mp4", [*still(1, 20), *pan(2, 31, 6.0), *still(3, 9)])
    shots = find_shots(path)
    assert [(s.number, s.first, s.stop) for s in shots] == [(1, 0, 20), (2, 20, 51), (3, 51, 60)]
    np.testing.assert_allclose([s.start_time for s in shots], np.array([0, 20, 51]) / FPS, atol=1e-6)
    np.testing.assert_allclose([s.end_time for s in shots], np.array([20, 51, 60]) / FPS, atol=1e-6)
    for shot in shots:
        frames = list(read_frames(path, shot.start_time, shot.end_time))
        assert (frames[0].index, frames[-1].index + 1) == (shot.first, shot.stop)


def test_shots_of_a_part(tmp_path: Path) -> None:
    path = write(tmp_path / "cuts.mp4", [*still(1, 20), *still(2, 30), *still(3, 30)])
    shots = find_shots(path, start=1.0, end=2.0)
    assert [(s.number, s.first, s.stop) for s in shots] == [(1, 30, 50), (2, 50, 60)]
    assert (shots[0].start_time, shots[-1].end_time) == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize("speed", [2.0, 12.0, 40.0])
def test_a_pan_is_no_cut(tmp_path: Path, speed: float) -> None:
    path = write(tmp_path / "pan.mp4", pan(4, 30, speed))
    assert len(find_shots(path)) == 1


def test_a_sudden_whip_pan_is_no_cut(tmp_path: Path) -> None:
    picture = scene(5)
    x = np.concatenate([np.zeros(20), np.cumsum(np.full(6, 30.0)), np.full(20, 180.0)])
    assert len(find_shots(write(tmp_path / "whip.mp4", [view(picture, value) for value in x]))) == 1


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(tmp_path: Path, length: int) -> None:
    images = still(6, 40)
    for frame in range(20, 20 + length):
        images[frame] = np.full_like(images[frame], 250)
    assert len(find_shots(write(tmp_path / "flash.mp4", images))) == 1


def test_a_light_that_is_switched_is_no_cut(tmp_path: Path) -> None:
    images = still(7, 40)
    images[20:] = [(image * 0.35 + 10).astype(np.uint8) for image in images[20:]]
    assert len(find_shots(write(tmp_path / "light.mp4", images))) == 1


def test_a_cut_under_a_graphic_that_stays(tmp_path: Path) -> None:
    images = [*still(8, 20), *still(9, 20)]
    graphic = scene(10, 300, 40)
    for image in images:
        image[130:170, 10:310] = graphic
    assert [s.first for s in find_shots(write(tmp_path / "graphic.mp4", images))] == [0, 20]


def test_a_cut_to_a_closer_view_of_the_same_place(tmp_path: Path) -> None:
    wide = still(11, 20)
    close = [cv2.resize(image[60:130, 100:224], (WIDTH, HEIGHT)) for image in still(11, 20)]
    assert [s.first for s in find_shots(write(tmp_path / "closer.mp4", [*wide, *close]))] == [0, 20]


@pytest.mark.parametrize("count", [1, 3])
def test_very_short_videos(tmp_path: Path, count: int) -> None:
    (shot,) = find_shots(write(tmp_path / "short.mp4", still(12, count)))
    assert (shot.number, shot.first, shot.stop, shot.start_time) == (1, 0, count, 0.0)
    assert shot.end_time == pytest.approx(count / FPS, abs=1e-4)


def test_errors_are_those_of_reading(tmp_path: Path) -> None:
    with pytest.raises(AnyliftError, match="does not exist"):
        find_shots(tmp_path / "missing.mp4")
    with pytest.raises(NothingFoundError, match="no frames"):
        find_shots(write(tmp_path / "short.mp4", still(13, 5)), start=9)


@pytest.mark.parametrize("name", WITHOUT_CUTS)
def test_real_footage_without_cuts(name: str) -> None:
    path = SHARED_VIDEOS / name
    if not path.exists():
        pytest.skip(f"{path.name} is not at hand")
    assert len(find_shots(path)) == 1


def test_real_footage_joined(tmp_path: Path) -> None:
    names = ["mmaction2_structuralize.mp4", "sam2_juggle.mp4", "sports2d_demo.mp4", "sam2_juggle.mp4"]
    if not all((SHARED_VIDEOS / name).exists() for name in names):
        pytest.skip("the shared videos are not at hand")
    images = [
        cv2.resize(frame.image, (WIDTH, HEIGHT))
        for start, name in enumerate(names)
        for frame in read_frames(SHARED_VIDEOS / name, start, start + 1, max_size=WIDTH)
    ]
    assert [s.first for s in find_shots(write(tmp_path / "joined.mp4", images))] == [0, 30, 54, 84]

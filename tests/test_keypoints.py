"""The keypoints stage on real videos, with the real estimator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.body.skeleton import BODY24_MIRROR, LEFT_HIP, RIGHT_HIP, K
from anylift_cli.errors import NothingFoundError, UsageError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.stage import run_keypoints
from anylift_cli.video import VideoWriter, read_frames

VIDEOS = Path(__file__).parents[2] / "shared/data/videos"
needs_videos = pytest.mark.skipif(not VIDEOS.is_dir(), reason=f"no shared videos at {VIDEOS}")


@pytest.fixture(scope="module")
def juggler() -> KeypointsArtifact:
    """A man who faces the camera; 24 frames/s."""
    return run_keypoints(VIDEOS / "sam2_juggle.mp4", KeypointOptions(start=0.5, end=1.5))


@needs_videos
def test_one_person_is_found_in_every_frame_of_the_range(juggler):
    times = juggler.timestamps
    assert juggler.keypoints.shape == (1, len(times), 24, 2)
    assert juggler.present.all()
    assert times[0] >= 0.5 and times[-1] < 1.5 and len(times) == 24
    np.testing.assert_allclose(juggler.frame_index / 24, times, atol=0.02)
    assert juggler.image_size.tolist() == [1280, 720]
    assert juggler.meta["video"]["name"] == "sam2_juggle.mp4" and len(juggler.meta["video"]["sha256"]) == 64
    assert [shot["number"] for shot in juggler.meta["shots"]] == [juggler.meta["shot"]]


@needs_videos
def test_unobserved_points_are_nan_with_confidence_zero(juggler):
    unobserved = juggler.confidence == 0
    np.testing.assert_array_equal(np.isnan(juggler.keypoints).all(axis=-1), unobserved)
    np.testing.assert_array_equal(np.isnan(juggler.local_joints).all(axis=-1), unobserved)
    assert unobserved[..., [K["left_small_toe"], K["right_small_toe"]]].all()
    assert (juggler.confidence <= 1).all()


@needs_videos
def test_left_and_right_and_the_axes_of_local_joints(juggler):
    x, y = np.moveaxis(juggler.keypoints[0], -1, 0)
    local = juggler.local_joints[0]
    for part in ("shoulder", "hip", "ankle", "eye"):
        left, right = K[f"left_{part}"], K[f"right_{part}"]
        assert (x[:, left] > x[:, right]).mean() > 0.9, f"he faces us: his left {part} is on the image's right"
        assert (local[:, left, 0] > local[:, right, 0]).mean() > 0.9
    assert (y[:, K["nose"]] < y[:, K["left_hip"]]).all() and (local[:, K["nose"], 1] < -0.4).all()
    assert (local[:, K["left_ankle"], 1] > 0.5).all()
    assert (local[:, K["nose"], 2] < local[:, K["left_ear"], 2]).all(), "z grows away from the camera"
    np.testing.assert_allclose(local[:, [LEFT_HIP, RIGHT_HIP]].mean(axis=1), 0, atol=1e-5)
    shoulders = np.linalg.norm(local[:, K["left_shoulder"]] - local[:, K["right_shoulder"]], axis=-1)
    assert 0.25 < np.median(shoulders) < 0.45


@needs_videos
def test_boxes_hold_the_confident_points(juggler):
    sure = juggler.confidence[0] >= 0.5
    low, high = juggler.boxes[0, :, None, :2], juggler.boxes[0, :, None, 2:]
    inside = ((juggler.keypoints[0] >= low) & (juggler.keypoints[0] <= high)).all(axis=-1)
    assert inside[sure].all()


@needs_videos
def test_mirrored_pixels_give_mirrored_points(juggler, tmp_path):
    mirrored_video = tmp_path / "mirrored.mp4"
    frames = list(read_frames(VIDEOS / "sam2_juggle.mp4", 0.5, 0.9))
    with VideoWriter(mirrored_video, 1280, 720, 24) as writer:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame.image[:, ::-1]))
    mirrored = run_keypoints(mirrored_video, KeypointOptions())
    back = mirrored.keypoints[0][:, list(BODY24_MIRROR)]
    back[..., 0] = 1280 - back[..., 0]
    height = np.nanmedian(juggler.boxes[0, :, 3] - juggler.boxes[0, :, 1])
    apart = np.linalg.norm(back - juggler.keypoints[0, : len(back)], axis=-1)
    assert np.nanmedian(apart) < 0.02 * height


@needs_videos
def test_walking_person():
    found = run_keypoints(VIDEOS / "sports2d_demo.mp4", KeypointOptions(end=2.0))
    assert found.present.mean() > 0.95
    centre = found.keypoints[0, :, [LEFT_HIP, RIGHT_HIP]].mean(axis=0)
    height = np.nanmedian(found.boxes[0, :, 3] - found.boxes[0, :, 1])
    assert np.nanmax(np.linalg.norm(np.diff(centre, axis=0), axis=-1)) < 0.15 * height


@needs_videos
def test_two_people_stay_apart():
    both = run_keypoints(VIDEOS / "mmhuman3d_multi.mp4", KeypointOptions(person="all"))
    assert both.present.shape[0] == 2 and both.present.mean() > 0.95
    centres = both.keypoints[:, :, [LEFT_HIP, RIGHT_HIP]].mean(axis=2)
    width = np.nanmedian(both.boxes[:, :, 2] - both.boxes[:, :, 0])
    sides = np.sign(centres[0, :, 0] - centres[1, :, 0])
    assert np.abs(np.nansum(sides)) == np.isfinite(sides).sum(), "nobody changes places"
    assert np.nanmin(np.linalg.norm(centres[0] - centres[1], axis=-1)) > 0.5 * width

    second = run_keypoints(VIDEOS / "mmhuman3d_multi.mp4", KeypointOptions(person="2", end=1.0))
    apart = np.linalg.norm(second.keypoints[0] - both.keypoints[:, : len(second.timestamps)], axis=-1)
    assert np.nanmedian(apart, axis=(1, 2)).min() < 3, "person 2 is one of the two"
    with pytest.raises(UsageError, match="no person 3"):
        run_keypoints(VIDEOS / "mmhuman3d_multi.mp4", KeypointOptions(person="3", end=1.0))


@needs_videos
def test_people_who_come_one_after_another_are_different_people():
    """A woman leaves at 19.5 s, a man enters at 23 s; the room is empty between."""
    people = run_keypoints(VIDEOS / "intel_one_by_one_person.mp4", KeypointOptions(person="all", start=17, end=27))
    assert people.present.shape[0] == 2
    assert not people.present.all(axis=0).any()
    empty = (people.timestamps > 20.5) & (people.timestamps < 22.5)
    assert not people.present[:, empty].any()
    assert not np.isfinite(people.keypoints[:, empty]).any() and not people.confidence[:, empty].any()
    seen = sorted(people.timestamps[row][[0, -1]].tolist() for row in people.present)
    assert seen[0][1] < 20.5 and seen[1][0] > 22.5


@needs_videos
def test_nobody_is_found_where_no_whole_person_is_seen():
    with pytest.raises(NothingFoundError, match="mmaction2_test") as raised:
        run_keypoints(VIDEOS / "mmaction2_test.mp4", KeypointOptions(end=4.0))
    assert raised.value.hint and raised.value.exit_code == 3


def test_an_empty_room_and_a_single_frame(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (8, 240, 320, 3), np.uint8)
    for name, frames in (("room", 8), ("frame", 1)):
        with VideoWriter(tmp_path / f"{name}.mp4", 320, 240, 10) as writer:
            for image in noise[:frames]:
                writer.write(image)
    with pytest.raises(NothingFoundError, match="no whole person"):
        run_keypoints(tmp_path / "room.mp4", KeypointOptions())
    with pytest.raises(NothingFoundError, match="fewer than two frames"):
        run_keypoints(tmp_path / "frame.mp4", KeypointOptions())


@needs_videos
def test_nobody_is_handed_over_when_one_passes_behind_another():
    """A woman in white covers a man in blue from 5 s to 6 s."""
    video = VIDEOS / "mmaction2_structuralize.mp4"
    people = run_keypoints(video, KeypointOptions(person="all", start=3.5, end=6.5))
    torso = people.keypoints[:, :, [K["neck"], K["neck"], LEFT_HIP, RIGHT_HIP]].mean(axis=2)
    blueness = np.full(people.present.shape, np.nan)
    for t, frame in enumerate(read_frames(video, 3.5, 6.5)):
        for p in np.flatnonzero(people.present[:, t]):
            x, y = torso[p, t].astype(int)
            red, _, blue = frame.image[y - 4 : y + 5, x - 3 : x + 4].reshape(-1, 3).mean(axis=0)
            blueness[p, t] = blue - red
    wears_blue = np.nanmedian(blueness, axis=1) > 20
    assert set(wears_blue.tolist()) == {False, True}
    same = (blueness > 20) == wears_blue[:, None]
    assert (same | ~people.present).mean() > 0.97


@pytest.mark.slow
@needs_videos
def test_two_men_in_black_half_a_minute_apart_are_two_people():
    """One leaves at 44 s, the other enters at 75 s."""
    people = run_keypoints(VIDEOS / "intel_one_by_one_person.mp4", KeypointOptions(person="all", start=42, end=78))
    seen = sorted(people.timestamps[row][[0, -1]].tolist() for row in people.present)
    assert len(seen) == 3 and seen[0][1] < 46 and seen[2][0] > 74

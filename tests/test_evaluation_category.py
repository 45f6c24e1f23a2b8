"""The category experiment: who is filmed, what is measured, and stages A, B and C from such videos to a lifter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anylift_cli.body.skeleton import K
from anylift_cli.evaluation.category import (
    Category,
    category_clips,
    window_errors,
    with_unseen_views,
    write_training_clips,
)
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.running import Contender, judged, lift_clip
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.imagination import Imagination
from anylift_cli.lifting.networks import NetworkConfig
from anylift_cli.lifting.observation import observe, root_of
from anylift_cli.lifting.refine import models_for, upright
from anylift_cli.lifting.single_view import SINGLE_WIDTH
from anylift_cli.training.clips import read_clips
from anylift_cli.training.loop import LoopConfig
from anylift_cli.training.multi_view import MultiViewConfig, train_multi_view
from anylift_cli.training.point_clips import read_point_clips
from anylift_cli.training.single_view import SingleViewConfig, train_single_view
from anylift_cli.training.single_view_batches import ClipBatches
from anylift_cli.training.synthesised import SynthesisConfig, all_windows, synthesize_clips

FRAMES = 32
LOOP = LoopConfig(steps=300, rate=4e-3, warmup=10, ema=0.98, decay=0.5, save_seconds=1e9)


@pytest.fixture(scope="module")
def people() -> list[EvaluationClip]:
    return category_clips(Category(2, 6), 0)


@pytest.fixture(scope="module")
def folder(people, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("category")
    assert write_training_clips(people, folder) >= 7
    return folder


def azimuth(clip: EvaluationClip) -> float:
    """Degrees from the way that the first shoulders face to the first camera."""
    left, right = (clip.points[0, K[f"{side}_shoulder"], :2] for side in ("left", "right"))
    facing = np.array([[0, 1], [-1, 0]]) @ (left - right)
    towards = clip.world_from_camera[0, :2, 3] - 0.5 * (left + right)
    turn = np.arctan2(towards[1], towards[0]) - np.arctan2(facing[1], facing[0])
    return float(np.degrees((turn + np.pi) % (2 * np.pi) - np.pi))


def test_different_people_are_filmed_from_one_side(people):
    assert [clip.action for clip in people] == ["kick"] * 2 + ["cartwheel"] * 6
    assert len({round(clip.height, 4) for clip in people}) == 8 and len({len(clip.points) for clip in people}) > 4
    assert {clip.mode for clip in people} == {"still", "pan", "zoom", "dolly", "handheld"}
    seen_from = [azimuth(clip) for clip in people if clip.action == "cartwheel" and clip.cameras == "static"]
    assert seen_from and all(-15 < angle < 25 for angle in seen_from)
    again = category_clips(Category(0, 1), 0)[0]
    assert np.array_equal(again.keypoints.keypoints, people[2].keypoints.keypoints, equal_nan=True)
    other = category_clips(Category(0, 1, first=1000), 0)[0]
    assert abs(other.height - again.height) > 1e-3


def test_perfect_points_have_no_error_and_depth_is_seen_from_the_side(people):
    """A wrist 0.2 m too far away, seen by a still camera: the camera hardly sees it, the others do."""
    clip = next(clip for clip in people if clip.cameras == "static")
    contender = Contender("truth")

    def errors(points: np.ndarray) -> dict[str, float]:
        return with_unseen_views(judged(clip, contender, points, clip.world_from_camera, 0.0), clip).errors.values

    perfect = errors(clip.points)
    assert perfect["j2d_unseen_px"] < 1e-6 and perfect["mpjpe_mm"] < 1e-6
    far = clip.points.copy()
    sight = far[:, K["right_wrist"]] - clip.world_from_camera[:, :3, 3]
    far[:, K["right_wrist"]] += 0.2 * sight / np.linalg.norm(sight, axis=-1, keepdims=True)
    found = errors(far)
    assert found["j2d_px"] < 0.5 and found["mpjpe_mm"] == pytest.approx(200 / 18, rel=0.01)
    distance = np.linalg.norm(sight, axis=-1).mean()
    from_the_side = clip.estimated.K[0, 0, 0] * 0.2 / distance / 18
    assert found["j2d_unseen_px"] == pytest.approx(2 / 3 * from_the_side, rel=0.2)


def test_windows_are_compared_with_their_part_of_the_truth(people):
    """The truth in a world that is turned by 40° has no error; a frame too late has some."""
    clip = people[3]
    angle = np.radians(40)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    points, cameras = clip.points[20:60] @ turn[:3, :3].T, turn @ clip.world_from_camera[20:60]
    assert window_errors(points, 20 / 30, cameras, clip).values["mpjpe_mm"] < 1e-6
    assert window_errors(points, 21 / 30, cameras, clip).values["mpjpe_mm"] > 3


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def imagined_error(checkpoint: Path, clip: EvaluationClip) -> float:
    """Mean root-centred error, m, in the camera's axes, of what a network imagines, before any solve."""
    seen = upright(observe(replace(clip.keypoints, local_joints=None), clip.estimated, 0, "cpu"), clip.estimated)
    points, _ = Imagination.load(checkpoint, "cpu")(seen, models_for(LiftOptions()).lengths, 1, [0])
    truth = torch.as_tensor(clip.points[None], dtype=torch.float32)
    poses = seen.world_from_camera, torch.as_tensor(clip.world_from_camera[None], dtype=torch.float32)
    ours, theirs = (
        (some - root_of(some)[..., None, :]) @ pose[..., :3, :3]
        for some, pose in zip((points, truth), poses, strict=True)
    )
    return float((ours - theirs).norm(dim=-1)[torch.isfinite(truth).all(-1)].mean())


@pytest.mark.slow
def test_from_videos_to_a_lifter(folder, tmp_path):
    """A → B → C without any 3D truth; other people are imagined better than by the same network after one step."""
    single = SingleViewConfig(
        NetworkConfig(width=96, layers=2, heads=3, expansion=2, condition=SINGLE_WIDTH), LOOP,
        frames=FRAMES, batch=16, noise_steps=50,
    )  # fmt: skip
    prior = train_single_view(folder, tmp_path / "a", single)
    assert losses(tmp_path / "a")[-1] < 0.5 * losses(tmp_path / "a")[0]

    clips = tmp_path / "clips.npz"
    reasons = synthesize_clips(prior, folder, clips, SynthesisConfig(passes=6))
    assert sum(reasons.values()) == len(all_windows(ClipBatches(folder, "all", FRAMES, 0.0, 0, "cpu", vary=False)))
    stored = read_point_clips(clips)
    assert len(stored.length) == reasons[""] and {"train", "test"} == set(stored.split)
    assert set(stored.action) <= {clip.meta["source"] for clip in read_clips(folder).values()}

    multi = MultiViewConfig(
        NetworkConfig(width=32, layers=1, heads=1, expansion=2, condition=WIDTH), replace(LOOP, steps=100),
        frames=FRAMES, batch=8, noise_steps=50,
    )  # fmt: skip
    ignorant = train_multi_view(
        [clips], tmp_path / "c1", replace(multi, loop=replace(LOOP, steps=1)), None, "anylift train"
    )
    trained = train_multi_view([clips], tmp_path / "c", multi, None, "anylift train")
    held_out = category_clips(Category(1, 1, first=1000), 0)
    result = lift_clip(held_out[0], Contender(str(trained)), 0)
    assert np.isfinite(result.predicted).all()
    before, after = (np.mean([imagined_error(path, clip) for clip in held_out]) for path in (ignorant, trained))
    assert after < 0.8 * before

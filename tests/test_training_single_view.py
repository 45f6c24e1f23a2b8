"""Stage A: clips from videos, hybrid batches, decoupled parts, losses, and a checkpoint of its own kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupted import diverged_after_a_good_state, killed_at_first_state
from torch import nn
from video_clips import artifacts, clip_folder, filmed

from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP, K
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.lifting.checkpoint import SINGLE_VIEW, load_checkpoint
from anylift_cli.lifting.conditions import CAMERA
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.epipolar import line_distance
from anylift_cli.lifting.networks import NetworkConfig, SingleView
from anylift_cli.lifting.observation import root_of
from anylift_cli.lifting.single_view import (
    CAMERA_WIDTH,
    SINGLE_WIDTH,
    camera_conditions,
    coupled,
    decoupled,
    reframed,
    seen_from,
)
from anylift_cli.lifting.views import view_rotations
from anylift_cli.synthetic.draw import Draw
from anylift_cli.training.clips import TrainingClip, read_clips
from anylift_cli.training.cutting import cut_clips
from anylift_cli.training.loop import STATE_FILE, LoopConfig
from anylift_cli.training.single_view import (
    SingleViewConfig,
    single_view_errors,
    single_view_loss,
    train_single_view,
)
from anylift_cli.training.single_view_batches import ClipBatches, SingleViewBatch
from anylift_cli.training.virtual_lines import draw_epipoles, draw_lines

FRAMES = 32
TINY = SingleViewConfig(
    NetworkConfig(width=32, layers=1, heads=1, expansion=2, condition=SINGLE_WIDTH),
    LoopConfig(steps=100, rate=3e-3, warmup=10, save_seconds=0, decay=0),
    frames=FRAMES, batch=6, noise_steps=50,
)  # fmt: skip
NAMES = (("kick", "still", 1), ("kick", "orbit", 2), ("squat", "dolly", 3))


@pytest.fixture(scope="module")
def scenes():
    return [filmed(*name) for name in NAMES]


@pytest.fixture(scope="module")
def folder(scenes, tmp_path_factory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("clips"), scenes)


@pytest.fixture(scope="module")
def plain(folder) -> ClipBatches:
    return ClipBatches(folder, "train", FRAMES, 1 / 3, 0, "cpu", vary=False)


@pytest.fixture(scope="module")
def seen(plain):
    """The first windows of all three clips."""
    return plain.window(torch.arange(3), torch.zeros(3, dtype=torch.long))[0]


@pytest.fixture(scope="module")
def truth(scenes) -> torch.Tensor:
    """World points (3, T, 24, 3) of those windows."""
    return torch.tensor(np.stack([scene.keypoints3d[:FRAMES] for scene in scenes]), dtype=torch.float32)


def test_parts_by_hand():
    points = torch.zeros(24, 2)
    points[LEFT_HIP], points[RIGHT_HIP], points[K["nose"]] = torch.tensor([[1.0, 2], [3, 2], [5, -1]])
    parts = decoupled(points)
    assert parts[LEFT_HIP].tolist() == [1, 2] and parts[RIGHT_HIP].tolist() == [3, 2]
    assert parts[K["nose"]].tolist() == [3, -3] and parts[K["neck"]].tolist() == [-2, -2]
    assert torch.equal(coupled(parts), points)


def test_parts_and_back_in_all_dimensions():
    for size in (2, 3):
        points = torch.randn(2, 5, 3, 24, size, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(coupled(decoupled(points)), points, atol=1e-6)


def test_windows_see_what_was_filmed(seen, truth):
    """Real cameras, still and moving: the true points, seen from the canonical cameras, are the canonical rays."""
    inside = seen.from_world(truth) + seen.root[..., None, :]
    assert torch.allclose(inside[..., :2] / inside[..., 2:], seen.rays, atol=2e-4)


def test_virtual_views_are_real_cameras_of_the_same_world(seen, truth):
    """Each view's canonical form places what it sees where the input does, and its size root at the same place."""
    rotations = view_rotations(seen.up, 4)
    views = seen_from(seen, rotations)
    local = seen.from_world(truth)
    turned = (local[:, :, None] @ rotations.transpose(-1, -2)).transpose(1, 2).flatten(0, 1)
    world = views.to_world(turned).unflatten(0, (3, 3))
    assert (world - truth[:, None]).abs().max() < 1e-3
    assert torch.allclose(views.camera_from_first[:, 0], torch.eye(4).expand(9, 4, 4), atol=1e-5)
    of_input = seen.camera_from_first.repeat_interleave(3, 0)
    assert (views.camera_from_first - of_input)[..., :3, :3].abs().max() < 1e-4
    told = camera_conditions(views)
    assert told.shape == (9, FRAMES, CAMERA_WIDTH)
    up = told[..., 12:15].unflatten(0, (3, 3))
    assert torch.allclose(up, seen.up[:, None].expand_as(up), atol=1e-5)


def test_another_size_root_is_the_same_evidence(seen, truth):
    root = seen.root + torch.tensor([0.2, 0.05, -0.3])
    other = reframed(seen, root)
    assert torch.allclose(other.root[:, 0], torch.tensor([0.0, 0, 3]).expand(3, 3), atol=1e-5)
    assert torch.allclose(other.camera_from_first[:, 0], torch.eye(4).expand(3, 4, 4), atol=1e-5)
    inside = other.from_world(truth) + other.root[..., None, :]
    assert torch.allclose(inside[..., :2] / inside[..., 2:], other.rays, atol=5e-4)
    zero = torch.zeros(3, FRAMES, 1, 3)
    assert (other.to_world(zero) - seen.to_world((root - seen.root)[:, :, None])).abs().max() < 1e-3
    same = reframed(seen, seen.root)
    for name in ("rays", "camera_from_first", "up", "root", "unit"):
        assert torch.allclose(getattr(same, name), getattr(seen, name), atol=1e-5), name


def test_epipoles_follow_the_camera_or_stay(seen):
    """Half of them move with an orbiting camera; the others are anywhere within five units."""
    root, up = seen.root[1:2].expand(400, -1, -1), seen.up[1:2].expand(400, -1, -1)
    through = draw_epipoles(up, root, Draw.seeded(0))
    moving = (through - through[:, :1]).abs().amax((1, 2)) > 1e-6
    assert 0.4 < moving.float().mean() < 0.6
    still = through[~moving]
    place = still[:, 0, :2] / still[:, 0, 2:]
    assert place.abs().max() < 5 and place.std(0).min() > 2.5


def test_lines_go_through_jittered_points_and_some_are_left_out(seen):
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(600, 40, 24, 2, generator=generator)
    known = torch.ones(600, 40, 24, dtype=torch.bool)
    known[:, :, K["nose"]] = False
    through = torch.tensor([9.0, 3.0, 1.0]).expand(600, 40, 3)
    lines = draw_lines(points, known, through, Draw.seeded(2))
    there = (lines != 0).any(-1)
    assert not there[:, :, K["nose"]].any()
    assert (~there).all((1, 2)).float().mean() == pytest.approx(0.1, abs=0.04)
    partly = there[there.any((1, 2))][:, :, 1:]
    assert (~partly).any(1).float().mean() == pytest.approx(0.15, abs=0.02)
    away = line_distance(points, lines)[there]
    assert away.mean() == pytest.approx(0.01 * (2 / torch.pi) ** 0.5, rel=0.1)
    assert (lines[there] @ torch.tensor([9.0, 3.0, 1.0])).abs().max() < 1e-4


def test_the_same_step_is_the_same_batch(folder):
    one, again = (ClipBatches(folder, "train", FRAMES, 1 / 3, 3, "cpu").batch(5, 9) for _ in range(2))
    other = ClipBatches(folder, "train", FRAMES, 1 / 3, 3, "cpu").batch(6, 9)
    for name, value in vars(one).items():
        assert torch.equal(value, getattr(again, name)), name
        assert name in ("known", "projected", "valid", "line_trust") or not torch.equal(value, getattr(other, name)), (
            name
        )


def test_a_third_is_projected_with_the_root_in_the_middle(plain):
    batch = plain.batch(0, 30)
    assert batch.points.shape == (30, FRAMES, 24, 2) and batch.camera.shape == (30, FRAMES, CAMERA_WIDTH)
    assert batch.projected.tolist() == [False] * 20 + [True] * 10
    of_real_paths, drawn = root_of(batch.points)[20:27], root_of(batch.points)[27:]
    assert of_real_paths.abs().max() < 0.02
    assert drawn.abs().max() < 0.1
    assert batch.known.all() and batch.valid.all()
    size = batch.points[..., 1].amax(-1) - batch.points[..., 1].amin(-1)
    assert size[20:27].mean() == pytest.approx(float(size[:20].mean()), rel=0.25)


def test_projections_are_the_local_poses_seen_from_elsewhere(folder, scenes):
    """All windows projected, from one clip's poses: the height of the head over the feet stays that of the person."""
    batch = ClipBatches(folder, "train", FRAMES, 1.0, 0, "cpu", vary=False).batch(1, 40)
    assert batch.projected.all()
    across = (batch.points[:, :, K["right_shoulder"]] - batch.points[:, :, K["left_shoulder"]]).norm(dim=-1).mean(1)
    assert across.min() < 0.06 and across.max() > 0.17


def test_no_local_poses_no_projections(folder, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for name, clip in read_clips(folder).items():
        replace_local = TrainingClip(**{**vars(clip), "local_weight": 0 * clip.local_weight})
        replace_local.save(clips / name)
    assert not ClipBatches(tmp_path, "train", FRAMES, 1 / 3, 0, "cpu").batch(0, 9).projected.any()


def test_varied_windows_lie_off_their_size_root_and_are_mirrored(folder, plain):
    varied = ClipBatches(folder, "train", FRAMES, 0.0, 0, "cpu").batch(0, 200)
    off = root_of(varied.points)[..., 0].mean(1)
    assert 0.05 < off.std() < 0.2 and abs(off.mean()) < 0.03
    assert root_of(plain.batch(0, 30).points)[:20].abs().max() < 0.05
    left = varied.points[:, :, K["left_shoulder"], 0] > varied.points[:, :, K["right_shoulder"], 0]
    assert left.float().mean() > 0.8


class Answer(nn.Module):
    """Answers with given parts."""

    def __init__(self, parts: torch.Tensor) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, *_: torch.Tensor) -> torch.Tensor:
        return self.parts


def losses(batch: SingleViewBatch, parts: torch.Tensor) -> dict[str, float]:
    found = single_view_loss(Answer(parts), batch, Schedule.cosine(50), 0)
    return {name: float(value) for name, value in found.items()}


def test_losses_by_hand(plain):
    """Everybody 0.12 to the right: only hips are wrong, lines by the share of x in their normals."""
    batch = plain.batch(2, 9)
    right = decoupled(batch.points)
    assert losses(batch, right) == pytest.approx(dict.fromkeys(("loss", "parts", "lines", "differences"), 0), abs=1e-6)
    moved = decoupled(batch.points + torch.tensor([0.12, 0.0]))
    found = losses(batch, moved)
    hips, others = 6 * 2, 9 * 22
    assert found["parts"] == pytest.approx(0.12 / 2 * hips / (hips + others), rel=1e-3)
    share = batch.line_trust[:6]
    expected = 0.12 * (batch.true_lines[:6, ..., 0] * share).sum() / share.sum()
    assert found["lines"] == pytest.approx(float(expected), rel=1e-3)
    assert found["differences"] == pytest.approx(0, abs=1e-6)
    assert found["loss"] == pytest.approx(found["parts"] + found["lines"], rel=1e-5)


def test_hips_of_projections_and_unknown_points_count_nothing(plain):
    batch = plain.batch(2, 9)
    parts = decoupled(batch.points)
    parts[6:, :, [LEFT_HIP, RIGHT_HIP]] += 0.5
    assert losses(batch, parts)["loss"] == pytest.approx(0, abs=1e-6)
    unknown = batch.known.clone()
    unknown[:, :, LEFT_HIP] = False
    nose = decoupled(batch.points)
    nose[:6, :, K["nose"]] += 0.5
    masked = replace(batch, known=unknown)
    assert losses(masked, nose)["parts"] == pytest.approx(0, abs=1e-6), "local parts need both hips"
    assert losses(batch, nose)["parts"] > 0.01


def test_errors_without_lines_are_told_apart(plain):
    batch = plain.batch(3, 9)
    off = decoupled(batch.points + torch.tensor([0.0, 0.3]))
    found = single_view_errors(Answer(off), batch, Schedule.cosine(50))
    assert found["points"] == pytest.approx(0.3, rel=1e-3) and found["points_unlined"] == pytest.approx(0.3, rel=1e-3)


def test_it_learns_and_leaves_a_checkpoint_of_its_kind(folder, tmp_path):
    path = train_single_view(folder, tmp_path, TINY)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    loss = [row["loss"] for row in rows if "loss" in row]
    assert loss[1] < 0.8 * loss[0]
    assert {"test/points", "test/lines_unlined"} <= set(rows[-1])
    network, manifest = load_checkpoint(path, kinds=SINGLE_VIEW)
    assert isinstance(network, SingleView) and manifest["frames"] == FRAMES and manifest["fps"] == 30
    assert len(manifest["training"]["data"]) == 3
    noisy = torch.randn(2, FRAMES, 24, 2)
    condition, valid = torch.randn(2, FRAMES, SINGLE_WIDTH), torch.ones(2, FRAMES, dtype=torch.bool)
    assert network(noisy, torch.tensor([3, 40]), condition, valid).shape == noisy.shape
    with pytest.raises(AnyliftError, match="single-view") as caught:
        load_checkpoint(path)
    assert "synthesize" in caught.value.hint
    before = path.read_bytes()
    assert train_single_view(folder, tmp_path, TINY).read_bytes() == before, "a finished training stays as it is"


KILLED = """
from test_training_single_view import TINY, train_single_view
train_single_view(Path({clips!r}), Path({folder!r}), TINY)
"""


def logged(folder: Path) -> list[dict[str, float]]:
    """Rows of the log without what the clock says."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "steps_per_second"} for row in rows]


def test_a_killed_training_goes_on_to_the_same_curve(folder, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train_single_view(folder, tmp_path / "whole", TINY)
        killed_at_first_state(KILLED.format(clips=str(folder), folder=str(tmp_path / "killed")), tmp_path / "killed")
        assert torch.load(tmp_path / "killed" / STATE_FILE, weights_only=True)["step"] == 50
        again = train_single_view(folder, tmp_path / "killed", TINY)
    finally:
        torch.set_num_threads(threads)
    assert logged(tmp_path / "killed") == logged(tmp_path / "whole")
    assert again.read_bytes() == whole.read_bytes()


def test_a_training_that_diverges_leaves_the_last_good_checkpoint(folder, tmp_path):
    diverged_after_a_good_state(
        lambda loop: train_single_view(folder, tmp_path, replace(TINY, loop=loop)), TINY.loop, tmp_path
    )


def test_impossible_windows_are_refused(folder, tmp_path):
    with pytest.raises(UsageError, match="window"):
        train_single_view(folder, tmp_path, replace(TINY, frames=30))


def test_no_clips(tmp_path):
    with pytest.raises(AnyliftError, match="no training clips"):
        train_single_view(tmp_path, tmp_path / "out", TINY)


def test_good_tracks_are_kept_whole_at_the_rate(scenes):
    (cut,) = cut_clips(*artifacts(scenes[1]), 0, "kick")
    assert cut.name == "kick.shot1.person1.part1" and cut.reason == ""
    assert cut.clip.meta["source"] == "kick" and len(cut.clip.weight) == len(scenes[1].time)
    assert cut.clip.rays.shape[1:] == (24, 2) and (cut.clip.weight == 1).all()


def test_what_is_dropped_and_why(scenes):
    """Faint frames cut a track, short gaps do not, what is left too short or shaky is told."""
    keypoints, cameras = artifacts(filmed("kick", "still", 1, 5.0))
    keypoints.confidence[:, 20:26] = 0.1
    assert [(cut.reason, cut.seconds) for cut in cut_clips(keypoints, cameras, 0, "a")] == [("", 5.0)]
    keypoints.confidence[:, 30:50] = 0.1
    cuts = cut_clips(keypoints, cameras, 0, "a")
    assert [cut.seconds for cut in cuts] == pytest.approx([1.0, 100 / 30])
    assert "shorter than 2 s" in cuts[0].reason and cuts[0].clip is None
    assert len(cuts[1].clip.weight) == 100
    keypoints.confidence[:] = 0.1
    assert "faintly" in cut_clips(keypoints, cameras, 0, "a")[0].reason
    shaky, cameras = artifacts(scenes[0])
    shaky.keypoints += np.random.default_rng(0).normal(0, 3.0, shaky.keypoints.shape).astype(np.float32)
    (cut,) = cut_clips(shaky, cameras, 0, "a")
    assert "jitter" in cut.reason


def test_unseen_points_lie_between_their_neighbours(scenes):
    keypoints, cameras = artifacts(scenes[0])
    keypoints.keypoints[:, 10:13, K["left_wrist"]] = np.nan
    keypoints.confidence[:, 10:13, K["left_wrist"]] = 0
    keypoints.keypoints[:, :, K["nose"]] = np.nan
    keypoints.confidence[:, :, K["nose"]] = 0
    (cut,) = cut_clips(keypoints, cameras, 0, "a")
    wrist = cut.clip.rays[:, K["left_wrist"]]
    assert np.allclose(wrist[11], 0.5 * (wrist[9] + wrist[13]), atol=1e-5)
    assert (cut.clip.weight[10:13, K["left_wrist"]] == 0).all() and cut.clip.weight[9, K["left_wrist"]] == 1
    seen = np.delete(cut.clip.rays, K["nose"], 1)
    nose = cut.clip.rays[:, K["nose"]]
    assert (nose > seen.min(1)).all() and (nose < seen.max(1)).all()


def test_arbitrary_paths_get_their_scale_from_local_poses(scenes):
    keypoints, cameras = artifacts(scenes[2])
    cameras.meta["scale"] = "arbitrary"
    true = cameras.world_from_camera[:, :3, 3].copy()
    cameras.world_from_camera[:, :3, 3] = 0.2 * (true - true[0])
    (cut,) = cut_clips(keypoints, cameras, 0, "a")
    path = cut.clip.world_from_camera[:, :3, 3]
    assert np.linalg.norm(path[-1] - path[0]) == pytest.approx(np.linalg.norm(true[-1] - true[0]), rel=0.1)
    keypoints.local_joints = None
    (cut,) = cut_clips(keypoints, cameras, 0, "a")
    assert cut.clip is None and "metric scale" in cut.reason


def test_other_axes_come_out_upright(scenes):
    """A world with y up: the clip is the same but for the heading."""
    keypoints, cameras = artifacts(scenes[1])
    (plain,) = cut_clips(keypoints, cameras, 0, "a")
    turn = np.eye(4)
    turn[:3, :3] = matrix_from_axis_angle(torch.tensor([-np.pi / 2, 0, 0])).numpy()
    cameras.world_from_camera, cameras.up = turn @ cameras.world_from_camera, turn[:3, 2]
    (other,) = cut_clips(keypoints, cameras, 0, "a")
    assert np.allclose(other.clip.world_from_camera[:, 2], plain.clip.world_from_camera[:, 2], atol=1e-4)
    assert CAMERA_WIDTH == 21 and CAMERA.start == 72

"""Stage B: with a prior that knows the truth, synthesis must find it; and A, B and C one after the other."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from few_packages import run_with_few_packages
from mocap_files import write_mocap
from video_clips import artifacts, clip_folder, filmed

from anylift_cli.body.prior import PosePrior
from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, K
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.lifting.canonical import Canonical
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.epipolar import along_ring, line_distance, relative, view_lines
from anylift_cli.lifting.imagination import Imagination
from anylift_cli.lifting.multi_view import imagine, triangulated
from anylift_cli.lifting.networks import NetworkConfig, ViewsAsChannels
from anylift_cli.lifting.observation import observe, root_of
from anylift_cli.lifting.single_view import SINGLE_WIDTH, decoupled
from anylift_cli.lifting.views import to_views, view_rotations
from anylift_cli.synthetic.draw import Draw
from anylift_cli.training.cleaning import cleaned
from anylift_cli.training.clips import mean_lengths
from anylift_cli.training.loop import LoopConfig
from anylift_cli.training.mocap_batches import MocapBatches
from anylift_cli.training.multi_view import MODEL_FILE, MultiViewConfig, PlacedBatches, train_multi_view
from anylift_cli.training.point_clips import (
    PointClip,
    read_point_clips,
    varied_points,
    write_point_clips,
)
from anylift_cli.training.single_view import SingleViewConfig, train_single_view
from anylift_cli.training.single_view_batches import ClipBatches
from anylift_cli.training.synthesis import (
    METHODS,
    PAPER,
    Distillation,
    ancestral,
    distilled,
    faults,
    input_lines,
    line_terms,
)
from anylift_cli.training.synthesised import SynthesisConfig, synthesize_clips

FRAMES, VIEWS, FPS = 32, 4, 30.0
SCHEDULE = Schedule.cosine(100)
NAMES = (("kick", "still", 1), ("kick", "orbit", 2), ("squat", "dolly", 3), ("kick", "pan", 4))


@pytest.fixture(scope="module")
def scenes():
    """One as long as two windows, the others a little longer."""
    return [filmed(*name, seconds) for name, seconds in zip(NAMES, (64 / 30, 2.2, 2.2, 2.2), strict=True)]


@pytest.fixture(scope="module")
def folder(scenes, tmp_path_factory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("data"), scenes)


@dataclass(frozen=True)
class Known:
    """Clips with their truth: points relative to the size root, and the 2D points of all virtual views."""

    seen: Canonical
    valid: torch.Tensor
    local: torch.Tensor
    rotations: torch.Tensor
    views: torch.Tensor

    def oracle(self, noisy: torch.Tensor, step: torch.Tensor, lines: torch.Tensor) -> torch.Tensor:
        return decoupled(self.views)


@pytest.fixture(scope="module")
def known(folder, scenes) -> Known:
    return truth_of(folder, scenes, VIEWS)


def truth_of(folder: Path, scenes: list, views: int) -> Known:
    clips = len(scenes)
    data = ClipBatches(folder, "all", FRAMES, 0.0, 0, "cpu", vary=False)
    by_name = {scene.spec.name: scene.keypoints3d[:FRAMES] for scene in scenes}
    world = torch.tensor(np.stack([by_name[source] for source in data.source]), dtype=torch.float32)
    seen, valid = data.window(torch.arange(clips), torch.zeros(clips, dtype=torch.long))
    local, rotations = seen.from_world(world), view_rotations(seen.up, views)
    return Known(seen, valid, local, rotations, to_views(local, seen.root, rotations))


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def metres(seen: Canonical, local: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    return (local - true).norm(dim=-1) * seen.unit[:, None, None]


@pytest.mark.parametrize("views", [3, 4, 6])
def test_with_the_true_prior_sampling_finds_the_true_motion(folder, scenes, views):
    known = truth_of(folder, scenes, views)
    found = ancestral(known.oracle, SCHEDULE, known.seen, known.rotations, 5, noise())
    local, _ = triangulated(known.seen, found)
    assert metres(known.seen, local, known.local).max() < 1e-3


def test_points_that_the_input_does_not_show_are_found_too(known):
    weight = known.seen.weight.clone()
    weight[:, 8:20, [K["left_wrist"], K["left_elbow"]]] = 0
    seen = replace(known.seen, weight=weight)
    found = ancestral(known.oracle, SCHEDULE, seen, known.rotations, 3, noise())
    local, _ = triangulated(seen, found)
    assert metres(seen, local, known.local).max() < 1e-3


def test_sampling_is_told_lines_of_what_is_seen_and_noise_that_is_one_in_3d(known):
    """The prior's inputs: exact lines through the truth, unit noise, opposite in x from opposite sides."""
    told = []

    def listening(noisy: torch.Tensor, step: torch.Tensor, lines: torch.Tensor) -> torch.Tensor:
        told.append((noisy, int(step[0]), lines))
        return decoupled(known.views)

    ancestral(listening, SCHEDULE, known.seen, known.rotations, 4, noise())
    assert [step for _, step, _ in told] == [99, 74, 50, 25]
    assert all(line_distance(known.views, lines).max() < 1e-5 for _, _, lines in told)
    first = told[0][0]
    assert first.std() == pytest.approx(1, abs=0.02) and abs(first.mean()) < 0.02
    upright = known.seen.up[..., 1] < -0.995
    side, back, other = first[upright].unbind(1)
    assert torch.corrcoef(torch.stack([side[..., 0].flatten(), other[..., 0].flatten()]))[0, 1] < -0.95
    assert abs(torch.corrcoef(torch.stack([side[..., 0].flatten(), back[..., 0].flatten()]))[0, 1]) < 0.1
    assert not torch.allclose(told[1][0], told[0][0])


def test_the_same_seed_is_the_same_sample(known):
    def blurred(noisy: torch.Tensor, step: torch.Tensor, lines: torch.Tensor) -> torch.Tensor:
        return decoupled(known.views) + 0.1 * noisy

    one, again, other = (
        ancestral(blurred, SCHEDULE, known.seen, known.rotations, 3, noise(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.allclose(one, other, atol=1e-3)


def test_unseen_points_have_no_line_until_they_have_a_place(known):
    weight = known.seen.weight.clone()
    weight[:, 3, K["nose"]] = 1e-3
    seen = replace(known.seen, weight=weight)
    lines = input_lines(seen, None, known.rotations)
    assert (lines[:, 3, :, K["nose"]] == 0).all() and (lines[:, 4, :, K["nose"]] != 0).any()
    assert (lines.norm(dim=-1) > 0).sum() == lines[..., 0].numel() - 4 * (VIEWS - 1)
    lines = input_lines(seen, known.local, known.rotations)
    assert line_distance(known.views, lines).max() < 1e-5
    assert (lines[:, 3, :, K["nose"]] != 0).any(-1).all()


def test_line_terms_are_those_of_a_loop_over_pairs(known):
    """Three virtual views: pairs (1, 2) and (2, 3) both ways, the input into each view of each pair, over two."""
    generator = torch.Generator().manual_seed(3)
    points = known.views + 0.05 * torch.randn(known.views.shape, generator=generator)
    lines = input_lines(known.seen, None, known.rotations)
    poses, root = along_ring(known.seen.root, known.rotations), known.seen.root

    def mean(source: int, target: int) -> float:
        pose = relative(poses[:, :, source], poses[:, :, target])
        found = view_lines(points[:, :, source], root, pose)
        return float(line_distance(points[:, :, target], found).mean())

    expected = sum(mean(a, b) + mean(b, a) for a, b in ((0, 1), (1, 2)))
    expected += sum(
        times * float(line_distance(points, lines)[:, :, view].mean()) for view, times in enumerate((1, 2, 1))
    )
    found = float(line_terms(known.seen, known.rotations, points, lines))
    assert found == pytest.approx(expected / 2, rel=0.05), "but for points near an epipole, which count less"
    assert float(line_terms(known.seen, known.rotations, known.views, lines)) < 1e-5


def test_line_terms_move_targets_only(known):
    """The first virtual view has one neighbour: its gradient is across that one's lines."""
    points = (known.views + 0.05 * torch.randn(known.views.shape, generator=noise(2))).requires_grad_(True)
    none = torch.zeros_like(input_lines(known.seen, None, known.rotations))
    line_terms(known.seen, known.rotations, points, none).backward()
    poses = along_ring(known.seen.root, known.rotations)
    across = view_lines(points[:, :, 1].detach(), known.seen.root, relative(poses[:, :, 1], poses[:, :, 0]))
    pull = torch.nn.functional.normalize(points.grad[:, :, 0], dim=-1)
    assert (pull[..., 0] * across[..., 1] - pull[..., 1] * across[..., 0]).abs().max() < 1e-3
    assert (pull.norm(dim=-1) > 0.9).all()


def test_distillation_moves_views_onto_their_lines(known):
    """Without a prior: 0.1 off, then on the lines; what is along the lines stays."""
    start = known.views + 0.1 * torch.randn(known.views.shape, generator=noise(5))
    lines = input_lines(known.seen, None, known.rotations)
    only_lines = Distillation(iterations=80, rate=5e-3, snr_limit=0.0, ramp=0)
    found = distilled(known.oracle, SCHEDULE, known.seen, known.rotations, start, only_lines, noise())
    assert line_distance(start, lines).mean() > 0.07
    assert line_distance(found, lines).mean() < 0.02
    assert (found - known.views).norm(dim=-1).mean() > 0.03


def test_distillation_moves_views_to_what_the_prior_says(known):
    start = known.views + 0.1 * torch.randn(known.views.shape, generator=noise(5))
    no_lines = Distillation(iterations=80, rate=5e-3, lines=0.0)
    found = distilled(known.oracle, SCHEDULE, known.seen, known.rotations, start, no_lines, noise())
    assert (start - known.views).abs().mean() > 0.07
    assert (found - known.views).abs().mean() < 0.005


def test_one_step_of_distillation_by_hand(known):
    """Adam's first step is the rate against the gradient's sign, which is the sign of what the prior would change."""
    start = known.views + 0.1
    once = Distillation(iterations=1, rate=0.01, lines=0.0)
    found = decoupled(distilled(known.oracle, SCHEDULE, known.seen, known.rotations, start, once, noise()))
    expected = decoupled(start)
    expected[..., [K["left_hip"], K["right_hip"]], :] -= 0.01
    off = (found - expected).abs()
    assert off[..., [K["left_hip"], K["right_hip"]], :].max() < 1e-4
    assert off.max() < 0.0101, "local parts were right but for rounding"


def test_the_papers_schedule(known):
    assert (PAPER.iterations, PAPER.rate, PAPER.lines, PAPER.ramp) == (5000, 1e-3, 1000.0, 0)
    assert METHODS["sds-paper"].passes == 5000
    method = METHODS["sds-paper"].function
    found = method(known.oracle, SCHEDULE, known.seen, known.rotations, 40, noise())
    begun = known.views.abs().mean()
    assert (found - known.views).abs().mean() < begun - 0.01


def test_distillation_after_sampling(known):
    found = METHODS["sds"].function(known.oracle, SCHEDULE, known.seen, known.rotations, 3, noise())
    local, _ = triangulated(known.seen, found)
    assert metres(known.seen, local, known.local).mean() < 0.02


def judged(known: Known, local: torch.Tensor, views: torch.Tensor | None = None, **changed) -> list[str]:
    views = to_views(local, known.seen.root, known.rotations) if views is None else views
    arguments = {"seen": known.seen, "valid": known.valid, **changed}
    return faults(arguments["seen"], arguments["valid"], local, views, known.rotations, FPS)


def test_true_motions_are_kept(known):
    assert judged(known, known.local) == [""] * len(NAMES)


def test_each_rule_rejects_what_it_is_for(known):
    valid = known.valid.clone()
    valid[1, 10:] = False
    assert judged(known, known.local, valid=valid) == ["", "too short", "", ""]

    per_metre = 1 / known.seen.unit[2]
    aside = known.local.clone()
    aside[2, ..., 0] += 0.25 * per_metre
    assert judged(known, aside) == ["", "", "not what the input view shows", ""]

    views = known.views.clone()
    views[3] += 0.3 * input_lines(known.seen, None, known.rotations)[3, ..., :2]
    assert judged(known, known.local, views) == ["", "", "", "off the lines"]

    stretched = known.local.clone()
    root = known.seen.root[0, :, None]
    swell = 1 + 0.15 * torch.sin(torch.arange(FRAMES) * 0.2)[:, None, None]
    stretched[0] = (known.local[0] + root) * swell - root
    assert judged(known, stretched) == ["limbs change length", "", "", ""]

    jump = known.local.clone()
    jump[1, 16:] = (known.local[1, 16:] + known.seen.root[1, 16:, None]) * 1.5 - known.seen.root[1, 16:, None]
    assert judged(known, jump)[1] == "too fast"


def test_cleaning_takes_noise_out_and_leaves_the_truth(known, scenes):
    """4 cm of noise in 3D, from frame to frame: most of the jitter goes; true points hardly move."""
    arguments = {"lengths": mean_lengths("cpu"), "prior": PosePrior.load(), "fps": FPS}
    none = torch.zeros(known.local.shape[:-1])
    truth = known.seen.to_world(known.local)
    noisy = (
        known.local + 0.04 * torch.randn(known.local.shape, generator=noise(4)) / known.seen.unit[:, None, None, None]
    )
    steady = cleaned(known.seen, noisy, none + 0.03, **arguments)

    def jitter(points: torch.Tensor) -> torch.Tensor:
        return points.diff(n=2, dim=1).norm(dim=-1).mean()

    def error(points: torch.Tensor) -> torch.Tensor:
        return (points - truth).norm(dim=-1).mean()

    assert error(known.seen.to_world(noisy)) > 0.06 and jitter(known.seen.to_world(noisy)) > 0.12
    assert error(steady) < 0.045 and jitter(steady) < 0.03
    assert error(cleaned(known.seen, known.local, none, **arguments)) < 0.02


@pytest.fixture(scope="module")
def point_file(tmp_path_factory, scenes) -> Path:
    path = tmp_path_factory.mktemp("points") / "clips.npz"
    seen = np.ones(24, np.float32)
    seen[K["nose"]] = 0.25
    clips = [
        PointClip(scene.keypoints3d + np.array([0, 0, 0.3]), scene.spec.name, "kicks", "train") for scene in scenes
    ]
    write_point_clips(path, clips, seen, FPS, {"method": "truth"})
    return path


def test_point_files_hold_clips_on_their_floor(point_file, scenes):
    clips = read_point_clips(point_file)
    assert clips.length.tolist() == [len(scene.time) for scene in scenes] and clips.fps == FPS
    assert clips.split.tolist() == ["train", "train", "train", "test"], "one of them is for testing"
    for begin, count, scene in zip(clips.start, clips.length, scenes, strict=True):
        points = clips.points[begin : begin + count].numpy()
        feet = points[:, [K["left_heel"], K["right_heel"], K["left_big_toe"], K["right_big_toe"]], 2]
        assert abs(np.quantile(feet.min(1), 0.05)) < 0.03
        assert np.allclose(points[:, 0] - points[:, 5], scene.keypoints3d[:, 0] - scene.keypoints3d[:, 5], atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"seen": None}, "seen missing"), ({"clip_len": np.array([9, 9, 9, 999999])}, "outside"),
     ({"split": np.array(["train"])}, "differ in length"), ({"keypoint_names": np.array(BODY24[::-1])}, "order"),
     ({"fps": np.float32(np.nan)}, "finite")],
)  # fmt: skip
def test_damaged_point_files_are_told(point_file, tmp_path, changed, message):
    with np.load(point_file) as stored:
        arrays = {**stored, **changed}
    np.savez(tmp_path / "bad.npz", **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(AnyliftError, match=message):
        read_point_clips(tmp_path / "bad.npz")


def test_other_people_have_the_same_pose():
    points = torch.randn(64, 5, 24, 3, generator=noise(1))
    other = varied_points(points, Draw.seeded(0))
    size = (other.diff(dim=1).norm(dim=-1).sum((1, 2)) / points.diff(dim=1).norm(dim=-1).sum((1, 2))).sort().values
    assert size[0] < 0.9 and size[-1] > 1.1
    scale = other[..., 2] / points[..., 2]
    mirrored = (scale.std((1, 2)) > 1e-3).float().mean()
    swapped = other[:, :, list(BODY24_MIRROR), 2] / points[..., 2]
    assert 0.3 < mirrored < 0.7
    assert torch.equal(swapped.std((1, 2)) < 1e-4, scale.std((1, 2)) > 1e-3)


def test_stage_c_batches_of_points_tell_the_truth(point_file):
    data = MocapBatches([point_file], "train", FRAMES, VIEWS, 0, "cpu")
    assert data.point_weight[K["nose"]] == pytest.approx(0.5) and data.point_weight[K["left_knee"]] == 1
    batch = data.batch(0, 16)
    assert batch.condition.shape == (16, FRAMES, WIDTH)
    unseen = replace(batch.seen, weight=torch.zeros_like(batch.seen.weight))
    points, _ = triangulated(unseen, batch.views)
    assert (points - batch.local).abs().quantile(0.95) < 1e-3
    assert torch.equal(batch.views, data.batch(0, 16).views)


def test_who_begins_with_a_network_keeps_its_places(point_file):
    """Hips are where the other network sees them, poses about them are the clips'."""
    torch.manual_seed(0)
    teacher = ViewsAsChannels(NetworkConfig(width=32, layers=1, heads=1, expansion=2, views=VIEWS, condition=WIDTH))
    torch.nn.init.normal_(teacher.output.weight, std=0.1)
    schedule, source = Schedule.cosine(50), ([point_file], "train", FRAMES, VIEWS, 0, "cpu")
    plain, placed = MocapBatches(*source).batch(3, 8), PlacedBatches(teacher, schedule, *source).batch(3, 8)
    with torch.no_grad():
        seen = imagine(teacher, schedule, plain.condition, plain.valid, 1, 0)
    assert (root_of(seen) - root_of(plain.views)).abs().mean() > 0.01
    assert root_of(placed.views) == pytest.approx(root_of(seen), abs=1e-5)
    assert centred(placed.views) == pytest.approx(centred(plain.views), abs=1e-5)


def centred(views: torch.Tensor) -> torch.Tensor:
    return views - root_of(views)[..., None, :]


def test_points_and_joints_do_not_mix(point_file, tmp_path):
    with pytest.raises(AnyliftError, match="do not mix"):
        MocapBatches([write_mocap(tmp_path / "walks.npz"), point_file], "train", FRAMES, VIEWS, 0, "cpu")


LOOP = LoopConfig(steps=150, rate=4e-3, warmup=10, ema=0.98, decay=0.3, save_seconds=1e9)


@pytest.fixture(scope="module")
def prior(folder, tmp_path_factory) -> Path:
    """A stage A of half a minute."""
    config = SingleViewConfig(
        NetworkConfig(width=64, layers=1, heads=2, expansion=2, condition=SINGLE_WIDTH), LOOP,
        frames=FRAMES, batch=16, noise_steps=50,
    )  # fmt: skip
    return train_single_view(folder, tmp_path_factory.mktemp("a"), config)


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_from_videos_to_a_lifter(prior, folder, scenes, tmp_path):
    """A → B → C without any 3D truth; what comes out is a checkpoint that lifts."""
    assert losses(prior.parent)[-1] < 0.6 * losses(prior.parent)[0]
    clips = tmp_path / "clips.npz"
    reasons = synthesize_clips(prior, folder, clips, SynthesisConfig(passes=8, views=VIEWS))
    assert sum(reasons.values()) == sum(-(-len(scene.time) // FRAMES) for scene in scenes)
    assert reasons[""] >= 2
    stored = read_point_clips(clips)
    assert len(stored.length) == reasons[""] and {"train", "test"} == set(stored.split)
    config = MultiViewConfig(
        NetworkConfig(width=32, layers=1, heads=1, expansion=2, condition=WIDTH), LOOP,
        frames=FRAMES, batch=8, noise_steps=50,
    )  # fmt: skip
    path = train_multi_view([clips], tmp_path / "c", config, None, "anylift train")
    assert losses(tmp_path / "c")[-1] < 0.9 * losses(tmp_path / "c")[0]
    imagination = Imagination.load(path, "cpu")
    seen = observe(*artifacts(scenes[0]), 0, "cpu")
    points, deviation = imagination(seen, mean_lengths("cpu"), 1, [0])
    assert points.shape == (1, len(scenes[0].time), 24, 3) and points.isfinite().all()
    assert deviation.isfinite().all()


def test_the_same_seed_gives_the_same_file(prior, folder, tmp_path):
    config = SynthesisConfig(passes=2, views=3)
    for name in ("one", "two"):
        synthesize_clips(prior, folder, tmp_path / f"{name}.npz", config)
    assert torch.equal(*(read_point_clips(tmp_path / f"{name}.npz").points for name in ("one", "two")))


def test_what_cannot_be_synthesised_is_told(prior, folder, tmp_path):
    with pytest.raises(UsageError, match="unknown method"):
        synthesize_clips(prior, folder, tmp_path / "x.npz", SynthesisConfig(method="magic"))
    with pytest.raises(UsageError, match="too few"):
        synthesize_clips(prior, folder, tmp_path / "x.npz", SynthesisConfig(views=2))
    with pytest.raises(AnyliftError, match="does not exist"):
        synthesize_clips(tmp_path / "none.safetensors", folder, tmp_path / "x.npz", SynthesisConfig())
    assert not (tmp_path / "x.npz").exists()


def test_a_prior_that_knows_nothing_makes_no_clips(folder, tmp_path):
    config = SingleViewConfig(
        NetworkConfig(width=32, layers=1, heads=1, condition=SINGLE_WIDTH), replace(LOOP, steps=1),
        frames=FRAMES, batch=2, noise_steps=50,
    )  # fmt: skip
    prior = train_single_view(folder, tmp_path / "a", config)
    with pytest.raises(AnyliftError, match="too few of 11 windows") as caught:
        synthesize_clips(prior, folder, tmp_path / "x.npz", SynthesisConfig(passes=2, views=VIEWS))
    assert "off the lines" in caught.value.message and "longer" in caught.value.hint
    assert not (tmp_path / "x.npz").exists()


def test_training_from_videos_needs_few_packages(prior, folder, tmp_path):
    sizes = ("--width", "32", "--layers", "1", "--steps", "2", "--batch", "2")
    run_with_few_packages(tmp_path, "train", "single-view", folder, "--out", "a", *sizes, "--frames", FRAMES)
    how = ("--passes", "8", "--views", VIEWS)
    run_with_few_packages(tmp_path, "train", "synthesize", prior, folder, "--out", "clips.npz", *how)
    run_with_few_packages(tmp_path, "train", "multi-view", "clips.npz", "--out", "c", *sizes, "--frames", "16")
    assert (tmp_path / "c" / MODEL_FILE).exists()

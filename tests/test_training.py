"""Training: it learns, continues to the same curve, and stops where it must."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from few_packages import run_with_few_packages
from interrupted import diverged_after_a_good_state, killed_at_first_state
from mocap_files import write_mocap
from torch import nn

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.body.mocap import MEASURED_POINTS
from anylift_cli.body.skeleton import K
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.lifting.checkpoint import load_checkpoint
from anylift_cli.lifting.conditions import WIDTH, conditions
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.lifting.multi_view import triangulated
from anylift_cli.lifting.networks import CrossView, NetworkConfig, ViewsAsChannels
from anylift_cli.synthetic.virtual_cameras import MODES, PAN, STILL
from anylift_cli.training.averaging import average_checkpoints
from anylift_cli.training.log import LOG_FILE, TrainingLog
from anylift_cli.training.loop import STATE_FILE, LoopConfig, learning_rate, train
from anylift_cli.training.mocap_batches import Batch, MocapBatches
from anylift_cli.training.multi_view import (
    MODEL_FILE,
    MultiViewConfig,
    denoised,
    errors,
    train_multi_view,
    view_losses,
)

FRAMES = 16
TINY = MultiViewConfig(
    NetworkConfig(width=32, layers=1, heads=2, expansion=2, condition=WIDTH),
    LoopConfig(steps=100, rate=3e-3, warmup=10, save_seconds=0, decay=0),
    frames=FRAMES, batch=6, noise_steps=50,
)  # fmt: skip


@pytest.fixture(scope="module")
def mocap(tmp_path_factory) -> Path:
    return write_mocap(tmp_path_factory.mktemp("mocap") / "walks.npz")


@pytest.fixture(scope="module")
def batches(mocap) -> MocapBatches:
    return MocapBatches([mocap], "train", FRAMES, 4, 0, "cpu")


def logged(folder: Path) -> list[dict[str, float]]:
    """Rows of the log without what the clock says."""
    rows = [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "steps_per_second"} for row in rows]


class Line(nn.Module):
    """y = a x + b, to be learned from 3 x − 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def learn(folder: Path, config: LoopConfig, identity: str = "line", broken_at: int | None = None) -> nn.Module:
    """Train `Line`; from step `broken_at` on the loss is NaN."""

    def loss_of(model: nn.Module, step: int) -> dict[str, torch.Tensor]:
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        loss = (model(x) - (3 * x - 1)).square().mean()
        return {"loss": loss * (math.nan if broken_at is not None and step >= broken_at else 1.0)}

    def publish(model: nn.Module, step: int) -> None:
        (folder / "published").write_text(str(step))

    def evaluate(model: nn.Module) -> dict[str, float]:
        return {"slope": model.layer.weight.item()}

    return train(Line(), loss_of, evaluate, publish, config, folder, {"name": identity})


QUICK = LoopConfig(steps=200, rate=0.05, warmup=5, ema=0.9, weight_decay=0.0, save_seconds=0, evaluate_every=100)


def test_the_loop_learns(tmp_path):
    averaged = learn(tmp_path, replace(QUICK, steps=400))
    assert averaged.layer.weight.item() == pytest.approx(3, abs=0.02)
    assert averaged.layer.bias.item() == pytest.approx(-1, abs=0.02)
    rows = logged(tmp_path)
    assert [row["step"] for row in rows if "loss" in row] == list(range(50, 401, 50))
    assert [row["step"] for row in rows if "test/slope" in row] == [100, 200, 300, 400]
    assert rows[-1]["test/slope"] == pytest.approx(averaged.layer.weight.item())
    assert (tmp_path / "published").read_text() == "400"


@pytest.mark.parametrize("stop", [50, 150])
def test_a_continued_training_is_the_unbroken_one(tmp_path, stop):
    constant = replace(QUICK, decay=0)
    whole = learn(tmp_path / "whole", constant)
    learn(tmp_path / "parts", replace(constant, steps=stop))
    parts = learn(tmp_path / "parts", constant)
    assert torch.equal(whole.layer.weight, parts.layer.weight) and torch.equal(whole.layer.bias, parts.layer.bias)
    rows = [[row for row in logged(tmp_path / name) if "loss" in row] for name in ("whole", "parts")]
    assert rows[0] == rows[1]


def test_a_training_stopped_between_log_rows_logs_means_of_what_it_did(tmp_path):
    """Steps 51 … 70, then 71 … 100: each row is the mean of its own steps."""
    constant = replace(QUICK, decay=0, steps=100)
    learn(tmp_path / "whole", constant)
    learn(tmp_path / "parts", replace(constant, steps=70))
    learn(tmp_path / "parts", constant)
    whole = {row["step"]: row["loss"] for row in logged(tmp_path / "whole") if "loss" in row}
    parts = {row["step"]: row["loss"] for row in logged(tmp_path / "parts") if "loss" in row}
    assert sorted(parts) == [50, 70, 100]
    assert (20 * parts[70] + 30 * parts[100]) / 50 == pytest.approx(whole[100])


def test_a_finished_training_stays_as_it_is(tmp_path):
    learn(tmp_path, QUICK)
    before = sha256_of(tmp_path / STATE_FILE), logged(tmp_path)
    averaged = learn(tmp_path, QUICK)
    assert (sha256_of(tmp_path / STATE_FILE), logged(tmp_path)) == before
    assert averaged.layer.weight.item() == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize(("broken_at", "steps", "last_good"), [(70, 200, 50), (120, 130, 100)])
def test_a_loss_that_is_not_finite_stops_and_leaves_the_last_good_state(tmp_path, broken_at, steps, last_good):
    with pytest.raises(AnyliftError, match="not finite") as caught:
        learn(tmp_path, replace(QUICK, steps=steps), broken_at=broken_at)
    assert STATE_FILE in caught.value.hint
    state = torch.load(tmp_path / STATE_FILE, weights_only=True)
    assert state["step"] == last_good and (tmp_path / "published").read_text() == str(last_good)
    assert all(torch.isfinite(value).all() for value in state["network"].values())
    averaged = learn(tmp_path, replace(QUICK, steps=400))
    assert averaged.layer.weight.item() == pytest.approx(3, abs=0.02)


def test_a_loss_that_is_not_finite_from_the_beginning_leaves_no_state(tmp_path):
    with pytest.raises(AnyliftError, match="not finite") as caught:
        learn(tmp_path, QUICK, broken_at=0)
    assert not (tmp_path / STATE_FILE).exists() and STATE_FILE not in caught.value.hint


def test_a_loss_that_grows_beyond_its_beginning_stops_and_leaves_the_last_good_state(tmp_path):
    constant = replace(QUICK, decay=0)
    learn(tmp_path, replace(constant, steps=100))
    with pytest.raises(AnyliftError, match=r"the loss diverges: .* after step 150, ") as caught:
        learn(tmp_path, replace(constant, rate=50.0))
    assert STATE_FILE in caught.value.hint
    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["step"] == 100
    averaged = learn(tmp_path, replace(constant, steps=400))
    assert averaged.layer.weight.item() == pytest.approx(3, abs=0.02)


def test_other_settings_do_not_get_into_the_folder(tmp_path):
    learn(tmp_path, replace(QUICK, steps=50))
    before = sha256_of(tmp_path / STATE_FILE), sha256_of(tmp_path / LOG_FILE)
    with pytest.raises(AnyliftError, match="other settings") as caught:
        learn(tmp_path, QUICK, identity="circle")
    assert "--out" in caught.value.hint
    assert (sha256_of(tmp_path / STATE_FILE), sha256_of(tmp_path / LOG_FILE)) == before


@pytest.mark.parametrize("content", [b"", b"not a state", "cut", "foreign"])
def test_damaged_states_are_told(tmp_path, content):
    learn(tmp_path, replace(QUICK, steps=50))
    path = tmp_path / STATE_FILE
    if content == "cut":
        path.write_bytes(path.read_bytes()[:-500])
    elif content == "foreign":
        torch.save({"step": 3}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(AnyliftError, match=STATE_FILE) as caught:
        learn(tmp_path, QUICK)
    assert caught.value.hint


def test_a_folder_that_cannot_be_one_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnyliftError, match="file"):
        learn(tmp_path / "file", QUICK)


def test_the_log_drops_what_came_after_the_state(tmp_path):
    rows = [{"step": step, "loss": 1.0 / step} for step in (50, 100, 150)]
    (tmp_path / LOG_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 200, "lo')
    log = TrainingLog(tmp_path, 100)
    log.write({"step": 150, "loss": 7.0})
    assert logged(tmp_path) == [*rows[:2], {"step": 150, "loss": 7.0}]


def test_learning_rate_warms_up_stays_and_falls():
    config = LoopConfig(steps=1000, rate=2.0, warmup=100, decay=0.4)
    assert learning_rate(0, config) == pytest.approx(0.02) and learning_rate(49, config) == pytest.approx(1.0)
    assert learning_rate(99, config) == learning_rate(600, config) == pytest.approx(2.0)
    assert learning_rate(800, config) == pytest.approx(1.0)
    assert learning_rate(999, config) < 1e-4
    assert learning_rate(999, replace(config, decay=0)) == pytest.approx(2.0)


def test_the_average_follows_late_and_early_averages_are_short(tmp_path):
    """One step of warm-up: the first weights are taken as they are."""
    first = learn(tmp_path / "one", replace(QUICK, steps=1, warmup=1, ema=0.999))
    state = torch.load(tmp_path / "one" / STATE_FILE, weights_only=True)
    assert torch.equal(first.layer.weight, state["network"]["layer.weight"])
    slow = learn(tmp_path / "slow", replace(QUICK, steps=30, ema=0.999))
    now = torch.load(tmp_path / "slow" / STATE_FILE, weights_only=True)["network"]["layer.weight"]
    assert 0.2 < (slow.layer.weight / now).item() < 0.99


def test_the_same_step_is_the_same_batch(batches, mocap):
    one, again = batches.batch(7, 5), MocapBatches([mocap], "train", FRAMES, 4, 0, "cpu").batch(7, 5)
    for name in ("condition", "views", "valid", "world"):
        assert torch.equal(getattr(one, name), getattr(again, name)), name
        assert name == "valid" or not torch.equal(getattr(one, name), getattr(batches.batch(8, 5), name)), name


def test_batches_tell_the_truth(batches):
    """True views give the true points back; conditions are those of the evidence."""
    batch = batches.batch(3, 32)
    assert batch.condition.shape == (32, FRAMES, WIDTH) and batch.views.shape == (32, FRAMES, 3, 24, 2)
    assert torch.equal(batch.condition, conditions(batch.seen))
    assert (batch.seen.weight[~batch.valid] == 0).all() and batch.valid[:, 0].all()
    unseen = replace(batch.seen, weight=torch.zeros_like(batch.seen.weight))
    points, miss = triangulated(unseen, batch.views)
    in_front = (batch.local.norm(dim=-1) < 0.6 * batch.seen.root[..., None, 2]).all((1, 2))
    assert in_front.float().mean() > 0.7
    assert (points - batch.local)[in_front].abs().max() < 1e-3 and miss[in_front].max() < 1e-3


def test_still_cameras_see_the_world_as_it_is(batches):
    """Without errors of moving cameras the canonical points are the world's, but for the tremble of the estimate."""
    batch = batches.batch(5, 24, mode=STILL)
    inside = transform(invert(batch.true_cameras), batch.world)
    back = transform(batch.true_cameras, transform(invert(batch.true_cameras), batch.seen.to_world(batch.local)))
    assert (back - batch.world).norm(dim=-1).max() < 0.02 * inside[..., 2].max()


def test_scaled_paths_are_the_error_of_moving_cameras_only(batches):
    for mode in range(len(MODES)):
        batch = batches.batch(1, 24, mode=mode)
        moves = batch.seen.camera_from_first[..., :3, 3].norm(dim=-1).amax(1)
        assert (moves.max() < 1e-4) == (mode in (STILL, PAN)), MODES[mode]


def test_unvaried_batches_are_the_clips_themselves(mocap):
    data = MocapBatches([mocap], "test", FRAMES, 4, 1, "cpu", vary=False)
    batch = data.batch(0, 8)
    stored = data.stored.joints
    for clip in batch.world:
        away = (stored[:, 4] - clip[0, K["left_knee"]]).norm(dim=-1)
        assert away.min() < 0.05
    assert batch.valid.all()


def test_clips_that_are_too_short_are_padded(tmp_path):
    path = write_mocap(tmp_path / "short.npz", clip_len=np.array([9, 9, 9]))
    batch = MocapBatches([path], "train", FRAMES, 4, 0, "cpu", vary=False).batch(0, 4)
    assert (batch.valid.sum(1) == 9).all() and batch.valid[:, :9].all()
    assert torch.equal(batch.world[:, 9], batch.world[:, 15])


def test_no_clips_of_a_split(mocap):
    with pytest.raises(AnyliftError, match="no clip of split 'validation'"):
        MocapBatches([mocap], "validation", FRAMES, 4, 0, "cpu")


def test_files_of_different_frame_rates_do_not_mix(tmp_path, mocap):
    other = write_mocap(tmp_path / "fast.npz", fps=np.float32(60))
    with pytest.raises(AnyliftError, match=r"60.*30|30.*60"):
        MocapBatches([mocap, other], "train", FRAMES, 4, 0, "cpu")


class Perfect(nn.Module):
    """Answers with given views."""

    def __init__(self, views: torch.Tensor) -> None:
        super().__init__()
        self.views, self.config = views, NetworkConfig()

    def forward(self, noisy: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return self.views


def shifted(batch: Batch, frames: slice) -> torch.Tensor:
    views = batch.views.clone()
    views[:, frames] += 0.5
    return views


def test_the_loss_is_the_error_of_views_and_of_their_differences(batches):
    """By hand: 0.5 off everywhere is a loss of 0.5; 0.5 off from frame 8 on is half of that and one jump in 15."""
    batch = batches.batch(2, 8)
    batch = replace(batch, valid=torch.ones_like(batch.valid))
    assert all(value == 0 for value in view_losses(batch.views, batch).values())
    constant = view_losses(shifted(batch, slice(None)), batch)
    assert float(constant["views"]) == pytest.approx(0.5, abs=1e-5)
    assert float(constant["differences"]) == pytest.approx(0, abs=1e-5)
    jump = view_losses(shifted(batch, slice(8, None)), batch)
    assert float(jump["views"]) == pytest.approx(0.25, abs=1e-5)
    assert float(jump["differences"]) == pytest.approx(0.5 / 15, abs=1e-5)
    assert float(jump["loss"]) == pytest.approx(0.25 + 1.5 * 0.5 / 15, abs=1e-5)


def test_frames_that_do_not_exist_and_lent_points_count_less(batches):
    batch = batches.batch(2, 8)
    valid = torch.ones_like(batch.valid)
    valid[:, 8:] = False
    batch = replace(batch, valid=valid)
    late = view_losses(shifted(batch, slice(8, None)), batch)
    assert all(value == 0 for value in late.values())
    nose = batch.views.clone()
    nose[..., K["nose"], :] += 1
    share = 0.5 / (len(MEASURED_POINTS) + 0.5 * (24 - len(MEASURED_POINTS)))
    found = view_losses(nose, batch)["views"]
    assert float(found) == pytest.approx(share, abs=1e-5)


def test_perfect_views_have_little_error(batches):
    """What is left is the detector's noise, which the input view brings in, and the cameras' errors."""
    batch = batches.batch(2, 32, mode=STILL)
    found = errors(Perfect(batch.views), Schedule.cosine(50), batch)
    nothing = errors(Perfect(0 * batch.views), Schedule.cosine(50), batch)
    assert found["mpjpe"] < 25 and found["root"] < 60
    assert found["pa"] <= found["mpjpe"]
    assert nothing["mpjpe"] > 4 * found["mpjpe"]


def test_frames_that_do_not_exist_have_no_error(batches):
    """Views that are wrong from frame 8 on do not matter in windows of 8 frames."""
    batch = batches.batch(2, 4, mode=STILL)
    valid = torch.ones_like(batch.valid)
    valid[:, 8:] = False
    late = batch.views.clone()
    late[:, 8:] += 1
    schedule = Schedule.cosine(50)
    right, wrong = (errors(Perfect(views), schedule, replace(batch, valid=valid)) for views in (batch.views, late))
    assert right == pytest.approx(wrong, rel=1e-4)
    whole = replace(batch, valid=torch.ones_like(valid))
    assert errors(Perfect(late), schedule, whole)["mpjpe"] > 2 * right["mpjpe"]


def test_thirty_steps_lower_the_loss(batches):
    torch.manual_seed(0)
    network, schedule = ViewsAsChannels(TINY.network), Schedule.cosine(50)
    fixed = batches.batch(1000, 32)

    def loss() -> float:
        with torch.no_grad():
            return float(view_losses(denoised(network, fixed, schedule, 0), fixed)["loss"])

    before = loss()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for step in range(30):
        optimiser.zero_grad()
        batch = batches.batch(step, 16)
        view_losses(denoised(network, batch, schedule, step), batch)["loss"].backward()
        optimiser.step()
    assert loss() < 0.85 * before


KILLED = """
from test_training import TINY, train_multi_view
train_multi_view([Path({mocap!r})], Path({folder!r}), TINY, None, "anylift train")
"""


def test_a_killed_training_goes_on_to_the_same_curve(tmp_path, mocap):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train_multi_view([mocap], tmp_path / "whole", TINY, None, "anylift train")
        folder = tmp_path / "killed"
        killed_at_first_state(KILLED.format(mocap=str(mocap), folder=str(folder)), folder)
        assert torch.load(folder / STATE_FILE, weights_only=True)["step"] == 50
        again = train_multi_view([mocap], folder, TINY, None, "anylift train")
    finally:
        torch.set_num_threads(threads)
    assert logged(folder) == logged(tmp_path / "whole")
    ours, theirs = (load_checkpoint(path) for path in (again, whole))
    assert all(torch.equal(value, theirs[0].state_dict()[name]) for name, value in ours[0].state_dict().items())
    assert ours[1] == theirs[1]
    manifest = ours[1]
    assert manifest["steps_trained"] == 100 and manifest["frames"] == FRAMES and manifest["noise_steps"] == 50
    assert manifest["training"]["data"] == {"walks.npz": sha256_of(mocap)}
    losses = [row["loss"] for row in logged(folder) if "loss" in row]
    assert losses[1] < 0.9 * losses[0]
    assert {"test/static_mpjpe", "test/dynamic_root"} <= set(logged(folder)[-1])


def test_a_training_that_diverges_leaves_the_last_good_checkpoint(tmp_path, mocap):
    diverged_after_a_good_state(
        lambda loop: train_multi_view([mocap], tmp_path, replace(TINY, loop=loop), None, "anylift train"),
        TINY.loop,
        tmp_path,
    )


@pytest.mark.parametrize(
    "changed",
    [{"frames": 15}, {"frames": 0}, {"frames": 4, "network": replace(TINY.network, heads=0)},
     {"network": replace(TINY.network, width=33, heads=2)}, {"network": replace(TINY.network, width=30, heads=2)},
     {"kind": "other"}],
    ids=("a frame left", "none", "no heads", "heads that do not divide", "odd heads", "no such network"),
)  # fmt: skip
def test_impossible_sizes_are_refused(tmp_path, mocap, changed):
    with pytest.raises(UsageError):
        train_multi_view([mocap], tmp_path / "out", replace(TINY, **changed), None, "anylift train")
    assert not (tmp_path / "out").exists()


def test_from_the_command_line(tmp_path, anylift):
    write_mocap(tmp_path / "tiny.npz")
    sizes = ("--steps", 2, "--batch", 2, "--width", 32, "--layers", 1, "--frames", 8, "--json")
    done = anylift("train", "from-mocap", "tiny.npz", "--out", "net", *sizes, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    path = tmp_path / json.loads(done.stdout)["checkpoint"]
    assert path == tmp_path / "net" / MODEL_FILE
    network, manifest = load_checkpoint(path)
    assert network.config.width == 32 and manifest["command"] == "anylift train from-mocap tiny.npz"
    other = ("--network", "cross-view", "--without", "camera", "--without", "local")
    done = anylift("train", "from-mocap", "tiny.npz", "--out", "across", *sizes, *other, OMP_NUM_THREADS="1")
    network, _ = load_checkpoint(tmp_path / json.loads(done.stdout)["checkpoint"])
    assert type(network) is CrossView and network.config.hidden == ((72, 84), (90, 93), (93, 189))
    done = anylift("train", "from-mocap", "tiny.npz", "--out", "no", *sizes, "--without", "legs")
    assert done.returncode == 2 and "no part 'legs' to train without" in done.stderr
    other = replace(TINY, frames=8)
    with pytest.raises(AnyliftError, match="other settings"):
        train_multi_view([tmp_path / "tiny.npz"], tmp_path / "net", other, None, "anylift train")


def test_a_training_may_begin_with_what_another_has_learned(tmp_path, mocap):
    """From the first step on it is as good as the other was, and the other's file counts as part of its data."""
    longer = replace(TINY, loop=replace(TINY.loop, steps=100, evaluate_every=100))
    first = train_multi_view([mocap], tmp_path / "first", longer, None, "anylift train")
    touch = replace(TINY, loop=replace(TINY.loop, steps=1, rate=1e-9, evaluate_every=1))
    again = train_multi_view([mocap], tmp_path / "again", touch, first, "anylift train")
    figures = [json.loads((tmp_path / name / LOG_FILE).read_text().splitlines()[-1]) for name in ("first", "again")]
    for name in ("test/static_mpjpe", "test/dynamic_mpjpe"):
        assert figures[1][name] == pytest.approx(figures[0][name], rel=0.01)
    assert load_checkpoint(again)[1]["training"]["data"][first.name] == sha256_of(first)
    wider = replace(TINY, network=replace(TINY.network, width=64))
    with pytest.raises(AnyliftError, match="another kind or size"):
        train_multi_view([mocap], tmp_path / "wider", wider, first, "anylift train")


def test_an_average_is_between_two_checkpoints(tmp_path, mocap, anylift):
    short = replace(TINY, loop=replace(TINY.loop, steps=2))
    first = train_multi_view([mocap], tmp_path / "first", short, None, "anylift train")
    after = train_multi_view([mocap], tmp_path / "after", short, first, "anylift train")
    done = anylift("train", "average", first, after, "--share", "0.25", "--out", "quarter.safetensors", "--json")
    assert done.returncode == 0, done.stderr
    network, manifest = load_checkpoint(tmp_path / json.loads(done.stdout)["checkpoint"])
    assert manifest["command"] == f"anylift train average first/{MODEL_FILE} after/{MODEL_FILE} --share 0.25"
    assert manifest["training"] == {"share": 0.25, "before": sha256_of(first), "after": sha256_of(after)}
    begin, end = (load_checkpoint(path)[0].state_dict() for path in (first, after))
    for name, value in network.state_dict().items():
        expected = 0.75 * begin[name] + 0.25 * end[name]
        assert torch.allclose(value, expected, rtol=1e-3, atol=1e-6), name
    assert any(not torch.equal(begin[name], end[name]) for name in begin)
    wider = replace(TINY, loop=replace(TINY.loop, steps=1), network=replace(TINY.network, width=64))
    other = train_multi_view([mocap], tmp_path / "wider", wider, None, "anylift train")
    with pytest.raises(AnyliftError, match="differ in their network"):
        average_checkpoints(first, other, 0.5, tmp_path / "no.safetensors", "")
    with pytest.raises(UsageError, match="not between"):
        average_checkpoints(first, after, 1.5, tmp_path / "no.safetensors", "")
    assert not (tmp_path / "no.safetensors").exists()


def test_training_from_mocap_needs_few_packages(tmp_path):
    write_mocap(tmp_path / "tiny.npz")
    sizes = ("--steps", "2", "--batch", "2", "--frames", "8")
    own = ("--width", "32", "--layers", "1")
    for out, begun in (
        ("first", own),
        ("second", (*own, "--start", f"first/{MODEL_FILE}")),
        ("third", ("--start", "human")),
    ):
        run_with_few_packages(tmp_path, "train", "from-mocap", "tiny.npz", "--out", out, *sizes, *begun)
        assert (tmp_path / out / MODEL_FILE).exists()

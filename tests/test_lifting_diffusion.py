"""Schedules, samplers, networks and checkpoints: closed forms, masks, and files that are refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from anylift_cli.body.skeleton import BODY24
from anylift_cli.errors import AnyliftError
from anylift_cli.lifting.checkpoint import describe, load_checkpoint, read_manifest, save_checkpoint
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.diffusion import Denoiser, Schedule, ddim, ddpm
from anylift_cli.lifting.multi_view import imagine
from anylift_cli.lifting.networks import CrossView, NetworkConfig, ViewsAsChannels, rotary_angles, rotated

MEAN = torch.tensor([0.7, -1.5])
COVARIANCE = torch.tensor([[0.64, 0.3], [0.3, 0.25]])
"""Of the data that the exact denoiser knows."""


def posterior_mean(schedule: Schedule) -> Denoiser:
    """E[clean | noisy] of Gaussian data."""

    def denoise(noisy: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        signal = schedule.signal[step[0]]
        gain = signal.sqrt() * COVARIANCE @ torch.linalg.inv(signal * COVARIANCE + (1 - signal) * torch.eye(2))
        return MEAN + (noisy - signal.sqrt() * MEAN) @ gain.T

    return denoise


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_schedule_is_the_squared_cosine():
    schedule = Schedule.cosine(1000)
    time = np.arange(1, 1001) / 1000
    level = np.cos((time + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    assert schedule.steps == 1000
    assert schedule.signal[:990].numpy() == pytest.approx(level[:990], rel=1e-5)
    assert (schedule.signal.diff() < 0).all() and 0 < schedule.signal[-1] < 1e-6 and schedule.signal[0] > 0.9999


def test_noise_can_be_told_back():
    schedule = Schedule.cosine(50)
    clean, noise = normal(50, 3, 4), normal(50, 3, 4, seed=1)
    steps = torch.arange(50)
    noisy = schedule.noised(clean, noise, steps)
    assert torch.allclose(schedule.noise_of(noisy, clean, steps), noise, atol=1e-4)
    assert torch.allclose(noisy[-1], noise[-1], atol=2e-2), "nothing is left at the end"
    signal = float(schedule.signal[20])
    by_hand = math.sqrt(signal) * clean[20, 1, 2] + math.sqrt(1 - signal) * noise[20, 1, 2]
    assert float(noisy[20, 1, 2]) == pytest.approx(float(by_hand), abs=1e-6)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_samplers_reproduce_the_distribution_that_the_denoiser_knows(sampler):
    schedule = Schedule.cosine(1000)
    noise = normal(20_000, 2, seed=3)
    if sampler == "ddim":
        samples = ddim(posterior_mean(schedule), schedule, noise, 200)
    else:
        samples = ddpm(posterior_mean(schedule), schedule, noise, torch.Generator().manual_seed(4))
    assert torch.allclose(samples.mean(0), MEAN, atol=0.02)
    assert torch.allclose(samples.T.cov(), COVARIANCE, atol=0.02)


def test_few_passes_keep_the_mean_and_lose_spread():
    schedule = Schedule.cosine(1000)
    spreads = [
        float(ddim(posterior_mean(schedule), schedule, normal(5000, 2), passes).std(0).mean()) for passes in (1, 4, 40)
    ]
    assert spreads[0] < 0.01 < spreads[1] < spreads[2] < 0.66


def test_ddim_asks_as_often_as_it_is_told_from_pure_noise_down():
    schedule = Schedule.cosine(1000)
    asked = []

    def denoise(noisy: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        asked.append(int(step[0]))
        return noisy

    ddim(denoise, schedule, normal(2, 3), 5)
    assert asked == [999, 799, 599, 400, 200]


def test_one_pass_is_the_denoiser_at_the_last_step():
    schedule = Schedule.cosine(100)
    denoise = posterior_mean(schedule)
    noise = normal(7, 2)
    assert torch.equal(ddim(denoise, schedule, noise, 1), denoise(noise, torch.full((7,), 99)))


def test_ancestral_sampling_goes_by_its_generator():
    schedule = Schedule.cosine(20)
    runs = [
        ddpm(posterior_mean(schedule), schedule, normal(5, 2), torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1]) and not torch.allclose(runs[0], runs[2])


def stirred(config: NetworkConfig, kind: type[nn.Module] = ViewsAsChannels) -> nn.Module:
    """A network whose weights are all random, also those that begin at zero."""
    network = kind(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.1 * torch.randn(value.shape, generator=generator))
    return network.eval()


def inputs(config: NetworkConfig, frames: int, batch: int = 2) -> tuple[torch.Tensor, ...]:
    noisy = normal(batch, frames, config.views - 1, 24, 2)
    step = torch.arange(batch) * 7
    return noisy, step, normal(batch, frames, config.condition, seed=1), torch.ones(batch, frames, dtype=torch.bool)


def small(**changed: int) -> NetworkConfig:
    return NetworkConfig(**{"width": 32, "layers": 2, "heads": 2, "expansion": 2, "condition": 5, **changed})


@pytest.mark.parametrize("kind", [ViewsAsChannels, CrossView])
@pytest.mark.parametrize(("patch", "views"), [(1, 4), (2, 3), (4, 2)])
def test_network_gives_the_views_of_each_frame(patch, views, kind):
    config = small(patch=patch, views=views)
    noisy, step, condition, valid = inputs(config, 16)
    clean = stirred(config, kind)(noisy, step, condition, valid)
    assert clean.shape == noisy.shape == (2, 16, views - 1, 24, 2)
    assert torch.isfinite(clean).all() and clean.std() > 1e-3
    assert (kind(config)(noisy, step, condition, valid) == 0).all(), "an untrained network says nothing"


@pytest.mark.parametrize("kind", [ViewsAsChannels, CrossView])
def test_frames_that_do_not_exist_are_not_looked_at(kind):
    config = small()
    network = stirred(config, kind)
    noisy, step, condition, valid = inputs(config, 16)
    gone = slice(8, 12)
    other = [frame for frame in range(16) if not 8 <= frame < 12]
    changed = noisy.clone(), condition.clone()
    for value in changed:
        value[:, gone] += 3
    hidden = valid.clone()
    hidden[:, gone] = False
    with_hidden = network(noisy, step, condition, hidden)[:, other]
    assert torch.equal(with_hidden, network(changed[0], step, changed[1], hidden)[:, other])
    assert not torch.allclose(with_hidden, network(noisy, step, condition, valid)[:, other], atol=1e-3)
    assert not torch.allclose(
        network(noisy, step, condition, valid)[:, other], network(changed[0], step, changed[1], valid)[:, other],
        atol=1e-3,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [ViewsAsChannels, CrossView])
def test_clips_do_not_see_each_other_but_their_noise_level(kind):
    config = small()
    network = stirred(config, kind)
    noisy, step, condition, valid = inputs(config, 8)
    both = network(noisy, step, condition, valid)
    alone = network(noisy[1:], step[1:], condition[1:], valid[1:])
    assert torch.allclose(both[1:], alone, atol=1e-5)
    assert not torch.allclose(both[1:], network(noisy[1:], step[1:] + 100, condition[1:], valid[1:]), atol=1e-3)


@pytest.mark.parametrize("kind", [ViewsAsChannels, CrossView])
def test_time_is_relative(kind):
    """A clip after frames that do not exist is told the same as at the beginning."""
    config = small(patch=2)
    network = stirred(config, kind)
    noisy, step, condition, valid = inputs(config, 8)
    later = [torch.cat([normal(*value.shape, seed=9), value], 1) for value in (noisy, condition)]
    exists = torch.cat([~valid, valid], 1)
    found = network(later[0], step, later[1], exists)[:, 8:]
    assert torch.allclose(found, network(noisy, step, condition, valid), atol=1e-5)
    backwards = network(noisy.flip(1), step, condition.flip(1), valid).flip(1)
    assert not torch.allclose(backwards, network(noisy, step, condition, valid), atol=1e-3), "time has a direction"


def test_views_across_are_told_apart_and_look_at_each_other():
    config = small(patch=2)
    network = stirred(config, CrossView)
    noisy, step, condition, valid = inputs(config, 8)
    clean = network(noisy, step, condition, valid)
    order = [1, 2, 0]
    exchanged = network(noisy[:, :, order], step, condition, valid)
    assert not torch.allclose(exchanged, clean[:, :, order], atol=1e-3), "a view has a place"
    other = noisy.clone()
    other[:, :4, 1] += 3
    changed = network(other, step, condition, valid) - clean
    assert changed[:, 4:, 0].abs().max() > 1e-3, "another view of other frames"


@pytest.mark.parametrize("kind", [ViewsAsChannels, CrossView])
def test_hidden_conditions_change_nothing(kind):
    config = small(hidden=((1, 3),))
    network = stirred(config, kind)
    noisy, step, condition, valid = inputs(config, 8)
    clean = network(noisy, step, condition, valid)
    before = condition.clone()
    for column in range(5):
        other = condition.clone()
        other[..., column] += 1
        same = torch.equal(network(noisy, step, other, valid), clean)
        assert same == (column in (1, 2))
    assert torch.equal(condition, before)


def test_rotary_products_tell_distance_only():
    angles = rotary_angles(10, 8, torch.device("cpu"))
    query, key = normal(8).expand(10, 8), normal(8, seed=1).expand(10, 8)
    products = rotated(query, angles) @ rotated(key, angles).T
    for offset in (-3, 0, 4):
        diagonal = products.diagonal(offset)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5)
    assert torch.allclose(rotated(query, angles).norm(dim=-1), query.norm(dim=-1))
    assert float(products[0, 0]) == pytest.approx(float(query[0] @ key[0]), abs=1e-5)


@pytest.mark.parametrize("kind", [ViewsAsChannels, CrossView])
def test_every_weight_learns(kind):
    config = small()
    network = stirred(config, kind)
    network(*inputs(config, 16)).square().mean().backward()
    still = [name for name, value in network.named_parameters() if value.grad is None or value.grad.abs().max() == 0]
    assert not still


def test_imagined_views_go_by_the_seed_not_by_the_batch():
    config = small()
    network = stirred(config)
    _, _, condition, valid = inputs(config, 8, batch=3)
    schedule = Schedule.cosine(50)
    with torch.no_grad():
        together = imagine(network, schedule, condition, valid, passes=3, seed=5)
        alone = imagine(network, schedule, condition[2:], valid[2:], passes=3, seed=5)
        again = imagine(network, schedule, condition, valid, passes=3, seed=5)
        other = imagine(network, schedule, condition, valid, passes=3, seed=6)
    assert together.shape == (3, 8, 3, 24, 2)
    assert torch.allclose(together[2:], alone, atol=1e-5)
    assert torch.equal(together, again) and not torch.allclose(together, other, atol=1e-3)


CONFIG = small(condition=WIDTH)


def manifest_of(config: NetworkConfig = CONFIG) -> dict:
    return describe(ViewsAsChannels(config), frames=16, fps=30.0, steps=100, lengths=[0.4, 0.3])


@pytest.fixture
def saved(tmp_path) -> tuple[Path, ViewsAsChannels]:
    network = stirred(CONFIG)
    save_checkpoint(tmp_path / "model.safetensors", network, manifest_of())
    return tmp_path / "model.safetensors", network


def rewritten(path: Path, manifest: object) -> Path:
    save_file(load_file(str(path)), str(path), metadata={"manifest": json.dumps(manifest)})
    return path


def test_checkpoints_of_either_kind_come_back(tmp_path):
    config = replace(CONFIG, hidden=((0, 2), (3, 4)))
    network = stirred(config, CrossView)
    described = describe(network, frames=16, fps=30.0, steps=100, lengths=[0.4])
    save_checkpoint(tmp_path / "model.safetensors", network, described)
    loaded, _ = load_checkpoint(tmp_path / "model.safetensors")
    assert type(loaded) is CrossView and loaded.config == config
    arguments = inputs(config, 16)
    with torch.no_grad():
        theirs, ours = network(*arguments), loaded(*arguments)
    assert (ours - theirs).abs().max() < 0.01 * theirs.abs().max()


def test_checkpoints_come_back(saved):
    path, network = saved
    loaded, manifest = load_checkpoint(path)
    assert manifest == json.loads(json.dumps(manifest_of()))
    assert manifest["keypoints"] == list(BODY24) and manifest["network"]["width"] == 32
    assert loaded.config == CONFIG and not loaded.training
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    arguments = inputs(CONFIG, 16)
    with torch.no_grad():
        theirs, ours = network(*arguments), loaded(*arguments)
    assert (ours - theirs).abs().max() < 0.01 * theirs.abs().max()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keypoints", [*BODY24[:-1], "tail"]),
        ("units", {"distance": 3.0, "focal": 1.0, "conditions": WIDTH}),
        ("units", {"distance": 3.0, "focal": 1.85, "conditions": WIDTH - 1}),
        ("format", 2),
    ],
)
def test_checkpoints_for_other_points_or_units_are_refused(saved, name, value):
    path = rewritten(saved[0], {**manifest_of(), name: value})
    with pytest.raises(AnyliftError, match=f"trained with other {name}") as caught:
        load_checkpoint(path)
    assert str(path) in caught.value.message and caught.value.hint


@pytest.mark.parametrize(
    "manifest",
    [
        None, 3, "text", [1], {}, {**manifest_of(), "network": 3}, {**manifest_of(), "network": {"depth": 3}},
        {name: value for name, value in manifest_of().items() if name != "network"},
    ],
    ids=("null", "number", "text", "list", "empty", "network is a number", "unknown size", "no network"),
)  # fmt: skip
def test_manifests_that_are_none_are_refused(saved, manifest):
    path = rewritten(saved[0], manifest)
    with pytest.raises(AnyliftError, match="no anylift manifest"):
        read_manifest(path)


def test_other_peoples_safetensors_are_refused(tmp_path):
    save_file({"weight": torch.ones(3)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(AnyliftError, match="no anylift manifest"):
        load_checkpoint(tmp_path / "other.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 300, -10])
def test_cut_off_checkpoints_are_refused(saved, kept):
    path = saved[0]
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(AnyliftError, match="damaged or not a safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip", b"\xff" * 100, b"{}"])
def test_files_that_are_no_safetensors_are_refused(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(AnyliftError, match="damaged or not a safetensors file"):
        load_checkpoint(tmp_path / "model.safetensors")


def test_missing_checkpoints_and_folders_are_refused(tmp_path):
    with pytest.raises(AnyliftError, match="does not exist"):
        load_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(AnyliftError, match=str(tmp_path)):
        load_checkpoint(tmp_path)


def test_weights_that_do_not_fit_are_refused(saved):
    path, _ = saved
    for config in (small(condition=WIDTH, layers=3), small(condition=WIDTH, width=64)):
        with pytest.raises(AnyliftError, match="do not fit"):
            load_checkpoint(rewritten(path, manifest_of(config)))


def test_networks_of_another_kind_are_refused(saved):
    manifest = manifest_of()
    manifest["network"]["kind"] = "views-as-tokens"
    with pytest.raises(AnyliftError, match="views-as-tokens"):
        load_checkpoint(rewritten(saved[0], manifest))

"""Muon's steps against singular value decompositions, and who trains which weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from anylift_cli.lifting.networks import CrossView, NetworkConfig, SingleView, ViewsAsChannels
from anylift_cli.training.optimisers import Muon, optimisers, orthogonal


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(3, 20, 20), (2, 12, 40), (2, 40, 12)])
def test_orthogonal_matrices_keep_the_singular_vectors(shape):
    matrices = normal(*shape)
    result = orthogonal(matrices)
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = left.mT @ result @ right.mT
    assert (turned - torch.diag_embed(turned.diagonal(dim1=-2, dim2=-1))).abs().max() < 1e-3
    strong = turned.diagonal(dim1=-2, dim2=-1)[values > 0.1 * values[:, :1]]
    assert strong.min() > 0.6 and strong.max() < 1.3


def test_a_step_has_the_size_of_adams():
    weight = nn.Parameter(torch.zeros(60, 30))
    weight.grad = 1000 * normal(60, 30)
    Muon([weight], lr=0.01, weight_decay=0.0).step()
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.15)
    assert float((weight.detach() * weight.grad).sum()) < 0


def test_weights_decay_and_momentum_carries_on():
    weight = nn.Parameter(torch.ones(4, 4))
    muon = Muon([weight], lr=0.5, weight_decay=0.1)
    weight.grad = torch.zeros(4, 4)
    muon.step()
    assert torch.allclose(weight, torch.full((4, 4), 0.95), atol=1e-6)
    weight.grad = torch.eye(4)
    muon.step()
    first = weight.detach().clone()
    weight.grad = torch.zeros(4, 4)
    muon.step()
    assert (weight - 0.95 * first).diagonal().max() < -0.1, "it goes on where it was going"


def test_equal_shapes_do_not_mix():
    weights = [nn.Parameter(normal(6, 6, seed=seed)) for seed in range(3)]
    alone = [nn.Parameter(weight.detach().clone()) for weight in weights]
    for index, (weight, one) in enumerate(zip(weights, alone, strict=True)):
        weight.grad = one.grad = normal(6, 6, seed=10 + index)
        Muon([one], 0.1, 0.01).step()
    Muon(weights, 0.1, 0.01).step()
    for weight, one in zip(weights, alone, strict=True):
        assert torch.allclose(weight, one, atol=1e-6)


@pytest.mark.parametrize("kind", [ViewsAsChannels, CrossView, SingleView])
def test_every_weight_has_one_trainer(kind):
    config = NetworkConfig(width=32, layers=2, heads=2, expansion=2, views=3, condition=5)
    network = kind(config)
    adam, muon = optimisers(network, 0.1, 0.01)
    assert type(adam) is AdamW and type(muon) is Muon
    trained = [id(weight) for one in (adam, muon) for group in one.param_groups for weight in group["params"]]
    assert sorted(trained) == sorted(id(weight) for weight in network.parameters())
    shapes = {tuple(weight.shape) for weight in muon.param_groups[0]["params"]}
    assert shapes == {(96, 32), (32, 32), (64, 32), (32, 64)}


def test_other_networks_have_adam_alone():
    (adam,) = optimisers(nn.Linear(3, 3), 0.1, 0.0)
    assert type(adam) is AdamW

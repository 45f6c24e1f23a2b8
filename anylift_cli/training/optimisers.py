"""How weights follow their gradients: Muon for the matrices between features, AdamW for everything else."""

from __future__ import annotations

from itertools import groupby

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from anylift_cli.lifting.networks import Block

_NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)
_ITERATIONS = 5
_MOMENTUM = 0.95
_RMS = 0.2
"""Root mean square of AdamW's updates, which Muon's are scaled to (Liu et al. 2025), so that both share a rate."""


class Muon(Optimizer):
    """Momentum made orthogonal (Jordan et al. 2024): every direction of a matrix learns at the same pace.

    torch has one, which computes in bfloat16; CPUs without instructions for it are thirty times slower at that.

    Args:
        params: matrices.
    """

    def __init__(self, params: list[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(sorted(params, key=_shape), {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One step along the gradients."""
        for group in self.param_groups:
            for shape, members in groupby(group["params"], _shape):
                weights = list(members)
                updates = orthogonal(torch.stack([self._momentum(weight) for weight in weights]))
                torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(weights, list(updates), alpha=-group["lr"] * _RMS * max(shape) ** 0.5)

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(weight.grad, 1 - _MOMENTUM)
        return weight.grad.lerp(state["momentum"], _MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly orthogonal matrices (..., M, N) with the singular vectors of the given ones, by Newton-Schulz steps.

    Their singular values come to lie between 0.7 and 1.2, which is as good as 1 for learning.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    result = matrices.mT if tall else matrices
    result = result / (result.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _NEWTON_SCHULZ
    for _ in range(_ITERATIONS):
        square = result @ result.mT
        result = a * result + (b * square + c * square @ square) @ result
    return result.mT if tall else result


def optimisers(network: nn.Module, rate: float, weight_decay: float) -> list[Optimizer]:
    """Those that together train all weights of a network."""
    matrices = [
        layer.weight
        for block in network.modules()
        if isinstance(block, Block)
        for layer in (block.qkv, block.merge, block.forward_in, block.forward_out)
    ]
    chosen = set(map(id, matrices))
    rest = [weight for weight in network.parameters() if id(weight) not in chosen]
    made: list[Optimizer] = [AdamW(rest, lr=rate, weight_decay=weight_decay, betas=(0.9, 0.98))]
    return [*made, Muon(matrices, rate, weight_decay)] if matrices else made


def _shape(weight: Tensor) -> tuple[int, ...]:
    return tuple(weight.shape)

"""Lengths and directions of many short vectors, quick in torch on CPUs: reductions over three numbers as products."""

from __future__ import annotations

from torch import Tensor


def squared_length(vector: Tensor) -> Tensor:
    """(..., D) → (...)."""
    return dot(vector, vector)


def length(vector: Tensor) -> Tensor:
    """(..., D) → (...), with a gradient of zero at zero."""
    return (squared_length(vector) + 1e-18).sqrt()


def dot(first: Tensor, second: Tensor) -> Tensor:
    """Inner products of (..., D) → (...)."""
    product = first * second
    return product @ product.new_ones(product.shape[-1])


def combined(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Linear combinations (E, K) of vectors (..., K, D) → (..., E, D) in one product; `matrix @ vectors` is many."""
    turned = vectors.transpose(-1, -2)
    return (turned.reshape(-1, turned.shape[-1]) @ matrix.T).unflatten(0, turned.shape[:-1]).transpose(-1, -2)


def unit(vector: Tensor) -> Tensor:
    """Directions of (..., D)."""
    return vector / (length(vector)[..., None] + 1e-12)

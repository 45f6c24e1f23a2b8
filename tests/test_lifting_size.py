"""Averages over time that bridge what was not seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from anylift_cli.lifting.size import averaged

FPS = 30.0


@pytest.mark.parametrize("frames", [40, 512, 1700])
def test_averages_over_time_are_those_over_all_frames_at_once(frames):
    random = np.random.default_rng(frames)
    times, weight = np.arange(frames) / FPS, random.uniform(0.1, 1, frames)
    gap = slice(300, 400)
    weight[gap] = 1e-6
    values = random.normal(size=(frames, 3)) + np.sin(times)[:, None]
    distance = (times[:, None] - times) / 0.06
    kernel = (np.exp(-0.5 * distance**2) + 1e-4 / (1 + distance**2)) * weight
    expected = kernel @ values / kernel.sum(1, keepdims=True)
    tolerance = np.full((frames, 3), 1e-4)
    tolerance[gap] = 0.1
    given = [torch.as_tensor(one)[None] for one in (values, weight, times)]
    assert (np.abs(averaged(*given, 0.06)[0].numpy() - expected) < tolerance).all()
    alone = averaged(given[0][..., 0], *given[1:], 0.06)[0].numpy()
    assert (np.abs(alone - expected[:, 0]) < tolerance[:, 0]).all()

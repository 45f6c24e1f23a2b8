"""ViTPose through the real mmpose, where `make mmpose` has set it up."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("transformers", reason="the extra 'vitpose' is not installed")

from dots import draw_dots
from vitpose_networks import dot_network, random_network

from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.foreign.tools import MMPOSE, lacking
from anylift_cli.keypoints.vitpose import VitPoseNetwork
from anylift_cli.keypoints.vitpose_mmpose import MmposeNetwork

needs_mmpose = pytest.mark.skipif(lacking(MMPOSE) != ("", ""), reason="mmpose is not set up: `make mmpose`")
WIDTH, HEIGHT, DOT = 480, 640, 14
BOXES = np.array([[60.0, 40, 420, 600], [-40, 30, 300, 500], [180, 300, 520, 700]])


def dots() -> np.ndarray:
    """(17, 2) px, in each of the boxes' crops."""
    grid = np.stack(np.meshgrid(np.linspace(110, 370, 4), np.linspace(150, 560, 5)), -1).reshape(-1, 2)[:17]
    return grid + np.random.default_rng(0).uniform(-8, 8, (17, 2))


@pytest.mark.slow
@needs_mmpose
@pytest.mark.parametrize("flip", [False, True])
def test_both_ways_give_the_same_points_within_a_pixel(flip, tmp_path):
    """One network, of clear heatmaps, through transformers and through mmpose."""
    folder, image = dot_network(tmp_path), draw_dots(dots(), WIDTH, HEIGHT, DOT)
    ours, sure = VitPoseNetwork(folder, flip_test=flip)(image, BOXES)
    mmpose = MmposeNetwork(folder, flip_test=flip)
    theirs, their_sure = mmpose(image, BOXES)
    mmpose.close()
    seen = sure > sure.max() / 2
    assert mmpose.version == "mmpose 1.3.2" and seen.sum() > 10
    assert np.linalg.norm(theirs - ours, axis=-1)[seen].max() < 1
    np.testing.assert_allclose(their_sure[seen], sure[seen], atol=0.05)


@pytest.mark.slow
@needs_mmpose
@pytest.mark.parametrize("kind", [{"simple": True}, {"simple": False}, {"points": 133, "simple": False}])
def test_random_weights_give_the_same_heatmaps(kind, tmp_path):
    """Of a random network every weight matters; its scores are the maxima of its heatmaps. The two make crops with
    roundings of their own, which such a network enlarges to some percent, and noise has several peaks of almost one
    height: half of the points tell, not the farthest."""
    folder = random_network(tmp_path, **kind)
    image = draw_dots(dots(), WIDTH, HEIGHT, DOT)
    ours, sure = VitPoseNetwork(folder)(image, BOXES)
    mmpose = MmposeNetwork(folder)
    theirs, their_sure = mmpose(image, BOXES)
    mmpose.close()
    assert theirs.shape == ours.shape
    assert np.median(np.abs(their_sure / sure - 1)) < 0.05
    assert np.median(np.linalg.norm(theirs - ours, axis=-1)) < 20


@pytest.mark.slow
@needs_mmpose
def test_a_mixture_of_experts_is_refused_with_the_reason(tmp_path):
    with pytest.raises(AnyliftError, match="no mixture of experts"):
        MmposeNetwork(random_network(tmp_path, experts=6))


def test_without_mmpose_the_command_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYLIFT_TOOLS", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="mmpose is not set up") as raised:
        MmposeNetwork(tmp_path)
    assert "vitpose-mmpose/setup.sh" in raised.value.hint

"""Features of 2D motion and the FID between predicted and true motion (ALGORITHM 6.1).

FID asks whether motion looks like motion from where the camera did not see it. Its values depend on the network, so
they can be compared only within this code and with the shipped weights, not with those of the paper or of others.

`python -m anylift_cli.evaluation.features cmu_30fps.npz deepmimic_30fps.npz --out weights/motion_features.npz` trains
the network: an autoencoder of windows of 2D motion, of which the encoder is kept.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from anylift_cli.artifacts.base import read_npz
from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.mocap import mocap_points, read_mocap
from anylift_cli.body.skeleton import LEFT_HIP, RIGHT_HIP, K
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation import metrics
from anylift_cli.synthetic.draw import Draw
from anylift_cli.training.body_variety import varied
from anylift_cli.weights_store import find_weights

if TYPE_CHECKING:
    from anylift_cli.evaluation.results import ClipResult

FILE = "motion_features.npz"
POINTS = tuple(K[name] for name in (
    "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist", "right_hip",
    "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
))  # fmt: skip
"""MVLift's 18 points without the face, which mocap does not know."""
FRAMES, STRIDE = 60, 30
"""Frames of a window, and from one window to the next; motion is taken to have 30 frames per second."""
SIZE = 64
VIEWS = (90, 180, 270)
"""Degrees around the person from where the true person faces in the first frame."""
FEWEST_WINDOWS = SIZE
"""With fewer the covariances of the features say nothing."""

_HIPS = (POINTS.index(LEFT_HIP), POINTS.index(RIGHT_HIP))
_CHANNELS = 2 * len(POINTS) + 2
_PATH_UNIT = 4.0
"""Paths count so many times less than poses: people walk farther than they reach."""
_SPEED_WEIGHT = 10.0
_LOWEST, _HIGHEST = math.radians(-10), math.radians(30)
_BATCH = 1024


def fid(results: Sequence[ClipResult]) -> float:
    """Fréchet distance between the features of the predicted and of the true motion of all clips.

    Prediction and truth are seen from `VIEWS`; these are told from where the true person faces, since results do not
    say where the camera was. Both sets hold the same clips, so values are far below those between different clips.
    Clips that are not `measurable` are left out.

    Returns:
        0 for a perfect prediction; each feature has unit variance over mocap. NaN with fewer than `FEWEST_WINDOWS`.
    """
    predicted, truth, _ = _features_of(results)
    return _distance(predicted, truth)


def fid_interval(
    results: Sequence[ClipResult], seed: int, confidence: float = 0.95, samples: int = 100
) -> tuple[float, float, float]:
    """`fid` and the ends of its bootstrap interval over recordings (`ClipResult.recording`).

    A Fréchet distance of fewer different clips is larger on average, by what a sample adds to its mean; each end is
    therefore as far from the value as the quantile of the samples is from their median.

    Returns:
        value, low, high; the ends are NaN with fewer than two recordings.
    """
    predicted, truth, recording = _features_of(results)
    value = _distance(predicted, truth)
    members = [np.flatnonzero(recording == name) for name in np.unique(recording)]
    if len(members) < 2 or math.isnan(value):
        return value, math.nan, math.nan
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(samples):
        chosen = np.concatenate([members[index] for index in rng.integers(len(members), size=len(members))])
        drawn.append(metrics.frechet_distance(predicted[chosen], truth[chosen]))
    tail = (1 - confidence) / 2
    low, middle, high = np.quantile(drawn, [tail, 0.5, 1 - tail])
    return value, max(0.0, float(value + low - middle)), float(value + high - middle)


def measurable(result: ClipResult) -> bool:
    """Whether `fid` counts the clip: it is long enough, and all of `POINTS` are known in every frame."""
    known = all(np.isfinite(points[:, POINTS]).all() for points in (result.predicted, result.truth))
    return known and len(result.truth) >= FRAMES


def seen_from(points: Tensor, azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Orthographic view (N, T, K, 2), x right and y down, of points (N, T, K, 3), z up, in their unit.

    Args:
        azimuth: (N,) rad about z of the direction in which the camera is; 0 is x.
        elevation: (N,) rad of that direction above the horizon.
    """
    side, front, zero = azimuth.sin(), azimuth.cos(), torch.zeros_like(azimuth)
    right = torch.stack([-side, front, zero], -1)
    down = torch.stack([front * elevation.sin(), side * elevation.sin(), -elevation.cos()], -1)
    return points @ torch.stack([right, down], -1)[:, None]


def windows(points: np.ndarray) -> np.ndarray:
    """Windows (N, FRAMES, ...) of a clip (T, ...) of at least `FRAMES`, `STRIDE` apart."""
    return np.stack([points[start : start + FRAMES] for start in range(0, len(points) - FRAMES + 1, STRIDE)])


def features(points2d: np.ndarray) -> np.ndarray:
    """Features (N, SIZE) of windows (N, FRAMES, len(POINTS), 2) of 2D points of any place and size, y down.

    The same weights as shipped give the same features; over mocap each has mean 0 and variance 1.

    Raises:
        AnyliftError: the weights are missing or damaged.
    """
    encoder, mean, deviation = _shipped()
    inputs = _channels(torch.from_numpy(np.array(points2d, np.float32)))
    with torch.no_grad():
        codes = [encoder(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]
    codes = torch.cat(codes) if codes else inputs.new_empty(0, SIZE)
    return ((codes - mean) / deviation).double().numpy()


def encoder_network() -> nn.Sequential:
    """Input channels (N, C, FRAMES) → features (N, SIZE): convolutions over time."""
    return nn.Sequential(
        nn.Conv1d(_CHANNELS, 48, 5, stride=2, padding=2), nn.SiLU(),
        nn.Conv1d(48, 64, 5, stride=2, padding=2), nn.SiLU(),
        nn.Conv1d(64, 64, 5, stride=3, padding=2), nn.SiLU(),
        nn.Flatten(), nn.Linear(64 * 5, SIZE),
    )  # fmt: skip


def decoder_network() -> nn.Sequential:
    """Features (N, SIZE) → channels (N, C, FRAMES); only training needs it."""
    return nn.Sequential(
        nn.Linear(SIZE, 64 * 5), nn.SiLU(), nn.Unflatten(1, (64, 5)),
        nn.Upsample(scale_factor=3), nn.Conv1d(64, 64, 5, padding=2), nn.SiLU(),
        nn.Upsample(scale_factor=2), nn.Conv1d(64, 48, 5, padding=2), nn.SiLU(),
        nn.Upsample(scale_factor=2), nn.Conv1d(48, _CHANNELS, 5, padding=2),
    )  # fmt: skip


def train(inputs: Tensor, steps: int, seed: int, batch: int = 128, rate: float = 2e-3) -> dict[str, np.ndarray]:
    """Weights, as `features` reads them, of an autoencoder of the inputs (N, C, FRAMES) of `training_inputs`."""
    torch.manual_seed(seed)
    encoder, decoder = encoder_network(), decoder_network()
    optimiser = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(steps):
        chosen = inputs[torch.randint(len(inputs), (batch,))]
        rebuilt = decoder(encoder(chosen))
        loss = nn.functional.mse_loss(rebuilt, chosen)
        loss = loss + _SPEED_WEIGHT * nn.functional.mse_loss(rebuilt.diff(dim=-1), chosen.diff(dim=-1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    weights = {name: value.numpy().astype(np.float16) for name, value in encoder.state_dict().items()}
    with torch.no_grad():
        codes = torch.cat([encoder(part) for part in inputs.split(_BATCH)])
    return {**weights, "mean": codes.mean(0).numpy(), "deviation": codes.std(0).numpy()}


def training_inputs(files: Sequence[Path], count: int, seed: int) -> Tensor:
    """Inputs (count, C, FRAMES) of the network: windows of the training split, other bodies, seen from anywhere.

    Raises:
        AnyliftError: not compact mocap files, or no training clip of `FRAMES` frames.
    """
    sources = [read_mocap(path) for path in files]
    offsets = np.cumsum([0] + [len(mocap.joints) for mocap in sources])
    joints = torch.cat([mocap.joints for mocap in sources])
    axes = torch.cat([mocap.axes for mocap in sources])
    starts = [
        torch.arange(offset + start, offset + start + length - FRAMES + 1)
        for mocap, offset in zip(sources, offsets[:-1], strict=True)
        for start, length, split in zip(mocap.start, mocap.length, mocap.split, strict=True)
        if split == "train" and length >= FRAMES
    ]
    if not starts:
        raise AnyliftError(f"no training clip of {FRAMES} frames in {', '.join(map(str, files))}")
    draw, first = Draw.seeded(seed), torch.cat(starts)
    chosen = first[draw.integers((count,), len(first))]
    return torch.cat([_inputs(joints, axes, part, draw) for part in chosen.split(_BATCH)])


def _features_of(results: Sequence[ClipResult]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, SIZE) of prediction and truth in all views, and the recording (N,) of each window."""
    predicted, truth, azimuth, recording = [], [], [], []
    for result in filter(measurable, results):
        ours, theirs = result.predicted[:, POINTS], result.truth[:, POINTS]
        count = len(windows(ours))
        left = theirs[0, _HIPS[0]] - theirs[0, _HIPS[1]]
        facing = math.atan2(left[1], left[0]) - math.pi / 2
        for view in VIEWS:
            predicted += list(windows(ours))
            truth += list(windows(theirs))
            azimuth += count * [facing + math.radians(view)]
            recording += count * [result.recording or result.clip]
    if not truth:
        return np.empty((0, SIZE)), np.empty((0, SIZE)), np.array([])
    angle = torch.tensor(azimuth, dtype=torch.float64)
    level = torch.zeros_like(angle)
    seen = [features(seen_from(torch.as_tensor(np.stack(p)), angle, level).numpy()) for p in (predicted, truth)]
    return seen[0], seen[1], np.array(recording)


def _distance(predicted: np.ndarray, truth: np.ndarray) -> float:
    if len(truth) < FEWEST_WINDOWS:
        return math.nan
    return max(0.0, metrics.frechet_distance(predicted, truth))


def _channels(points: Tensor) -> Tensor:
    """Windows (N, FRAMES, P, 2) → (N, C, FRAMES): points relative to the root, and the root's path, in sizes."""
    root = points[:, :, _HIPS].mean(2)
    poses = points - root[:, :, None]
    size = poses.square().sum(-1).mean((1, 2)).sqrt().clamp_min(1e-6)[:, None, None]
    path = (root - root.mean(1, keepdim=True)) / (_PATH_UNIT * size)
    return torch.cat([poses.flatten(2) / size, path], -1).transpose(1, 2)


@cache
def _shipped() -> tuple[nn.Sequential, Tensor, Tensor]:
    path = find_weights(FILE)
    stored = {name: torch.from_numpy(value.astype(np.float32)) for name, value in read_npz(path).items()}
    encoder = encoder_network()
    try:
        mean, deviation = stored.pop("mean"), stored.pop("deviation")
        encoder.load_state_dict(stored)
    except (KeyError, RuntimeError) as error:
        raise AnyliftError(f"{path} does not hold the feature network: {error}", "install anylift again") from error
    return encoder.eval(), mean, deviation


def _inputs(joints: Tensor, axes: Tensor, first: Tensor, draw: Draw) -> Tensor:
    """Inputs (N, C, FRAMES) of the windows that start at `first` (N,)."""
    count = (len(first),)
    frames = first[:, None] + torch.arange(FRAMES)
    points = mocap_points(*varied(joints[frames], axes[frames], draw))[:, :, POINTS]
    azimuth, elevation = draw.uniform(count, 0, 2 * math.pi), draw.uniform(count, _LOWEST, _HIGHEST)
    return _channels(seen_from(points, azimuth, elevation))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    inputs = training_inputs(options.mocap, options.windows, options.seed)
    weights = train(inputs, options.steps, options.seed)
    with atomic_path(options.out) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **weights)
    print(f"{options.out}: {SIZE} features from {len(inputs)} windows")


if __name__ == "__main__":
    main()

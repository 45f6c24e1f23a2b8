"""When feet stand on the ground (ALGORITHM 4.5)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from anylift_cli.body.model import BodyModel
from anylift_cli.body.skeleton import K

CONTACT_POINTS = (K["left_heel"], K["left_big_toe"], K["right_heel"], K["right_big_toe"])
"""Points of `body24` in the order of the columns of `foot_contact`."""

_LEVEL = 0.06
_LEVEL_WIDTH = 0.015
_MIN_SECONDS = 0.1


def still_probability(
    feet: Tensor, centre: Tensor, times: Tensor, speed: float, width: float, depth_share: float = 1 / 3
) -> Tensor:
    """Probability that points (T, F, 3) rest in the world: a logistic of their speed over about 0.1 s, (T, F).

    Motion along the line of sight, which one camera hardly sees, counts less.

    Args:
        centre: (T, 3) camera centres in the world.
        times: (T,) seconds.
        speed: m/s at which the probability is one half.
        width: m/s over which it falls.
        depth_share: how much of the motion along the line of sight counts.
    """
    if len(feet) < 2:
        return feet.new_ones(feet.shape[:2])
    reach = max(1, round(0.05 / float(times.diff().median())))
    index = torch.arange(len(feet), device=feet.device)
    before, after = (index - reach).clamp_min(0), (index + reach).clamp_max(len(feet) - 1)
    sight = normalize(feet - centre[:, None], dim=-1)
    travelled = feet[after] - feet[before]
    travelled = travelled - (1 - depth_share) * (travelled * sight).sum(-1, keepdim=True) * sight
    return torch.sigmoid(
        (speed - travelled.norm(dim=-1) / (times[after] - times[before]).clamp_min(1e-3)[:, None]) / width
    )


def foot_clearance(body: BodyModel, betas: Tensor) -> Tensor:
    """Height (4,) of the contact points above the sole in the T-pose."""
    identity = torch.eye(3, device=betas.device).expand(1, 24, 3, 3)
    rest = body.joints(identity, betas, betas.new_zeros(1, 3)).keypoints[0, list(CONTACT_POINTS), 1]
    sole = body.vertices(identity, betas, betas.new_zeros(1, 3))[0, :, 1].min()
    return rest - sole


def floor_height(feet_height: Tensor, still: Tensor) -> float | None:
    """Height of the floor under resting points, heights (T, F) and probabilities (T, F); None where nothing rests.

    The lowest level at which at least a tenth of the resting frames agree within 5 cm.
    """
    resting = feet_height[still > 0.5]
    if len(resting) < 3:
        return None
    ordered = resting.sort().values
    count = torch.searchsorted(ordered, ordered + 0.05, right=True) - torch.arange(len(ordered), device=ordered.device)
    start = int((count >= max(3, 0.1 * len(ordered))).float().argmax())
    return float(ordered[start : start + int(count[start])].median())


def contact_probability(feet: Tensor, still: Tensor, floor: float, clearance: Tensor, times: Tensor) -> Tensor:
    """Contact of feet points (T, F, 3): resting and near the floor, without flicker shorter than 0.1 s, (T, F).

    Args:
        still: (T, F) from `still_probability`.
        floor: height of the floor.
        clearance: (F,) height of each point above the sole.
    """
    lift = feet[..., 2] - floor - clearance
    probability = still * torch.sigmoid((_LEVEL - lift) / _LEVEL_WIDTH)
    reach = max(1, round(_MIN_SECONDS / float(times.diff().median()))) if len(times) > 1 else 1
    size = 2 * (reach // 2) + 1
    padded = torch.nn.functional.pad(probability.T[None], (size // 2, size // 2), mode="replicate")[0]
    return padded.unfold(-1, size, 1).median(-1).values.T

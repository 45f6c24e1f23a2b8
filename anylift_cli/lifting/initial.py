"""Where a fit starts: poses from the estimator's local points or from a dictionary, depth from apparent size.

The start decides: without depth from size the same optimisation ends twice as far away in pose and eight times
in root position (ALGORITHM 8.6).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anylift_cli.body.prior import FEATURES, PosePrior, torso_frame
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.lifting.edges import END, SIZE, START, edge_lengths
from anylift_cli.lifting.observation import Observation, root_of
from anylift_cli.lifting.size import averaged, size_depth

HEADINGS = 36
_LIMB_CHAIN = (
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("right_ankle", "right_big_toe"),
    ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("left_ankle", "left_big_toe"),
)  # fmt: skip
_HANGS_ON = (
    *((K[end], K[start]) for start, end in _LIMB_CHAIN),
    *((K[name], K["neck"]) for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")),
    *((K[f"{side}_{part}"], K[f"{side}_ankle"]) for side in ("left", "right") for part in ("small_toe", "heel")),
)
_DEPTH_WINDOW = 0.5
"""Seconds over which depth from apparent size is averaged."""
_POSE_WINDOW = 0.06


def dictionary_poses(prior: PosePrior, rest: Tensor) -> Tensor:
    """The prior's means as root-centred `body24` points (M, 24, 3) with the bone lengths of `rest` (24, 3).

    Axes of the trunk: x left, y up, z front. Head and feet keep their rest shape.
    """
    directions = prior.means.reshape(-1, FEATURES // 3, 3)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    points = (rest - root_of(rest)).expand(len(directions), -1, -1).clone()
    width = (rest[K["left_shoulder"]] - rest[K["right_shoulder"]]).norm()
    points[:, K["left_shoulder"]] = points[:, K["neck"]] + 0.5 * width * directions[:, 0]
    points[:, K["right_shoulder"]] = points[:, K["neck"]] - 0.5 * width * directions[:, 0]
    for (start, end), direction in zip(_LIMB_CHAIN, directions[:, 1:].unbind(1), strict=True):
        length = (rest[K[end]] - rest[K[start]]).norm()
        points[:, K[end]] = points[:, K[start]] + length * direction
    for side in ("left", "right"):
        for part in ("small_toe", "heel"):
            offset = rest[K[f"{side}_{part}"]] - rest[K[f"{side}_ankle"]]
            points[:, K[f"{side}_{part}"]] = points[:, K[f"{side}_ankle"]] + offset
    return points


def matched_poses(observation: Observation, prior: PosePrior, rest: Tensor, hypotheses: int) -> Tensor:
    """The dictionary poses that look most like the 2D points, in camera axes, (B, hypotheses, T, 24, 3).

    Each pose is tried at every heading about the world's z axis and compared under a 2D similarity (its rotation,
    the roll, costs a little). The heading follows the cheapest path through time; each further hypothesis must
    keep away from the headings of those before.
    """
    poses = dictionary_poses(prior, rest)
    angles = torch.arange(HEADINGS, device=rest.device) * (2 * math.pi / HEADINGS)
    world_from_trunk = _headings(angles)
    turned = torch.einsum("hij,mkj->hmki", world_from_trunk, poses)
    results = []
    for rays, weight, world_from_camera in zip(
        observation.rays, observation.weight, observation.world_from_camera, strict=True
    ):
        rotation = world_from_camera[:, :3, :3]
        candidates = torch.einsum("tji,hmkj->thmki", rotation, turned)
        cost, roll = _match(rays, weight, candidates)
        best_cost, best_pose = cost.min(-1)
        chosen = []
        for _ in range(hypotheses):
            path = _smoothest_path(best_cost)
            frames = torch.arange(len(path), device=path.device)
            pose = best_pose[frames, path]
            chosen.append(_rolled(candidates[frames, path, pose], roll[frames, path, pose]))
            distance = (torch.arange(HEADINGS, device=path.device) - path[:, None] + HEADINGS // 2) % HEADINGS
            best_cost = best_cost + ((distance - HEADINGS // 2).abs() <= HEADINGS // 6) * 10.0
        results.append(torch.stack(chosen))
    return torch.stack(results)


def place(local: Tensor, observation: Observation, lengths: Tensor | None = None) -> Tensor:
    """World points (B, T, 24, 3) of root-centred camera-axes points `local` that project onto the observation.

    The translation is the linear least-squares solution of each frame; its depth, and lightly the whole pose,
    is averaged over time in proportion to how well it is seen, and frames without enough points take it from
    their neighbours. Poses that are only alike tell less of depth than apparent size does: for them give the
    person's edge `lengths` (E,), m, and the depth is that of `size_depth`.
    """
    u, v = observation.rays.unbind(-1)
    x, y, z = local.unbind(-1)
    weight = observation.weight
    ones = torch.ones_like(u)
    zeros = torch.zeros_like(u)
    rows = torch.cat([torch.stack([ones, zeros, -u], -1), torch.stack([zeros, ones, -v], -1)], -2)
    values = torch.cat([u * z - x, v * z - y], -1)
    twice = torch.cat([weight, weight], -1)
    normal = torch.einsum("btn,btni,btnj->btij", twice, rows, rows) + 1e-6 * torch.eye(3, device=u.device)
    right = torch.einsum("btn,btni,btn->bti", twice, rows, values)
    translation = torch.linalg.solve(normal, right)
    depth = translation[..., 2]
    evidence = weight.sum(-1) * ((weight > 0.3).sum(-1) >= 6) * (depth > 0.3) + 1e-6
    if lengths is None:
        smooth = averaged(depth.clamp_min(0.3).log(), evidence, observation.times, _DEPTH_WINDOW).exp()
    else:
        smooth = size_depth(observation.rays, weight, lengths[None], observation.times)
    gaze = averaged(translation[..., :2] / depth[..., None].clamp_min(0.3), evidence, observation.times, 0.05)
    root = torch.cat([gaze * smooth[..., None], smooth[..., None]], -1)
    camera_points = local + root[..., None, :]
    rotation, centre = observation.world_from_camera[..., :3, :3], observation.world_from_camera[..., None, :3, 3]
    world_points = camera_points @ rotation.transpose(-1, -2) + centre
    return averaged(world_points.flatten(2), evidence, observation.times, _POSE_WINDOW).unflatten(2, (-1, 3))


def completed(local: Tensor, known: Tensor, times: Tensor, rest: Tensor) -> Tensor:
    """An estimator's root-centred points (B, T, 24, 3) with the unknown ones filled in as a starting value.

    A point that is known at other times moves smoothly between them; one that never is keeps its rest offset
    from the trunk or limb it hangs on.
    """
    batch, frames = known.shape[:2]
    flat_known = known.transpose(1, 2).reshape(-1, frames)
    flat_times = times.repeat_interleave(len(BODY24), 0)
    smooth = averaged(local.transpose(1, 2).reshape(-1, frames, 3), flat_known + 1e-9, flat_times, 0.1)
    smooth = smooth.reshape(batch, len(BODY24), frames, 3).transpose(1, 2)
    points = torch.where(known[..., None] > 0, local, smooth)
    never = known.sum(1) < 1e-6
    for child, parent in _HANGS_ON:
        offset = (torso_frame(points) @ (rest[child] - rest[parent])[:, None])[..., 0]
        points[:, :, child] = torch.where(
            never[:, None, child, None], points[:, :, parent] + offset, points[:, :, child]
        )
    return points


def local_scale(local: Tensor, known: Tensor, lengths: Tensor) -> Tensor:
    """Factor (B,) that brings an estimator's points (B, T, 24, 3) to given edge lengths (E,), robustly."""
    seen = (known[..., START] > 0.3) & (known[..., END] > 0.3) & SIZE.to(known.device)
    ratio = torch.where(seen, lengths / edge_lengths(local).clamp_min(1e-3), torch.nan)
    return torch.nan_to_num(ratio.flatten(1).nanmedian(-1).values, nan=1.0)


def _headings(angles: Tensor) -> Tensor:
    """World-from-trunk rotations (H, 3, 3): trunk up = world z, front at `angles` about it."""
    cosine, sine, zero, one = angles.cos(), angles.sin(), torch.zeros_like(angles), torch.ones_like(angles)
    left = torch.stack([-sine, cosine, zero], -1)
    upward = torch.stack([zero, zero, one], -1)
    front = torch.stack([cosine, sine, zero], -1)
    return torch.stack([left, upward, front], -1)


def _match(rays: Tensor, weight: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Cost and roll (T, H, M) of candidates (T, H, M, 24, 3) under the best 2D similarity."""
    total = weight.sum(-1, keepdim=True).clamp_min(1e-6)
    share = weight / total
    observed = torch.complex(rays[..., 0], rays[..., 1])
    observed = observed - (share * observed).sum(-1, keepdim=True)
    drawn = torch.complex(candidates[..., 0].contiguous(), candidates[..., 1].contiguous())
    share = share[:, None, None]
    drawn = drawn - (share * drawn).sum(-1, keepdim=True)
    energy = (share * drawn.abs() ** 2).sum(-1).clamp_min(1e-9)
    product = (share * drawn.conj() * observed[:, None, None]).sum(-1)
    spread = (share * observed[:, None, None].abs() ** 2).sum(-1).clamp_min(1e-12)
    roll = product.angle()
    residual = 1 - product.abs() ** 2 / (energy * spread)
    reliable = (total[..., 0] > 2).float()[:, None, None]
    return reliable * (residual + 0.15 * (1 - roll.cos())), roll


def _smoothest_path(cost: Tensor, turn_cost: float = 0.02) -> Tensor:
    """Viterbi path (T,) through costs (T, H); turning by n steps between frames costs `turn_cost` n²."""
    steps = torch.arange(HEADINGS, device=cost.device)
    distance = (steps[:, None] - steps + HEADINGS // 2) % HEADINGS - HEADINGS // 2
    transition = turn_cost * distance.float() ** 2
    total, back = cost[0], []
    for frame in cost[1:]:
        step, origin = (total[None, :] + transition).min(-1)
        total = step + frame
        back.append(origin)
    path = [total.argmin()]
    for origin in reversed(back):
        path.append(origin[path[-1]])
    return torch.stack(path[::-1])


def _rolled(points: Tensor, roll: Tensor) -> Tensor:
    """Turn camera-axes points (T, 24, 3) by `roll` (T,) about the optical axis."""
    cosine, sine = roll.cos()[:, None], roll.sin()[:, None]
    x, y, z = points.unbind(-1)
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], -1)

"""What a keypoint detector makes of a person: noise, bias, doubt and gaps, drawn at random.

The noise was measured with MediaPipe on the rendered scenes, in units of the person's height in the image: 0.2 % from
frame to frame, 0.7 % slowly changing, 0.5 % lasting.
"""

from __future__ import annotations

import torch
from torch import Tensor

from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, LEFT_HIP, RIGHT_HIP
from anylift_cli.geometry.vectors import unit
from anylift_cli.synthetic.draw import Draw
from anylift_cli.synthetic.virtual_cameras import ASPECT

_FAST, _SLOW, _LASTING = 0.0022, 0.007, 0.005
_LOCAL_SIZE = 0.03
_LOCAL_SIDE, _LOCAL_DEPTH = (0.02, 0.03, 0.008), (0.05, 0.07, 0.012)
"""Metres: lasting, slow and trembling error."""
_REACH = {"hip": 0.3, "shoulder": 0.75, "neck": 0.7, "wrist": 1.3}
_NEAR_PLANE = 0.3
_LIMBS = tuple(
    tuple(
        index
        for index, name in enumerate(BODY24)
        if name.startswith(f"{side}_") and name.split("_", 1)[1] in parts
    )
    for side in ("left", "right")
    for parts in (("elbow", "wrist"), ("knee", "ankle", "heel", "big_toe", "small_toe"))
)  # fmt: skip
_LIMB_MASK = torch.zeros(len(_LIMBS), len(BODY24), dtype=torch.bool)
for _row, _limb in enumerate(_LIMBS):
    _LIMB_MASK[_row, list(_limb)] = True


def detect(points: Tensor, focal: Tensor, times: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Detected points of people seen by cameras.

    Args:
        points: (B, T, 24, 3) `body24` in the camera, m.
        focal: (B,) in half image heights.
        times: (T,) seconds.

    Returns:
        rays (B, T, 24, 2) x/z and y/z, 0 where unobserved, and confidence (B, T, 24), 0 where unobserved.
    """
    batch, frames, count = points.shape[:3]
    true = points[..., :2] / points[..., 2:].clamp_min(_NEAR_PLANE)
    size = (true[..., 1].amax(-1) - true[..., 1].amin(-1)).clamp_max(4.0).mean(1)
    level = size * torch.exp(draw.normal((batch,), 0.35))
    doubtful = _limb_spans(batch, frames, 0.12, draw)
    noise = _FAST * draw.normal(true.shape) + _LASTING * draw.normal((batch, 1, count, 2))
    noise = noise + _SLOW * draw.wander((batch, count, 2), times, 0.1, 2.5)
    noise = noise * torch.where(doubtful, 3.0, 1.0)[..., None]
    seen = true + level[:, None, None, None] * noise

    exchanged = _limb_spans(batch, frames, 0.01, draw)
    seen = torch.where(exchanged[..., None], seen[:, :, list(BODY24_MIRROR)], seen)
    in_picture = (seen * focal[:, None, None, None]).abs() < seen.new_tensor([ASPECT, 1.0])
    known = in_picture.all(-1) & (points[..., 2] > _NEAR_PLANE)
    known &= ~_limb_spans(batch, frames, 0.05, draw)
    known &= ~draw.spans((batch,), frames, 0.08, 3, 12)[..., None]
    known &= ~draw.chance((batch, frames, count), 0.02)
    confidence = torch.where(doubtful, draw.uniform((batch, frames, count), 0.3, 0.7), 0.8 + 0.19 * draw.uniform(
        (batch, frames, count)
    ))  # fmt: skip
    return torch.where(known[..., None], seen, 0.0), torch.where(known, confidence, 0.0)


def estimate_local(points: Tensor, times: Tensor, draw: Draw) -> Tensor:
    """Root-centred points (B, T, 24, 3) of a single-image 3D estimator, in camera axes, m.

    Errors as MediaPipe's landmarks have them on the rendered scenes: the person's size, and for each point a lasting, a
    slowly changing and a trembling error, largest along the line of sight and at the ends of limbs.
    """
    batch, _, count = points.shape[:3]
    hips = [LEFT_HIP, RIGHT_HIP]
    root = points[..., hips, :].mean(-2, keepdim=True)
    size = torch.exp(draw.normal((batch, 1, 1, 1), _LOCAL_SIZE))
    reach = points.new_tensor([_REACH.get(name.split("_", 1)[-1], 1.0) for name in BODY24])[:, None]
    side, depth = (
        reach
        * (
            lasting * draw.normal((batch, 1, count, width))
            + slow * draw.wander((batch, count, width), times, 0.1, 1.5)
            + trembling * draw.normal((*points.shape[:3], width))
        )
        for (lasting, slow, trembling), width in ((_LOCAL_SIDE, 3), (_LOCAL_DEPTH, 1))
    )
    error = side + depth * unit(root)
    error[..., hips, :] -= error[..., hips, :].mean(-2, keepdim=True)
    return (points - root) * size + error


def _limb_spans(batch: int, frames: int, probability: float, draw: Draw) -> Tensor:
    """Whether a point lies in a limb that something happens to, (B, T, 24)."""
    spans = draw.spans((batch, len(_LIMBS)), frames, probability, 5, 40)
    return torch.einsum("blt,lk->btk", spans.float(), _LIMB_MASK.to(spans.device).float()) > 0

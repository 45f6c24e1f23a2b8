"""Discs in an image: where colours that are a ball's own fill a circle, and how well its rim stands out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_COARSE = 9.0
"""px: the radius at which discs are looked for."""
_SIZES = 1.19 ** np.arange(-4, 5)
"""Radii looked for, of the expected one: half to double."""
_LEAST_CONTRAST = 0.2
_RAYS = 40
_FROM, _TO, _STEPS = 0.35, 1.65, 40
"""Of the radius: where along a ray the rim is looked for."""
_INSIDE, _OUTSIDE = 0.35, 0.3
"""Of the radius: how much of a ray before and behind the rim must differ."""
_RIM_CONTRAST = 0.25
_OFF_CIRCLE = 0.13
"""Of the radius: a rim that is farther from the circle is something else's."""


@dataclass(frozen=True)
class Discs:
    """N candidates of one frame.

    Attributes:
        places: (N, 3) x px, y px, radius px.
        score: (N,) 0..1, the share of the rim that stands out, less where the disc is not filled.
    """

    places: np.ndarray
    score: np.ndarray


def find_discs(likeness: np.ndarray, radius: float, most: int = 10) -> Discs:
    """The best discs of about `radius` px in a map (height, width) of 0..1."""
    zoom = min(1.0, _COARSE / radius)
    small = cv2.resize(likeness, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA) if zoom < 1 else likeness
    radii = radius * zoom * _SIZES
    contrast = np.stack([cv2.filter2D(small, -1, _kernel(r), borderType=cv2.BORDER_CONSTANT) for r in radii])
    best = contrast.max(0)
    reach = 2 * round(0.6 * radius * zoom) + 1
    peaks = (best == cv2.dilate(best, np.ones((reach, reach), np.uint8))) & (best > _LEAST_CONTRAST)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-best[rows, columns], kind="stable")[:most]
    rows, columns = rows[order], columns[order]
    size = radii[contrast[:, rows, columns].argmax(0)]
    places = np.stack([(columns + 0.5) / zoom, (rows + 0.5) / zoom, size / zoom], -1)
    found = [fit_disc(likeness, place) for place in places]
    return Discs(np.array([place for place, _ in found]).reshape(-1, 3), np.array([score for _, score in found]))


def fit_disc(likeness: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, float]:
    """The circle (x, y, radius) px near `place` whose rim stands out most, and its score 0..1.

    Only the part of the rim that stands out decides; where it is less than half, the radius stays as it is.
    """
    score = 0.0
    for _ in range(3):
        x, y, radius = place
        rim, contrast, filled = _rims(likeness, place)
        sure = contrast > _RIM_CONTRAST
        if sure.sum() < 5:
            return place, 0.0
        fitted = _circle(rim[sure], place, fixed=sure.mean() < 0.5)
        miss = np.abs(np.linalg.norm(rim - fitted[:2], axis=1) - fitted[2])
        agree = sure & (miss < _OFF_CIRCLE * fitted[2])
        if agree.sum() < 5:
            return place, 0.0
        fitted = _circle(rim[agree], fitted, fixed=agree.mean() < 0.5)
        moved = np.hypot(*(fitted[:2] - (x, y)))
        if moved > radius or not 0.45 < fitted[2] / radius < 2.2:
            return place, 0.0
        place, score = fitted, float(agree.mean() * np.sqrt(filled))
    return place, score


def _kernel(radius: float) -> np.ndarray:
    """A disc's mean minus that of a ring around it."""
    half = int(np.ceil(1.45 * radius))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    away = np.hypot(x, y)
    inside, ring = away <= 0.92 * radius, (away >= 1.1 * radius) & (away <= 1.45 * radius)
    return (inside / inside.sum() - ring / ring.sum()).astype(np.float32)


def _rims(likeness: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Along rays from the middle: the place (R, 2) of the greatest fall, how great (R,), and the mean inside."""
    x, y, radius = place
    turn = 2 * np.pi * np.arange(_RAYS) / _RAYS
    along = np.linspace(0, _TO, _STEPS + 1)[1:]
    direction = np.stack([np.cos(turn), np.sin(turn)], -1)
    at = (np.array([x, y]) + radius * along[:, None, None] * direction - 0.5).astype(np.float32)
    values = cv2.remap(likeness, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    total = np.concatenate([np.zeros((1, _RAYS)), np.cumsum(values, 0)])
    step = along[0]
    before, after = round(_INSIDE / step), round(_OUTSIDE / step)
    edges = np.arange(max(before, round(_FROM / step)), _STEPS - after + 1)
    fall = (total[edges] - total[edges - before]) / before - (total[edges + after] - total[edges]) / after
    best = fall.argmax(0)
    rim = np.array([x, y]) + radius * step * (edges[best][:, None] + 0.5) * direction
    return rim, fall.max(0), float(values[along < 0.9].mean())


def _circle(points: np.ndarray, place: np.ndarray, *, fixed: bool) -> np.ndarray:
    """The circle (x, y, radius) nearest to points (N, 2), from `place` on; outliers count less (Gauss-Newton)."""
    x, y, radius = place
    for _ in range(5):
        offset = points - (x, y)
        distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-6)
        miss = distance - radius
        weight = 1 / (1 + (miss / (0.06 * radius)) ** 2)
        jacobian = np.concatenate([-offset / distance[:, None], -np.ones((len(points), 1))], 1)[:, : 2 if fixed else 3]
        normal = (jacobian * weight[:, None]).T @ jacobian + 1e-6 * np.eye(jacobian.shape[1])
        step = -np.linalg.solve(normal, jacobian.T @ (weight * miss))
        x, y, radius = x + step[0], y + step[1], radius + (0 if fixed else step[2])
    return np.array([x, y, radius])

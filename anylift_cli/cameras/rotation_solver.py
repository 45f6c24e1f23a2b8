"""From correspondences to a rotating, perhaps zooming camera."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from anylift_cli.cameras.rotation_model import (
    Observations,
    RotationPath,
    refine,
    residuals,
    rotation_between_views,
    unit_rays,
)
from anylift_cli.cameras.tracking import MIN_MATCHES, KeyFrame, Link, Tracks

FOCAL_CANDIDATES = np.geomspace(0.35, 8.0, 36)
SOLVED_BELOW = 0.12
ZOOM_FROM = 0.03
LOOPS_PER_KEY = 3
FIT_PX = 1.5
FULL_SUPPORT = 30
LENS_ERROR = 0.003


@dataclass(frozen=True)
class RotationSolution:
    """A solved path with what speaks for and against it.

    Attributes:
        path: rotations and log focal lengths in working pixels.
        focal_deviation: relative standard deviation of the focal length; None when it was not solved.
        zoomed: whether the focal length changes.
        confidence: (T,), 0 where no point was seen.
        median_residual: px, over all points of all links.
        explained: fraction of the points that the model predicts within `FIT_PX`.
    """

    path: RotationPath
    focal_deviation: float | None
    zoomed: bool
    confidence: np.ndarray
    median_residual: float
    explained: float


def solve_rotations(tracks: Tracks, focal: float, focal_known: bool) -> RotationSolution:
    """Rotation and focal length of every frame.

    Args:
        tracks: background correspondences.
        focal: working pixels; of the first frame if known, else what to assume when it cannot be seen.
        focal_known: whether `focal` is to be kept.
    """
    links, ratios = _consistent(tracks.links)
    if not links:
        still = RotationPath(np.tile(np.eye(3), (tracks.frame_count, 1, 1)), np.full(tracks.frame_count, np.log(focal)))
        return RotationSolution(still, None, False, np.zeros(tracks.frame_count), float("inf"), 0.0)
    log_zoom = _chain_zoom(tracks.frame_count, links, ratios)
    zoom = bool(np.ptp(log_zoom) > ZOOM_FROM)
    if not zoom:
        log_zoom[:] = 0
    level = not focal_known
    start = _best_level(links, tracks.size, log_zoom) if level else focal
    path = _chain_rotations(tracks, links, log_zoom + np.log(start))
    seen = Observations.from_links(links, tracks.size)
    path, deviation = refine(path, seen, level=level, zoom=zoom)
    links = links + find_loops(tracks, path)
    seen = Observations.from_links(links, tracks.size)
    path, deviation = refine(path, seen, level=level, zoom=zoom)
    if zoom and np.ptp(path.log_focal) < ZOOM_FROM:
        zoom = False
        path.log_focal = np.full(tracks.frame_count, path.log_focal.mean())
        path, deviation = refine(path, seen, level=level, zoom=False)
    deviation = float(np.hypot(deviation * _repeats(links), _lens_deviation(path)))
    if level and deviation > SOLVED_BELOW:
        level = False
        path = _chain_rotations(tracks, links, path.log_focal - path.log_focal[0] + np.log(focal))
        path, _ = refine(path, seen, level=False, zoom=zoom)
    return _judged(tracks, path, deviation if level else None, zoom)


def _judged(tracks: Tracks, path: RotationPath, focal_deviation: float | None, zoomed: bool) -> RotationSolution:
    """The solution with its residuals over all links, outliers included."""
    errors = [
        np.linalg.norm(residuals(path, Observations.from_links([link], tracks.size)), axis=1) for link in tracks.links
    ]
    fits = np.zeros(tracks.frame_count)
    for link, error in zip(tracks.links, errors, strict=True):
        support = (error < FIT_PX).sum()
        for frame in (link.first, link.second):
            fits[frame] = max(fits[frame], support)
    pooled = np.concatenate(errors)
    return RotationSolution(
        path,
        focal_deviation,
        zoomed,
        np.clip(fits / FULL_SUPPORT, 0, 1),
        float(np.median(pooled)),
        float((pooled < FIT_PX).mean()),
    )


def find_loops(tracks: Tracks, path: RotationPath) -> list[Link]:
    """Links between key frames that see the same place at different times, recognised by their SIFT features."""
    linked = {(link.first, link.second) for link in tracks.links}
    frames = np.array([key.frame for key in tracks.keys])
    axis = path.rotations[frames][:, :, 2]
    apart = np.arccos(np.clip(axis @ axis.T, -1, 1))
    field = 2 * np.arctan(max(tracks.size) / 2 / np.exp(path.log_focal[frames]))
    near = [
        (apart[i, j], i, j)
        for i in range(len(frames))
        for j in range(i + 1, len(frames))
        if apart[i, j] < 0.7 * min(field[i], field[j]) and (frames[i], frames[j]) not in linked
    ]
    candidates = (match_keys(tracks.keys[i], tracks.keys[j]) for _, i, j in sorted(near)[: LOOPS_PER_KEY * len(frames)])
    return [link for link in candidates if link is not None]


def match_keys(first: KeyFrame, second: KeyFrame) -> Link | None:
    """The link between two key frames that one homography explains, or None."""
    if min(len(first.features), len(second.features)) < MIN_MATCHES:
        return None
    matches = cv2.BFMatcher(cv2.NORM_L2).knnMatch(first.descriptors, second.descriptors, k=2)
    good = [best for best, other in matches if best.distance < 0.75 * other.distance]
    if len(good) < MIN_MATCHES:
        return None
    points = np.stack([first.features[[m.queryIdx for m in good]], second.features[[m.trainIdx for m in good]]], axis=1)
    _, inlier = cv2.findHomography(points[:, 0], points[:, 1], cv2.RANSAC, 2.0)
    if inlier is None or inlier.sum() < max(MIN_MATCHES, 0.4 * len(good)):
        return None
    return Link(first.frame, second.frame, points[inlier[:, 0] > 0])


def _consistent(links: list[Link]) -> tuple[list[Link], np.ndarray]:
    """Links without the points that no homography explains, and the zoom ratio (second over first) of each."""
    kept, ratios = [], []
    for link in links:
        homography, inlier = cv2.findHomography(link.points[:, 0], link.points[:, 1], cv2.RANSAC, 1.5, maxIters=300)
        if homography is None or inlier.sum() < max(MIN_MATCHES, 0.3 * len(link.points)):
            continue
        points = link.points[inlier[:, 0] > 0]
        first, second = (side - side.mean(0) for side in np.moveaxis(points.astype(np.float64), 1, 0))
        kept.append(Link(link.first, link.second, points))
        ratios.append(np.sqrt((second**2).sum() / (first**2).sum()))
    return kept, np.array(ratios)


def _tree(frame_count: int, links: list[Link]) -> list[tuple[int, int, int]]:
    """Order in which every frame follows from a known one: (known, new, signed link number; 0 means no link)."""
    neighbours: list[list[tuple[int, int]]] = [[] for _ in range(frame_count)]
    for number, link in enumerate(links, 1):
        neighbours[link.first].append((link.second, number))
        neighbours[link.second].append((link.first, -number))
    order, known = [], np.zeros(frame_count, bool)
    for start in range(frame_count):
        if known[start]:
            continue
        if start:
            order.append((start - 1, start, 0))
        known[start] = True
        queue = deque([start])
        while queue:
            frame = queue.popleft()
            for other, number in neighbours[frame]:
                if not known[other]:
                    known[other] = True
                    order.append((frame, other, number))
                    queue.append(other)
    return order


def _chain_zoom(frame_count: int, links: list[Link], ratios: np.ndarray) -> np.ndarray:
    log_zoom = np.zeros(frame_count)
    for known, new, number in _tree(frame_count, links):
        log_zoom[new] = log_zoom[known] + (np.sign(number) * np.log(ratios[abs(number) - 1]) if number else 0)
    return log_zoom


def _chain_rotations(tracks: Tracks, links: list[Link], log_focal: np.ndarray) -> RotationPath:
    rotations = np.tile(np.eye(3), (tracks.frame_count, 1, 1))
    focal = np.exp(log_focal)
    centre = np.array(tracks.size) / 2
    for known, new, number in _tree(tracks.frame_count, links):
        relative = np.eye(3)
        if number:
            link = links[abs(number) - 1]
            points = link.points.astype(np.float64) - centre
            weights = np.ones(len(points))
            relative = rotation_between_views(
                points[:, 0], points[:, 1], focal[link.first], focal[link.second], weights
            )
            relative = relative if number > 0 else relative.T
        rotations[new] = rotations[known] @ relative.T
    return RotationPath(rotations, log_focal)


def _best_level(links: list[Link], size: tuple[int, int], log_zoom: np.ndarray) -> float:
    """Focal length of the first frame that leaves the least residual over the links with the longest flow."""
    centre = np.array(size) / 2
    flow = [np.linalg.norm(np.median(link.points[:, 1] - link.points[:, 0], 0)) for link in links]
    longest = [links[i] for i in np.argsort(flow)[-60:]]
    candidates = FOCAL_CANDIDATES * max(size)
    cost = np.zeros(len(candidates))
    for link in longest:
        first, second = np.moveaxis(link.points.astype(np.float64) - centre, 1, 0)
        first_focal = candidates * np.exp(log_zoom[link.first])
        second_focal = candidates * np.exp(log_zoom[link.second])
        stack = (len(candidates), *first.shape)
        first, second = np.broadcast_to(first, stack), np.broadcast_to(second, stack)
        rotation = rotation_between_views(first, second, first_focal, second_focal, np.ones(stack[:2]))
        turned = unit_rays(first, first_focal[:, None]) @ rotation.swapaxes(1, 2)
        predicted = second_focal[:, None, None] * turned[..., :2] / np.maximum(turned[..., 2:], 0.05)
        cost += np.minimum(((predicted - second) ** 2).sum(-1), 9).sum(-1)
    return float(candidates[cost.argmin()])


def _lens_deviation(path: RotationPath) -> float:
    """Relative error of the focal length that an undistorted lens model may cause: the less it turns, the more."""
    forward = path.rotations[:, :, 2]
    turn = np.arccos(np.clip(forward @ forward[0], -1, 1)).max()
    return float(LENS_ERROR / max(turn, 1e-6))


def _repeats(links: list[Link]) -> float:
    """Factor on standard deviations: links that share a key frame repeat its corners' errors."""
    return float(np.sqrt(max(1, len(links) / len({link.first for link in links}) / 3)))

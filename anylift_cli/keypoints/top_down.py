"""People found as boxes, and a network that looks at each box: what the ViTPose backends have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from anylift_cli.keypoints.base import Pose, Region
from anylift_cli.keypoints.imports.layouts import layout_of, to_body24
from anylift_cli.keypoints.plausibility import MAIN_JOINTS
from anylift_cli.keypoints.regions import MARGIN, SEEN, is_outside, region_of
from anylift_cli.video import Frame

PIXEL_CENTRE = 0.5
"""Detectors and networks count pixels from the middle of the first one, we from its corner."""
_PAD = 0.08
"""Around the points, to hold the whole body: a fraction of the longer side."""


class Detector(Protocol):
    """Finds people."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(N, 4) boxes, xyxy px, most certain first."""
        ...


class Network(Protocol):
    """Finds the points of a person in each box."""

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, K, 2) and scores (N, K) 0..1 of N people.

        Args:
            image: RGB.
            boxes: (N, 4) xyxy; pixels are counted from the middle of the first one, in the points too.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class TopDown:
    """A `PoseEstimator` of a detector and a network.

    A person's next box is told by the points of this frame, so that the detector is asked only where the tracker
    searches for somebody new.
    """

    def __init__(self, name: str, detector: Detector, network: Network) -> None:
        self.name = name
        self._detector = detector
        self._network = network

    def find(self, frame: Frame, tile: tuple[int, int, int, int]) -> list[Region]:
        left, top, right, bottom = tile
        boxes = self._detector(np.ascontiguousarray(frame.image[top:bottom, left:right]))
        return [_region_in(box + np.tile([left, top], 2)) for box in boxes]

    def estimate(self, frame: Frame, regions: Sequence[Region]) -> list[Pose | None]:
        boxes = np.array([_box_in(region) for region in regions])
        points, scores = self._network(frame.image, boxes - PIXEL_CENTRE)
        height, width = frame.image.shape[:2]
        people = zip(points + PIXEL_CENTRE, scores, boxes, strict=True)
        return [_pose(*person, (width, height)) for person in people]

    def close(self) -> None:
        self._network.close()


def _region_in(box: np.ndarray) -> Region:
    x, y = (box[:2] + box[2:]) / 2
    return Region(float(x), float(y), MARGIN * float((box[2:] - box[:2]).max()), box=tuple(box.tolist()))


def _box_in(region: Region) -> tuple[float, float, float, float]:
    if region.box is not None:
        return region.box
    half = region.size / MARGIN / 2
    return region.x - half, region.y - half, region.x + half, region.y + half


def _pose(points: np.ndarray, scores: np.ndarray, box: np.ndarray, image_size: tuple[int, int]) -> Pose | None:
    person = to_body24(points, scores, layout_of(len(points), "the network"))
    region = region_of(person.points, person.confidence)
    if region is None:
        return None
    outside = is_outside(person.points, region.size, image_size)
    placed, sure = np.where(outside[:, None], np.nan, person.points), np.where(outside, 0, person.confidence)
    around = _box_around(placed, sure, box)
    return None if around is None else Pose(placed, sure, None, replace(region, box=around))


def _box_around(points: np.ndarray, confidence: np.ndarray, before: np.ndarray) -> tuple | None:
    """The box to look at next. It does not shrink while a limb is unseen: a box around a torso alone would never
    show the legs again."""
    seen = points[confidence >= SEEN]
    if len(seen) < 2:
        return None
    low, high = seen.min(axis=0), seen.max(axis=0)
    half = (high - low) / 2 + _PAD * (high - low).max()
    if (confidence[MAIN_JOINTS] < SEEN).any():
        half = np.maximum(half, (before[2:] - before[:2]) / 2)
    middle = (low + high) / 2
    return tuple(np.concatenate([middle - half, middle + half]).tolist())

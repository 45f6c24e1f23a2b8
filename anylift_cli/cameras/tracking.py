"""Background points followed through a shot: the measurements that all solvers share.

Corners outside people are found in key frames and followed by pyramidal Lucas-Kanade, always against the key
frame's own image, so that errors do not add up from frame to frame. A frame that sees too little of its key frame
becomes the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from anylift_cli.artifacts import KeypointsArtifact
from anylift_cli.progress import Progress
from anylift_cli.video import read_frames_at

LONG_SIDE = 640
GRID = (12, 8)
CORNERS_PER_CELL = 2
MIN_MATCHES = 12
NEW_KEY_BELOW = 0.55
MAX_ROUND_TRIP = 0.5
BOX_PADDING = 0.12
LK = {
    "winSize": (17, 17),
    "maxLevel": 3,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
}


@dataclass(frozen=True)
class Link:
    """Points seen in two frames: `points` (N, 2, 2), [:, 0] in frame `first`, [:, 1] in frame `second`."""

    first: int
    second: int
    points: np.ndarray


@dataclass(frozen=True)
class KeyFrame:
    """A frame that others are matched against, with SIFT features to recognise it by.

    `features` (N, 2) pixels, `descriptors` (N, 128) uint8.
    """

    frame: int
    features: np.ndarray
    descriptors: np.ndarray


@dataclass(frozen=True)
class Tracks:
    """Correspondences of the background of a shot, in pixels of images scaled to `size` (width, height).

    Frames count from 0 within the shot. `scale` is working pixels per image pixel.
    """

    frame_count: int
    size: tuple[int, int]
    scale: float
    links: list[Link]
    keys: list[KeyFrame]


def track_background(video: Path, keypoints: KeypointsArtifact, progress: Progress) -> Tracks:
    """Follow background corners through the frames of `keypoints`; memory grows by about 1.5 KB a frame.

    Raises:
        AnyliftError: the video cannot be read.
    """
    width, height = (int(side) for side in keypoints.image_size)
    scale = min(1.0, LONG_SIDE / max(width, height))
    size = (round(width * scale), round(height * scale))
    boxes = people_boxes(keypoints) * scale
    tracker = _Tracker()
    with progress.task("camera: following the background", total=len(keypoints.frame_index)) as task:
        for t, frame in enumerate(read_frames_at(video, keypoints.frame_index, LONG_SIDE)):
            grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
            tracker.add(t, grey, background_mask(grey.shape[::-1], boxes[:, t]))
            task.advance()
    return Tracks(len(keypoints.frame_index), size, scale, tracker.links.made(), tracker.keys)


def people_boxes(keypoints: KeypointsArtifact) -> np.ndarray:
    """Padded boxes (P, T, 4) of everybody, xyxy in image pixels, carried across frames where a person was missed."""
    boxes = np.array(keypoints.boxes, np.float64)
    frames = np.arange(boxes.shape[1])
    for person in boxes:
        seen = np.isfinite(person).all(-1)
        if seen.any():
            for side in person.T:
                side[:] = np.interp(frames, frames[seen], side[seen])
    padding = BOX_PADDING * np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.concatenate([boxes[..., :2] - padding, boxes[..., 2:] + padding], -1)


def background_mask(size: tuple[int, int], boxes: np.ndarray) -> np.ndarray:
    """uint8 (height, width): 255 where no one of `boxes` (P, 4) is, 0 elsewhere and along the image border."""
    width, height = size
    mask = np.zeros((height, width), np.uint8)
    mask[4:-4, 4:-4] = 255
    for left, top, right, bottom in boxes[np.isfinite(boxes).all(-1)]:
        mask[max(int(top), 0) : max(int(bottom) + 1, 0), max(int(left), 0) : max(int(right) + 1, 0)] = 0
    return mask


def grid_corners(grey: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Strong corners spread over the image, (N, 2) float32."""
    strongest = cv2.goodFeaturesToTrack(grey, 1500, 0.003, 5, mask=mask, blockSize=5)
    if strongest is None:
        return np.zeros((0, 2), np.float32)
    corners = strongest[:, 0]
    height, width = grey.shape
    cells = (corners / (width, height) * GRID).astype(int) @ (1, GRID[0])
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    rank = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    chosen = order[rank < CORNERS_PER_CELL]
    return np.ascontiguousarray(corners[chosen])


class _Links:
    """Links in the making: points in large blocks and numbers, no array for each of them.

    Even the few bytes that an array keeps of its shape would lie between the images that come and go, and the heap
    would grow by an image a frame.
    """

    BLOCK = 1 << 16

    def __init__(self) -> None:
        self._blocks = [np.empty((self.BLOCK, 2, 2), np.float32)]
        self._used = 0
        self._places: list[tuple[int, int, int, int, int]] = []

    def add(self, first: int, second: int, points: np.ndarray) -> None:
        """Keep a copy of `points` (N, 2, 2), N at most `BLOCK`."""
        if self._used + len(points) > self.BLOCK:
            self._blocks.append(np.empty_like(self._blocks[0]))
            self._used = 0
        end = self._used + len(points)
        self._blocks[-1][self._used : end] = points
        self._places.append((first, second, len(self._blocks) - 1, self._used, end))
        self._used = end

    def made(self) -> list[Link]:
        """All of them; their points are views of the blocks."""
        return [
            Link(first, second, self._blocks[block][begin:end]) for first, second, block, begin, end in self._places
        ]


class _Tracker:
    def __init__(self) -> None:
        self.links = _Links()
        self.keys: list[KeyFrame] = []
        self._sift = cv2.SIFT_create(nfeatures=400)
        self._previous: tuple[int, np.ndarray, np.ndarray] | None = None

    def add(self, t: int, grey: np.ndarray, mask: np.ndarray) -> None:
        if not self._follow(t, grey, mask):
            if self._previous and self._previous[0] != self.keys[-1].frame:
                self._start_key(*self._previous)
                if not self._follow(t, grey, mask):
                    self._start_key(t, grey, mask)
            else:
                self._start_key(t, grey, mask)
        elif self._alive.sum() < NEW_KEY_BELOW * len(self._corners):
            self._start_key(t, grey, mask)
        self._previous = (t, grey, mask)

    def _start_key(self, t: int, grey: np.ndarray, mask: np.ndarray) -> None:
        self._corners = grid_corners(grey, mask)
        textured = len(self._corners) >= MIN_MATCHES
        features, descriptors = self._sift.detectAndCompute(grey, mask) if textured else ((), None)
        self.keys.append(
            KeyFrame(
                t,
                np.array([feature.pt for feature in features], np.float32).reshape(-1, 2) + 0.5,
                np.zeros((0, 128), np.uint8) if descriptors is None else descriptors.astype(np.uint8),
            )
        )
        self._positions = self._corners.copy()
        self._alive = np.ones(len(self._corners), bool)
        self._key_image = grey

    def _follow(self, t: int, image: np.ndarray, mask: np.ndarray) -> bool:
        """Match the key frame to frame t; on success the link is stored and the positions move on."""
        if not self.keys or len(self._corners) < MIN_MATCHES:
            return False
        guess = self._positions
        found, ok = self._match(image, mask, guess)
        if ok.sum() < 0.8 * self._alive.sum():
            guess = self._predict(image)
            refound, reok = self._match(image, mask, guess)
            if reok.sum() > ok.sum():
                found, ok = refound, reok
        if ok.sum() < MIN_MATCHES:
            return False
        self.links.add(self.keys[-1].frame, t, np.stack([self._corners[ok], found[ok]], 1) + 0.5)
        self._positions = np.where(ok[:, None], found, self._carry(found, ok))
        self._alive = ok
        return True

    def _match(self, image: np.ndarray, mask: np.ndarray, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flags = cv2.OPTFLOW_USE_INITIAL_FLOW
        found, ok, _ = cv2.calcOpticalFlowPyrLK(self._key_image, image, self._corners, guess.copy(), flags=flags, **LK)
        back, back_ok, _ = cv2.calcOpticalFlowPyrLK(
            image, self._key_image, found, self._corners.copy(), flags=flags, **LK
        )
        height, width = mask.shape
        column, row = np.nan_to_num(found).round().astype(int).T
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        inside[inside] = mask[row[inside], column[inside]] > 0
        close = np.linalg.norm(back - self._corners, axis=1) < MAX_ROUND_TRIP
        return found, (ok[:, 0] > 0) & (back_ok[:, 0] > 0) & close & inside

    def _predict(self, image: np.ndarray) -> np.ndarray:
        """Positions in the new frame by way of the previous frame; lost points go with the others."""
        flow, ok, _ = cv2.calcOpticalFlowPyrLK(self._previous[1], image, self._positions, None, **LK)
        ok = (ok[:, 0] > 0) & self._alive
        return np.where(ok[:, None], flow, self._carry(flow, ok))

    def _carry(self, positions: np.ndarray, ok: np.ndarray) -> np.ndarray:
        """Where all corners would be if they moved as the `ok` ones did (one similarity for the image)."""
        if ok.sum() >= 4:
            similarity, _ = cv2.estimateAffinePartial2D(
                self._corners[ok], positions[ok], ransacReprojThreshold=5, maxIters=200
            )
            if similarity is not None:
                return (self._corners @ similarity[:, :2].T + similarity[:, 2]).astype(np.float32)
        return self._positions

"""Where points of a surface are in an image, by what they looked like when they were taken.

What is followed from frame to frame slips a little in each. So the picture around each point is drawn as the camera
should see it now, from the frame in which the point was taken, turned with the surface; what is left between that and
the image does not grow with time (Vacchetti, Lepetit, Fua: Stable real-time 3D tracking, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from anylift_cli.geometry.cameras import project_camera, transform

_HALF = 17
"""px: half of the square that is looked at around a point, of which `_FLOW` compares the inner part."""
_FLOW = {
    "winSize": (15, 15),
    "maxLevel": 0,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.005),
}
_FARTHEST, _ROUND_TRIP = 5.0, 0.5
"""px that a point may be from where it was expected, and from where it came when followed back."""
_MARGIN = 24
_STEEP = 0.05


@dataclass(frozen=True)
class Still:
    """The part of an image that shows an object.

    Attributes:
        grey: (H, W) uint8.
        corner: (2,) px of its upper left corner in the whole image.
        camera_from_object: (4, 4) m.
        K: (3, 3) px, of the whole image.
    """

    grey: np.ndarray
    corner: np.ndarray
    camera_from_object: np.ndarray
    K: np.ndarray

    @classmethod
    def around(cls, grey: np.ndarray, pixels: np.ndarray, camera_from_object: np.ndarray, K: np.ndarray) -> Still:
        """What is around `pixels` (N, 2) of an image."""
        low = np.maximum(np.floor(pixels.min(0)).astype(int) - _MARGIN, 0)
        high = np.ceil(pixels.max(0)).astype(int) + _MARGIN
        return cls(grey[low[1] : high[1], low[0] : high[0]].copy(), low, camera_from_object, K)


def settled(
    still: Still,
    points: np.ndarray,
    normals: np.ndarray,
    grey: np.ndarray,
    camera_from_object: np.ndarray,
    K: np.ndarray,
) -> np.ndarray:
    """Where points are in an image, (N, 2) px; NaN where what is there does not look like them.

    Args:
        still: in which they were taken.
        points: (N, 3) m, normals: (N, 3), in the object's axes.
        grey: (H, W) uint8, the image.
        camera_from_object: (4, 4) about where the object is in it.
        K: (3, 3) px.
    """
    camera = transform(camera_from_object, points)
    expected = project_camera(camera, K)
    middle = np.floor(expected)
    steps = np.arange(-_HALF, _HALF + 1.0)
    offsets = np.stack(np.meshgrid(steps, steps), -1)
    pixels = middle[:, None, None] + offsets + 0.5
    rays = np.concatenate([(pixels - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((*pixels.shape[:3], 1))], -1)
    facing = normals @ camera_from_object[:3, :3].T
    slope = np.einsum("nijc,nc->nij", rays, facing)
    slope = np.where(np.abs(slope) < _STEEP, _STEEP * np.where(slope < 0, -1, 1), slope)
    surface = rays * ((camera * facing).sum(-1)[:, None, None] / slope)[..., None]
    local = (surface - camera_from_object[:3, 3]) @ camera_from_object[:3, :3]
    source = transform(still.camera_from_object, local.reshape(-1, 3))
    source[:, 2] = source[:, 2].clip(1e-3)
    taken = project_camera(source, still.K).reshape(pixels.shape) - still.corner
    drawn, seen = _sampled(still.grey, taken), _sampled(grey, pixels)
    start = expected - middle - 0.5 + _HALF
    start[:, 1] += np.arange(len(points)) * len(steps)
    start = start.astype(np.float32)[:, None]
    there, ok, _ = cv2.calcOpticalFlowPyrLK(
        drawn, seen, start, start.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **_FLOW
    )
    back, back_ok, _ = cv2.calcOpticalFlowPyrLK(
        seen, drawn, there, there.copy(), flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **_FLOW
    )
    shift = (there - start)[:, 0].astype(np.float64)
    good = (ok[:, 0] > 0) & (back_ok[:, 0] > 0) & (np.linalg.norm(shift, axis=-1) < _FARTHEST)
    good &= np.linalg.norm(back - start, axis=-1)[:, 0] < _ROUND_TRIP
    return np.where(good[:, None], expected + shift, np.nan)


def _sampled(grey: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Squares of an image at `pixels` (N, S, S, 2), one below the other (N S, S)."""
    places = (pixels - 0.5).astype(np.float32).reshape(-1, pixels.shape[2], 2)
    return cv2.remap(grey, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

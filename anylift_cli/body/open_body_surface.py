"""The open body's surface: lofted trunk, limbs and face, ellipsoids and rounded cones, blended as distance fields.

Rounded cones, smooth minimum and ellipsoid bound follow Inigo Quilez, "Distance functions" (2008-2020). Lengths are
metres; breadths and depths lie near the 50th percentiles of ANSUR II for a stature of 1.70 m, both sexes averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import Akima1DInterpolator

LOWER = np.array([0.0, -0.03, -0.19])
UPPER = np.array([0.92, 1.74, 0.24])
"""Box of the left half; it meets the mirror plane x = 0."""


def body_distance(points: np.ndarray) -> np.ndarray:
    """Approximate signed distance to the body in the T-pose, (N, 3) → (N,) metres, negative inside."""
    mirrored = points * [-1, 1, 1]
    near = points[:, 0] < 0.25
    distance = smooth_min(_left_side(points), _centre(points), 0.045)
    distance[near] = smooth_min(distance[near], _left_side(mirrored[near]), 0.018)
    return _with_face(points, distance)


def edge_length(points: np.ndarray) -> np.ndarray:
    """Wanted edge length of the triangulation, (N, 3) → (N,) metres: fine in the face, the hands and along hems."""
    side, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    length = np.full(len(points), 0.021)
    for fine, outside in (
        (0.0085, np.maximum(1.47 - y, 0.035 - z)),
        (0.012, np.maximum(1.50 - y, side - 0.12)),
        (0.0075, 0.715 - side),
        (0.014, np.maximum(0.40 - side, 0.0)),
        (0.013, y - 0.07),
        (0.011, np.abs(side - 0.36)),
        (0.011, np.maximum(np.abs(y - 1.432), side - 0.09)),
        (0.012, np.maximum(np.abs(y - 0.97), side - 0.30)),
    ):
        length = np.minimum(length, fine + 0.25 * np.maximum(outside, 0))
    return length


@dataclass(frozen=True)
class Loft:
    """A tube along one axis with an elliptic cross-section that changes on the way.

    `stations` rows: position along the axis, centre u, centre v, radius along u, radii towards +v and -v.
    `exponent` above 2 squares the section (superellipse); `cap` is the radius of its rounded ends.
    """

    axis: int
    u: int
    v: int
    stations: tuple[tuple[float, ...], ...]
    exponent: float = 2.0
    cap: float = 0.02

    def distance(self, points: np.ndarray) -> np.ndarray:
        """First-order distance, (N, 3) → (N,)."""
        table = np.array(self.stations)
        along = points[:, self.axis]
        inside = np.clip(along, table[0, 0], table[-1, 0])
        centre_u, centre_v, radius_u, front, back = Akima1DInterpolator(table[:, 0], table[:, 1:])(inside).T
        offset_v = points[:, self.v] - centre_v
        radius_v = np.where(offset_v > 0, front, back)
        ratios = np.abs(np.stack([(points[:, self.u] - centre_u) / radius_u, offset_v / radius_v]))
        rho = (ratios**self.exponent).sum(0) ** (1 / self.exponent)
        gradient = (ratios / np.maximum(rho, 1e-9)) ** (self.exponent - 1) / np.stack([radius_u, radius_v])
        radial = (rho - 1) / np.maximum(np.sqrt((gradient**2).sum(0)), 1 / np.maximum(radius_u, radius_v))
        over = np.abs(along - inside)
        rounded = np.hypot(np.maximum(radial + self.cap, 0), over) - self.cap
        return np.where(over > 0, rounded, radial)


def rounded_cone(points: np.ndarray, start: tuple, end: tuple, start_radius: float, end_radius: float) -> np.ndarray:
    """Distance to the hull of two spheres, (N, 3) → (N,)."""
    start, axis = np.asarray(start), np.subtract(end, start)
    length = np.linalg.norm(axis)
    along = (points - start) @ (axis / length)
    across = np.sqrt(np.maximum(((points - start) ** 2).sum(1) - along**2, 0))
    slope = (start_radius - end_radius) / length
    side = np.sqrt(1 - slope**2)
    t = np.clip(along + across * slope / side, 0, length)
    return np.hypot(along - t, across) - (start_radius + (end_radius - start_radius) * t / length)


def ellipsoid(points: np.ndarray, centre: tuple, radii: tuple) -> np.ndarray:
    """Approximate distance to an axis-aligned ellipsoid, (N, 3) → (N,)."""
    scaled = (points - np.asarray(centre)) / radii
    length = np.maximum(np.linalg.norm(scaled, axis=1), 1e-6)
    return length * (length - 1) / np.maximum(np.linalg.norm(scaled / radii, axis=1), 1e-6)


def smooth_min(first: np.ndarray, second: np.ndarray, radius: float) -> np.ndarray:
    """Union of two distances with a fillet of about `radius`."""
    overlap = np.maximum(radius - np.abs(first - second), 0) / radius
    return np.minimum(first, second) - overlap**2 * radius / 4


def smooth_max(first: np.ndarray, second: np.ndarray, radius: float) -> np.ndarray:
    """Intersection of two distances with a fillet of about `radius`."""
    return -smooth_min(-first, -second, radius)


_TRUNK = Loft(1, 0, 2, (
    (0.835, 0, -0.014, 0.105, 0.078, 0.082), (0.900, 0, -0.014, 0.158, 0.098, 0.098),
    (0.950, 0, -0.014, 0.166, 0.105, 0.102), (1.000, 0, -0.014, 0.157, 0.106, 0.090),
    (1.060, 0, -0.016, 0.140, 0.104, 0.074), (1.110, 0, -0.018, 0.133, 0.102, 0.070),
    (1.170, 0, -0.020, 0.137, 0.106, 0.077), (1.230, 0, -0.022, 0.149, 0.116, 0.086),
    (1.285, 0, -0.024, 0.158, 0.118, 0.092), (1.335, 0, -0.026, 0.158, 0.105, 0.092),
    (1.375, 0, -0.028, 0.148, 0.082, 0.082), (1.405, 0, -0.030, 0.112, 0.066, 0.070),
    (1.430, 0, -0.032, 0.078, 0.056, 0.060), (1.450, 0, -0.032, 0.060, 0.050, 0.055),
), exponent=2.4, cap=0.03)  # fmt: skip
_NECK = Loft(1, 0, 2, (
    (1.380, 0, -0.034, 0.062, 0.052, 0.056), (1.430, 0, -0.032, 0.057, 0.052, 0.055),
    (1.470, 0, -0.026, 0.054, 0.053, 0.055), (1.540, 0, -0.012, 0.054, 0.050, 0.060),
), cap=0.03)  # fmt: skip
_FACE = Loft(1, 0, 2, (
    (1.487, 0, 0.034, 0.036, 0.050, 0.05), (1.505, 0, 0.024, 0.050, 0.066, 0.07),
    (1.530, 0, 0.014, 0.059, 0.077, 0.08), (1.560, 0, 0.006, 0.066, 0.086, 0.08),
    (1.590, 0, 0.002, 0.071, 0.091, 0.08), (1.625, 0, 0.000, 0.072, 0.088, 0.08),
), exponent=2.2, cap=0.014)  # fmt: skip
_LEG = Loft(1, 0, 2, (
    (0.930, 0.082, -0.010, 0.070, 0.080, 0.082), (0.860, 0.089, -0.009, 0.081, 0.088, 0.091),
    (0.800, 0.094, -0.007, 0.080, 0.085, 0.086), (0.700, 0.096, -0.002, 0.071, 0.078, 0.075),
    (0.600, 0.095, -0.001, 0.061, 0.067, 0.064), (0.530, 0.093, -0.003, 0.054, 0.058, 0.055),
    (0.485, 0.092, -0.004, 0.052, 0.056, 0.050), (0.440, 0.092, -0.009, 0.050, 0.049, 0.050),
    (0.380, 0.093, -0.015, 0.053, 0.045, 0.057), (0.330, 0.094, -0.018, 0.053, 0.043, 0.058),
    (0.260, 0.095, -0.024, 0.046, 0.039, 0.049), (0.180, 0.095, -0.032, 0.037, 0.035, 0.038),
    (0.110, 0.095, -0.038, 0.034, 0.037, 0.034), (0.070, 0.095, -0.040, 0.035, 0.040, 0.034),
)[::-1], cap=0.03)  # fmt: skip
_FOOT = Loft(2, 0, 1, (
    (-0.072, 0.094, 0.034, 0.030, 0.034, 0.036), (-0.045, 0.095, 0.036, 0.036, 0.046, 0.038),
    (0.000, 0.097, 0.034, 0.038, 0.052, 0.038), (0.045, 0.101, 0.030, 0.043, 0.040, 0.034),
    (0.095, 0.106, 0.026, 0.047, 0.030, 0.030), (0.135, 0.107, 0.023, 0.043, 0.024, 0.026),
    (0.152, 0.106, 0.021, 0.035, 0.020, 0.024),
), exponent=2.3, cap=0.018)  # fmt: skip
_ARM = Loft(0, 1, 2, (
    (0.130, 1.366, -0.032, 0.062, 0.056, 0.058), (0.172, 1.372, -0.032, 0.063, 0.058, 0.059),
    (0.215, 1.377, -0.033, 0.056, 0.054, 0.054), (0.280, 1.379, -0.034, 0.047, 0.049, 0.047),
    (0.340, 1.380, -0.034, 0.044, 0.047, 0.044), (0.410, 1.380, -0.035, 0.039, 0.040, 0.039),
    (0.455, 1.380, -0.036, 0.037, 0.037, 0.039), (0.510, 1.380, -0.034, 0.039, 0.040, 0.039),
    (0.570, 1.380, -0.032, 0.035, 0.037, 0.036), (0.640, 1.380, -0.030, 0.027, 0.031, 0.030),
    (0.690, 1.380, -0.028, 0.0235, 0.028, 0.028), (0.715, 1.379, -0.026, 0.020, 0.030, 0.030),
), cap=0.015)  # fmt: skip
_PALM = Loft(0, 1, 2, (
    (0.700, 1.380, -0.026, 0.020, 0.028, 0.028), (0.730, 1.379, -0.024, 0.018, 0.034, 0.034),
    (0.765, 1.378, -0.023, 0.0165, 0.038, 0.038), (0.795, 1.377, -0.022, 0.0145, 0.039, 0.038),
), exponent=2.5, cap=0.012)  # fmt: skip
_FINGERS = (
    # root, tip (x, y, z), root radius, tip radius; index to little finger
    ((0.796, 1.378, 0.008), (0.872, 1.370, 0.015), 0.0103, 0.0080),
    ((0.800, 1.379, -0.013), (0.884, 1.370, -0.012), 0.0108, 0.0082),
    ((0.798, 1.378, -0.033), (0.876, 1.369, -0.037), 0.0102, 0.0079),
    ((0.790, 1.377, -0.052), (0.852, 1.370, -0.065), 0.0092, 0.0072),
)
_THUMB = (
    ((0.722, 1.374, 0.000), (0.752, 1.367, 0.034), 0.0155, 0.0120),
    ((0.752, 1.367, 0.034), (0.790, 1.362, 0.046), 0.0120, 0.0095),
)


def _centre(points: np.ndarray) -> np.ndarray:
    skull = ellipsoid(points, (0, 1.607, -0.006), (0.0755, 0.093, 0.098))
    head = smooth_min(skull, _FACE.distance(points), 0.03)
    trunk = smooth_min(_TRUNK.distance(points), _NECK.distance(points), 0.05)
    return smooth_min(trunk, head, 0.022)


def _left_side(points: np.ndarray) -> np.ndarray:
    leg = smooth_min(_LEG.distance(points), _foot(points), 0.04)
    glute = ellipsoid(points, (0.078, 0.895, -0.062), (0.078, 0.085, 0.066))
    breast = ellipsoid(points, (0.074, 1.283, 0.038), (0.072, 0.060, 0.050))
    arm = smooth_min(_ARM.distance(points), _hand(points), 0.012)
    arm = smooth_min(arm, rounded_cone(points, (0.02, 1.40, -0.034), (0.165, 1.39, -0.034), 0.046, 0.044), 0.04)
    return smooth_min(smooth_min(leg, glute, 0.05), smooth_min(arm, breast, 0.04), 0.02)


def _foot(points: np.ndarray) -> np.ndarray:
    return smooth_max(_FOOT.distance(points), -points[:, 1], 0.012)


def _hand(points: np.ndarray) -> np.ndarray:
    hand = _PALM.distance(points)
    for finger in _FINGERS:
        hand = smooth_min(hand, rounded_cone(points, *finger), 0.006)
    thumb = np.minimum(*(rounded_cone(points, *bone) for bone in _THUMB))
    return smooth_min(hand, thumb, 0.014)


def _with_face(points: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Nose, eye sockets, lips, chin and ears added to the head; points elsewhere are left alone."""
    head = points[:, 1] > 1.45
    p, d = points[head] * [1, 1, 1], distance[head]
    p[:, 0] = np.abs(p[:, 0])
    d = smooth_max(d, -ellipsoid(p, (0.031, 1.584, 0.106), (0.021, 0.013, 0.022)), 0.016)
    d = smooth_min(d, ellipsoid(p, (0.030, 1.583, 0.073), (0.0135, 0.0115, 0.0135)), 0.004)
    d = smooth_min(d, rounded_cone(p, (0, 1.592, 0.086), (0, 1.549, 0.104), 0.007, 0.0105), 0.014)
    d = smooth_min(d, ellipsoid(p, (0.009, 1.545, 0.096), (0.009, 0.007, 0.010)), 0.010)
    d = smooth_min(d, ellipsoid(p, (0, 1.5185, 0.084), (0.025, 0.0075, 0.0115)), 0.014)
    d = smooth_min(d, ellipsoid(p, (0, 1.488, 0.070), (0.022, 0.016, 0.020)), 0.020)
    d = smooth_min(d, ellipsoid(p, (0.0775, 1.572, -0.012), (0.010, 0.031, 0.018)), 0.010)
    result = distance.copy()
    result[head] = d
    return result

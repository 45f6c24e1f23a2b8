"""Errors of motion, objects and cameras against ground truth. Pure functions of NumPy arrays in float64.

Lengths are metres in and out, image points pixels, times seconds, angles degrees. Worlds have z up and their floor at
z = 0. Points hold no NaN: callers choose those that are known. "Paper" is AnyLift, whose protocol is that of MVLift and
its released code (ALGORITHM 6.1); "field" is `hmr4d/utils/eval/eval_utils.py` of GVHMR, after WHAM and SLAHMR.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from anylift_cli.geometry.alignment import align_points

FRAME = 1 / 30
"""Seconds. What the protocols give per frame, they give at 30 frames/s; here it is so whatever the frame rate."""

# Alignment


def align_first_root(points: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Points (T, K, D) moved so that `root` (T, D) starts at the origin (paper)."""
    return points - root[0]


def heading_rotation(predicted: np.ndarray, truth: np.ndarray, sides: Sequence[tuple[int, int]]) -> np.ndarray:
    """Rotation about z (3, 3) that turns the heading of one predicted pose (K, 3) into that of the true one (K, 3).

    The paper turns the truth to the prediction, which gives the same errors. Headings come from the lines across the
    body; several lines are brought together by least squares, so that one which stands upright has no say.

    Args:
        sides: left and right point of each line: hips, and shoulders where they are known.
    """
    left, right = (list(column) for column in zip(*sides, strict=True))
    ours, theirs = (pose[left, :2] - pose[right, :2] for pose in (predicted, truth))
    sine = (ours[:, 0] * theirs[:, 1] - ours[:, 1] * theirs[:, 0]).sum()
    return _rotation_about_z(float(np.arctan2(sine, (ours * theirs).sum())))


def yaw_between(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Rotation about z (3, 3) that best takes camera orientations `predicted` (T, 3, 3) to `truth` (T, 3, 3).

    Worlds with z up agree but for this heading.
    """
    difference = np.einsum("tij,tkj->ik", truth, predicted)
    return _rotation_about_z(
        float(np.arctan2(difference[1, 0] - difference[0, 1], difference[0, 0] + difference[1, 1]))
    )


def first_frame_similarity(predicted: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """Scale and rotation (3, 3) from human joints (T, K, 3) that MVLift applies before it measures objects.

    The rotation is the best one of the first frame (Kabsch). The scale is one for the clip: the ratio of the summed
    distances of joints from their frame's centroid. Points are to be moved as scale · rotation · point.
    """
    ours, theirs = (joints - joints.mean(1, keepdims=True) for joints in (predicted, truth))
    _, rotation, _ = _alignment(ours[0], theirs[0], with_scale=False)
    return float(np.linalg.norm(theirs, axis=-1).sum() / np.linalg.norm(ours, axis=-1).sum()), rotation


# Poses


def joint_errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances (T, K) of points (T, K, D)."""
    return np.linalg.norm(predicted - truth, axis=-1)


def root_centred(joints: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Joints (T, K, D) relative to `root` (T, D) in each frame."""
    return joints - root[:, None]


def mpjpe(predicted: np.ndarray, truth: np.ndarray, predicted_root: np.ndarray, true_root: np.ndarray) -> float:
    """MPJPE (paper, field): mean distance of joints (T, K, 3) relative to roots (T, 3); no further alignment."""
    return float(joint_errors(root_centred(predicted, predicted_root), root_centred(truth, true_root)).mean())


def pa_mpjpe(predicted: np.ndarray, truth: np.ndarray, predicted_root: np.ndarray, true_root: np.ndarray) -> float:
    """PA-MPJPE (paper): `mpjpe` after one similarity for the whole clip, joints (T, K, 3), roots (T, 3)."""
    ours, theirs = root_centred(predicted, predicted_root), root_centred(truth, true_root)
    return float(joint_errors(_aligned(ours, ours, theirs, with_scale=True), theirs).mean())


def pa_mpjpe_per_frame(predicted: np.ndarray, truth: np.ndarray) -> float:
    """PA-MPJPE (field): mean distance of joints (T, K, 3) after the best similarity of each frame."""
    scale, rotation, translation = _alignment(predicted, truth, with_scale=True)
    moved = scale[:, None, None] * predicted @ rotation.swapaxes(-1, -2) + translation[:, None]
    return float(joint_errors(moved, truth).mean())


# Image points


def j2d(predicted: np.ndarray, truth: np.ndarray, predicted_root: np.ndarray, true_root: np.ndarray) -> float:
    """J2D (paper): mean distance of image points (T, K, 2) after the roots (T, 2) of the first frames were joined."""
    ours, theirs = align_first_root(predicted, predicted_root), align_first_root(truth, true_root)
    return float(joint_errors(ours, theirs).mean())


def j2d_centred(predicted: np.ndarray, truth: np.ndarray, predicted_root: np.ndarray, true_root: np.ndarray) -> float:
    """J2D^C as the paper words it: mean distance of image points (T, K, 2) relative to roots (T, 2) in each frame."""
    return float(joint_errors(root_centred(predicted, predicted_root), root_centred(truth, true_root)).mean())


def j2d_centred_scaled(
    predicted: np.ndarray, truth: np.ndarray, predicted_root: np.ndarray, true_root: np.ndarray
) -> float:
    """J2D^C as MVLift's code has it: `j2d_centred` after the best scale of the prediction in each frame."""
    ours, theirs = root_centred(predicted, predicted_root), root_centred(truth, true_root)
    scale = (ours * theirs).sum((1, 2)) / np.maximum((ours**2).sum((1, 2)), 1e-12)
    return float(joint_errors(scale[:, None, None] * ours, theirs).mean())


# Paths


def root_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """T_root as the paper words it: mean distance of root paths (T, 3) after their first frames were joined."""
    return float(np.linalg.norm((predicted - predicted[0]) - (truth - truth[0]), axis=-1).mean())


def root_error_per_axis(predicted: np.ndarray, truth: np.ndarray) -> float:
    """T_root as MVLift's code has it: the mean over x, y and z of the absolute error, 1/3 to 1/√3 of `root_error`.

    There the paths are (T, 1, 3) and the norm is taken over the axis of length one. It depends on where x and y point.
    Where the tables of MVLift and AnyLift come from this code, they are to be compared with this figure.
    """
    return float(np.abs((predicted - predicted[0]) - (truth - truth[0])).mean())


def root_translation_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """RTE (field): mean distance of root paths (T, 3) after the best rigid motion, over the length of the true path.

    NaN where the true root does not move.
    """
    travelled = path_length(truth)
    if travelled == 0:
        return np.nan
    moved = _aligned(predicted, predicted, truth, with_scale=False)
    return float(np.linalg.norm(moved - truth, axis=-1).mean() / travelled)


def path_length(path: np.ndarray) -> float:
    """Length of a path (T, 3)."""
    return float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum())


def w_mpjpe(predicted: np.ndarray, truth: np.ndarray, chunk: int = 100) -> float:
    """W-MPJPE (field): mean distance of world joints (T, K, 3), each `chunk` of frames aligned by its first two.

    The alignment is a similarity, as in the code.
    """
    errors = [
        joint_errors(_aligned(ours, ours[:2], theirs[:2], with_scale=True), theirs)
        for ours, theirs in _chunks(predicted, truth, chunk)
    ]
    return float(np.concatenate(errors).mean())


def wa_mpjpe(predicted: np.ndarray, truth: np.ndarray, chunk: int = 100) -> float:
    """WA-MPJPE (field): mean distance of world joints (T, K, 3), each `chunk` of frames aligned by all of them."""
    errors = [
        joint_errors(_aligned(ours, ours, theirs, with_scale=True), theirs)
        for ours, theirs in _chunks(predicted, truth, chunk)
    ]
    return float(np.concatenate(errors).mean())


# Smoothness


def jitter(joints: np.ndarray, times: np.ndarray) -> float:
    """Mean length of the second difference of joints (T, K, 3), in metres per squared `FRAME` (ALGORITHM 8.6).

    NaN below three frames.
    """
    return _mean_length(_derivative(joints, times, 2)) * FRAME**2


def jerk(joints: np.ndarray, times: np.ndarray) -> float:
    """Jitter (field): mean length of the third derivative of joints (T, K, 3), m/s³; NaN below four frames.

    The field's tables give it in 10 m/s³.
    """
    return _mean_length(_derivative(joints, times, 3))


def acceleration_error(predicted: np.ndarray, truth: np.ndarray, times: np.ndarray) -> float:
    """Mean distance of the accelerations of joints (T, K, 3), m/s²; NaN below three frames.

    The field measures joints relative to the root.
    """
    return _mean_length(_derivative(predicted, times, 2) - _derivative(truth, times, 2))


# Feet and floor


def foot_skating(
    ankles: np.ndarray, toes: np.ndarray, times: np.ndarray, ankle_height: float = 0.08, toe_height: float = 0.04
) -> float:
    """FS (paper; NeMF, `foot_skating` in `src/evaluation.py`): how far feet slide per `FRAME`, metres.

    The horizontal speed of a point counts in full on the floor and less the higher the point is, by 2 - 2^(h/H), down
    to nothing at height H. The mean is over all frames and points, in the air or not. NeMF's code mixes the order of
    the points when it tells which are low; here each is judged by its own height.

    Args:
        ankles, toes: (T, 2, 3), both feet.
        ankle_height, toe_height: H of NeMF, metres.
    """
    if len(times) < 2:
        return np.nan
    speed = np.linalg.norm(np.gradient(np.concatenate([ankles, toes], 1)[..., :2], times, axis=0), axis=-1)
    height = np.concatenate([ankles[..., 2] / ankle_height, toes[..., 2] / toe_height], 1)
    return float((speed * (2 - 2 ** height.clip(0, 1))).mean() * FRAME)


def foot_slide(
    predicted: np.ndarray, truth: np.ndarray, times: np.ndarray, heights: np.ndarray, speed: float = 0.3
) -> float:
    """Mean horizontal speed of foot points (T, F, 3) while the true ones stand, m/s; NaN where none ever stands.

    A step from frame to frame counts where the true point is low in both frames and slow between them.

    Args:
        heights: (F,) metres below which a true point can stand: about 0.1 for ankles, 0.06 for toes.
        speed: m/s below which it does; the field's threshold is 1 cm per frame at 30 frames/s.
    """
    seconds = np.diff(times)[:, None]
    low = truth[..., 2] < heights
    stands = low[1:] & low[:-1] & (np.linalg.norm(np.diff(truth, axis=0), axis=-1) < speed * seconds)
    lasted = (stands * seconds).sum()
    slid = np.linalg.norm(np.diff(predicted[..., :2], axis=0), axis=-1)[stands].sum()
    return float(slid / lasted) if lasted > 0 else np.nan


def penetration(feet: np.ndarray) -> float:
    """Mean depth of foot points (T, F, 3) below the floor; a point above it counts as 0."""
    return float(np.maximum(-feet[..., 2], 0).mean())


# Sets of motions


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Fréchet distance of the normal distributions of two sets of features, (N, F) and (M, F), N and M at least 2.

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½) (Heusel et al. 2017). With Σ = RᵀR the trace of the root is the sum of the
    singular values of R₁R₂ᵀ, which needs no matrix root and copes with fewer samples than features.
    """
    factors = [np.linalg.qr(set_ - set_.mean(0), mode="r") / np.sqrt(len(set_) - 1) for set_ in (first, second)]
    spread = sum((factor**2).sum() for factor in factors)
    common = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    return float(((first.mean(0) - second.mean(0)) ** 2).sum() + spread - 2 * common)


# Objects


def object_root_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """T_root of objects (paper): mean distance of the centroids of object points (T, M, 3).

    The caller subtracts the first frame's human root from both (`align_first_root`).
    """
    return float(np.linalg.norm(predicted.mean(1) - truth.mean(1), axis=-1).mean())


def object_mpjpe(predicted: np.ndarray, truth: np.ndarray) -> float:
    """O-MPJPE (paper): mean distance of object points (T, M, 3) relative to their centroids."""
    return mpjpe(predicted, truth, predicted.mean(1), truth.mean(1))


def object_rotation_errors(
    predicted: np.ndarray, truth: np.ndarray, symmetries: np.ndarray | None = None
) -> np.ndarray:
    """Angles (T,) in degrees between orientations (T, 3, 3) `world_from_object`.

    Args:
        symmetries: (S, 3, 3) rotations of the object onto itself, in its own axes, the identity among them; the nearest
            one counts in each frame. None: the object has no symmetry.
    """
    if symmetries is None:
        symmetries = np.eye(3)[None]
    return _angles(predicted[:, None], truth[:, None] @ symmetries).min(1)


# Cameras


def rotation_errors(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Angles (T,) in degrees between camera turns since the first frame, orientations (T, 3, 3)."""
    return _angles(predicted[0].T @ predicted, truth[0].T @ truth)


def gravity_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Median angle in degrees between the verticals of two worlds with z up, as the cameras (T, 3, 3) see them."""
    cosine = (predicted[:, 2] * truth[:, 2]).sum(-1)
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def focal_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Median relative error of the focal lengths of intrinsics (T, 3, 3)."""
    return float(np.median(np.abs(predicted[:, 0, 0] / truth[:, 0, 0] - 1)))


def trajectory_error(predicted: np.ndarray, truth: np.ndarray) -> float:
    """ATE: root mean square distance of camera centres (T, 3) after the best similarity, as `evo_ape -as` has it.

    A true camera that stands still is met by any path at scale zero; there this says nothing.
    """
    moved = _aligned(predicted, predicted, truth, with_scale=True)
    return float(np.sqrt(((moved - truth) ** 2).sum(-1).mean()))


def trajectory_error_scale_only(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square distance of camera centres (T, 3) from their first, after the best scale of the prediction.

    Nothing is turned: errors of gravity and drift count. The caller brings the headings together (`yaw_between`).
    """
    ours, theirs = predicted - predicted[0], truth - truth[0]
    scale = max((ours * theirs).sum(), 0.0) / max((ours**2).sum(), 1e-12)
    return float(np.sqrt(((scale * ours - theirs) ** 2).sum(-1).mean()))


def _rotation_about_z(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def _alignment(
    source: np.ndarray, target: np.ndarray, *, with_scale: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`align_points` of (..., N, 3) arrays."""
    tensors = (torch.from_numpy(np.array(points, np.float64)) for points in (source, target))
    scale, rotation, translation = align_points(*tensors, with_scale=with_scale)
    return scale.numpy(), rotation.numpy(), translation.numpy()


def _aligned(points: np.ndarray, source: np.ndarray, target: np.ndarray, *, with_scale: bool) -> np.ndarray:
    """`points` (..., 3) moved by the one similarity or rigid motion that takes all of `source` to `target`."""
    scale, rotation, translation = _alignment(source.reshape(-1, 3), target.reshape(-1, 3), with_scale=with_scale)
    return scale * points @ rotation.T + translation


def _chunks(predicted: np.ndarray, truth: np.ndarray, chunk: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(truth), chunk):
        yield predicted[start : start + chunk], truth[start : start + chunk]


def _derivative(points: np.ndarray, times: np.ndarray, order: int) -> np.ndarray:
    """Derivatives (T - order, K, 3) of points (T, K, 3) by divided differences; times (T,) need not be even."""
    for step in range(1, order + 1):
        points = np.diff(points, axis=0) * step / (times[step:] - times[:-step])[:, None, None]
    return points


def _mean_length(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors, axis=-1).mean()) if len(vectors) else np.nan


def _angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles in degrees between rotations (..., 3, 3), exact at both ends of the range."""
    cosine = ((first * second).sum((-1, -2)) - 1) / 2
    sine = np.linalg.norm(first - second, axis=(-2, -1)) / (2 * np.sqrt(2))
    return np.degrees(np.where(cosine > 0, 2 * np.arcsin(np.clip(sine, 0, 1)), np.arccos(np.clip(cosine, -1, 1))))

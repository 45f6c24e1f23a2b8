"""All errors of one clip: a lifted person against the truth, by the paper's protocol and by the field's.

The paper counts MVLift's 18 points on the SMPL body; where the truth is mocap its face points are unknown and left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anylift_cli.body.skeleton import BODY24, LEFT_HIP, RIGHT_HIP, K
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation import metrics

HIPS = [LEFT_HIP, RIGHT_HIP]
SHOULDERS = [K["left_shoulder"], K["right_shoulder"]]
COUNTED = 18
"""The first so many points of `body24` are the protocol's; the rest are feet."""
ANKLES = [K["left_ankle"], K["right_ankle"]]
TOES = [K["left_big_toe"], K["right_big_toe"]]
STANDING_HEIGHTS = np.array([0.1, 0.1, 0.06, 0.06])
"""Metres below which ankles and toes can stand. In CMU's mocap, feet at rest on the floor stay below them."""


@dataclass(frozen=True)
class ClipErrors:
    """Errors of one clip.

    Attributes:
        values: by name, the unit at its end; NaN where there is nothing to measure. `mpjpe_mm`, `pa_mpjpe_mm`,
            `t_root_mm`, `j2d_px`, `j2d_c_px`, `fs_cm`: the paper's, lengths per frame at 30 frames/s.
            `t_root_axis_mm`, `j2d_c_scaled_px`: as the code behind the paper's tables computes them.
            `pa_mpjpe_frame_mm`, `w_mpjpe_mm`, `wa_mpjpe_mm`, `rte_percent`, `jitter_m_s3`, `accel_m_s2`: the field's.
            `jitter_mm`, `foot_slide_cm_s`, `penetration_mm`: ours.
        per_joint: (24,) mean root-centred error of each point of `body24`, mm; NaN where the truth is unknown.
        per_frame: (T,) root-centred error of each frame, mm; its mean is `mpjpe_mm`.
    """

    values: dict[str, float]
    per_joint: np.ndarray
    per_frame: np.ndarray


def measure_points(
    predicted: np.ndarray,
    truth: np.ndarray,
    times: np.ndarray,
    predicted_pixels: np.ndarray | None = None,
    true_pixels: np.ndarray | None = None,
    heading: np.ndarray | None = None,
) -> ClipErrors:
    """Measure one person's lifted points.

    A point counts if its truth is known in every frame. Both necks are replaced by the mean of the shoulders, in space
    and in the image. Feet are measured where ankles and big toes are known.

    Args:
        predicted: (T, 24, 3) `body24`, metres, in a z-up world of any heading whose floor is z = 0.
        truth: (T, 24, 3) likewise; NaN where unknown.
        times: (T,) seconds, increasing.
        predicted_pixels, true_pixels: (T, 24, 2) in the input view, scaled to an image height of 1080 px. Without both
            of them the errors in the image are NaN.
        heading: (3, 3) rotation of the prediction's world into the truth's where cameras tell it; None takes that of
            the first frame's bodies, as the paper does.

    Raises:
        AnyliftError: there are no frames, the truth knows no hips, or the prediction misses a point that counts.
    """
    known = known_points(predicted, truth)
    aligned, truth = align_to_truth(predicted, truth, heading)
    predicted = with_neck(predicted)
    roots = aligned[:, HIPS].mean(1), truth[:, HIPS].mean(1)
    centred = [metrics.root_centred(points, root) for points, root in zip((aligned, truth), roots, strict=True)]
    counted = known[known < COUNTED]
    ours, theirs = aligned[:, counted], truth[:, counted]
    distances = np.full(truth.shape[:2], np.nan)
    distances[:, known] = 1000 * metrics.joint_errors(centred[0][:, known], centred[1][:, known])
    values = {
        "mpjpe_mm": 1000 * metrics.mpjpe(ours, theirs, *roots),
        "pa_mpjpe_mm": 1000 * metrics.pa_mpjpe(ours, theirs, *roots),
        "pa_mpjpe_frame_mm": 1000 * metrics.pa_mpjpe_per_frame(ours, theirs),
        "t_root_mm": 1000 * metrics.root_error(*roots),
        "t_root_axis_mm": 1000 * metrics.root_error_per_axis(*roots),
        **_image_errors(predicted_pixels, true_pixels, counted),
        "w_mpjpe_mm": 1000 * metrics.w_mpjpe(ours, theirs),
        "wa_mpjpe_mm": 1000 * metrics.wa_mpjpe(ours, theirs),
        "rte_percent": 100 * metrics.root_translation_error(*roots),
        "jitter_mm": 1000 * metrics.jitter(ours, times),
        "jitter_m_s3": metrics.jerk(ours, times),
        "accel_m_s2": metrics.acceleration_error(centred[0][:, counted], centred[1][:, counted], times),
        **_foot_errors(predicted, truth, times, known),
    }
    return ClipErrors(values, distances.mean(0), distances[:, counted].mean(1))


def measure_before_cameras(
    predicted: np.ndarray,
    truth: np.ndarray,
    times: np.ndarray,
    predicted_pixels: np.ndarray,
    true_pixels: np.ndarray,
    heading: np.ndarray,
) -> ClipErrors:
    """As `measure_points`, where cameras tell the `heading`.

    What the paper's protocol gives, heading by the first frame's bodies, is told beside it: `mpjpe_heading_mm` and
    `t_root_heading_mm`.
    """
    errors = measure_points(predicted, truth, times, predicted_pixels, true_pixels, heading)
    as_published = measure_points(predicted, truth, times)
    for name in ("mpjpe", "t_root"):
        errors.values[f"{name}_heading_mm"] = as_published.values[f"{name}_mm"]
    return errors


def known_points(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Indices of the `body24` points whose truth (T, 24, 3) is known in every frame; the neck by its shoulders.

    Raises:
        AnyliftError: see `measure_points`.
    """
    if not len(truth):
        raise AnyliftError(
            "there are no frames to measure", "the result and the truth have no time in common; check their frame rates"
        )
    known = np.flatnonzero(np.isfinite(with_neck(truth)).all((0, 2)))
    if not set(HIPS) <= set(known):
        raise AnyliftError("the truth does not know both hips", "leave out the frames in which they are not known")
    lifted = np.isfinite(with_neck(predicted)).all((0, 2))
    missed = [BODY24[point] for point in known if not lifted[point]]
    if missed:
        raise AnyliftError(
            f"the result has no position for {', '.join(missed)} in some frames",
            "leave out these frames, or the points from the truth, for every method that is compared",
        )
    return known


def align_to_truth(
    predicted: np.ndarray, truth: np.ndarray, heading: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Bring the prediction into the truth's world by the root and the heading of the first frame (ALGORITHM 6.1).

    Args:
        predicted, truth: (T, 24, 3) `body24`, metres, z up.
        heading: see `measure_points`.

    Returns:
        predicted (turned and moved), truth (where it was), both (T, 24, 3) in float64 and with the shoulders' mean for
        the neck. Not the floor but the first root is joined, so the prediction's floor may end above or below z = 0.
    """
    predicted, truth = with_neck(predicted), with_neck(truth)
    if heading is None:
        sides = [side for side in (HIPS, SHOULDERS) if np.isfinite(truth[0, side]).all()]
        heading = metrics.heading_rotation(predicted[0], truth[0], sides)
    root = truth[0, HIPS].mean(0)
    return metrics.align_first_root(predicted, predicted[:, HIPS].mean(1)) @ heading.T + root, truth


def with_neck(points: np.ndarray) -> np.ndarray:
    """`body24` points (T, 24, D) in float64 with the mean of the shoulders for the neck."""
    points = np.array(points, np.float64)
    points[:, K["neck"]] = points[:, SHOULDERS].mean(1)
    return points


def _image_errors(predicted: np.ndarray | None, truth: np.ndarray | None, counted: np.ndarray) -> dict[str, float]:
    if predicted is None or truth is None:
        return {"j2d_px": np.nan, "j2d_c_px": np.nan, "j2d_c_scaled_px": np.nan}
    ours, theirs = with_neck(predicted), with_neck(truth)
    compared = ours[:, counted], theirs[:, counted], ours[:, HIPS].mean(1), theirs[:, HIPS].mean(1)
    return {
        "j2d_px": metrics.j2d(*compared),
        "j2d_c_px": metrics.j2d_centred(*compared),
        "j2d_c_scaled_px": metrics.j2d_centred_scaled(*compared),
    }


def _foot_errors(predicted: np.ndarray, truth: np.ndarray, times: np.ndarray, known: np.ndarray) -> dict[str, float]:
    """`predicted` is in its own world, whose floor is z = 0."""
    feet = ANKLES + TOES
    if not set(feet) <= set(known):
        return {"fs_cm": np.nan, "foot_slide_cm_s": np.nan, "penetration_mm": np.nan}
    return {
        "fs_cm": 100 * metrics.foot_skating(predicted[:, ANKLES], predicted[:, TOES], times),
        "foot_slide_cm_s": 100 * metrics.foot_slide(predicted[:, feet], truth[:, feet], times, STANDING_HEIGHTS),
        "penetration_mm": 1000 * metrics.penetration(predicted[:, feet]),
    }

"""Errors against cases worked out by hand and against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, K
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation import metrics
from anylift_cli.evaluation.measure import align_to_truth, measure_points

FPS = 30
HIPS = [K["left_hip"], K["right_hip"]]
FACE = [K[name] for name in ("nose", "right_eye", "left_eye", "right_ear", "left_ear")]
ARMS = [K[f"{side}_{joint}"] for side in ("left", "right") for joint in ("elbow", "wrist")]

STANDING = {
    "nose": (0.1, 0, 1.6), "neck": (0.03, 0, 1.5), "right_shoulder": (0, -0.2, 1.4), "right_elbow": (0, -0.3, 1.15),
    "right_wrist": (0.1, -0.35, 0.9), "right_hip": (0, -0.1, 0.9), "right_knee": (0.02, -0.1, 0.5),
    "right_ankle": (0, -0.1, 0.07), "right_eye": (0.1, -0.03, 1.63), "right_ear": (0, -0.07, 1.6),
    "right_big_toe": (0.17, -0.1, 0.02), "right_small_toe": (0.13, -0.15, 0.02), "right_heel": (-0.05, -0.1, 0.02),
}  # fmt: skip
"""The right side of a person who looks along x, metres; the left is its mirror image."""


def standing() -> np.ndarray:
    """(24, 3) `body24`."""
    pose = np.zeros((24, 3))
    for name, place in STANDING.items():
        pose[K[name]] = place
    left = [K[name] for name in BODY24 if name.startswith("left_")]
    pose[left] = pose[[BODY24_MIRROR[point] for point in left]] * (1, -1, 1)
    return pose


def walk(frames: int = 61, speed: float = 1.2, swing: float = 0.2) -> np.ndarray:
    """(T, 24, 3): straight along x at constant speed, the arms swinging."""
    time = np.arange(frames) / FPS
    points = np.tile(standing(), (frames, 1, 1))
    points[:, ARMS[:2], 0] += swing * np.sin(6 * time)[:, None]
    points[:, ARMS[2:], 0] -= swing * np.sin(6 * time)[:, None]
    points[..., 0] += speed * time[:, None]
    return points


def root_of(points: np.ndarray) -> np.ndarray:
    return points[:, HIPS].mean(1)


def turn(degrees: float) -> np.ndarray:
    return Rotation.from_euler("z", degrees, degrees=True).as_matrix()


def random_motion(seed: int, frames: int = 50) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=(frames, 24, 3)), axis=0)


# Alignment


@pytest.mark.parametrize("degrees", [-170, -30, 0, 45, 90, 180])
def test_heading_is_found_whatever_the_lean(degrees: float):
    """A turn about the vertical is found back from hips and shoulders, also of a pose that leans and has no size."""
    pose = standing() @ Rotation.from_euler("yx", [25, 10], degrees=True).as_matrix().T
    sides = [(K["left_hip"], K["right_hip"]), (K["left_shoulder"], K["right_shoulder"])]
    found = metrics.heading_rotation(1.3 * pose @ turn(degrees).T + 2, pose, sides)
    assert found == pytest.approx(turn(-degrees), abs=1e-12)


def test_heading_of_an_upright_line_has_no_say():
    sides = [(0, 1), (2, 3)]
    truth = np.array([[0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, 0.0]])
    predicted = np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, 0.0]])
    assert metrics.heading_rotation(predicted, truth, sides) == pytest.approx(turn(90), abs=1e-12)


def test_first_root_goes_to_the_origin():
    points = walk()
    moved = metrics.align_first_root(points, root_of(points))
    assert root_of(moved)[0] == pytest.approx(np.zeros(3))
    assert np.diff(moved, axis=0) == pytest.approx(np.diff(points, axis=0))


def test_object_alignment_follows_the_human():
    """The rotation is the first frame's alone; the scale is one for the clip."""
    truth = random_motion(0)
    rotation = Rotation.from_euler("xyz", [20, -40, 70], degrees=True).as_matrix()
    scale, found = metrics.first_frame_similarity(truth @ rotation / 1.7 + 3, truth)
    assert scale == pytest.approx(1.7) and found == pytest.approx(rotation, abs=1e-9)
    later = truth @ rotation
    later[1:] = later[1:] @ turn(50)
    assert metrics.first_frame_similarity(later, truth)[1] == pytest.approx(rotation, abs=1e-9)


# Poses


def test_mpjpe_of_one_exchanged_limb():
    """Left and right arm exchanged in a still pose: the elbows are 60 cm off and the wrists 70 cm, of 18 points."""
    truth = np.tile(standing()[:18], (5, 1, 1))
    wrong = truth.copy()
    wrong[:, ARMS] = truth[:, ARMS[2:] + ARMS[:2]]
    root = root_of(truth)
    assert metrics.mpjpe(wrong, truth, root, root) == pytest.approx((2 * 0.6 + 2 * 0.7) / 18)
    assert metrics.mpjpe(wrong + 4, truth, root + 4, root) == pytest.approx((2 * 0.6 + 2 * 0.7) / 18)


def test_mpjpe_does_not_align():
    """Two points 1 m left and right of the root: turned by 60° they are 1 m off, scaled by 1.2 they are 0.2 m off."""
    truth = np.tile(np.array([[0, 1.0, 0], [0, -1.0, 0]]), (4, 1, 1))
    root = np.zeros((4, 3))
    assert metrics.mpjpe(truth @ turn(60).T, truth, root, root) == pytest.approx(1)
    assert metrics.mpjpe(1.2 * truth, truth, root, root) == pytest.approx(0.2)


def test_pa_mpjpe_allows_one_similarity_for_the_clip():
    truth = random_motion(1)
    root = root_of(truth)
    moved, moved_root = (1.7 * points @ turn(80).T + 4 for points in (truth, root))
    assert metrics.pa_mpjpe(moved, truth, moved_root, root) == pytest.approx(0, abs=1e-9)
    drifting = truth + np.arange(50)[:, None, None]
    assert metrics.pa_mpjpe(drifting, truth, root_of(drifting), root) == pytest.approx(0, abs=1e-9)
    turning = np.stack([frame @ turn(3 * index).T for index, frame in enumerate(truth)])
    assert metrics.pa_mpjpe(turning, truth, root_of(turning), root) > 0.5
    assert metrics.pa_mpjpe_per_frame(turning, truth) == pytest.approx(0, abs=1e-9)


def test_pa_mpjpe_agrees_with_scipy():
    """scipy's Procrustes on standardised points; a reflection, which it allows and we do not, is not the best here."""
    truth = random_motion(2)
    predicted = truth + np.random.default_rng(3).normal(size=truth.shape)

    def reference(ours: np.ndarray, theirs: np.ndarray) -> float:
        standard, moved, _ = procrustes(theirs, ours)
        size = np.linalg.norm(theirs - theirs.mean(0))
        return float(np.linalg.norm(standard - moved, axis=-1).mean() * size)

    per_frame = np.mean([reference(*pair) for pair in zip(predicted, truth, strict=True)])
    assert metrics.pa_mpjpe_per_frame(predicted, truth) == pytest.approx(per_frame)
    roots = root_of(predicted), root_of(truth)
    centred = [(p - r[:, None]).reshape(-1, 3) for p, r in zip((predicted, truth), roots, strict=True)]
    assert metrics.pa_mpjpe(predicted, truth, *roots) == pytest.approx(reference(*centred))


def test_pa_mpjpe_does_not_mirror():
    truth = random_motion(4)
    assert metrics.pa_mpjpe_per_frame(truth * (1, -1, 1), truth) > 0.1


# Image points


def test_image_errors_of_a_shift_a_drift_and_a_size():
    truth = np.random.default_rng(5).uniform(0, 1000, (5, 18, 2))
    root = truth[:, HIPS].mean(1)

    def errors(predicted: np.ndarray) -> list[float]:
        compared = predicted, truth, predicted[:, HIPS].mean(1), root
        return [measure(*compared) for measure in (metrics.j2d, metrics.j2d_centred, metrics.j2d_centred_scaled)]

    assert errors(truth + np.array([30, -40])) == pytest.approx([0, 0, 0], abs=1e-9)
    drift = np.arange(5)[:, None, None] * np.array([3.0, 4.0])
    assert errors(truth + drift) == pytest.approx([5 * 2, 0, 0], abs=1e-9)
    sizes = np.array([1, 2, 3, 4, 5])[:, None, None]
    centred = truth - root[:, None]
    expected = ((sizes[..., 0] - 1) * np.linalg.norm(centred, axis=-1)).mean()
    assert errors(root[:, None] + sizes * centred) == pytest.approx([expected, expected, 0], abs=1e-9)


def test_best_scale_of_image_points_is_least_squares():
    """(1, 0) and (-1, 0) against (1, 1) and (-1, 1): the best scale is 1, and both stay 1 px off."""
    ours, theirs = np.array([[[1.0, 0], [-1, 0]]]), np.array([[[1.0, 1], [-1, 1]]])
    root = np.zeros((1, 2))
    assert metrics.j2d_centred_scaled(3 * ours, theirs, root, root) == pytest.approx(1)
    assert metrics.j2d_centred(3 * ours, theirs, root, root) == pytest.approx(np.sqrt(5))


# Paths


def test_path_errors_of_one_frame_of_lag():
    """4 cm per frame: all frames but the first, which the alignment joins, are 4 cm behind."""
    truth = np.outer(np.arange(26), [0.04, 0, 0])
    lagging = np.concatenate([truth[:1], truth[:-1]])
    assert metrics.root_error(lagging, truth) == pytest.approx(0.04 * 25 / 26)
    assert metrics.root_error_per_axis(lagging, truth) == pytest.approx(0.04 * 25 / 26 / 3)
    moved = 0.04 * np.array([1, *np.zeros(25)])
    assert metrics.root_translation_error(lagging, truth) == pytest.approx(np.abs(moved - moved.mean()).mean() / 1)


def test_path_errors_of_a_turn_and_a_size():
    """A straight path of 2 m: turned by 60° it is as far off as it is long; RTE forgives the turn but not the size."""
    distance = np.linspace(0, 2, 41)
    truth = distance[:, None] * np.array([1.0, 0, 0])
    assert metrics.root_error(5 + truth @ turn(60).T, truth) == pytest.approx(1)
    assert metrics.root_translation_error(5 + truth @ turn(60).T, truth) == pytest.approx(0, abs=1e-12)
    assert metrics.root_error(1.1 * truth, truth) == pytest.approx(0.1)
    assert metrics.root_translation_error(1.1 * truth, truth) == pytest.approx(0.1 * np.abs(distance - 1).mean() / 2)


def test_rte_agrees_with_scipy():
    truth, predicted = random_motion(6)[:, 0], random_motion(7)[:, 0]
    ours, theirs = predicted - predicted.mean(0), truth - truth.mean(0)
    rotation, _ = Rotation.align_vectors(theirs, ours)
    expected = np.linalg.norm(rotation.apply(ours) - theirs, axis=-1).mean() / metrics.path_length(truth)
    assert metrics.root_translation_error(predicted, truth) == pytest.approx(expected, rel=1e-6)


def test_rte_of_a_root_at_rest_is_unknown():
    assert np.isnan(metrics.root_translation_error(random_motion(0)[:, 0], np.zeros((50, 3))))


def test_world_errors_align_each_chunk():
    """Chunks of 4 of 10 frames, each moved by another similarity; then one later frame is 0.5 m off."""
    truth = random_motion(8, 10)
    predicted = np.concatenate([
        truth[:4] @ turn(50).T, 2 * truth[4:8] - 7, 0.3 * truth[8:] @ turn(-90).T + 1,
    ])  # fmt: skip
    assert metrics.w_mpjpe(predicted, truth, chunk=4) == pytest.approx(0, abs=1e-9)
    assert metrics.wa_mpjpe(predicted, truth, chunk=4) == pytest.approx(0, abs=1e-9)
    assert metrics.w_mpjpe(predicted, truth, chunk=5) > 0.5
    late = truth.copy()
    late[7] += (0, 0.3, 0.4)
    assert metrics.w_mpjpe(late, truth, chunk=4) == pytest.approx(0.05)
    assert metrics.w_mpjpe(late, truth, chunk=100) == pytest.approx(0.05)
    late[1] += 3
    assert metrics.w_mpjpe(late, truth) > 0.5


def test_wa_mpjpe_spreads_a_drift():
    """Half of the frames 1 m ahead of the others: the alignment puts each half a metre off, of points as good as one
    place."""
    truth = np.random.default_rng(9).normal(scale=1e-6, size=(20, 24, 3))
    truth[..., 1] += np.linspace(-1e3, 1e3, 24)
    predicted = truth.copy()
    predicted[10:, :, 0] += 1
    assert metrics.w_mpjpe(predicted, truth) == pytest.approx(0.5, rel=1e-3)
    assert metrics.wa_mpjpe(predicted, truth) == pytest.approx(0.5, rel=1e-3)
    predicted = truth.copy()
    predicted[1, :, 0] += 1
    assert metrics.w_mpjpe(predicted, truth) == pytest.approx(0.5, rel=1e-3)
    predicted[2:] = truth[2:] + np.array([1, 0, 0])
    assert metrics.w_mpjpe(predicted, truth) == pytest.approx(0.5, rel=1e-3)
    assert metrics.wa_mpjpe(predicted, truth) == pytest.approx((0.95 + 19 * 0.05) / 20, rel=1e-3)


# Smoothness


@pytest.mark.parametrize("times", [np.arange(40) / 30, np.arange(40) / 60, np.cumsum(np.linspace(0.01, 0.05, 40))])
def test_smoothness_of_known_curves(times: np.ndarray):
    """x = 3 t² + 5 t³: at rest it has no jitter; its derivatives are exact whatever the frame times."""
    still = np.zeros((40, 2, 3))
    assert metrics.jitter(still, times) == metrics.jerk(still, times) == 0
    quadratic, cubic = still.copy(), still.copy()
    quadratic[..., 0] = 3 * times[:, None] ** 2 + 2 * times[:, None]
    cubic[..., 2] = 5 * times[:, None] ** 3
    assert metrics.jitter(quadratic, times) == pytest.approx(6 / 900)
    assert metrics.jerk(quadratic, times) == pytest.approx(0, abs=1e-6)
    assert metrics.jerk(cubic, times) == pytest.approx(30)
    assert metrics.acceleration_error(quadratic, still, times) == pytest.approx(6)
    assert metrics.acceleration_error(quadratic + 2 * still, quadratic, times) == 0
    assert np.isnan(metrics.jitter(still[:2], times[:2])) and np.isnan(metrics.jerk(still[:3], times[:3]))


def test_jerk_is_the_third_difference():
    x = random_motion(10)
    expected = np.linalg.norm(x[3:] - 3 * x[2:-1] + 3 * x[1:-2] - x[:-3], axis=-1).mean() * 30**3
    assert metrics.jerk(x, np.arange(50) / 30) == pytest.approx(expected)


# Feet and floor


def feet_at(ankle_height: float, toe_height: float, speed: float = 0.3, fps: float = 30) -> tuple[np.ndarray, ...]:
    """Left foot sliding along x at these heights, right foot high in the air and fast: ankles, toes, times."""
    times = np.arange(31) / fps
    ankles, toes = np.zeros((31, 2, 3)), np.zeros((31, 2, 3))
    ankles[:, 0, 0] = toes[:, 0, 0] = speed * times
    ankles[:, 1], toes[:, 1] = (0, 0, 0.5), (0, 0, 0.5)
    ankles[:, 1, 1] = toes[:, 1, 1] = 3 * times
    ankles[:, 0, 2], toes[:, 0, 2] = ankle_height, toe_height
    return ankles, toes, times


@pytest.mark.parametrize(
    ("ankle", "toe", "weight"),
    [
        (0, 0, 2),
        (-0.1, -0.1, 2),
        (0.04, 0.04, 2 - 2**0.5),
        (0.08, 0.02, 2 - 2**0.5),
        (0.08, 0.04, 0),
        (0.05, 1, 2 - 2**0.625),
    ],
)
def test_skating_weighs_slides_by_height(ankle: float, toe: float, weight: float):
    """1 cm per frame, one quarter of the points each; a point at its own height H does not count."""
    for fps in (30, 60):
        assert metrics.foot_skating(*feet_at(ankle, toe, fps=fps)) == pytest.approx(0.01 * weight / 4)


def test_skating_of_either_foot_is_the_same():
    ankles, toes, times = feet_at(0.03, 0.3)
    assert metrics.foot_skating(ankles[:, ::-1], toes[:, ::-1], times) == metrics.foot_skating(ankles, toes, times)
    sinking, toes, times = feet_at(0, 1)
    sinking[:, 0, 2] -= 2 * times
    assert metrics.foot_skating(sinking, toes, times) == pytest.approx(0.01 / 4)
    assert metrics.foot_skating(*feet_at(0.3, 0.01)) == pytest.approx(0.01 * (2 - 2**0.25) / 4)


def test_slide_counts_where_the_truth_stands():
    """The truth stands for two of four steps; there the result slides 1 cm in 0.1 s and 3 cm in 0.3 s, and rises.

    The other foot is slow enough to stand but low in every other frame only.
    """
    times = np.array([0, 0.1, 0.4, 0.5, 0.6])
    truth, predicted = np.zeros((5, 2, 3)), np.zeros((5, 2, 3))
    truth[:, 1, 2] = 0.09, 0.11, 0.09, 0.11, 0.09
    truth[3:, 0, 0] = 0.1, 0.1
    truth[4, 0, 2] = 0.2
    predicted[:, 0, 0] = 0, 0.01, 0.04, 5, 9
    predicted[:, 0, 2] = 0, 1, 2, 3, 4
    predicted[:, 1, 0] = 0, 5, 10, 15, 20
    heights = np.array([0.1, 0.1])
    assert metrics.foot_slide(predicted, truth, times, heights) == pytest.approx(0.1)
    assert metrics.foot_slide(truth, truth, times, heights) == 0
    assert np.isnan(metrics.foot_slide(predicted, truth + 1, times, heights))


def test_penetration_is_depth_alone():
    feet = np.zeros((2, 2, 3))
    feet[..., 2] = [[-0.02, 0.5], [-0.06, 0]]
    assert metrics.penetration(feet) == pytest.approx(0.02)


# Sets of motions


def test_frechet_distance_of_two_normals():
    """In one dimension it is (μ₁ - μ₂)² + (σ₁ - σ₂)²."""
    first = np.random.default_rng(11).normal(size=(300, 1))
    first = (first - first.mean()) / first.std(ddof=1)
    assert metrics.frechet_distance(first, 3 * first + 4) == pytest.approx(16 + 4)
    assert metrics.frechet_distance(first, first[::-1]) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_agrees_with_the_matrix_root():
    rng = np.random.default_rng(12)
    first = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))
    second = rng.normal(size=(150, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(sum(covariances))
    expected -= 2 * np.trace(sqrtm(covariances[0] @ covariances[1]).real)
    assert metrics.frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert metrics.frechet_distance(second, first) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_with_fewer_samples_than_features():
    """Features on a line in 40 dimensions: as in one dimension."""
    direction = np.eye(40)[7]
    first = np.array([-1.0, 0, 1])[:, None] * direction
    assert metrics.frechet_distance(first, 2 * first + 3 * direction) == pytest.approx(9 + 1)


# Objects


def test_object_errors_of_a_shift_and_a_turn():
    corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0.0]])
    truth = np.tile(corners, (3, 1, 1)) + np.arange(3)[:, None, None]
    shifted = truth + np.array([0.3, 0, 0.4])
    assert metrics.object_root_error(shifted, truth) == pytest.approx(0.5)
    assert metrics.object_mpjpe(shifted, truth) == pytest.approx(0)
    turned = corners @ turn(60).T + np.arange(3)[:, None, None]
    assert metrics.object_root_error(turned, truth) == pytest.approx(0, abs=1e-12)
    assert metrics.object_mpjpe(turned, truth) == pytest.approx(1)


def test_object_turns_forgive_symmetries_in_its_own_axes():
    """A table seen from anywhere, half a turn about its own leg off, and 10° more."""
    truth = Rotation.random(6, rng=0).as_matrix()
    half_turn = Rotation.from_euler("z", 180, degrees=True).as_matrix()
    lean = Rotation.from_euler("x", 10, degrees=True).as_matrix()
    predicted = truth @ half_turn @ lean
    assert metrics.object_rotation_errors(truth @ lean, truth) == pytest.approx(np.full(6, 10))
    assert (metrics.object_rotation_errors(predicted, truth) > 170).all()
    symmetries = np.stack([np.eye(3), half_turn])
    assert metrics.object_rotation_errors(predicted, truth, symmetries) == pytest.approx(np.full(6, 10))


# Cameras


def test_camera_path_errors_of_a_size_and_a_turn():
    truth = np.cumsum(np.random.default_rng(13).normal(size=(30, 3)), axis=0)
    larger = 3 * truth + 5
    assert metrics.trajectory_error(larger @ turn(70).T, truth) == pytest.approx(0, abs=1e-9)
    assert metrics.trajectory_error_scale_only(larger, truth) == pytest.approx(0, abs=1e-9)
    straight = np.outer(np.arange(3), [1.0, 0, 0])
    expected = np.sqrt((0 + 1 + 4) / 3 * np.sin(np.radians(60)) ** 2)
    assert metrics.trajectory_error_scale_only(straight @ turn(60).T, straight) == pytest.approx(expected)
    assert metrics.trajectory_error_scale_only(-straight, straight) == pytest.approx(np.sqrt(5 / 3))
    assert metrics.trajectory_error_scale_only(straight, 0 * straight) == pytest.approx(0)


def test_camera_path_error_agrees_with_evo():
    pytest.importorskip("evo", reason="evo, which compares trajectories, is not installed")
    from evo.core.metrics import APE, PoseRelation, StatisticsType
    from evo.core.trajectory import PosePath3D

    centres = [np.cumsum(np.random.default_rng(seed).normal(size=(60, 3)), axis=0) for seed in (14, 15)]
    paths = [
        PosePath3D(positions_xyz=path, orientations_quat_wxyz=np.tile([1.0, 0, 0, 0], (60, 1))) for path in centres
    ]
    paths[0].align(paths[1], correct_scale=True)
    error = APE(PoseRelation.translation_part)
    error.process_data((paths[1], paths[0]))
    assert metrics.trajectory_error(*centres) == pytest.approx(error.get_statistic(StatisticsType.rmse))


# A whole clip


def mocap_walk() -> tuple[np.ndarray, np.ndarray]:
    """A walk whose face is unknown, and its times."""
    truth = walk()
    truth[:, FACE] = np.nan
    return truth, np.arange(len(truth)) / FPS


def pixels_of(points: np.ndarray) -> np.ndarray:
    return 1000 * points[..., 1:] / (points[..., :1] + 5)


def test_a_clip_without_errors():
    """The neck is not the detector's, the heading and the place are another world's, and the face is not asked for."""
    truth, times = mocap_walk()
    predicted = walk() @ turn(120).T + (3, -2, 0)
    predicted[:, K["neck"]] += 0.5
    errors = measure_points(predicted, truth, times, pixels_of(walk()), pixels_of(truth))
    own = {"jitter_mm", "jitter_m_s3", "fs_cm", "foot_slide_cm_s"}
    assert {name: value for name, value in errors.values.items() if name not in own} == pytest.approx(
        dict.fromkeys(errors.values.keys() - own, 0), abs=1e-9
    )
    assert np.isnan(errors.per_joint[FACE]).all() and np.isfinite(np.delete(errors.per_joint, FACE)).all()
    assert errors.per_frame == pytest.approx(np.zeros(61), abs=1e-9)
    aligned, kept = align_to_truth(predicted, truth)
    assert np.delete(aligned, FACE, 1) == pytest.approx(np.delete(kept, FACE, 1), abs=1e-9)


def test_a_clip_with_exchanged_arms():
    """Of 13 known points, the elbows are 60 cm off and the wrists 70 cm, more as they swing; nothing else is."""
    truth, times = mocap_walk()
    predicted = walk()
    predicted[:, ARMS] = predicted[:, ARMS[2:] + ARMS[:2]]
    errors = measure_points(predicted, truth, times)
    swing = 2 * 0.2 * np.sin(6 * times)
    elbow, wrist = 1000 * np.hypot(0.6, swing).mean(), 1000 * np.hypot(0.7, swing).mean()
    assert errors.per_joint[ARMS] == pytest.approx([elbow, wrist, elbow, wrist])
    assert np.nansum(np.delete(errors.per_joint, ARMS)) == pytest.approx(0, abs=1e-9)
    assert errors.values["mpjpe_mm"] == pytest.approx((2 * elbow + 2 * wrist) / 13)
    assert errors.per_frame.mean() == pytest.approx(errors.values["mpjpe_mm"])
    assert errors.values["t_root_mm"] == 0 and np.isnan(errors.values["j2d_px"])


def test_a_clip_that_is_too_large():
    """10 % more: 5 cm per metre of root path, 10 % of each point's distance to the root; similarities forgive it.

    The arms swing as 0.2 m sin(6 t): differences of a sine over 1/30 s are its derivatives but for chord over arc.
    """
    truth, times = mocap_walk()
    values = measure_points(1.1 * walk(), truth, times).values
    assert values["t_root_mm"] == pytest.approx(0.1 * 1200)
    assert values["t_root_axis_mm"] == pytest.approx(0.1 * 1200 / 3)
    body = np.delete(walk()[:, :18], FACE, 1)
    body[:, 0] = walk()[:, [K["left_shoulder"], K["right_shoulder"]]].mean(1)
    distance = np.linalg.norm(body - root_of(walk())[:, None], axis=-1)
    assert values["mpjpe_mm"] == pytest.approx(100 * distance.mean())
    similar = ("pa_mpjpe_mm", "pa_mpjpe_frame_mm", "w_mpjpe_mm", "wa_mpjpe_mm")
    assert [values[name] for name in similar] == pytest.approx([0] * 4, abs=1e-6)
    assert values["rte_percent"] == pytest.approx(10 * np.abs(times - 1).mean() / 2)
    chord = np.sin(0.1) / 0.1
    acceleration = chord**2 * 6**2 * 0.2 * np.abs(np.sin(6 * times[1:-1])).mean() * 4 / 13
    assert values["accel_m_s2"] == pytest.approx(0.1 * acceleration)
    assert values["jitter_mm"] == pytest.approx(1100 / 900 * acceleration)
    between = (times[1:-2] + times[2:-1]) / 2
    assert values["jitter_m_s3"] == pytest.approx(
        1.1 * chord**3 * 6**3 * 0.2 * np.abs(np.cos(6 * between)).mean() * 4 / 13
    )


def test_the_protocol_counts_18_points():
    """Of a person whose face and feet are known an ear counts, 18 cm off in 18 points, and a heel does not."""
    predicted = walk()
    predicted[:, [K["left_ear"], K["left_heel"]], 2] += 0.18
    errors = measure_points(predicted, walk(), np.arange(61) / FPS)
    assert errors.values["mpjpe_mm"] == pytest.approx(10) and errors.per_frame == pytest.approx(np.full(61, 10))
    assert errors.per_joint == pytest.approx(180 * np.isin(np.arange(24), [K["left_ear"], K["left_heel"]]), abs=1e-9)


def test_a_shaken_person_jitters_but_the_pose_does_not_accelerate():
    """All points shake by 1 cm from frame to frame: the second difference is 4 cm long, the third one 8 cm."""
    truth = np.tile(standing(), (31, 1, 1))
    shaken = truth + 0.01 * (-1.0) ** np.arange(31)[:, None, None] * np.array([0, 0, 1])
    values = measure_points(shaken, truth, np.arange(31) / FPS).values
    assert values["jitter_mm"] == pytest.approx(40) and values["jitter_m_s3"] == pytest.approx(0.08 * 30**3)
    assert values["accel_m_s2"] == pytest.approx(0, abs=1e-9)
    assert values["t_root_mm"] == pytest.approx(20 * 15 / 31)


def test_feet_are_measured_on_the_prediction_in_its_own_world():
    """A person who stands but is dragged along at 6 cm/s, 1 cm under the floor: 0.2 cm per frame of four points."""
    times = np.arange(31) / FPS
    truth = np.tile(standing(), (31, 1, 1))
    dragged = truth + 0.06 * times[:, None, None] * np.array([0.6, 0.8, 0]) - (0, 0, 0.03)
    values = measure_points(dragged, truth, times).values
    weights = [2 - 2 ** (0.04 / 0.08), 2 - 2**0]
    assert values["fs_cm"] == pytest.approx(0.2 * np.mean(weights))
    assert values["foot_slide_cm_s"] == pytest.approx(6)
    assert values["penetration_mm"] == pytest.approx(10 / 2)
    unknown = truth.copy()
    unknown[:, K["left_big_toe"]] = np.nan
    values = measure_points(dragged, unknown, times).values
    assert np.isnan([values[name] for name in ("fs_cm", "foot_slide_cm_s", "penetration_mm")]).all()


def test_single_precision_and_few_frames_are_measured():
    truth, times = mocap_walk()
    noise = np.random.default_rng(16).normal(scale=0.02, size=truth.shape)
    double = measure_points(walk() + noise, truth, times).values
    single = measure_points((walk() + noise).astype(np.float32), truth.astype(np.float32), times).values
    assert single == pytest.approx(double, rel=1e-3, nan_ok=True)
    assert np.isfinite(measure_points(walk(1), truth[:1], times[:1]).values["mpjpe_mm"])


def test_what_cannot_be_measured_is_said():
    truth, times = mocap_walk()
    with pytest.raises(AnyliftError, match="no frames"):
        measure_points(walk(0), truth[:0], times[:0])
    without_hip = truth.copy()
    without_hip[3, K["left_hip"]] = np.nan
    with pytest.raises(AnyliftError, match="both hips"):
        measure_points(walk(), without_hip, times)
    lost = walk()
    lost[5, K["left_knee"]] = np.nan
    with pytest.raises(AnyliftError, match="left_knee"):
        measure_points(lost, truth, times)

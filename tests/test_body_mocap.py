"""Compact mocap files: what is read, where face and feet are put, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mocap_files import CLIPS, FLOOR, compact_mocap, write_mocap

from anylift_cli.body.mocap import MEASURED_POINTS, Mocap, mocap_points, read_mocap
from anylift_cli.body.skeleton import BODY24, BODY24_MIRROR, SMPL_JOINTS, SMPL_MIRROR, SMPL_PARENTS, J, K
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.synthetic.draw import Draw
from anylift_cli.training.body_variety import (
    arms_exchanged,
    loosened,
    mirrored,
    reproportioned,
    tumbled,
    turned,
    varied,
)
from anylift_cli.training.leg_variety import restanced

SHARED = Path(__file__).parents[2] / "shared/data/mocap"
needs_mocap = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data/mocap is absent")
LIMBS = [f"{side}_{part}" for side in ("left", "right") for part in
         ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]  # fmt: skip
FACE = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Mocap:
    return read_mocap(write_mocap(tmp_path_factory.mktemp("mocap") / "small.npz"))


def front_of(points: torch.Tensor) -> torch.Tensor:
    """Horizontal direction (..., 3) that the trunk faces."""
    left = points[..., K["left_hip"], :] - points[..., K["right_hip"], :]
    left = left + points[..., K["left_shoulder"], :] - points[..., K["right_shoulder"], :]
    front = torch.linalg.cross(left, torch.tensor([0.0, 0, 1]).expand_as(left))
    return front / front.norm(dim=-1, keepdim=True)


def test_clips_are_read_onto_the_floor(small):
    stored = compact_mocap()
    assert [tuple(row) for row in zip(small.name, small.action, small.split, small.length, strict=True)] == [
        (name, action, split, frames) for name, action, split, _, frames in CLIPS
    ]
    assert small.start.tolist() == [0, 90, 165] and small.fps == 30
    assert torch.allclose(small.joints + torch.tensor([0, 0, FLOOR]), torch.from_numpy(stored["joints"]), atol=1e-6)
    assert torch.linalg.det(small.axes) == pytest.approx(torch.ones(small.axes.shape[:2]), abs=1e-3)


def test_each_clip_has_its_own_floor(tmp_path):
    stored = compact_mocap()
    floors = np.array([0.0, 0.5, -0.2], np.float32)
    read = read_mocap(write_mocap(tmp_path / "floors.npz", floor_z=floors))
    lowered = torch.from_numpy(stored["joints"]) - read.joints
    for clip, floor in enumerate(floors):
        inside = slice(read.start[clip], read.start[clip] + read.length[clip])
        assert lowered[inside, :, 2].numpy() == pytest.approx(np.full((read.length[clip], 24), floor), abs=1e-6)


def test_measured_points_are_the_joints(small):
    points = mocap_points(small.joints, small.axes)
    for name in LIMBS:
        assert torch.equal(points[:, K[name]], small.joints[:, J[name]]), name
    for side in ("left", "right"):
        assert torch.equal(points[:, K[f"{side}_big_toe"]], small.joints[:, J[f"{side}_foot"]])
    shoulders = small.joints[:, J["left_shoulder"]] + small.joints[:, J["right_shoulder"]]
    assert torch.allclose(points[:, K["neck"]], 0.5 * shoulders)
    assert len(set(MEASURED_POINTS)) == len(MEASURED_POINTS) == 15
    added = {BODY24[index] for index in range(24)} - {BODY24[index] for index in MEASURED_POINTS}
    assert added == {*FACE, *(f"{side}_{part}" for side in ("left", "right") for part in ("heel", "small_toe"))}


def check_added_points(points: torch.Tensor, joints: torch.Tensor) -> None:
    """Faces look forward, heels are behind ankles and below, small toes outside: nearly always."""
    front = front_of(points)
    for name in ("nose", "left_eye", "right_eye"):
        ahead = ((points[:, K[name]] - joints[:, J["head"]]) * front).sum(-1)
        assert (ahead > 0).float().mean() > 0.93, name
        assert 0.05 < (points[:, K[name]] - joints[:, J["head"]]).norm(dim=-1).median() < 0.16, name
    eyes = (points[:, K["left_eye"]] - points[:, K["right_eye"]]).norm(dim=-1)
    ears = (points[:, K["left_ear"]] - points[:, K["right_ear"]]).norm(dim=-1)
    assert 0.05 < eyes.median() < 0.09 and 0.13 < ears.median() < 0.22
    left = torch.linalg.cross(torch.tensor([0.0, 0, 1]).expand_as(front), front)
    assert (((points[:, K["left_ear"]] - points[:, K["right_ear"]]) * left).sum(-1) > 0).float().mean() > 0.93
    assert (points[:, K["left_eye"], 2] > points[:, K["nose"], 2]).float().mean() > 0.93
    for side in ("left", "right"):
        ankle, toe, heel, small_toe = (
            points[:, K[f"{side}_{part}"]] for part in ("ankle", "big_toe", "heel", "small_toe")
        )
        foot = (toe - ankle).norm(dim=-1, keepdim=True)
        along = (toe - ankle) / foot
        assert (((heel - ankle) * along).sum(-1) < 0).all(), "heels are behind ankles"
        assert ((heel - ankle).norm(dim=-1) / foot[:, 0] - 0.069 / 0.137).abs().max() < 0.02
        standing = (ankle[:, 2] < 0.12) & (along[:, 2] > -0.7)
        assert (heel[:, 2] < ankle[:, 2])[standing].float().mean() > 0.995, "and below"
        outwards = left if side == "left" else -left
        assert (((small_toe - toe) * outwards).sum(-1) > 0).float().mean() > 0.85, "small toes are outside"
        assert (heel[:, 2].quantile(0.02)).abs() < 0.06, "heels come down to the floor"


def test_face_and_feet_of_a_walker(small):
    check_added_points(mocap_points(small.joints, small.axes), small.joints)


def test_added_points_grow_and_turn_with_the_person(small):
    points = mocap_points(small.joints, small.axes)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))[0]
    turn = turn * torch.linalg.det(turn)
    other = mocap_points(1.3 * small.joints @ turn.T, turn @ small.axes)
    assert torch.allclose(other, 1.3 * points @ turn.T, atol=1e-4)


def test_the_nose_of_someone_upright_by_hand():
    """Head at 1.5 m, shoulders as wide as the mean body's, facing x: the nose is 0.127 ahead and 0.023 above."""
    joints = torch.zeros(24, 3)
    joints[J["head"]] = torch.tensor([0, 0, 1.5])
    joints[J["left_shoulder"]], joints[J["right_shoulder"]] = torch.tensor([[0, 0.177, 1.3], [0, -0.177, 1.3]])
    for side, y in (("left", 0.1), ("right", -0.1)):
        joints[J[f"{side}_ankle"]] = torch.tensor([0, y, 0.08])
        joints[J[f"{side}_foot"]] = torch.tensor([0.137, y, 0.08])
    axes = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]).expand(3, 3, 3)
    points = mocap_points(joints, axes)
    assert points[K["nose"]].tolist() == pytest.approx([0.127, 0, 1.523], abs=1e-6)
    assert points[K["left_ear"]].tolist() == pytest.approx([-0.004, 0.087, 1.548], abs=1e-6)
    assert points[K["left_heel"]].tolist() == pytest.approx([-0.030, 0.107, 0.018], abs=1e-6)
    assert points[K["right_heel"]].tolist() == pytest.approx([-0.030, -0.107, 0.018], abs=1e-6)
    assert points[K["right_small_toe"]].tolist() == pytest.approx([0.183, -0.144, 0.089], abs=1e-6)


@needs_mocap
@pytest.mark.parametrize("name", ["cmu", "deepmimic"])
def test_real_mocap(name):
    read = read_mocap(SHARED / f"{name}_30fps.npz")
    feet = read.joints[:, [J[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot")], 2]
    lows = [feet[start : start + length].amin(1).quantile(0.02)
            for start, length in zip(read.start, read.length, strict=True)]  # fmt: skip
    assert torch.stack(lows).abs().max() < 0.01
    upright = read.joints[:, J["head"], 2] - read.joints[:, J["pelvis"], 2] > 0.45
    points = mocap_points(read.joints, read.axes)
    check_added_points(points[upright], read.joints[upright])
    assert torch.isfinite(points).all()


@pytest.mark.parametrize("name", [name for name in compact_mocap() if name not in ("up", "parents")])
def test_files_that_miss_something_are_refused(tmp_path, name):
    path = write_mocap(tmp_path / "part.npz", **{name: None})
    with pytest.raises(AnyliftError, match=f"not a compact mocap file: {name} missing") as caught:
        read_mocap(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"joint_names": np.array(SMPL_JOINTS[::-1])}, "SMPL's 24 joints"),
        ({"joint_names": np.array(SMPL_JOINTS[:22])}, "SMPL's 24 joints"),
        ({"joints": np.zeros((235, 22, 3), np.float32)}, "joints"),
        ({"joints": compact_mocap()["joints"][:-1]}, "local_quat_wxyz"),
        ({"joints": np.full((235, 24, 3), np.nan, np.float32)}, "joints"),
        ({"local_quat_wxyz": compact_mocap()["local_quat_wxyz"][..., :3]}, "local_quat_wxyz"),
        ({"clip_len": np.array([90, 75, 71])}, "clip"),
        ({"clip_len": np.array([90, 75, 0])}, "clip"),
        ({"clip_start": np.array([-1, 90, 165])}, "clip"),
        ({"split": np.array(["train", "test"])}, "clip"),
        ({"up": np.array("y")}, "z up"),
        ({"fps": np.float32(0)}, "fps"),
    ],
)  # fmt: skip
def test_files_that_contradict_themselves_are_refused(tmp_path, changed, reason):
    path = write_mocap(tmp_path / "wrong.npz", **changed)
    with pytest.raises(AnyliftError, match=reason) as caught:
        read_mocap(path)
    assert str(path) in caught.value.message


def test_damaged_files_are_refused(tmp_path):
    path = write_mocap(tmp_path / "cut.npz")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(AnyliftError, match="damaged"):
        read_mocap(path)
    with pytest.raises(AnyliftError, match="does not exist"):
        read_mocap(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", poses=np.zeros(3))
    with pytest.raises(AnyliftError, match="not a compact mocap file"):
        read_mocap(tmp_path / "other.npz")


@pytest.fixture(scope="module")
def clips(small) -> tuple[torch.Tensor, torch.Tensor]:
    """Joints (3, 70, 24, 3) and axes (3, 70, 3, 3, 3), one arm raised so that sides differ."""
    joints = torch.stack([small.joints[start : start + 70] for start in small.start])
    axes = torch.stack([small.axes[start : start + 70] for start in small.start])
    joints = joints.clone()
    joints[:, :, J["left_hand"], 2] += 0.5
    return joints, axes


def test_mirroring_exchanges_the_sides(clips):
    joints, axes = clips
    which = torch.tensor([True, False, True])
    other, other_axes = mirrored(joints, axes, which)
    assert torch.equal(other[1], joints[1]) and torch.equal(other_axes[1], axes[1])
    flip = torch.tensor([-1.0, 1, 1])
    assert torch.equal(other[0, :, J["right_hand"]], flip * joints[0, :, J["left_hand"]])
    assert torch.equal(other[2, :, list(SMPL_MIRROR)], flip * joints[2])
    again = mirrored(other, other_axes, which)
    assert torch.equal(again[0], joints) and torch.equal(again[1], axes)
    assert torch.allclose(torch.linalg.det(other_axes), torch.ones(3, 70, 3), atol=1e-3)


def test_a_mirrored_person_has_the_mirrored_points(clips):
    """Axes are mirrored in keeping, those of each foot apart: face, heels and small toes too change sides."""
    joints, _ = clips
    axes = matrix_from_axis_angle(torch.randn(3, 70, 3, 3, generator=torch.Generator().manual_seed(2)))
    points = mocap_points(*mirrored(joints, axes, torch.ones(3, dtype=torch.bool)))
    expected = mocap_points(joints, axes)[:, :, list(BODY24_MIRROR)] * torch.tensor([-1.0, 1, 1])
    measured = list(MEASURED_POINTS)
    assert torch.allclose(points[:, :, measured], expected[:, :, measured], atol=1e-6)
    feet_and_ears = [K[f"{side}_{part}"] for side in ("left", "right") for part in ("heel", "small_toe", "ear", "eye")]
    assert torch.allclose(points[:, :, feet_and_ears], expected[:, :, feet_and_ears], atol=1e-5)


def test_turning_is_about_the_vertical(clips):
    joints, axes = clips
    quarter, other_axes = turned(joints, axes, torch.full((3,), torch.pi / 2))
    assert torch.allclose(quarter, torch.stack([-joints[..., 1], joints[..., 0], joints[..., 2]], -1), atol=1e-5)
    assert torch.allclose(mocap_points(quarter, other_axes)[..., 0], -mocap_points(joints, axes)[..., 1], atol=1e-5)
    angle = torch.tensor([0.3, -2.0, 5.0])
    back = turned(*turned(joints, axes, angle), -angle)
    assert torch.allclose(back[0], joints, atol=1e-5) and torch.allclose(back[1], axes, atol=1e-5)


def test_other_proportions_keep_the_pose(clips):
    joints, _ = clips
    joints = joints.repeat(60, 1, 1, 1)
    other = reproportioned(joints, Draw.seeded(0))
    factors = []
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent < 0:
            continue
        before, after = (points[:, :, joint] - points[:, :, parent] for points in (joints, other))
        ratio = after.norm(dim=-1) / before.norm(dim=-1)
        assert torch.allclose(after, ratio[..., None] * before, atol=2e-5), SMPL_JOINTS[joint]
        assert ratio.std(1).max() < 1e-3, "the same in all frames"
        factors.append(ratio.mean(1))
    factors = torch.stack([torch.ones_like(factors[0]), *factors], 1)
    assert torch.allclose(factors[:, 1:], factors[:, list(SMPL_MIRROR)][:, 1:], atol=1e-3)
    stature = factors[:, 1:].median(1).values
    assert 0.8 < stature.min() < 0.92 and 1.08 < stature.max() < 1.25
    feet = [J["left_foot"], J["right_foot"]]
    lowest, other_lowest = (points[:, :, feet, 2].amin((1, 2)) for points in (joints, other))
    assert (other_lowest - lowest).abs().max() < 0.16 and (other_lowest - lowest).abs().median() < 0.04
    way, other_way = (points[:, -1, 0] - points[:, 0, 0] for points in (joints, other))
    legs = factors[:, [J["left_knee"], J["left_ankle"]]].mean(1)
    assert torch.allclose(other_way[:, :2], legs[:, None] * way[:, :2], atol=1e-4), "steps grow with the legs"


def test_exchanged_arms_move_as_the_others_do(clips):
    arms = [J[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist", "hand")]
    joints = clips[0].clone()
    joints[:2, :, arms] += torch.randn(2, 1, len(arms), 3, generator=torch.Generator().manual_seed(0)) / 5
    other = arms_exchanged(joints, torch.tensor([False, True, True]))
    assert torch.equal(other[0], joints[0])
    rest = [joint for joint in range(len(SMPL_JOINTS)) if joint not in arms]
    assert torch.equal(other[:, :, rest], joints[:, :, rest])
    for left, right in ((J["left_wrist"], J["left_shoulder"]), (J["right_wrist"], J["right_elbow"])):
        reach, given = ((points[:, :, left] - points[:, :, right]).norm(dim=-1) for points in (other, joints))
        assert torch.allclose(reach[1:], given[:-1], atol=1e-5)
    assert (other[1:, :, arms] - joints[1:, :, arms]).norm(dim=-1).mean() > 0.05
    same = joints[:1].repeat(2, 1, 1, 1)
    same[1] = turned(same[1:], clips[1][:1], torch.tensor([1.0]))[0]
    assert torch.allclose(arms_exchanged(same, torch.tensor([True, True])), same, atol=1e-4)


def test_loose_people_keep_their_bones_and_their_place(clips):
    joints, axes = clips
    other, other_axes = loosened(joints, axes, 30.0, torch.tensor([False, True, True]), Draw.seeded(1))
    assert torch.allclose(other[0], joints[0], atol=1e-6) and torch.allclose(other_axes[0], axes[0], atol=1e-6)
    assert torch.equal(other[:, :, 0], joints[:, :, 0])
    parents = list(SMPL_PARENTS[1:])
    bones, other_bones = ((points[:, :, 1:] - points[:, :, parents]).norm(dim=-1) for points in (joints, other))
    assert torch.allclose(other_bones, bones, atol=1e-5)
    legs = [J[f"{side}_{part}"] for side in ("left", "right") for part in ("hip", "knee", "ankle", "foot")]
    assert torch.equal(other[:, :, legs], joints[:, :, legs])
    moved = (other - joints)[1:].norm(dim=-1).mean((0, 1))
    assert moved[J["left_hand"]] > 2 * moved[J["neck"]] > 0.02
    points, other_points = mocap_points(joints, axes), mocap_points(other, other_axes)
    head = [K[name] for name in ("nose", "left_ear", "right_ear")]
    before, after = (torch.cdist(part[:, :, head], part[:, :, head]) for part in (points, other_points))
    assert torch.allclose(before, after, atol=1e-3)
    assert (other_points - points)[1:, :, head].norm(dim=-1).mean() > 0.05
    speed = (other.diff(dim=1) - joints.diff(dim=1))[1:].norm(dim=-1).max() * 30
    assert speed < 3.0


def test_another_stance_keeps_bones_steps_and_soles(clips):
    joints, _ = clips
    joints = joints.repeat(20, 1, 1, 1)
    which = torch.arange(len(joints)) > 0
    other = restanced(joints, which, Draw.seeded(1))
    assert torch.equal(other[0], joints[0])
    parents = list(SMPL_PARENTS[1:])
    bones, other_bones = ((points[:, :, 1:] - points[:, :, parents]).norm(dim=-1) for points in (joints, other))
    assert torch.allclose(other_bones, bones, atol=1e-4)
    step = other - joints
    for side in ("left", "right"):
        ankle, foot = J[f"{side}_ankle"], J[f"{side}_foot"]
        assert torch.allclose(step[:, :, ankle], step[:, :, foot], atol=1e-4), "feet keep their direction"
        assert (step[:, :, ankle, 2].abs() < 2e-3).float().mean() > 0.99, "and their height"
        assert (step[:, :, ankle].diff(dim=1).norm(dim=-1) < 2e-3).float().mean() > 0.97, "what stands goes on standing"
    upper = [J[name] for name in ("pelvis", "spine3", "head", "left_wrist", "right_elbow")]
    assert torch.allclose(step[:, :, upper], step[:, :, upper[:1]].expand(-1, -1, len(upper), -1), atol=1e-5)
    assert (step[:, :, 0, 2] < 1e-5).all() and step[:, :, 0, 2].min() < -0.05, "bodies go down, never up"
    stance, other_stance = (
        (points[:, 0, J["left_ankle"]] - points[:, 0, J["right_ankle"]]) for points in (joints, other)
    )
    assert 0.15 < (other_stance - stance)[1:, :2].std() < 0.35
    assert torch.equal(restanced(joints, which, Draw.seeded(1)), other)


def test_tumbling_turns_the_whole_body_about_the_pelvis(clips):
    joints, axes = clips
    which = torch.tensor([False, True, True])
    other, other_axes = tumbled(joints, axes, 30.0, which, Draw.seeded(1))
    assert torch.allclose(other[0], joints[0], atol=1e-6) and torch.allclose(other_axes[0], axes[0], atol=1e-6)
    assert torch.allclose(other[:, :, 0], joints[:, :, 0], atol=1e-6)
    assert torch.allclose(torch.cdist(other, other), torch.cdist(joints, joints), atol=1e-3)
    lean = (other[1:] - joints[1:]).norm(dim=-1).amax((1, 2))
    assert (lean > 0.2).all()
    moved = mocap_points(other, other_axes)
    assert torch.allclose(torch.cdist(moved, moved), torch.cdist(*[mocap_points(joints, axes)] * 2), atol=1e-3)


def test_variety_goes_by_its_seed(clips):
    runs = [varied(*clips, Draw.seeded(seed)) for seed in (3, 3, 4)]
    assert all(torch.equal(first, second) for first, second in zip(runs[0], runs[1], strict=True))
    assert not torch.allclose(runs[0][0], runs[2][0], atol=1e-2)

"""Edits do what they say, and leave nothing behind that contradicts them."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import torch
from motions import walking
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.foot_lock import _FADE, between, feet_of, hold_feet, hold_weights, lock_feet
from anylift_cli.body.legs import out_of_reach, step_to, world_rotations
from anylift_cli.body.parameters import pose_matrices, shape_of
from anylift_cli.body.posing import poses_from, rotations_of, with_parameters
from anylift_cli.body.skeleton import SMPL_MIRROR, J
from anylift_cli.editing.looping import loop, seam
from anylift_cli.editing.mirroring import mirror
from anylift_cli.editing.placement import face, floor_of, heading_of, set_floor
from anylift_cli.editing.plan import Edits, apply
from anylift_cli.editing.smoothing import averaging, smooth
from anylift_cli.editing.timing import retime, trim
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import invert, look_at, project
from anylift_cli.geometry.runs import runs
from anylift_cli.report.quality import foot_slide, jitter


@pytest.fixture(scope="module")
def motion(body):
    """Two seconds of someone who walks along x from the video's third second on, with a box; the camera pans."""
    made = walking(body, 61, betas=np.array([0.5, -0.3]))
    along = np.linspace(0, 1, 61)[:, None]
    camera = look_at(np.array([4.0, -3.0, 1.3]) + 0 * along, along * [2.2, 0, 0] + [0, 0, 0.9])
    poses = made.poses.copy()
    poses[:, 75:78] = [0.1, 0.2, 0.3]
    box = np.tile(np.eye(4), (1, 61, 1, 1))
    box[0, :, :3, :3] = Rotation.from_euler("zx", along * [3.0, 1.0]).as_matrix()
    box[0, :, :3, 3] = along * [2.2, 0, 0] + [0.3, 0.2, 1.0]
    contact = np.zeros((61, 4))
    contact[10:25, :2] = contact[30:50, 2:] = 0.9
    contact[25:30, 1] = 0.7
    K = made.K.copy()
    K[:, 0, 2] += 17
    return with_parameters(
        made, poses, made.trans, foot_contact=contact, world_from_camera=camera, K=K, object_names=np.array(["box"]),
        world_from_object=box, timestamps=made.timestamps + 3, frame_index=made.frame_index + 90,
        joint_confidence=np.random.default_rng(1).random((61, 24)),
    )  # fmt: skip


def shaken(motion, seed=0, degrees=1.5, metres=0.004):
    noise = np.random.default_rng(seed)
    turns = Rotation.from_rotvec(noise.normal(0, np.radians(degrees), (len(motion.poses) * 22, 3))).as_matrix()
    rotations = rotations_of(motion)
    rotations[:, :22] = rotations[:, :22] @ turns.reshape(-1, 22, 3, 3)
    return with_parameters(motion, poses_from(rotations), motion.trans + noise.normal(0, metres, motion.trans.shape))


def standing(body, frames=90):
    """On both feet throughout, knees a little bent, while the whole body drifts and sways."""
    made = walking(body, frames)
    rotations = rotations_of(made)
    rotations[:] = np.eye(3)
    rotations[:, 0] = rotations_of(made)[:, 0]
    for side in ("left", "right"):
        for joint, angle in (("hip", -0.4), ("knee", 0.8), ("ankle", -0.4)):
            rotations[:, J[f"{side}_{joint}"]] = Rotation.from_euler("x", angle).as_matrix()
    passed = np.arange(frames) / 30
    drift = np.stack([0.06 * np.sin(passed * 3), 0.05 * passed, 0 * passed], 1)
    return with_parameters(made, poses_from(rotations), drift, foot_contact=np.ones((frames, 4)))


EDITS = {
    "trim": lambda one: trim(one, 3.4, 4.2),
    "retime": lambda one: retime(one, 1.7),
    "mirror": mirror,
    "heading": lambda one: face(one, 123.0),
    "floor": lambda one: set_floor(one, 0.31),
    "floor auto": lambda one: set_floor(one, None),
    "smooth": lambda one: smooth(one, 0.2),
    "foot lock": lambda one: lock_feet(one, 0.8),
    "loop": lambda one: loop(one, 0.5),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_everything_in_the_file_agrees_after_an_edit(body, motion, edit):
    edited = edit(motion)
    frames = len(edited.poses)
    points = body.joints(pose_matrices(edited), shape_of(edited, body), torch.from_numpy(edited.trans))
    np.testing.assert_allclose(edited.joints, points.joints.numpy(), atol=1e-5)
    families = (edited.root_orient, edited.pose_body, edited.pose_jaw, edited.pose_eye, edited.pose_hand)
    np.testing.assert_array_equal(np.concatenate(families, 1), edited.poses)
    assert edited.fps == edited.mocap_frame_rate == edited.mocap_framerate == 30
    assert edited.mocap_time_length == pytest.approx(frames / 30)
    np.testing.assert_allclose(np.diff(edited.timestamps), 1 / 30, atol=1e-9)
    np.testing.assert_array_equal(edited.betas, motion.betas)
    turns = edited.world_from_camera[:, :3, :3]
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(edited.world_from_object[0, :, :3, :3]), 1, atol=1e-9)
    assert np.abs(edited.poses[:, 75:165]).max() > 0.2, "hands are kept"
    edited.validate()


@pytest.mark.parametrize("edit", ["heading", "floor", "mirror"])
def test_the_camera_sees_the_same(motion, edit):
    edited = EDITS[edit](motion)
    before = project(motion.joints.astype(np.float64), motion.world_from_camera, motion.K)
    after = project(edited.joints.astype(np.float64), edited.world_from_camera, edited.K)
    box, moved = (invert(one.world_from_camera) @ one.world_from_object[0] for one in (motion, edited))
    if edit == "mirror":
        after[..., 0] = motion.image_size[0] - after[..., 0]
        after = after[:, list(SMPL_MIRROR)]
        moved[:, 0, 3] *= -1
    np.testing.assert_allclose(after, before, atol=2e-3)
    np.testing.assert_allclose(moved[:, :3, 3], box[:, :3, 3], atol=1e-9)
    if edit != "mirror":
        np.testing.assert_allclose(moved, box, atol=1e-9)
    assert np.abs(edited.joints - motion.joints).max() > 0.05


def test_trim_keeps_frames_as_they_are(motion):
    edited = trim(motion, 3.4, 4.2)
    np.testing.assert_allclose(edited.timestamps[[0, -1]], [3.4, 4.2])
    for name in ("poses", "trans", "joints", "joint_confidence", "foot_contact", "world_from_camera", "K",
                 "frame_index", "confidence"):  # fmt: skip
        np.testing.assert_array_equal(getattr(edited, name), getattr(motion, name)[12:37])
    np.testing.assert_array_equal(edited.world_from_object, motion.world_from_object[:, 12:37])
    assert len(trim(motion, None, 3.5).poses) == 16
    assert len(trim(motion, 4.5, None).poses) == 16
    with pytest.raises(AnyliftError, match="no frame lies between 7 s and 8 s"):
        trim(motion, 7, 8)


def test_retime_is_the_same_in_another_time(motion):
    slow = retime(motion, 2.0)
    assert len(slow.poses) == 121
    assert slow.timestamps[-1] - slow.timestamps[0] == pytest.approx(4)
    np.testing.assert_allclose(slow.joints[::2], motion.joints, atol=1e-4)
    np.testing.assert_array_equal(slow.frame_index[::2], motion.frame_index)
    fast = retime(motion, 0.5)
    np.testing.assert_allclose(fast.joints, motion.joints[::2], atol=1e-4)
    np.testing.assert_allclose(fast.world_from_camera, motion.world_from_camera[::2], atol=1e-9)
    with pytest.raises(UsageError):
        retime(motion, 0)


def test_heading(motion):
    assert heading_of(motion) == pytest.approx(0, abs=1e-3)
    edited = face(motion, 90)
    assert heading_of(edited) == pytest.approx(90, abs=1e-3)
    np.testing.assert_allclose(edited.joints[..., 0], -motion.joints[..., 1], atol=1e-5)
    np.testing.assert_allclose(edited.joints[..., 1], motion.joints[..., 0], atol=1e-5)
    np.testing.assert_allclose(edited.joints[..., 2], motion.joints[..., 2], atol=1e-5)
    side = rotations_of(motion)
    side[:, 0] = Rotation.from_euler("x", 90, degrees=True).as_matrix() @ side[:, 0]
    with pytest.raises(AnyliftError, match="lie on a side"):
        heading_of(with_parameters(motion, poses_from(side), motion.trans))


def test_floor(body, motion):
    feet = standing(body)
    lifted = set_floor(feet, -0.07)
    assert floor_of(lifted) - floor_of(feet) == pytest.approx(0.07, abs=1e-5)
    sole = body.vertices(pose_matrices(feet), shape_of(feet, body), torch.from_numpy(feet.trans))[..., 2].amin()
    assert floor_of(feet) == pytest.approx(float(sole), abs=0.01)
    assert floor_of(set_floor(lifted, None)) == pytest.approx(0, abs=1e-5)
    flying = dataclasses.replace(motion, foot_contact=np.zeros((61, 4)))
    with pytest.raises(AnyliftError, match="nobody stands"):
        set_floor(flying, None)


def test_a_mirror_image_is_one(motion):
    edited = mirror(motion)
    np.testing.assert_allclose(
        edited.joints[:, list(SMPL_MIRROR)], motion.joints * [1, -1, 1] + [0, 2 * motion.joints[0, 0, 1], 0], atol=1e-5
    )
    np.testing.assert_array_equal(edited.foot_contact[:, [2, 3, 0, 1]], motion.foot_contact)
    np.testing.assert_array_equal(edited.joint_confidence[:, list(SMPL_MIRROR)], motion.joint_confidence)
    np.testing.assert_allclose(edited.pose_hand[:, 45:48], motion.pose_hand[:, :3] * [1, -1, -1], atol=1e-6)
    twice = mirror(edited)
    np.testing.assert_allclose(twice.joints, motion.joints, atol=1e-5)
    np.testing.assert_allclose(twice.world_from_camera, motion.world_from_camera, atol=1e-6)
    np.testing.assert_allclose(twice.world_from_object, motion.world_from_object, atol=1e-6)
    np.testing.assert_allclose(twice.K, motion.K)


def test_averaging_by_hand():
    uneven = np.array([0.0, 0.03, 0.07, 0.1, 0.16, 0.2])
    weights = averaging(uneven, 0.15)
    np.testing.assert_allclose(weights @ np.stack([np.ones(6), 3 * uneven - 1], 1),
                               np.stack([np.ones(6), 3 * uneven - 1], 1), atol=1e-9)  # fmt: skip
    width = averaging(np.arange(41) / 100, 0.1).toarray()[20]
    assert width[25] / width[20] == pytest.approx(0.5), "half as much half a width away"
    np.testing.assert_allclose(averaging(uneven, 0.0).toarray(), np.eye(6))


def test_smoothing_calms_and_keeps_planted_feet(motion):
    rough = shaken(motion)
    calm = smooth(rough, 0.2)
    assert jitter(calm.joints, calm.timestamps) < 0.5 * jitter(rough.joints, rough.timestamps)
    planted = motion.foot_contact > 0.5
    assert np.linalg.norm(feet_of(calm) - feet_of(rough), axis=-1)[planted].max() < 1e-3
    assert np.linalg.norm(feet_of(calm) - feet_of(rough), axis=-1)[~planted].max() > 0.01
    assert (
        np.linalg.norm(calm.joints - motion.joints, axis=-1).mean()
        < np.linalg.norm(rough.joints - motion.joints, axis=-1).mean()
    )
    np.testing.assert_allclose(smooth(rough, 0.0).joints, rough.joints, atol=1e-4)


def test_smoothing_turns_through_the_half_turn(motion):
    spins = rotations_of(motion)
    spins[:, 0] = Rotation.from_euler("z", np.linspace(90, 270, 61)[:, None], degrees=True).as_matrix() @ spins[:, 0]
    spinning = with_parameters(motion, poses_from(spins), motion.trans, foot_contact=np.zeros((61, 4)))
    np.testing.assert_allclose(smooth(spinning, 0.2).joints[5:-5, :3], spinning.joints[5:-5, :3], atol=2e-3)


def test_locked_feet_stand_still(body):
    sliding = standing(body)
    before = foot_slide(feet_of(sliding), sliding.foot_contact, sliding.timestamps)
    assert before > 8
    locked = lock_feet(sliding, 1.0)
    assert foot_slide(feet_of(locked), locked.foot_contact, locked.timestamps) < 0.01
    np.testing.assert_allclose(feet_of(locked), feet_of(sliding).mean(0)[None].repeat(90, 0), atol=1e-4)
    np.testing.assert_allclose(locked.joints[:, J["head"]], sliding.joints[:, J["head"]], atol=1e-5)
    half = lock_feet(sliding, 0.5)
    assert foot_slide(feet_of(half), half.foot_contact, half.timestamps) == pytest.approx(before / 2, rel=0.02)
    np.testing.assert_allclose(lock_feet(sliding, 0.0).joints, sliding.joints, atol=1e-4)
    with pytest.raises(UsageError):
        lock_feet(sliding, 1.1)


def test_locking_steps(motion):
    rough = shaken(motion, degrees=0.7)
    locked = lock_feet(rough, 1.0)
    slides = [foot_slide(feet_of(one), one.foot_contact, one.timestamps) for one in (rough, locked)]
    assert slides[0] > 20
    assert slides[1] < 0.05
    free = (hold_weights(motion.foot_contact, motion.timestamps) == 0).all(1)
    assert free.sum() > 5
    np.testing.assert_allclose(locked.joints[free], rough.joints[free], atol=1e-4)


def test_the_pelvis_follows_feet_that_a_leg_cannot_reach(body):
    still = standing(body, 5)
    places = feet_of(still) - np.array([0, 0, 0.25])
    held = hold_feet(still, places)
    np.testing.assert_allclose(feet_of(held), places, atol=1e-3)
    assert held.joints[0, 0, 2] < still.joints[0, 0, 2] - 0.02


def test_hold_weights_by_hand():
    times = np.arange(20) / 100
    contact = np.zeros((20, 4))
    contact[5:7, 0] = contact[11:12, 0] = 1
    contact[0, 1] = 1
    weights = hold_weights(contact, times)
    assert weights[[5, 6, 11], 0].tolist() == [1, 1, 1]
    middle = weights[6:12, 0]
    np.testing.assert_allclose(middle[1], 0.6**2 * (3 - 1.2), atol=1e-6)
    np.testing.assert_allclose(middle, middle[::-1], atol=1e-6)
    fade = 1 - 0.1 / _FADE
    assert weights[10, 1] == pytest.approx(fade**2 * (3 - 2 * fade))
    assert weights[15:, 1] == pytest.approx(np.zeros(5), abs=1e-9)
    assert not weights[:, 2:].any()
    assert runs(contact[:, 0] > 0.5) == [(5, 7), (11, 12)]


def test_between_rotations():
    first, second = (Rotation.from_euler("z", angle, degrees=True).as_matrix()[None] for angle in (170, -150))
    middle = Rotation.from_matrix(between(first, second, np.array([0.5]))).as_euler("zyx", degrees=True)
    np.testing.assert_allclose(abs(middle[0, 0]), 170, atol=1e-9)


def test_legs_reach_where_they_can(body, motion):
    rotations = torch.from_numpy(rotations_of(motion)[:, :24].copy())
    rotations[:, 22:] = torch.eye(3, dtype=torch.double)
    joints = torch.from_numpy(motion.joints.astype(np.float64))
    goal = joints[:, J["left_ankle"]] + torch.tensor([0.03, -0.02, 0.05], dtype=torch.double)
    turn = torch.from_numpy(Rotation.from_euler("z", 20, degrees=True).as_matrix()).expand(61, 3, 3)
    stepped = step_to(rotations, joints, "left", goal, turn)
    reached = body.joints(stepped.float(), shape_of(motion, body), torch.from_numpy(motion.trans)).joints.double()
    assert out_of_reach(joints, "left", goal).abs().max() == 0
    assert (reached[:, J["left_ankle"]] - goal).norm(dim=-1).max() < 2e-3
    others = [joint for joint in range(24) if joint not in (J["left_knee"], J["left_ankle"], J["left_foot"])]
    assert (reached - joints)[:, others].abs().max() < 1e-5
    feet = [world_rotations(one)[:, J["left_ankle"]] for one in (rotations, stepped)]
    torch.testing.assert_close(feet[1], turn @ feet[0])


def test_a_loop_closes(motion):
    assert seam(motion)["seam_deg"] > 5
    bent = loop(motion, 0.5)
    assert seam(bent)["seam_deg"] < 0.05
    assert seam(bent)["seam_cm"] < 1e-3
    np.testing.assert_allclose(bent.joints[:45], motion.joints[:45], atol=1e-5)
    np.testing.assert_allclose(bent.joints[-1, 0, :2], motion.joints[-1, 0, :2], atol=1e-5)
    assert loop(motion, 0) is motion
    with pytest.raises(UsageError, match="lasts 2 s"):
        loop(motion, 3)


def test_a_seam_is_told_wherever_the_cycle_ends(body):
    cycle = walking(body, 61, timestamps=np.arange(61) / 30 / 2 / 0.9)
    phase = np.arange(61) / 60 * 2 * np.pi
    swing = np.zeros((61, 165))
    swing[:, :3] = cycle.poses[:, :3]
    swing[:, 3 * J["left_hip"]] = 0.5 * np.sin(phase)
    turned = rotations_of(with_parameters(cycle, swing, cycle.trans))
    turned[:, 0] = Rotation.from_euler("z", phase[:, None] / 4).as_matrix() @ turned[:, 0]
    around = np.stack([np.sin(phase / 4), 1 - np.cos(phase / 4), 0 * phase], 1) * 2
    cycle = with_parameters(cycle, poses_from(turned), around + cycle.trans * [0, 0, 1])
    told = seam(cycle)
    assert told["seam_deg"] < 0.05
    assert told["seam_cm"] < 1e-3
    assert told["seam_cm_s"] < 0.03 * 100 * 2 * np.pi / 2 / (60 / 54)


def test_steps_come_in_their_order_and_are_measured(motion):
    steps = Edits(loop=0.0, floor="auto", trim=(3.0, 4.0), mirror=True).steps()
    assert [step.name for step in steps] == ["trim", "mirror", "floor", "loop"]
    edited, measured = apply(motion, steps)
    assert [round(one["seconds"], 3) for one in measured] == [2, 1, 1, 1, 1]
    assert measured[0]["frames"] == 61
    assert measured[-1]["heading_deg"] == pytest.approx(0, abs=1e-2)
    assert floor_of(edited) == pytest.approx(0, abs=1e-5)
    still = apply(dataclasses.replace(motion, foot_contact=np.zeros((61, 4))), [])[1][0]
    assert still["foot_slide_cm_s"] is None


def test_command(anylift, tmp_path, motion):
    motion = dataclasses.replace(motion, meta={**motion.meta, "key": "k", "stage": "fit", "lifter": "optimize"})
    source = motion.save(tmp_path / "walk <b>&.npz")
    done = anylift("edit", source, "--out", "new/clean.npz", "--smooth", 0.1, "--trim", "3.5:", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["file"] == "new/clean.npz"
    assert [step["step"] for step in told["steps"]] == ["trim", "smooth"]
    assert told["steps"][0]["after"]["seconds"] == 1.5
    assert told["steps"][1]["after"]["jitter_mm"] < told["before"]["jitter_mm"]
    edited = MotionArtifact.load(tmp_path / "new" / "clean.npz")
    (record,) = edited.meta["edits"]
    assert record["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (record["file"], record["key"]) == ("walk <b>&.npz", "k")
    assert record["steps"] == {"trim": [3.5, None], "smooth": 0.1}
    assert "key" not in edited.meta
    assert edited.meta["lifter"] == "optimize"

    done = anylift("edit", "new/clean.npz", "--out", "twice.npz", "--mirror", "--heading", -90, "--floor", 0.02)
    assert "after heading" in done.stdout
    assert [len(one["steps"]) for one in MotionArtifact.load(tmp_path / "twice.npz").meta["edits"]] == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "new.npz"], "nothing to do"),
        (["--out", "new.fbx", "--mirror"], "must end with .npz"),
        (["--out", "./motion.npz", "--mirror"], "is the motion itself"),
        (["--out", "new.npz", "--trim", "3"], "not START:END"),
        (["--out", "new.npz", "--trim", "2:1"], "ends before it starts"),
        (["--out", "new.npz", "--trim", "a:b"], "not START:END"),
        (["--out", "new.npz", "--floor", "nan"], "neither a number of metres nor auto"),
        (["--out", "new.npz", "--foot-lock", "2"], "--foot-lock"),
        (["--out", "new.npz", "--heading", "inf"], "--heading"),
        (["--out", "new.npz", "--mirror", "--retime", "inf"], "--retime"),
    ],
)
def test_wrong_usage(anylift, tmp_path, arguments, message):
    (tmp_path / "motion.npz").write_bytes(b"")
    done = anylift("edit", "motion.npz", *arguments, COLUMNS="200")
    assert done.returncode == 2
    assert message in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["motion.npz"]

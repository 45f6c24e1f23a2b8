"""The shipped network at work: known scenes, any frame rate, any length, gaps, unknown scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_lifting import _betas, artifacts_of, errors

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.errors import UsageError
from anylift_cli.geometry.cameras import invert, transform
from anylift_cli.geometry.rotations import matrix_from_axis_angle
from anylift_cli.lifting.base import CHECKPOINT, LiftOptions
from anylift_cli.lifting.diffusion_lifter import without_lunges
from anylift_cli.lifting.imagination import Imagination
from anylift_cli.lifting.observation import observe
from anylift_cli.lifting.refine import models_for, upright
from anylift_cli.lifting.stage import run_lift
from anylift_cli.stages import lift_stage
from anylift_cli.synthetic.scene import Scene, SceneSpec, build_scene
from anylift_cli.weights_store import find_weights


@pytest.fixture(scope="module")
def walk() -> Scene:
    return build_scene(SceneSpec("walk_still", "walk", "still", seed=3, seconds=2.5))


@pytest.fixture(scope="module")
def dolly() -> Scene:
    return build_scene(SceneSpec("walk_dolly", "walk", "dolly", seed=11, seconds=2.5))


@pytest.fixture(scope="module")
def imagination() -> Imagination:
    return Imagination.load(find_weights(CHECKPOINT), "cpu")


def options(scene: Scene, **changed: object) -> LiftOptions:
    height = float(scene.body.standing_height(_betas(scene))[0])
    return LiftOptions(**{"lifter": "diffusion", "height": height, **changed})


def at_frames(
    keypoints: KeypointsArtifact, cameras: CamerasArtifact, frames: np.ndarray
) -> tuple[KeypointsArtifact, CamerasArtifact]:
    """Some frames of both, in any order of repetition, at the times they had."""
    people = {name: getattr(keypoints, name)[:, frames] for name in ("keypoints", "confidence", "boxes", "present")}
    local = None if keypoints.local_joints is None else keypoints.local_joints[:, frames]
    times = {"timestamps": keypoints.timestamps[frames]}
    return (
        replace(keypoints, **people, **times, local_joints=local, frame_index=np.arange(len(frames))),
        replace(
            cameras, **times, world_from_camera=cameras.world_from_camera[frames], K=cameras.K[frames],
            confidence=cameras.confidence[frames],
        ),
    )  # fmt: skip


@pytest.mark.parametrize("with_local", [False, True])
def test_pose_and_path_of_a_walk(walk: Scene, with_local: bool) -> None:
    lifted = run_lift(*artifacts_of(walk, with_local), options(walk))
    pose, root = errors(walk, lifted.joints[0], lifted.world_from_camera)
    assert pose < 0.075
    assert root < 0.15
    assert np.isfinite(lifted.joint_std).all()
    assert lifted.joint_std.min() > 0


def test_the_network_alone_knows_the_other_views(walk: Scene, imagination: Imagination) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=False)
    seen = upright(observe(keypoints, cameras, 0, "cpu"), cameras)
    points, deviation = imagination(seen, models_for(options(walk)).lengths, 1, [0])
    pose, _ = errors(walk, points[0].numpy(), seen.world_from_camera[0].double().numpy())
    assert pose < 0.09
    again, _ = imagination(seen, models_for(options(walk)).lengths, 1, [0])
    assert torch.equal(points, again)
    _, wider = imagination(seen, models_for(options(walk)).lengths, 2, [0, 1])
    assert not torch.equal(deviation, wider)


def test_points_do_not_depend_on_where_the_world_is(walk: Scene, imagination: Imagination) -> None:
    """Another heading and origin of the same world moves the result with it."""
    keypoints, cameras = artifacts_of(walk, with_local=True)
    seen = upright(observe(keypoints, cameras, 0, "cpu"), cameras)
    lengths = models_for(options(walk)).lengths
    move = torch.eye(4)
    move[:3, :3] = matrix_from_axis_angle(torch.tensor([0.0, 0.0, 2.0]))
    move[:3, 3] = torch.tensor([3.0, -5.0, 0.5])
    points, _ = imagination(seen, lengths, 1, [0])
    moved, _ = imagination(replace(seen, world_from_camera=move @ seen.world_from_camera), lengths, 1, [0])
    expected = points @ move[:3, :3].T + move[:3, 3]
    assert (moved - expected).abs().max() < 2e-3


def test_any_frame_rate(walk: Scene) -> None:
    """Every other frame of the video gives the same motion."""
    keypoints, cameras = artifacts_of(walk, with_local=False, noise_px=0.0)
    full = run_lift(keypoints, cameras, options(walk))
    half = run_lift(*at_frames(keypoints, cameras, np.arange(0, len(walk.time), 2)), options(walk))
    offset = full.joints[0, ::2] - half.joints[0]
    assert np.linalg.norm(offset - offset.mean((0, 1)), axis=-1).mean() < 0.05


def test_long_clips_and_gaps(walk: Scene) -> None:
    """Back and forth for 9 s, unseen for half a second: nothing jumps, what was not seen is unsure."""
    keypoints, cameras = artifacts_of(walk, with_local=False)
    there = np.arange(len(walk.time))
    frames = np.concatenate([there, there[-2:0:-1], there, there[-2:0:-1]])
    keypoints, cameras = at_frames(keypoints, cameras, frames)
    step = float(np.diff(walk.time).mean())
    gap = slice(100, 115)
    present = keypoints.present.copy()
    present[:, gap] = False
    times = np.arange(len(frames)) * step
    confidence = np.where(present[..., None], keypoints.confidence, 0)
    points = np.where(present[..., None, None], keypoints.keypoints, np.nan)
    keypoints = replace(keypoints, timestamps=times, present=present, confidence=confidence, keypoints=points)
    lifted = run_lift(keypoints, replace(cameras, timestamps=times), options(walk))
    speed = np.linalg.norm(np.diff(lifted.joints[0], axis=0), axis=-1) / step
    assert np.isfinite(lifted.joints).all()
    assert speed.max() < 12.0
    assert lifted.joint_std[0, gap].mean() > 1.5 * lifted.joint_std[0, :90].mean()


def test_nobody_leaps_while_hidden(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=True)
    confidence = keypoints.confidence.copy()
    confidence[0, 30:50] = 0.09
    wrong = keypoints.keypoints.copy()
    wrong[0, 30:50] += np.random.default_rng(1).normal(0, 60, (20, 1, 2))
    hidden = replace(keypoints, confidence=confidence, keypoints=wrong)
    lifted = run_lift(hidden, cameras, options(walk))
    steps = np.linalg.norm(np.diff(lifted.joints[0], axis=0), axis=-1)
    assert steps[29:51].max() < 1.5 * steps[:29].max()
    assert lifted.joint_std[0, 35:45].min() > 3 * lifted.joint_std[0, :25].mean()


def test_a_moments_change_of_depth_must_show_in_the_image(walk: Scene) -> None:
    keypoints, cameras = artifacts_of(walk, with_local=False, noise_px=0.5)
    seen = upright(observe(keypoints, cameras, 0, "cpu"), cameras)
    camera = transform(invert(walk.world_from_camera), walk.keypoints3d)
    true = transform(seen.world_from_camera[0], torch.as_tensor(camera, dtype=torch.float32))
    along = true[:, [0]] - seen.world_from_camera[0, :, None, :3, 3]
    share = torch.full((len(true), 1, 1), 0.03)
    share[20:30] += 0.2
    found = without_lunges((true + share * along)[None], seen)[0]
    left = ((found - true).norm(dim=-1) / along.norm(dim=-1)).mean(-1)
    assert left.max() < 0.06
    assert left.median() == pytest.approx(0.03, abs=0.01)


def test_scale_of_a_moving_camera(dolly: Scene) -> None:
    keypoints, cameras = artifacts_of(dolly, with_local=False)
    path = cameras.world_from_camera.copy()
    path[:, :3, 3] *= 0.37
    shrunk = replace(cameras, world_from_camera=path, meta={**cameras.meta, "scale": "arbitrary"})
    lifted = run_lift(keypoints, shrunk, options(dolly))
    assert lifted.meta["scale"]["metres_per_unit"] == pytest.approx(1 / 0.37, rel=0.25)


def test_a_checkpoint_is_a_lifter(tmp_path, walk: Scene) -> None:
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(find_weights(CHECKPOINT).read_bytes())
    inputs = at_frames(*artifacts_of(walk, with_local=False), np.arange(20))
    ours, theirs = (run_lift(*inputs, options(walk, lifter=lifter)) for lifter in ("diffusion", str(copy)))
    assert np.array_equal(ours.joints, theirs.joints)
    assert (
        lift_stage(LiftOptions(str(copy))).weights["network"] == lift_stage(LiftOptions("diffusion")).weights["network"]
    )
    with pytest.raises(UsageError, match="does not exist"):
        lift_stage(LiftOptions(str(tmp_path / "none.safetensors")))

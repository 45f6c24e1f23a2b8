"""The joint network of person and object: what it is told and asked, how it begins, learns and is kept apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from few_packages import run_with_few_packages
from mocap_files import write_mocap
from object_scenes import box_mesh
from scipy.spatial.transform import Rotation

from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.boxes import box_corners
from anylift_cli.lifting.base import CHECKPOINT
from anylift_cli.lifting.checkpoint import JOINT, load_checkpoint
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.joint import CATEGORIES, JOINT_WIDTH, POINTS, object_conditions, triangulated_object
from anylift_cli.lifting.joint_imagination import JointImagination
from anylift_cli.lifting.networks import NetworkConfig, ViewsAsChannels
from anylift_cli.synthetic.draw import Draw
from anylift_cli.training.interactions import InteractionBatches, JointBatch, grow, train_interactions
from anylift_cli.training.loop import LoopConfig
from anylift_cli.training.multi_view import MODEL_FILE, MultiViewConfig
from anylift_cli.training.recordings import is_recording, read_recordings, varied_recordings
from anylift_cli.weights_store import find_weights

FRAMES = 16
OMOMO = Path(__file__).parents[2] / "shared" / "data" / "hoi" / "omomo_30fps.npz"
TINY = MultiViewConfig(
    NetworkConfig(width=32, layers=1, heads=2, expansion=2, points=POINTS, condition=JOINT_WIDTH),
    LoopConfig(steps=4, rate=3e-3, warmup=2, save_seconds=0, decay=0, evaluate_every=4),
    frames=FRAMES, batch=4, noise_steps=50,
)  # fmt: skip


@pytest.fixture(scope="module")
def mocap(tmp_path_factory) -> Path:
    return write_mocap(tmp_path_factory.mktemp("mocap") / "walks.npz")


@pytest.fixture(scope="module")
def batch(mocap) -> JointBatch:
    return InteractionBatches([mocap], "train", FRAMES, 4, 0, "cpu").batch(3, 32)


def test_batches_hold_person_and_object(batch, mocap):
    assert batch.condition.shape == (32, FRAMES, JOINT_WIDTH) and batch.views.shape == (32, FRAMES, 3, POINTS, 2)
    assert torch.equal(batch.condition[..., WIDTH:], object_conditions(batch.seen, batch.told))
    again = InteractionBatches([mocap], "train", FRAMES, 4, 0, "cpu").batch(3, 32)
    assert torch.equal(again.condition, batch.condition) and torch.equal(again.views, batch.views)
    absent = batch.told.weight.amax(1) == 0
    assert (batch.condition[absent][..., WIDTH:] == 0).all()
    assert (batch.point_weight[absent][..., 24:] == 0).all()
    assert (batch.told.weight[~batch.valid] == 0).all()


def test_true_views_give_the_true_corners_back(batch):
    """Where the object is not far away, whether the tracker sees it or not."""
    points, _ = triangulated_object(batch.seen, replace(batch.told, weight=0 * batch.told.weight), batch.views)
    world = batch.seen.to_world(points)
    moving = batch.seen.camera_from_first[..., :3, 3].norm(dim=-1).amax(1) > 1e-4
    near = (points.norm(dim=-1) < 0.5 * batch.seen.root[..., None, 2]).all((1, 2))
    near &= (batch.told.corners.norm(dim=-1) < 0.5 * batch.seen.root[..., None, 2]).all((1, 2))
    assert (near & ~moving).sum() > 3
    assert (world - batch.corners)[near & ~moving].norm(dim=-1).max() < 0.06


def test_told_corners_are_near_where_the_tracker_sees_the_object(batch):
    moving = batch.seen.camera_from_first[..., :3, 3].norm(dim=-1).amax(1) > 1e-4
    off = (batch.seen.to_world(batch.told.corners) - batch.corners).mean(-2).norm(dim=-1)
    seen = (batch.told.weight > 0) & ~moving[:, None]
    assert off[seen].median() < 0.15


def test_a_joint_network_begins_as_the_network_of_people(batch):
    start = find_weights(CHECKPOINT)
    person, _ = load_checkpoint(start)
    joint = ViewsAsChannels(NetworkConfig(points=POINTS, condition=JOINT_WIDTH))
    grow(joint, start)
    noisy = torch.randn(2, FRAMES, 3, POINTS, 2, generator=torch.Generator().manual_seed(0))
    step = torch.tensor([999, 3])
    some = batch.condition[:2], batch.valid[:2]
    with torch.no_grad():
        together = joint(noisy, step, *some)
        alone = person(noisy[..., :24, :], step, some[0][..., :WIDTH], some[1])
    assert torch.allclose(together[..., :24, :], alone, atol=1e-5)
    assert (together[..., 24:, :] == 0).all()
    with pytest.raises(AnyliftError, match="another kind or size"):
        grow(ViewsAsChannels(replace(TINY.network)), start)


def test_training_goes_on_and_its_checkpoint_is_a_joint_one(tmp_path, mocap):
    half = replace(TINY, loop=replace(TINY.loop, steps=2))
    train_interactions([mocap], tmp_path / "parts", half, None, "test")
    path = train_interactions([mocap], tmp_path / "parts", TINY, None, "test")
    whole = train_interactions([mocap], tmp_path / "whole", TINY, None, "test")
    assert path == tmp_path / "parts" / MODEL_FILE
    ours, manifest = load_checkpoint(path, kinds=JOINT)
    theirs, _ = load_checkpoint(whole, kinds=JOINT)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert manifest["network"]["kind"] == "joint" and manifest["steps_trained"] == 4
    with pytest.raises(AnyliftError, match="kind 'joint'") as error:
        load_checkpoint(path)
    assert "--object" in error.value.hint
    with pytest.raises(AnyliftError, match="kind 'views-as-channels'"):
        JointImagination.load(find_weights(CHECKPOINT), "cpu")


def interact_folder(folder: Path) -> Path:
    """One sequence of a box that goes along with someone who stands, in InterAct's layout."""
    frames = 30
    sequence = folder / "sequences_canonical" / "sub1_box_0"
    sequence.mkdir(parents=True)
    trans = np.tile([0.0, 1.2, 0.0], (frames, 1))
    trans[:, 0] = np.linspace(0, 0.5, frames)
    np.savez(sequence / "human.npz", poses=np.zeros((frames, 156)), betas=np.zeros(10), trans=trans, gender="male")
    angles = np.zeros((frames, 3))
    angles[:, 1] = 0.5
    np.savez(sequence / "object.npz", angles=angles, trans=trans + np.array([0.0, 0.0, 0.5]), name="box")
    (folder / "objects" / "box").mkdir(parents=True)
    box_mesh().export(folder / "objects" / "box" / "box.obj")
    return folder


def test_training_needs_few_packages(tmp_path):
    write_mocap(tmp_path / "tiny.npz")
    sizes = ("--steps", "2", "--batch", "2", "--frames", "8")
    run_with_few_packages(tmp_path, "train", "interactions", "tiny.npz", "--out", "hoi", *sizes)
    assert (tmp_path / "hoi" / MODEL_FILE).exists()


def test_interact_folders_are_read(tmp_path):
    folder = interact_folder(tmp_path / "behave")
    assert is_recording(folder)
    data = read_recordings(folder)
    assert data.points.shape == (30, 24, 3) and data.corners.shape == (30, 8, 3)
    assert set(data.category.tolist()) == {CATEGORIES.index("box")}
    assert data.points[..., 2].min() == pytest.approx(0, abs=0.02)
    middle = data.corners.mean(1)
    assert np.allclose(np.ptp(middle[:, 0].numpy()), 0.5, atol=1e-4)
    assert np.allclose(middle[:, 1] - middle[0, 1], 0, atol=1e-4)
    ahead = data.points[0, 0] - data.points[0, [16, 17]].mean(0)
    assert (middle[0] - data.points[0, [8, 11]].mean(0))[:2] @ ahead[:2] > 0
    edges = data.corners[0, 1:] - data.corners[0, :1]
    low, high = box_mesh().bounds
    assert edges.norm(dim=-1).max() == pytest.approx(float(np.linalg.norm(high - low)), rel=1e-4)


def test_recordings_give_batches(tmp_path):
    folder = interact_folder(tmp_path / "behave")
    for number in range(1, 3):
        (folder / "sequences_canonical" / f"copy{number}").symlink_to(folder / "sequences_canonical" / "sub1_box_0")
    some = InteractionBatches([folder], "train", FRAMES, 4, 0, "cpu").batch(0, 6)
    assert some.views.shape == (6, FRAMES, 3, POINTS, 2) and some.views.isfinite().all()
    assert set(some.told.category.tolist()) <= {-1, 0}


def test_mirrored_recordings_stay_rigid_and_right_handed():
    turn = torch.from_numpy(Rotation.from_rotvec([0.3, -0.5, 0.8]).as_matrix()).float()
    box = box_corners(torch.tensor([0.1, 0.2, 0.3])) @ turn.T
    corners = box.expand(20, 3, 8, 3)
    people = torch.randn(20, 3, 24, 3, generator=torch.Generator().manual_seed(0))
    _, moved = varied_recordings(people, corners, Draw.seeded(0))
    edges = torch.stack([moved[..., corner, :] - moved[..., 0, :] for corner in (4, 2, 1)], -1)
    lengths = edges.norm(dim=-2) / torch.tensor([0.2, 0.4, 0.6])
    assert (torch.linalg.det(edges) > 0).all()
    assert (lengths.amax(-1) - lengths.amin(-1)).max() < 1e-4 and 0.87 < lengths.min() < lengths.max() < 1.13


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(AnyliftError):
        read_recordings(tmp_path)


@pytest.mark.skipif(not OMOMO.exists(), reason=f"{OMOMO} is not here")
def test_omomo_is_read():
    data = read_recordings(OMOMO)
    assert len(data.length) == 22 and set(data.category.tolist()) == {0, 2}
    hands = data.points[:, [4, 7]]
    reach = (hands[:, :, None] - data.corners[:, None]).norm(dim=-1).amin((1, 2))
    assert reach.quantile(0.3) < 0.4

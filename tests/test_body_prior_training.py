"""The command that makes the pose prior, on a small file in the layout of compact mocap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anylift_cli.body.prior import PosePrior
from anylift_cli.body.prior_training import body24_from_smpl_joints, main
from anylift_cli.body.skeleton import K
from anylift_cli.synthetic.scene import SceneSpec, build_scene


def test_a_prior_learned_from_walking_knows_walking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joints = build_scene(SceneSpec("walk_still", "walk", "still", seed=3, seconds=4.0)).joints
    frames = len(joints)
    np.savez(
        tmp_path / "mocap.npz",
        joints=np.concatenate([joints, 5 * np.ones_like(joints)]).astype(np.float32),
        clip_start=np.array([0, frames]),
        clip_len=np.array([frames, frames]),
        split=np.array(["train", "test"]),
    )
    out = tmp_path / "prior.npz"
    command = [
        "prior_training",
        str(tmp_path / "mocap.npz"),
        "--out",
        str(out),
        "--components",
        "4",
        "--iterations",
        "8",
    ]
    monkeypatch.setattr("sys.argv", command)
    main()
    prior = PosePrior.load(out)
    walking = torch.as_tensor(np.nan_to_num(body24_from_smpl_joints(joints)), dtype=torch.float32)
    raised = walking.clone()
    raised[:, K["left_wrist"]] = raised[:, K["left_elbow"]] + torch.tensor([0.0, 0.0, 0.25])
    assert prior.means.shape == (4, 33)
    assert prior.log_weights.exp().sum() == pytest.approx(1.0, abs=1e-4)
    assert (prior.energy(raised) > prior.energy(walking) + 5).all()

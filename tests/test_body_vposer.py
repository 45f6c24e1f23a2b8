"""VPoser v2 from a snapshot in its exact layout, with random weights: the network, the energy, a fit with it."""

from __future__ import annotations

import os
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import KeypointsArtifact, LiftedArtifact
from anylift_cli.body.prior import PosePrior
from anylift_cli.body.priors import find_prior, load_prior
from anylift_cli.body.vposer import RECONSTRUCTION, VPoser
from anylift_cli.errors import AnyliftError, MissingDependencyError, UsageError
from anylift_cli.fitting.base import FitOptions
from anylift_cli.fitting.stage import run_fit
from anylift_cli.geometry.cameras import project
from anylift_cli.stages import fit_stage
from anylift_cli.synthetic.scene import SceneSpec, build_scene
from anylift_cli.weights_store import WEIGHTS_VARIABLE
from anylift_cli.weights_store.fetching import import_file

SNAPSHOT = "V02_05_epoch=13_val_loss=0.03.ckpt"


def random_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """All tensors of human_body_prior's VPoser (models/vposer_model.py), as VPoserTrainer (train/vposer_trainer.py)
    saves them: `vp_model.` before each name, the body model it trains with beside them."""
    draw = torch.Generator().manual_seed(seed)

    def linear(name: str, out: int, inside: int) -> dict[str, torch.Tensor]:
        scale = inside**-0.5
        return {
            f"{name}.weight": scale * torch.randn(out, inside, generator=draw),
            f"{name}.bias": scale * torch.randn(out, generator=draw),
        }

    def norm(name: str, size: int) -> dict[str, torch.Tensor]:
        return {
            f"{name}.weight": 0.5 + torch.rand(size, generator=draw), f"{name}.bias": torch.randn(size, generator=draw),
            f"{name}.running_mean": torch.randn(size, generator=draw),
            f"{name}.running_var": 0.5 + torch.rand(size, generator=draw),
            f"{name}.num_batches_tracked": torch.tensor(7),
        }  # fmt: skip

    own = {
        **norm("encoder_net.1", 63), **linear("encoder_net.2", 512, 63), **norm("encoder_net.4", 512),
        **linear("encoder_net.6", 512, 512), **linear("encoder_net.7", 512, 512),
        **linear("encoder_net.8.mu", 32, 512), **linear("encoder_net.8.logvar", 32, 512),
        **linear("decoder_net.0", 512, 32), **linear("decoder_net.3", 512, 512), **linear("decoder_net.5", 126, 512),
    }  # fmt: skip
    return {**{f"vp_model.{name}": value for name, value in own.items()}, "bm_train.init_pose_hand": torch.zeros(1, 90)}


def write_snapshot(path: Path, state: dict[str, torch.Tensor]) -> Path:
    """With what PyTorch Lightning 0.8 and 0.9 keep beside the weights, its own classes among it."""
    names = ("pytorch_lightning", "pytorch_lightning.callbacks", "pytorch_lightning.callbacks.early_stopping")
    modules = {name: types.ModuleType(name) for name in names}
    module = modules[names[-1]]
    module.EarlyStopping = type("EarlyStopping", (), {"__module__": module.__name__, "__qualname__": "EarlyStopping"})
    path.parent.mkdir(parents=True, exist_ok=True)
    callback = module.EarlyStopping()
    callback.patience = 10
    sys.modules.update(modules)
    try:
        torch.save(
            {
                "epoch": 14, "global_step": 1000, "pytorch-lightning_version": "0.8.5", "state_dict": state,
                "checkpoint_callback_best_model_score": torch.tensor(0.03),
                "callbacks": {module.EarlyStopping: {"wait_count": 0}}, "early_stopping": callback,
                "optimizer_states": [{"state": {0: {"step": 1}}, "param_groups": [{"lr": 1e-3}]}],
            },
            path,
        )  # fmt: skip
    finally:
        for name in names:
            del sys.modules[name]
    return path


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return random_state()


@pytest.fixture(scope="module")
def snapshot(state, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("V02_05")
    return write_snapshot(folder / "snapshots" / SNAPSHOT, state)


def in_numpy(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name.removeprefix("vp_model."): value.double().numpy() for name, value in state.items()}


def linear(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def norm(w: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    scaled = (x - w[f"{name}.running_mean"]) / np.sqrt(w[f"{name}.running_var"] + 1e-5)
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def decoded(w: dict[str, np.ndarray], latent: np.ndarray) -> np.ndarray:
    """NumPy, one joint at a time: rows of the 3x2 numbers are coordinates, columns the first two axes."""
    numbers = leaky(linear(w, "decoder_net.0", latent))
    numbers = linear(w, "decoder_net.5", leaky(linear(w, "decoder_net.3", numbers)))
    turns = np.empty((len(latent), 21, 3, 3))
    for row, values in enumerate(numbers.reshape(-1, 21, 3, 2)):
        for joint, pair in enumerate(values):
            first = pair[:, 0] / np.linalg.norm(pair[:, 0])
            second = pair[:, 1] - first * (first @ pair[:, 1])
            second /= np.linalg.norm(second)
            turns[row, joint] = np.stack([first, second, np.cross(first, second)], 1)
    return turns


def encoded(w: dict[str, np.ndarray], rotations: np.ndarray) -> np.ndarray:
    x = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(len(rotations), 63)
    x = norm(w, "encoder_net.4", leaky(linear(w, "encoder_net.2", norm(w, "encoder_net.1", x))))
    return linear(w, "encoder_net.8.mu", linear(w, "encoder_net.7", linear(w, "encoder_net.6", x)))


def random_poses(count: int, spread: float, seed: int = 1) -> torch.Tensor:
    turns = Rotation.from_rotvec(np.random.default_rng(seed).normal(0, spread, (count * 24, 3)))
    return torch.from_numpy(turns.as_matrix().reshape(count, 24, 3, 3))


def test_network_equals_an_evaluation_by_hand(state, snapshot):
    network, w = VPoser.load(snapshot).double(), in_numpy(state)
    poses = random_poses(5, 0.4)[:, 1:22]
    latent = network.encode(poses)
    np.testing.assert_allclose(latent.numpy(), encoded(w, poses.numpy()), atol=1e-6)
    np.testing.assert_allclose(network.decode(latent).numpy(), decoded(w, latent.numpy()), atol=1e-6)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_energy_and_its_gradient(state, snapshot):
    prior, w = VPoser.load(snapshot).double(), in_numpy(state)
    poses = random_poses(3, 0.4).requires_grad_()
    energy = prior.body_energy(torch.zeros(3, 24, 3), poses)
    body = poses.detach().numpy()[:, 1:22]
    latent = encoded(w, body)
    angle = Rotation.from_matrix((decoded(w, latent).swapaxes(-1, -2) @ body).reshape(-1, 3, 3)).magnitude()
    expected = (1 - np.cos(angle)).reshape(3, 21).sum(1) / RECONSTRUCTION**2 + 0.5 * (latent**2).sum(1)
    np.testing.assert_allclose(energy.detach().numpy(), expected, rtol=1e-6)
    (gradient,) = torch.autograd.grad(energy.sum(), poses)
    assert (gradient[:, [0, 22, 23]] == 0).all(), "the root and the hands are none of its business"
    axis = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64).expand(3, 24, 3, 3)
    direction = torch.linalg.cross(axis, poses, dim=-2)
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (prior.body_energy(None, poses + sign * step * direction) for sign in (1, -1))
    slope = (gradient * direction.detach()).sum((1, 2, 3))
    np.testing.assert_allclose(slope.numpy(), ((ahead - behind) / (2 * step)).numpy(), rtol=1e-3)


def test_gradient_is_finite_at_rest(snapshot):
    pose = torch.eye(3).repeat(2, 24, 1, 1).requires_grad_()
    VPoser.load(snapshot).body_energy(None, pose).sum().backward()
    assert torch.isfinite(pose.grad).all()


def test_what_it_has_learned_is_usual(state, tmp_path):
    """After some steps of training on a few poses these are more usual than others."""
    known, others = random_poses(32, 0.3).float(), random_poses(32, 0.3, seed=2).float()
    network = VPoser.load(write_snapshot(tmp_path / "a.ckpt", state)).requires_grad_()
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(80):
        optimiser.zero_grad()
        network.body_energy(None, known).mean().backward()
        optimiser.step()
    with torch.no_grad():
        assert network.body_energy(None, known).max() < 0.5 * network.body_energy(None, others).min()


def test_a_fit_with_it_keeps_the_joints(snapshot):
    """Random weights call every pose most unusual, so that the energy levels off and the evidence decides: what is
    checked is that the fit runs with it, and that it is worth no more than the evidence."""
    scene = build_scene(SceneSpec("walk_pan", "walk", "pan", seed=4, seconds=1.0, fps=10))
    frames = len(scene.time)
    pixels = project(scene.keypoints3d, scene.world_from_camera, scene.K)
    present = np.ones((1, frames), bool)
    lifted = LiftedArtifact(
        joints=scene.keypoints3d[None], joint_std=np.full((1, frames, 24), 0.05), present=present,
        world_from_camera=scene.world_from_camera, K=scene.K, timestamps=scene.time,
    )  # fmt: skip
    keypoints = KeypointsArtifact(
        keypoints=pixels[None], confidence=np.full((1, frames, 24), 0.9), present=present, timestamps=scene.time,
        boxes=np.concatenate([pixels.min(1), pixels.max(1)], -1)[None], frame_index=np.arange(frames),
        image_size=[scene.spec.width, scene.spec.height],
    )  # fmt: skip
    motions = [run_fit(lifted, keypoints, FitOptions(prior=prior)) for prior in ("open", str(snapshot.parents[1]))]
    truth = scene.joints - scene.joints[0, 0] * [1, 1, 0]
    errors = [np.linalg.norm(motion.joints - truth, axis=-1).mean() for motion in motions]
    assert errors[1] < 0.03
    assert np.abs(motions[0].joints - motions[1].joints).max() > 1e-4, "the prior was used"


def test_names_and_paths(snapshot, tmp_path, monkeypatch):
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "weights"))
    with pytest.raises(MissingDependencyError) as caught:
        fit_stage(FitOptions(prior="vposer"))
    assert "anylift weights fetch vposer" in caught.value.hint
    archive = tmp_path / "V02_05.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.write(snapshot, f"V02_05/snapshots/{SNAPSHOT}")
        stream.writestr("V02_05/V02_05.yaml", "model_params:\n  latentD: 32\n  num_neurons: 512\n")
    import_file(archive)
    assert isinstance(load_prior("vposer"), VPoser) and isinstance(load_prior("open"), PosePrior)
    assert find_prior("vposer").parent == tmp_path / "weights" / "vposer"
    keys = {fit_stage(FitOptions(prior=prior)).weights["pose prior"] for prior in ("open", "vposer", str(snapshot))}
    assert len(keys) == 2, "the name and the path are the same file"
    for path in (tmp_path, tmp_path / "none.ckpt"):
        with pytest.raises(UsageError):
            find_prior(str(path))


def test_other_files_are_refused(state, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch '{tmp_path / 'ran'}'",)

    other = {**state, "vp_model.decoder_net.3.weight": torch.zeros(5, 512)}
    lacking = {name: value for name, value in state.items() if "encoder_net.4" not in name}
    for number, (stored, reason) in enumerate(
        [
            ({"state_dict": other}, "no snapshot of VPoser v2.*decoder_net.3.weight"),
            ({"state_dict": lacking}, "it has no 'encoder_net.4"),
            ({"state_dict": {}}, "decoder_net.0.weight"),
            ([1, 2], "decoder_net.0.weight"),
            ({"state_dict": state, "x": Hostile()}, "system.*nothing of it was run"),
        ]
    ):
        path = tmp_path / f"{number}.ckpt"
        torch.save(stored, path)
        with pytest.raises(AnyliftError, match=reason) as caught:
            VPoser.load(path)
        assert str(path) in caught.value.message and caught.value.hint
    assert not (tmp_path / "ran").exists()

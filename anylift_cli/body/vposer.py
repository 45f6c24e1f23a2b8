"""VPoser v2 as a prior of body poses (Pavlakos et al., CVPR 2019; nghorbani/human_body_prior, V02_05).

An auto-encoder of the 21 body joints' rotations: axis-angle → latent (32) → 6D → matrices. A pose is usual when the
auto-encoder gives it back and its latent is near zero: the energy is the variational bound at the encoder's mean,
reconstruction error and ½‖z‖², which leaves the fit's own pose free. (ALGORITHM 3.4, the paper's fit, moves z itself
and so cannot reach a pose that VPoser has no code for.)
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from anylift_cli.errors import AnyliftError
from anylift_cli.foreign.unpickle import load_checkpoint
from anylift_cli.geometry.rotations import axis_angle_from_matrix, matrix_from_6d
from anylift_cli.geometry.vectors import squared_length

JOINTS = 21
"""The body joints after the pelvis, in SMPL's order."""
RECONSTRUCTION = 0.15
"""Radians by which a usual pose differs from what the auto-encoder makes of it."""
PREFIX = "vp_model."
"""Of the names in a training snapshot; other parts of the trainer are left out."""


class VPoser(nn.Module):
    """Encoder's mean and decoder; dropout and the encoder's variance are of no use to a fit."""

    def __init__(self, neurons: int = 512, latent: int = 32) -> None:
        super().__init__()
        self.encoder_net = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(3 * JOINTS),
            nn.Linear(3 * JOINTS, neurons),
            nn.LeakyReLU(),
            nn.BatchNorm1d(neurons),
            nn.Dropout(0.1),
            nn.Linear(neurons, neurons),
            nn.Linear(neurons, neurons),
            nn.ModuleDict({"mu": nn.Linear(neurons, latent)}),
        )
        self.decoder_net = nn.Sequential(
            nn.Linear(latent, neurons),
            nn.LeakyReLU(),
            nn.Dropout(0.1),
            nn.Linear(neurons, neurons),
            nn.LeakyReLU(),
            nn.Linear(neurons, 6 * JOINTS),
        )

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> VPoser:
        """Read a training snapshot (`.ckpt`) or a plain state; nothing in it is run.

        Raises:
            AnyliftError: damaged, hostile, or of another network.
        """
        stored = load_checkpoint(path)
        state = stored.get("state_dict", stored) if isinstance(stored, dict) else {}
        state = {str(name).removeprefix(PREFIX): value for name, value in state.items()}
        first = state.get("decoder_net.0.weight")
        if not isinstance(first, Tensor) or first.dim() != 2:
            raise _foreign(path, "it has no 'decoder_net.0.weight'")
        network = cls(*first.shape)
        wanted = network.state_dict()
        if missing := sorted(set(wanted) - set(state)):
            raise _foreign(path, f"it has no '{missing[0]}'")
        try:
            network.load_state_dict({name: state[name] for name in wanted})
        except (RuntimeError, TypeError, AttributeError) as error:
            raise _foreign(path, str(error).splitlines()[-1].strip()) from error
        return network.to(device).eval().requires_grad_(False)

    def encode(self, rotations: Tensor) -> Tensor:
        """Latent mean (B, 32) of body rotations (B, 21, 3, 3)."""
        features = self.encoder_net[:-1](axis_angle_from_matrix(rotations))
        return self.encoder_net[-1]["mu"](features)

    def decode(self, latent: Tensor) -> Tensor:
        """Body rotations (B, 21, 3, 3) of latents (B, 32); 6D numbers come as rows of two columns."""
        rows = self.decoder_net(latent).unflatten(-1, (JOINTS, 3, 2))
        return matrix_from_6d(rows.transpose(-1, -2).flatten(-2))

    def body_energy(self, points: Tensor, pose: Tensor) -> Tensor:
        """How unusual poses (B, 24, 3, 3) are, growing like σ²/2, (B,). The points do not matter."""
        rotations = pose[:, 1 : 1 + JOINTS]
        latent = self.encode(rotations)
        turn2 = 3 - (self.decode(latent) * rotations).sum((-1, -2))
        return 0.5 * (turn2.sum(-1) / RECONSTRUCTION**2 + squared_length(latent))


def _foreign(path: Path, reason: str) -> AnyliftError:
    return AnyliftError(
        f"{path} is no snapshot of VPoser v2: {reason}", "give the .ckpt of V02_05.zip (https://smpl-x.is.tue.mpg.de/)"
    )

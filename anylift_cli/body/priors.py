"""What can say how usual a body's pose is: the prior that ships with anylift, or VPoser."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor

from anylift_cli.body.prior import PRIOR_FILE, PosePrior
from anylift_cli.body.vposer import VPoser
from anylift_cli.errors import UsageError
from anylift_cli.weights_store import find_weights
from anylift_cli.weights_store.manifest import external_weights

OWN = "open"
VPOSER = "vposer"
SNAPSHOTS = "snapshots/*.ckpt"
"""Where VPoser's own folder has them."""


class BodyPrior(Protocol):
    """How people hold their bodies."""

    def body_energy(self, points: Tensor, pose: Tensor) -> Tensor:
        """How unusual posed bodies are, growing like σ²/2, (B,); differentiable.

        Args:
            points: (B, 24, 3) `body24` points.
            pose: (B, 24, 3, 3) the rotations that gave them.
        """
        ...


def find_prior(name_or_path: str) -> Path:
    """The file that is meant: "open", "vposer", or a path (a snapshot, VPoser's folder, an npz of our own training).

    Raises:
        MissingDependencyError: VPoser is not here; the hint says how to get it.
        UsageError: no such name or file.
    """
    if name_or_path == OWN:
        return find_weights(PRIOR_FILE)
    if name_or_path == VPOSER:
        return find_weights(external_weights()[VPOSER].files[0].file)
    path = Path(name_or_path)
    found = sorted(path.glob(SNAPSHOTS))[-1:] if path.is_dir() else [path]
    if not found or not found[0].is_file():
        raise UsageError(
            f"the pose prior {path} does not exist" if not path.is_dir() else f"{path} holds no {SNAPSHOTS}",
            f"use '{OWN}', '{VPOSER}', or the path of VPoser's folder or snapshot",
        )
    return found[0]


def load_prior(name_or_path: str, device: str = "cpu") -> BodyPrior:
    """The prior of `find_prior`.

    Raises:
        AnyliftError: as `find_prior`, or the file is damaged or something else.
    """
    path = find_prior(name_or_path)
    return PosePrior.load(path, device) if path.suffix == ".npz" else VPoser.load(path, device)

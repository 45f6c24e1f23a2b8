"""Between two checkpoints: what was learned last, without forgetting what was learned before."""

from __future__ import annotations

from pathlib import Path

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.lifting.checkpoint import JOINT, MULTI_VIEW, SINGLE_VIEW, load_checkpoint, save_checkpoint

_SAME = ("network", "fps", "noise_steps")
"""Of the manifests."""


def average_checkpoints(before: Path, after: Path, share: float, out: Path, command: str) -> Path:
    """Write weights that are `share` of the way from `before` to `after`, which was trained on from it.

    Networks that were trained on new data lose some of what they could do elsewhere; between the two, most of both is
    kept (WiSE-FT, Wortsman et al., CVPR 2022, eq. 1).

    Args:
        command: what the checkpoint says that it was made by.

    Returns:
        `out`.

    Raises:
        UsageError: a share outside of 0 … 1.
        AnyliftError: a file that is no checkpoint; networks of different kinds, sizes or conditions.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"a share of {share:g} is not between two checkpoints", "give 0 … 1")
    kinds = {**MULTI_VIEW, **JOINT, **SINGLE_VIEW}
    first, first_manifest = load_checkpoint(before, kinds=kinds)
    network, manifest = load_checkpoint(after, kinds=kinds)
    for name in _SAME:
        if first_manifest[name] != manifest[name]:
            raise AnyliftError(
                f"{before} and {after} differ in their {name}", "average a checkpoint with one that began with it"
            )
    weights = first.state_dict()
    network.load_state_dict({name: weights[name].lerp(value, share) for name, value in network.state_dict().items()})
    training = {"share": share, "before": sha256_of(before), "after": sha256_of(after)}
    save_checkpoint(out, network, {**manifest, "training": training, "command": command})
    return out

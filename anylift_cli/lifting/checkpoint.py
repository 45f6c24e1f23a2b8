"""Checkpoints: one safetensors file that says in its header what it was trained for, and refuses other uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.skeleton import BODY24
from anylift_cli.errors import AnyliftError
from anylift_cli.lifting.canonical import DISTANCE, FOCAL
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.networks import CrossView, NetworkConfig, SingleView, ViewsAsChannels

FORMAT = 1
MULTI_VIEW = {"views-as-channels": ViewsAsChannels, "cross-view": CrossView}
"""Networks that lift, by kind."""
JOINT = {"joint": ViewsAsChannels}
"""Networks that lift a person and an object together."""
SINGLE_VIEW = {"single-view": SingleView}
"""Networks of stage A."""
Kinds = Mapping[str, Callable[[NetworkConfig], torch.nn.Module]]


def describe(network: torch.nn.Module, *, frames: int, fps: float, steps: int, lengths: list[float]) -> dict[str, Any]:
    """What a checkpoint must agree on with the code that runs it.

    Args:
        frames, fps: of the training windows.
        steps: of the noise schedule.
        lengths: (E,) m, edge lengths of the mean body of the training data.
    """
    kinds = JOINT if network.config.points > len(BODY24) else MULTI_VIEW | SINGLE_VIEW
    kind = next(name for name, made in kinds.items() if made is type(network))
    return {
        **_agreed(),
        "frames": frames,
        "fps": fps,
        "noise_steps": steps,
        "lengths": lengths,
        "network": {"kind": kind, **asdict(network.config)},
    }


def _agreed() -> dict[str, Any]:
    """What checkpoints and this code have in common."""
    return {
        "format": FORMAT,
        "keypoints": list(BODY24),
        "units": {"distance": DISTANCE, "focal": FOCAL, "conditions": WIDTH},
    }


def save_checkpoint(path: Path, network: torch.nn.Module, manifest: dict[str, Any]) -> None:
    """Write the weights as fp16 with the manifest in the header."""
    from safetensors.torch import save_file

    weights = {
        name: value.detach().to("cpu", torch.float16).contiguous() for name, value in network.state_dict().items()
    }
    with atomic_path(path) as temporary:
        save_file(weights, str(temporary), metadata={"manifest": json.dumps(manifest)})


def read_manifest(path: Path, kinds: Kinds = MULTI_VIEW) -> dict[str, Any]:
    """The manifest of a checkpoint of one of some kinds, checked against this code.

    Raises:
        AnyliftError: missing, damaged, of another program, or trained for other points, units or conditions.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as stored:
            header, tensors = stored.metadata() or {}, len(stored.keys())
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "give a checkpoint made by `anylift train`") from error
    except (SafetensorError, OSError) as error:
        raise AnyliftError(f"{path} is damaged or not a safetensors file: {error}") from error
    try:
        manifest = json.loads(header["manifest"])
        for name, expected in _agreed().items():
            if manifest[name] != expected:
                raise AnyliftError(
                    f"{path} was trained with other {name}: {_short(manifest[name])}, this version needs "
                    f"{_short(expected)}",
                    "train it again with this version, or use the version that made it",
                )
        if manifest["network"]["layers"] > tensors:
            raise ValueError("more layers than it has weights")
        _network_of(path, manifest, kinds)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise AnyliftError(
            f"{path} has no anylift manifest ({error})", "give a checkpoint made by `anylift train`"
        ) from error
    return manifest


def load_checkpoint(
    path: Path, device: str = "cpu", kinds: Kinds = MULTI_VIEW
) -> tuple[torch.nn.Module, dict[str, Any]]:
    """A network of one of some kinds, ready to run, and its manifest.

    Raises:
        AnyliftError: see `read_manifest`; or weights that do not fit the manifest.
    """
    from safetensors.torch import load_file

    manifest = read_manifest(path, kinds)
    network = _network_of(path, manifest, kinds)
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(str(path)).items()})
    except RuntimeError as error:
        raise AnyliftError(
            f"{path}: the weights do not fit its manifest", "the file is damaged; get it again"
        ) from error
    return network.to(device).eval(), manifest


def _network_of(path: Path, manifest: dict[str, Any], kinds: Kinds) -> torch.nn.Module:
    described = dict(manifest["network"])
    found = described.pop("kind")
    if found not in kinds:
        raise AnyliftError(
            f"{path} holds a network of kind '{found}', this needs '{' or '.join(kinds)}'", _way_to(found)
        )
    hidden = tuple((first, end) for first, end in described.pop("hidden", ()))
    with torch.device("meta"):
        network = kinds[found](NetworkConfig(**described, hidden=hidden))
    return network.to_empty(device="cpu")


def _way_to(found: str) -> str:
    """What a checkpoint of another kind is good for."""
    if found in SINGLE_VIEW:
        return "it is stage A's: `anylift train synthesize` and `train multi-view` make a lifter's checkpoint of it"
    if found in JOINT:
        return "it is a joint checkpoint of people and objects: `anylift run --object … --joint` takes it"
    if found in MULTI_VIEW:
        return "it is a lifter's checkpoint: `anylift lift` takes it, synthesis needs one of `train single-view`"
    return "use the version that made it"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "…"

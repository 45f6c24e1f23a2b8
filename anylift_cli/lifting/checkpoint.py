"""Checkpoints: one safetensors file that says in its header what it was trained for, and refuses other uses."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.skeleton import BODY24
from anylift_cli.errors import AnyliftError
from anylift_cli.lifting.canonical import DISTANCE, FOCAL
from anylift_cli.lifting.conditions import WIDTH
from anylift_cli.lifting.networks import NetworkConfig, SingleView, ViewsAsChannels

FORMAT = 1
KIND = "views-as-channels"
SINGLE_VIEW = "single-view"
_NETWORKS = {KIND: ViewsAsChannels, SINGLE_VIEW: SingleView}


def describe(
    config: NetworkConfig, *, frames: int, fps: float, steps: int, lengths: list[float], kind: str = KIND
) -> dict[str, Any]:
    """What a checkpoint must agree on with the code that runs it.

    Args:
        frames, fps: of the training windows.
        steps: of the noise schedule.
        lengths: (E,) m, edge lengths of the mean body of the training data.
        kind: of the network: `KIND` or `SINGLE_VIEW`.
    """
    return {
        "format": FORMAT,
        "keypoints": list(BODY24),
        "units": {"distance": DISTANCE, "focal": FOCAL, "conditions": WIDTH},
        "frames": frames,
        "fps": fps,
        "noise_steps": steps,
        "lengths": lengths,
        "network": {"kind": kind, **asdict(config)},
    }


def save_checkpoint(path: Path, network: torch.nn.Module, manifest: dict[str, Any]) -> None:
    """Write the weights as fp16 with the manifest in the header."""
    from safetensors.torch import save_file

    weights = {
        name: value.detach().to("cpu", torch.float16).contiguous() for name, value in network.state_dict().items()
    }
    with atomic_path(path) as temporary:
        save_file(weights, str(temporary), metadata={"manifest": json.dumps(manifest)})


def read_manifest(path: Path, kind: str = KIND) -> dict[str, Any]:
    """The manifest of a checkpoint of one kind, checked against this code.

    Raises:
        AnyliftError: missing, damaged, of another program, or trained for other points, units or conditions.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as stored:
            header = stored.metadata() or {}
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "give a checkpoint made by `anylift train`") from error
    except (SafetensorError, OSError) as error:
        raise AnyliftError(f"{path} is damaged or not a safetensors file: {error}") from error
    try:
        manifest = json.loads(header["manifest"])
        expected = describe(NetworkConfig(), frames=0, fps=0, steps=0, lengths=[])
        for name in ("format", "keypoints", "units"):
            if manifest[name] != expected[name]:
                raise AnyliftError(
                    f"{path} was trained with other {name}: {_short(manifest[name])}, this version needs "
                    f"{_short(expected[name])}",
                    "train it again with this version, or use the version that made it",
                )
        _network_config(path, manifest, kind)
    except (KeyError, TypeError, ValueError) as error:
        raise AnyliftError(
            f"{path} has no anylift manifest ({error})", "give a checkpoint made by `anylift train`"
        ) from error
    return manifest


def load_checkpoint(
    path: Path, device: str = "cpu", kind: str = KIND
) -> tuple[ViewsAsChannels | SingleView, dict[str, Any]]:
    """The network of one kind, ready to run, and its manifest.

    Raises:
        AnyliftError: see `read_manifest`; or weights that do not fit the manifest.
    """
    from safetensors.torch import load_file

    manifest = read_manifest(path, kind)
    network = _NETWORKS[kind](_network_config(path, manifest, kind))
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(str(path)).items()})
    except RuntimeError as error:
        raise AnyliftError(
            f"{path}: the weights do not fit its manifest", "the file is damaged; get it again"
        ) from error
    return network.to(device).eval(), manifest


def _network_config(path: Path, manifest: dict[str, Any], kind: str) -> NetworkConfig:
    described = dict(manifest["network"])
    found = described.pop("kind")
    if found != kind:
        raise AnyliftError(f"{path} holds a network of kind '{found}', this needs '{kind}'", _way_to(found))
    return NetworkConfig(**described)


def _way_to(found: str) -> str:
    """What a checkpoint of another kind is good for."""
    if found == SINGLE_VIEW:
        return "it is stage A's: `anylift train synthesize` and `train multi-view` make a lifter's checkpoint of it"
    if found == KIND:
        return "it is a lifter's checkpoint: `anylift lift` takes it, synthesis needs one of `train single-view`"
    return "use the version that made it"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "…"

"""Which files of weights the ViTPose backends read; light, so that missing ones are told before any work."""

from __future__ import annotations

from pathlib import Path

from anylift_cli.errors import MissingDependencyError, UsageError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.weights_store import find_weights

CONFIG, PROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
"""What a folder in Hugging Face's layout holds."""
NETWORKS = {
    "vitpose": ("vitpose-plus-huge", "vitpose-plus-large", "vitpose-plus-base", "vitpose-base"),
    "vitpose-mmpose": ("vitpose-base",),
}
"""By backend, best first; mmpose has no mixture of experts."""
DETECTORS = ("dfine", "rtdetr")


def network_files(options: KeypointOptions) -> dict[str, Path]:
    """Files of weights by what they are for; none for backends that bring their own.

    Raises:
        UsageError: `options.model` is neither the name of weights nor a folder with a network.
        MissingDependencyError: weights that are not here, with the command that brings them.
    """
    if options.backend not in NETWORKS:
        return {}
    return {"network": _network(options), "detector": _folder(DETECTORS, "rtdetr") / WEIGHTS}


def _network(options: KeypointOptions) -> Path:
    known = NETWORKS[options.backend]
    if options.model is None:
        return _folder(known, "vitpose-base") / WEIGHTS
    if options.model in known:
        return _folder((options.model,), options.model) / WEIGHTS
    folder = Path(options.model)
    if not all((folder / name).is_file() for name in (CONFIG, PROCESSOR, WEIGHTS)):
        raise UsageError(
            f"{options.backend}: '{options.model}' is neither the name of weights nor a folder with a network",
            f"give {', '.join(known)}, or a folder that holds {CONFIG}, {PROCESSOR} and {WEIGHTS}",
        )
    return folder / WEIGHTS


def _folder(names: tuple[str, ...], suggestion: str) -> Path:
    """Folder of the first of these weights that is here and whole."""
    for name in names:
        try:
            return [find_weights(f"{name}/{file}") for file in (CONFIG, PROCESSOR, WEIGHTS)][-1].parent
        except MissingDependencyError:
            continue
    others = f" (nor {', '.join(name for name in names if name != suggestion)})" if len(names) > 1 else ""
    raise MissingDependencyError(
        f"the weights '{suggestion}'{others} are not here", f"`anylift weights fetch {suggestion}`"
    )

"""Finds weights files (body models, checkpoints) and checks them against `weights/manifest.toml`."""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import AnyliftError, MissingDependencyError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

WEIGHTS_VARIABLE = "ANYLIFT_WEIGHTS"


def find_weights(file_name: str) -> Path:
    """Path of a weights file: the folder named by `$ANYLIFT_WEIGHTS` first, then the files that ship with anylift.

    A packaged file must have the sha256 that the manifest gives it; files that are not listed (such as a licensed
    body model that the user added) are taken as they are.

    Raises:
        MissingDependencyError: no such file in either folder.
        AnyliftError: a packaged file differs from the manifest.
    """
    for folder in weights_folders():
        path = folder / file_name
        if path.is_file():
            _verify(path)
            return path
    searched = " nor ".join(str(folder) for folder in weights_folders())
    raise MissingDependencyError(
        f"weights file '{file_name}' is neither in {searched}"
        if WEIGHTS_VARIABLE in os.environ
        else f"weights file '{file_name}' is not in {searched}",
        f"put the file into a folder and set {WEIGHTS_VARIABLE} to it",
    )


def weights_folders() -> list[Path]:
    """Where weights are looked for, in order."""
    chosen = os.environ.get(WEIGHTS_VARIABLE)
    packaged = Path(str(resources.files("anylift_cli.weights")))
    return [Path(chosen), packaged] if chosen else [packaged]


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Entries of a folder's `manifest.toml` by file name (sha256, licence, made_by, description); {} without one.

    Raises:
        AnyliftError: the manifest is not valid TOML or an entry lacks `file` or `sha256`.
    """
    path = folder / "manifest.toml"
    if not path.is_file():
        return {}
    try:
        with open(path, "rb") as stream:
            entries = tomllib.load(stream).get("weights", [])
        return {entry["file"]: {**entry, "sha256": entry["sha256"].lower()} for entry in entries}
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise AnyliftError(f"{path} cannot be read: {error}", "install anylift again") from error


def _verify(path: Path) -> None:
    entry = read_manifest(path.parent).get(path.name)
    if entry is not None and sha256_of(path) != entry["sha256"]:
        raise AnyliftError(
            f"{path} differs from its entry in manifest.toml (sha256)",
            f"make it again with `{entry['made_by']}`" if "made_by" in entry else "install anylift again",
        )

"""Finds weights files (body models, checkpoints) and checks the shipped ones against `weights/manifest.toml`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.weights_store.manifest import external_weights, packaged_folder, read_manifest

WEIGHTS_VARIABLE = "ANYLIFT_WEIGHTS"


def find_weights(file_name: str) -> Path:
    """Path of a weights file: the folder named by `$ANYLIFT_WEIGHTS`, the files that ship with anylift, those fetched.

    A packaged file must have the sha256 that the manifest gives it; files that are not listed (such as a licensed
    body model that the user added) are taken as they are.

    Args:
        file_name: path within a weights folder.

    Raises:
        MissingDependencyError: no such file in any folder.
        AnyliftError: a packaged file differs from the manifest.
    """
    for folder in _folders():
        path = folder / file_name
        if path.is_file():
            _verify(path)
            return path
    searched = " nor ".join(str(folder) for folder in weights_folders())
    raise MissingDependencyError(f"weights file '{file_name}' is neither in {searched}", _how_to_get(file_name))


def weights_folders() -> list[Path]:
    """Where weights are looked for, in order."""
    return list(_folders())


def fetched_folder() -> Path:
    """Where fetched and imported weights go: `$ANYLIFT_WEIGHTS`, else the platform's cache folder."""
    chosen = os.environ.get(WEIGHTS_VARIABLE)
    return Path(chosen) if chosen else _cache_folder()


def _folders() -> Iterator[Path]:
    chosen = os.environ.get(WEIGHTS_VARIABLE)
    if chosen:
        yield Path(chosen)
    yield packaged_folder()
    yield _cache_folder()


def _cache_folder() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("anylift", appauthor=False) / "weights"


def _how_to_get(file_name: str) -> str:
    for entry in external_weights().values():
        if any(file.file == file_name for file in entry.files):
            way = f"anylift weights fetch {entry.name}"
            return f"`{way}`" if entry.fetchable else f"`{way}` tells where to get it"
    return f"put the file into a folder and set {WEIGHTS_VARIABLE} to it"


def _verify(path: Path) -> None:
    entry = read_manifest(path.parent).get(path.name)
    if entry is not None and sha256_of(path) != entry["sha256"]:
        raise AnyliftError(
            f"{path} differs from its entry in manifest.toml (sha256)",
            f"make it again with `{entry['made_by']}`" if "made_by" in entry else "install anylift again",
        )

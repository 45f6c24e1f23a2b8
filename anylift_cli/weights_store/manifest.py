"""What `weights/manifest.toml` says of the files that ship with anylift and of those that others publish."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from anylift_cli.errors import AnyliftError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MANIFEST = "manifest.toml"


@dataclass(frozen=True)
class ExternalFile:
    """One file that others publish.

    Attributes:
        file: path within the weights folder.
        urls: where it can be fetched, the first one first; none where its owner wants a login.
        size: bytes, or None where nobody says.
        sha256: published sum, hex, or "" where there is none; then what the first fetch gets is recorded.
        aliases: names under which its owner hands it out, also inside their archives.
    """

    file: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    sha256: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> set[str]:
        """File names by which `import` knows it, in whatever case."""
        return {Path(self.file).name, *self.aliases}

    def goes_by(self, name: str) -> bool:
        """Whether a file of that name is this one."""
        return name.lower() in {known.lower() for known in self.names}


@dataclass(frozen=True)
class ExternalWeights:
    """Files that others publish and that belong together.

    Attributes:
        name: what `anylift weights fetch` takes.
        stage, backend: what they are for.
        licence: of the weights.
        page: where their owner describes and hands them out.
        description: in a few words.
        files: at least one.
        gate: what the user must agree to first; "" where nothing need be asked.
    """

    name: str
    stage: str
    backend: str
    licence: str
    page: str
    description: str
    files: tuple[ExternalFile, ...]
    gate: str = ""

    @property
    def fetchable(self) -> bool:
        """Whether every file has a URL."""
        return all(file.urls for file in self.files)


def packaged_folder() -> Path:
    """The folder of the files that ship with anylift, `weights/` in the repository."""
    return Path(str(resources.files("anylift_cli.weights")))


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Entries of a folder's `manifest.toml` by file name (sha256, licence, made_by, description); {} without one.

    Raises:
        AnyliftError: the manifest is not valid TOML or an entry lacks `file` or `sha256`.
    """
    try:
        entries = _read(folder).get("weights", [])
        return {entry["file"]: {**entry, "sha256": entry["sha256"].lower()} for entry in entries}
    except (KeyError, TypeError, AttributeError) as error:
        raise _broken(folder, error) from error


def external_weights(folder: Path | None = None) -> dict[str, ExternalWeights]:
    """The `[[external]]` entries of the manifest in `folder` (the packaged one), by name.

    Raises:
        AnyliftError: the manifest is not valid TOML, or an entry lacks something or has too much.
    """
    folder = folder or packaged_folder()
    try:
        return {entry["name"]: _external(entry) for entry in _read(folder).get("external", [])}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _broken(folder, error) from error


def external(name: str) -> ExternalWeights:
    """The entry called `name`.

    Raises:
        UsageError: there is none.
    """
    entries = external_weights()
    if name not in entries:
        raise UsageError(f"there are no weights called '{name}'", f"choose one of: {', '.join(sorted(entries))}")
    return entries[name]


def _external(entry: dict[str, Any]) -> ExternalWeights:
    files = tuple(_file(file) for file in entry["files"])
    if not files:
        raise ValueError(f"'{entry['name']}' has no files")
    return ExternalWeights(**{**entry, "files": files})


def _file(entry: dict[str, Any]) -> ExternalFile:
    file = Path(entry["file"])
    if file.is_absolute() or ".." in file.parts:
        raise ValueError(f"'{file}' leads out of the weights folder")
    lists = {name: tuple(entry[name]) for name in ("urls", "aliases") if name in entry}
    return ExternalFile(**{**entry, **lists, "sha256": entry.get("sha256", "").lower()})


def _read(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        with open(path, "rb") as stream:
            return tomllib.load(stream)
    except (ValueError, RecursionError, OSError) as error:
        raise _broken(folder, error) from error


def _broken(folder: Path, error: Exception) -> AnyliftError:
    return AnyliftError(f"{folder / MANIFEST} cannot be read: {error}", "install anylift again")

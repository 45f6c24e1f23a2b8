"""What can be refused before any work: places that cannot be written to, devices that are not here."""

from __future__ import annotations

import tempfile
from pathlib import Path

from anylift_cli.errors import AnyliftError, UsageError


def check_output(path: Path, option: str, *inputs: Path) -> None:
    """Make sure, before any work, that `path` can be written and is none of the inputs.

    Raises:
        AnyliftError: naming the path and the `option` that chooses another.
    """
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder", "add a file name")
    if any(path.exists() and file.exists() and path.samefile(file) for file in inputs):
        raise UsageError(f"{option} {path} is the input itself", "choose another name; the input is left as it is")
    check_writable(path.parent, option)


def check_writable(folder: Path, option: str) -> None:
    """Write a file into `folder`, or into the one that it will be made in, and away again, before any work is done.

    Raises:
        AnyliftError: naming the folder and the `option` that chooses another.
    """
    present = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=present) as stream:
            stream.write(b"anylift")
    except OSError as error:
        raise AnyliftError(
            f"cannot write into the folder {folder}: {error.strerror}", f"choose another place with {option}"
        ) from error


def check_device(device: str) -> None:
    """Raise UsageError for a torch device that is not here."""
    if device == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--device {device} cannot be used: {reason}", "leave --device out, or give cpu") from error

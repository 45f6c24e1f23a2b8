"""Entry point: runs the command line and turns every failure into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

from anylift_cli.app import app
from anylift_cli.errors import AnyliftError, MissingDependencyError

DEBUG = "ANYLIFT_DEBUG"


def main() -> NoReturn:
    """Run `anylift`; never returns."""
    try:
        app(prog_name="anylift")
    except Exception as error:
        from anylift_cli.console import print_error

        if os.environ.get(DEBUG):
            traceback.print_exc()
        failure = _explain(error)
        print_error(failure)
        sys.exit(failure.exit_code)
    sys.exit(0)


def _explain(error: Exception) -> AnyliftError:
    if isinstance(error, AnyliftError):
        return error
    message = " ".join(str(error).split())
    if isinstance(error, ImportError):
        return _explain_import(message)
    if isinstance(error, MemoryError):
        return AnyliftError(f"out of memory: {message}", "lift a shorter part with --start and --end")
    return AnyliftError(
        f"unexpected {type(error).__name__}: {message}",
        f"this is a fault in anylift; run again with {DEBUG}=1 to see where, and report it",
    )


def _explain_import(message: str) -> MissingDependencyError:
    if "libGL" in message or "libgthread" in message:
        hint = "pip uninstall opencv-contrib-python, then pip install opencv-contrib-python-headless (same version)"
    else:
        hint = "pip install --force-reinstall anylift-cli"
    return MissingDependencyError(f"a package cannot be loaded: {message}", hint)


if __name__ == "__main__":
    main()

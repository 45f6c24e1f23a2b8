"""Entry point: runs the command line and turns every failure into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

from anylift_cli.app import app
from anylift_cli.errors import DEBUG, explained


def main() -> NoReturn:
    """Run `anylift`; never returns."""
    try:
        app(prog_name="anylift")
    except Exception as error:
        from anylift_cli.console import print_error

        if os.environ.get(DEBUG):
            traceback.print_exc()
        failure = explained(error)
        print_error(failure)
        sys.exit(failure.exit_code)
    sys.exit(0)


if __name__ == "__main__":
    main()

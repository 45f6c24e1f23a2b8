"""What the readers of JSON files share."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from anylift_cli.errors import AnyliftError

MAX_BYTES = 2 << 30
LONGEST = 15
"""Digits of a frame's number."""


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        AnyliftError: missing, unreadable, not JSON or larger than `MAX_BYTES`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AnyliftError(f"{path} is larger than {MAX_BYTES >> 30} GiB; refusing to read it")
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise AnyliftError(f"{path} is damaged or not a JSON file: {error}", "write it again") from error
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}") from error


def number_in(name: Any, what: str) -> int:
    """A frame's number: a number, or the last one in a name such as "walk_000012.jpg".

    Raises:
        AnyliftError: there is none; `what` names the file.
    """
    if isinstance(name, int) and not isinstance(name, bool) and name >= 0:
        return name
    digits = re.findall(rf"\d{{1,{LONGEST}}}", Path(str(name)).stem)
    if not digits:
        raise AnyliftError(f"{what}: '{name}' has no frame number")
    return int(digits[-1])

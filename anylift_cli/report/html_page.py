"""Puts a page together: one HTML text with its style and its program, in which nothing else can run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

LIBRARIES = "libraries.min.js"
LOOK = "look.css"
"""Colours and plain elements, for every page."""
_SLOT = re.compile(r"\{\{(\w+)\}\}")


def asset(name: str, package: str = "anylift_cli.report") -> str:
    """The text of a file in the folder `page` of a package."""
    return (files(package) / "page" / name).read_text(encoding="utf-8")


def as_json(value: Any) -> str:
    """JSON that can stand inside a page."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def filled_page(
    template: str, *, style: str, libraries: str, program: str, slots: Mapping[str, str], allowed: Mapping[str, str]
) -> str:
    """A page with its parts where `{{name}}` stands for them, and a policy that forbids all but these parts.

    Args:
        slots: text of further places, safe inside the page.
        allowed: directives of the policy beyond the page's own style and program.
    """
    policy = {
        "default-src": "'none'",
        "script-src": f"{_hash(libraries)} {_hash(program)}",
        "style-src": _hash(style),
        **allowed,
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    parts = {
        "policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "style": style,
        "libraries": libraries,
        "program": program,
        **slots,
    }
    return _SLOT.sub(lambda slot: parts[slot[1]], template)


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") + "'"

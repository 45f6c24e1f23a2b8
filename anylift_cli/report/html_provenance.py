"""How a result was made, as its artifacts tell it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 400
"""Characters of any one value that a page shows."""
SHORT_HASH = 12
_NOTES = {
    "estimator": "estimator",
    "reason": "camera",
    "focal_source": "focal length",
    "gravity_source": "vertical from",
    "scale": "scale",
    "lifter": "lifter",
    "floor": "floor from",
    "edits": "edited",
}


def describe_making(metas: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each stage in plain JSON values: name, backend, seconds or None, when, version, and rows of name and text.

    What an earlier stage said in the same words is left out.

    Args:
        metas: `meta` of the artifacts in the order of the chain; they may hold anything.
    """
    stages, said = [], set()
    for stage in map(_stage, metas):
        notes = [note for note in stage["notes"] if (note["name"], note["text"]) not in said]
        said |= {(note["name"], note["text"]) for note in notes}
        stages.append({**stage, "notes": notes})
    return stages


def _stage(meta: Mapping[str, Any]) -> dict[str, Any]:
    parts, body = _mapping(meta.get("key_parts")), _mapping(meta.get("body"))
    options = {name: value for name, value in _mapping(meta.get("options")).items() if value is not None}
    weights = _mapping(parts.get("weights"))
    seconds = meta.get("seconds")
    rows = [(words, _text(_readable(name, meta))) for name, words in _NOTES.items() if meta.get(name)]
    rows.append(("options", ", ".join(f"{name} {_text(value)}" for name, value in options.items())))
    rows.append(("weights", ", ".join(f"{name} {_text(value)[:SHORT_HASH]}" for name, value in weights.items())))
    rows.append(("body", f"{_text(body.get('name', ''))} {_text(body.get('sha256', ''))[:SHORT_HASH]}".strip()))
    return {
        "stage": _text(meta.get("stage") or meta.get("schema") or "unknown"),
        "backend": _text(parts.get("backend") or ""),
        "seconds": float(seconds) if isinstance(seconds, (int, float)) else None,
        "created": _text(meta.get("created") or ""),
        "version": _text(meta.get("anylift_version") or ""),
        "notes": [{"name": name, "text": text[:LONGEST]} for name, text in rows if text],
    }


def _readable(name: str, meta: Mapping[str, Any]) -> Any:
    value = meta[name]
    if name == "scale" and isinstance(value, Mapping):
        uncertainty = value.get("uncertainty")
        known = isinstance(uncertainty, (int, float)) and uncertainty > 0
        return f"{_text(value.get('source', 'unknown'))}{f', ± {uncertainty:.0%}' if known else ''}"
    if name == "focal_source" and isinstance(meta.get("focal_uncertainty"), (int, float)):
        return f"{_text(value)}, ± {meta['focal_uncertainty']:.0%}"
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

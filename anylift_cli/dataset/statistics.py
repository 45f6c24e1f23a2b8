"""What a data set amounts to: parts, licences, reasons for what was left out, spread of each figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from anylift_cli.dataset.choosing import FIGURES
from anylift_cli.dataset.entries import Entry

BINS = 24


def statistics(entries: Sequence[Entry], left_out: Mapping[str, str]) -> dict[str, Any]:
    """Plain JSON values.

    Args:
        left_out: reasons by the names of clips.
    """
    rows = [entry.row() for entry in entries]
    return {
        "clips": len(rows),
        "left_out": len(left_out),
        "seconds": round(sum(row["seconds"] for row in rows), 3),
        "sources": len({row["source"] for row in rows}),
        "parts": _sums(entries, lambda entry: entry.split),
        "licences": _sums(entries, lambda entry: entry.label.licence),
        "tasks": _sums(entries, lambda entry: entry.label.task),
        "reasons": dict(Counter(left_out.values()).most_common()),
        "figures": {name: _spread([row[name] for row in rows]) for name in ("seconds", *FIGURES)},
    }


def _sums(entries: Sequence[Entry], group: Callable[[Entry], str]) -> dict[str, dict[str, float]]:
    sums: dict[str, dict[str, float]] = {}
    sources: dict[str, set[str]] = {}
    for entry in entries:
        one = sums.setdefault(group(entry), {"clips": 0, "sources": 0, "frames": 0, "seconds": 0.0})
        one["clips"] += 1
        one["frames"] += entry.clip.frames
        one["seconds"] = round(one["seconds"] + entry.clip.seconds, 3)
        sources.setdefault(group(entry), set()).add(entry.label.source)
    return {name: {**one, "sources": len(sources[name])} for name, one in sums.items()}


def _spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Quartiles and a histogram of the known values; `missing` counts the others."""
    known = np.array([value for value in values if value is not None], np.float64)
    spread: dict[str, Any] = {"missing": len(values) - len(known)}
    if len(known):
        counts, edges = np.histogram(known, BINS)
        quartiles = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
        spread |= {"quartiles": quartiles.tolist(), "counts": counts.tolist(), "edges": edges.tolist()}
    return spread

"""The statistics page of a data set: one HTML file in the style of the report, without scripts."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from string import Template
from typing import Any

from anylift_cli import __version__
from anylift_cli.dataset.choosing import FIGURES
from anylift_cli.dataset.entries import Entry
from anylift_cli.report.html_page import LOOK, asset

MOST_CLIPS = 500
"""Listed on the page; `clips.csv` has all."""
_WIDTH, _HEIGHT = 240, 64
_PACKAGE = "anylift_cli.dataset"


def statistics_page(title: str, entries: Sequence[Entry], figures: Mapping[str, Any]) -> str:
    """The page's text.

    Args:
        title: of the page.
        figures: of `statistics.statistics`.
    """
    hours = figures["seconds"] / 3600
    clips = [_row(entry) for entry in entries[:MOST_CLIPS]]
    reasons = [(reason, str(count)) for reason, count in figures["reasons"].items()]
    more = f" The first {MOST_CLIPS}; clips.csv has all." if len(entries) > MOST_CLIPS else ""
    slots = {
        "title": html.escape(title),
        "style": asset(LOOK) + asset("page.css") + asset("page.css", _PACKAGE),
        "summary": html.escape(
            f"{len(entries)} clips, {hours:.2f} h, {figures['sources']} sources; {figures['left_out']} left out"
        ),
        "parts": _sums("part", figures["parts"]),
        "licences": _sums("licence", figures["licences"]),
        "tasks": _sums("what is done", figures["tasks"]),
        "reasons": _table(("why", "clips"), reasons) if reasons else "<p class='quiet'>Nothing was left out.</p>",
        "figures": "".join(_histogram(name, spread) for name, spread in figures["figures"].items()),
        "clips": _table(("clip", "part", "licence", "source", "seconds", *map(_title, FIGURES)), clips),
        "more": html.escape(more),
        "made": html.escape(f"anylift {__version__}"),
    }
    return Template(asset("page.html", _PACKAGE)).substitute(slots)


def _row(entry: Entry) -> list[str]:
    row = entry.row()
    values = [row["seconds"], *(row[name] for name in FIGURES)]
    said = [str(row[name]) for name in ("clip", "split", "licence", "source")]
    return said + ["–" if value is None else f"{value:.3g}" for value in values]


def _sums(what: str, sums: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        (name, str(one["clips"]), str(one["sources"]), str(one["frames"]), f"{one['seconds'] / 3600:.2f}")
        for name, one in sums.items()
    ]
    return _table((what, "clips", "sources", "frames", "hours"), rows)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Columns of numbers are set to the right; every text is escaped."""
    rows = [list(row) for row in rows]
    numeric = [all(_is_number(row[column]) for row in rows) for column in range(len(list(head)))]

    def cells(tag: str, values: Iterable[str]) -> str:
        marks = (' class="number"' if right else "" for right in numeric)
        return "".join(f"<{tag}{mark}>{html.escape(value)}</{tag}>" for mark, value in zip(marks, values, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells("th", head)}</tr></thead><tbody>{body}</tbody></table></div>'


def _is_number(text: str) -> bool:
    try:
        return text == "–" or float(text) is not None
    except ValueError:
        return False


def _title(name: str) -> str:
    measure = FIGURES[name]
    return f"{measure.title}, {measure.unit}" if measure.unit else measure.title


def _histogram(name: str, spread: Mapping[str, Any]) -> str:
    title = _title(name) if name in FIGURES else "Length, s"
    missing = f", {spread['missing']} not measured" if spread["missing"] else ""
    if "counts" not in spread:
        return f"<figure><figcaption>{html.escape(title)}<br><span>none measured</span></figcaption></figure>"
    low, _, middle, _, high = spread["quartiles"]
    words = f"{low:.3g} to {high:.3g}, median {middle:.3g}{missing}"
    most, step = max(spread["counts"]), _WIDTH / len(spread["counts"])
    bars = "".join(
        f'<rect x="{place * step:.1f}" y="{_HEIGHT * (1 - count / most):.1f}" width="{step - 1:.1f}" '
        f'height="{_HEIGHT * count / most:.1f}"/>'
        for place, count in enumerate(spread["counts"])
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(title)}: {words}">{bars}'
        f"</svg><figcaption>{html.escape(title)}<br><span>{words}</span></figcaption></figure>"
    )

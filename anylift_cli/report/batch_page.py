"""The page of a batch: each clip with its picture and figures, those that need a look first. It asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from anylift_cli.report.html_page import LOOK, asset
from anylift_cli.report.html_verdict import MEASURES, POOR

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src {policy}; \
img-src 'self' file: data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{title}</h1><p class="quiet">{detail}</p></header>
<p id="counts">{counts}</p>
<main><ul id="clips">
{clips}
</ul></main>
</body>
</html>
"""
_LOOKS = {"good": "good", "fair": "fair", "poor": "poor", "failed": "poor", "empty": "empty"}
"""Class of the badge for each verdict."""


def batch_page(title: str, records: Sequence[Mapping[str, Any]]) -> str:
    """The page's text.

    Args:
        title: of the page.
        records: what came of each clip, as `results.jsonl` says it. Pictures and files are linked relative to the page.
    """
    style = asset(LOOK) + asset("batch.css")
    ordered = sorted(records, key=_urgency)
    counts = Counter(_verdict(record) for record in ordered)
    chips = (
        f'<span class="badge {_LOOKS[verdict]}">{counts[verdict]} {verdict}</span>'
        for verdict in _LOOKS
        if counts[verdict]
    )
    hours = sum(record.get("total_seconds") or 0 for record in ordered) / 3600
    return _PAGE.format(
        policy="'sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() + "'",
        title=_text(title),
        style=style,
        detail=f"{len(ordered)} clips, {hours:.2f} worker hours in their last runs; the worst first",
        counts=" ".join(chips),
        clips="\n".join(_card(record) for record in ordered),
    )


def _verdict(record: Mapping[str, Any]) -> str:
    status = str(record.get("status"))
    return status if status in ("failed", "empty") else str(record.get("rating") or POOR)


def _urgency(record: Mapping[str, Any]) -> tuple[int, float, str]:
    """Failures, then lifted clips from the worst on, then those that show nobody."""
    place = {"failed": 0, "empty": 2}.get(_verdict(record), 1)
    return place, -(record.get("severity") or 0.0), str(record.get("clip"))


def _card(record: Mapping[str, Any]) -> str:
    verdict = _verdict(record)
    picture = f'<img loading="lazy" alt="" src="{_link(record["thumbnail"])}">' if record.get("thumbnail") else ""
    about = [
        f"<strong>{_text(record.get('clip'))}</strong>",
        f'<span class="badge {_LOOKS.get(verdict, "poor")}">{_text(verdict)}</span>',
        *(f'<span class="figures">{line}</span>' for line in _lines(record)),
    ]
    return f'<li>{picture}<div class="about">{"".join(about)}</div></li>'


def _lines(record: Mapping[str, Any]) -> Iterator[str]:
    """What stands below a clip's name, as HTML."""
    if record.get("reason"):
        yield _text(record["reason"])
    if record.get("hint"):
        yield _text(record["hint"])
    for file, figures in (record.get("quality") or {}).items():
        shown = (
            f"{measure.title.lower()} {figures[measure.figure]:g} {measure.unit}"
            for measure in MEASURES
            if isinstance(figures.get(measure.figure), (int, float))
        )
        yield f'<a href="{_link(file)}">{_text(file.rsplit("/", 1)[-1])}</a> · {_text(" · ".join(shown))}'


def _link(path: Any) -> str:
    """A relative address, whatever is in the name."""
    return "./" + html.escape(quote(str(path).encode("utf-8", "surrogateescape")))


def _text(value: Any) -> str:
    return html.escape(str(value).encode("utf-8", "replace").decode("utf-8"))

"""Which clips go into a data set, and into which part of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from anylift_cli.dataset.clips import Clip
from anylift_cli.errors import UsageError
from anylift_cli.report.html_verdict import FAIR, GOOD, MEASURES, POOR, seen

ANY = "any"
REFUSED = {GOOD: (FAIR, POOR), FAIR: (POOR,), ANY: ()}
"""By what is asked for: ratings of a single figure that keep a clip out."""
FIGURES = {measure.figure or measure.name: measure for measure in MEASURES}
"""Figures that clips are judged by, by the names that they have in `quality.json`."""
SAME_PERSON = 0.25
"""Two lifts of one video show the same person where the pelvises are closer than this share of the person's height."""


@dataclass(frozen=True)
class Limits:
    """What a clip must hold.

    Attributes:
        rating: GOOD, FAIR or ANY: the worst rating that a figure may have (`report.html_verdict.MEASURES`).
        seconds: the least length.
        figures: limits of single figures, which then replace the rating's; of `confidence` it is the least value, of
            the others the largest.
    """

    rating: str = FAIR
    seconds: float = 1.0
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rating not in REFUSED:
            raise UsageError(f"--quality {self.rating} is none of {', '.join(REFUSED)}")
        if unknown := sorted(set(self.figures) - set(FIGURES)):
            raise UsageError(f"there is no figure '{unknown[0]}' to limit", f"choose of {', '.join(FIGURES)}")


def reason_against(clip: Clip, limits: Limits) -> str:
    """Why `clip` does not hold `limits`; "" where it does. What was not measured speaks against nothing."""
    if clip.seconds < limits.seconds:
        return f"shorter than {limits.seconds:g} s"
    share = seen(clip.figures)
    if share["rating"] in REFUSED[limits.rating]:
        return "the person is out of sight too often"
    for name, measure in FIGURES.items():
        value = clip.figures.get(name)
        if value is None:
            continue
        if name in limits.figures:
            limit = limits.figures[name]
            wrong = value < limit if measure.more_is_better else value > limit
        else:
            limit = measure.good if limits.rating == GOOD else measure.poor
            wrong = measure.rate(value) in REFUSED[limits.rating]
        if wrong:
            side = "below" if measure.more_is_better else "above"
            return f"{measure.title.lower()} {side} {limit:g} {measure.unit}".rstrip()
    return ""


def duplicates(clips: Sequence[Clip]) -> dict[str, str]:
    """Names of clips that show what a better one shows, with the name of that one.

    The same arrays, or the same person in overlapping frames of one video. The clip whose body lies closer to the
    detected points is kept; among equals the longer one, then the first by name.
    """
    kept: dict[str, list[Clip]] = {}
    contents: dict[str, str] = {}
    dropped = {}
    for clip in sorted(clips, key=_rank):
        same = contents.setdefault(clip.content, clip.name)
        others = kept.setdefault(clip.video, []) if clip.video else []
        twin = same if same != clip.name else next((other.name for other in others if _overlaps(clip, other)), None)
        if twin is not None:
            dropped[clip.name] = twin
        else:
            others.append(clip)
    return dropped


def _rank(clip: Clip) -> tuple[float, int, str]:
    error = clip.figures.get("reprojection_percent")
    return (float("inf") if error is None else error, -clip.frames, clip.name)


def _overlaps(one: Clip, other: Clip) -> bool:
    _, ours, theirs = np.intersect1d(one.frame_index, other.frame_index, return_indices=True)
    if not len(ours):
        return False
    apart = np.linalg.norm(one.root_pixels[ours] - other.root_pixels[theirs], axis=-1)
    return bool(np.median(apart) < SAME_PERSON * max(one.extent, other.extent))


def split_of(source: str, shares: Mapping[str, float], seed: int) -> str:
    """The part of the data set that everything from `source` belongs to: always the same, whatever else there is.

    Args:
        shares: of each part, by name; relative to each other.
    """
    digest = hashlib.sha256(f"{seed} {source}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 * sum(shares.values())
    for name, share in shares.items():
        place -= share
        if place < 0:
            return name
    return list(shares)[-1]


def parse_shares(text: str) -> dict[str, float]:
    """Shares of the parts, as in "train=0.8,val=0.1,test=0.1".

    Raises:
        UsageError: something else, a name that cannot be a folder's, or nothing but zeros.
    """
    shares: dict[str, float] = {}
    for word in text.split(","):
        name, _, value = (part.strip() for part in word.partition("="))
        try:
            share = float(value)
        except ValueError:
            share = -1.0
        if not name.isidentifier() or name in shares or not 0 <= share < float("inf"):
            raise UsageError(f"--split {text} is not a list of names and shares", "try train=0.8,val=0.1,test=0.1")
        shares[name] = share
    if not sum(shares.values()) > 0:
        raise UsageError(f"--split {text} gives nothing to any part", "try train=0.8,val=0.1,test=0.1")
    return shares

"""What the figures of a motion mean, in plain words, and which seconds deserve a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from anylift_cli.report.quality import Series

GOOD, FAIR, POOR = "good", "fair", "poor"
WINDOW = 1.0
"""Seconds; weak moments are looked for one by one."""
MOST_MOMENTS = 12
_SEEN = 0.95, 0.8
"""Shares of the frames with the person: above the first is good, below the second is poor."""


@dataclass(frozen=True)
class Measure:
    """A figure that a page shows over time.

    Attributes:
        name: of the attribute of `Series`; figure: of the clip's figure in `quality`, or "" for the mean.
        title, unit: for people.
        good, poor: a value beyond `good` deserves a look, one beyond `poor` is not to be trusted.
        moment: how a weak second is put; takes `value`.
        about: what it says, in one sentence.
        more_is_better: whether small values are the weak ones.
    """

    name: str
    figure: str
    title: str
    unit: str
    good: float
    poor: float
    moment: str
    about: str
    more_is_better: bool = False

    def rate(self, value: float | None) -> str:
        """GOOD, FAIR, POOR, or "" for what was not measured."""
        if value is None or not np.isfinite(value):
            return ""
        sign = -1 if self.more_is_better else 1
        return GOOD if sign * value <= sign * self.good else FAIR if sign * value <= sign * self.poor else POOR

    def severity(self, value: np.ndarray) -> np.ndarray:
        """0 at `good`, 1 at `poor`, beyond that more."""
        return (value - self.good) / (self.poor - self.good)


MEASURES = (
    Measure(
        "confidence", "", "Confidence", "", 0.6, 0.35, "little to go by: confidence {value:.2f}",
        "How sure the lift is of the pose, from 0 to 1.", more_is_better=True,
    ),
    Measure(
        "reprojection_percent", "reprojection_percent", "Reprojection error", "%", 2.0, 4.0,
        "the body is {value:.1f} % of its height off the detected points",
        "How far the body, seen through the camera, lies from the points detected in the video, in % of its height.",
    ),
    Measure(
        "foot_slide_cm_s", "foot_slide_cm_s", "Foot slide", "cm/s", 4.0, 12.0,
        "a planted foot slides at {value:.0f} cm/s",
        "Speed over the floor of the fastest foot point that should stand still.",
    ),
    Measure(
        "jitter_mm", "jitter_mm", "Jitter", "mm", 12.0, 25.0, "joints shake or turn sharply: {value:.0f} mm",
        "Change of the joints' velocity from frame to frame, at 30 frames/s; quick motion has some of its own.",
    ),
    Measure(
        "jump_cm", "max_jump_cm", "Largest jump", "cm", 40.0, 70.0, "a joint jumps {value:.0f} cm within 1/30 s",
        "The farthest that any joint moves in 1/30 s.",
    ),
    Measure(
        "penetration_cm", "penetration_cm", "Floor penetration", "cm", 1.5, 4.0,
        "the body is {value:.1f} cm below the floor",
        "How far the lowest point of the body is below the floor.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """A weak second: when it is worst (seconds of the page's clock), who, what, how much, and how bad it is."""

    time: float
    person: int
    measure: str
    words: str
    rating: str
    severity: float


def judge(figures: Mapping[str, Any], series: Series) -> list[dict[str, Any]]:
    """One person's figures with their ratings, plain JSON values, in the order of `MEASURES`."""
    rows = []
    for measure in MEASURES:
        values = getattr(series, measure.name)
        value = figures.get(measure.figure) if measure.figure else _mean(values)
        rows.append({"name": measure.name, "value": value, "rating": measure.rate(value)})
    return rows


def seen(figures: Mapping[str, Any]) -> dict[str, Any]:
    """In which share of the frames the person is, and how that is rated."""
    share = figures["frames_present"] / max(figures["frames"], 1)
    return {"value": share, "rating": GOOD if share >= _SEEN[0] else FAIR if share >= _SEEN[1] else POOR}


def overall(figures: Mapping[str, Any]) -> tuple[str, float]:
    """The worst rating among a motion's figures (`quality.json`), and how bad it is: 0 at `good`, 1 at `poor`."""
    found = [(GOOD, -1.0)]
    for measure in MEASURES:
        value = figures.get(measure.figure)
        if value is not None:
            found.append((measure.rate(value), float(measure.severity(np.float64(value)))))
    presence = seen(figures)
    good, poor = _SEEN
    found.append((presence["rating"], (good - presence["value"]) / (good - poor)))
    return max(found, key=lambda one: ((GOOD, FAIR, POOR).index(one[0]), one[1]))


def weak_moments(series: Series, times: np.ndarray, person: int = 0) -> list[Moment]:
    """The weak seconds of one person, the worst first, each for what is worst in it.

    A second is weak where the mean of a measure is beyond `good`, or a tenth of its frames or one jump beyond `poor`.

    Args:
        times: (T,) seconds of the page's clock.
    """
    moments = []
    second = np.floor((times - times[0]) / WINDOW).astype(int)
    for number in np.unique(second):
        rows = np.flatnonzero(second == number)
        candidates = [_absence(series, times, rows, person), *_moments(series, times, rows, person)]
        found = [moment for moment in candidates if moment is not None]
        if found:
            moments.append(max(found, key=lambda moment: moment.severity))
    return sorted(moments, key=lambda moment: -moment.severity)


def headline(
    people: Sequence[Sequence[Mapping[str, Any]]], moments: Sequence[Moment], seconds: float
) -> dict[str, str]:
    """The verdict on a clip: a rating and one or two sentences.

    Args:
        people: the rated figures of each person.
        moments: weak seconds of all.
        seconds: length of the clip.
    """
    ratings = [row["rating"] for rows in people for row in rows]
    poor = [moment for moment in moments if moment.rating == POOR]
    total = max(1, round(seconds / WINDOW)) * len(people)
    weak = {(moment.person, moment.time // WINDOW) for moment in moments}
    share = len(weak) / total
    if POOR in ratings or len(poor) > total / 4:
        rating, words = POOR, "Check this before you use it."
    elif FAIR in ratings or share > 0.3:
        rating, words = FAIR, "Usable, with weak spots."
    else:
        rating, words = GOOD, "Nothing much stands out."
    return {"rating": rating, "words": words, "detail": _detail(people, len(weak), total)}


def _detail(people: Sequence[Sequence[Mapping[str, Any]]], weak: int, total: int) -> str:
    ratings = {(row["name"], row["rating"]) for rows in people for row in rows}
    phrases = []
    for measure in MEASURES:
        side = "low" if measure.more_is_better else "high"
        if (measure.name, POOR) in ratings:
            phrases.append(f"{measure.title.lower()} is much too {side}")
        elif (measure.name, FAIR) in ratings:
            phrases.append(f"{measure.title.lower()} is a little {side}")
    if not weak:
        phrases.append("no second is marked as weak")
    else:
        phrases.append(f"{weak} of {total} seconds {'deserve' if weak > 1 else 'deserves'} a look")
    text = "; ".join(phrases)
    return text[0].upper() + text[1:] + "."


def _moments(series: Series, times: np.ndarray, rows: np.ndarray, person: int) -> list[Moment]:
    found = []
    seen_rows = rows[series.confidence[rows] > 0]
    for measure in MEASURES:
        values = getattr(series, measure.name)[seen_rows]
        known = np.isfinite(values)
        if not known.any():
            continue
        severity = measure.severity(values[known])
        spike = severity.max() if measure.name == "jump_cm" else np.quantile(severity, 0.9)
        level = max(severity.mean(), spike - 1)
        if level <= 0:
            continue
        worst = int(np.argmax(severity))
        value = float(values[known][worst])
        words = measure.moment.format(value=value)
        rating = POOR if level > 1 else FAIR
        time = float(times[seen_rows[known][worst]])
        found.append(Moment(time, person, measure.name, words, rating, float(level)))
    return found


def _absence(series: Series, times: np.ndarray, rows: np.ndarray, person: int) -> Moment | None:
    absent = rows[series.confidence[rows] <= 0]
    if not len(absent):
        return None
    share = len(absent) / len(rows)
    words = f"the person is not seen in {share:.0%} of this second; the pose is guessed"
    return Moment(float(times[absent[0]]), person, "confidence", words, POOR if share > 0.3 else FAIR, 1 + share)


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(known.mean()), 3) if len(known) else None

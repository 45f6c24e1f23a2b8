"""Display names that any program can show and tell apart."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 120


def unique_labels(names: Iterable[str]) -> list[str]:
    """One printable name each, never empty, none twice, up to `LONGEST` characters and a number.

    Control characters and halves of surrogate pairs become spaces; repeated names get "_2", "_3", ….
    """
    taken: set[str] = set()
    labels = []
    for name in names:
        plain = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
        plain = plain[:LONGEST].rstrip() or "unnamed"
        label, number = plain, 2
        while label in taken:
            label, number = f"{plain}_{number}", number + 1
        taken.add(label)
        labels.append(label)
    return labels

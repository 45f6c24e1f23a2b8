"""What a person knows of clips and no file says: licence, source, what is done."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from anylift_cli.errors import AnyliftError, UsageError

COLUMNS = ("licence", "source", "task")
UNKNOWN = "unknown"
NO_TASK = "human motion"


@dataclass(frozen=True)
class Label:
    """What is said of one clip.

    Attributes:
        licence: of the video that the motion was lifted from.
        source: where it comes from; clips of one source are never divided among the parts of a data set.
        task: what the person does, in words.
    """

    licence: str = ""
    source: str = ""
    task: str = ""


@dataclass(frozen=True)
class Labels:
    """Rows of a table: of single clips by name, and of all clips whose names match a pattern, in their order."""

    exact: Mapping[str, Label] = field(default_factory=dict)
    patterns: Mapping[str, Label] = field(default_factory=dict)

    def of(self, *names: str) -> Label:
        """The row of the first of `names` that has one, else of the first pattern that one of them matches."""
        for name in names:
            if name in self.exact:
                return self.exact[name]
        for pattern, label in self.patterns.items():
            if any(fnmatchcase(name, pattern) for name in names):
                return label
        return Label()


def read_labels(path: Path) -> Labels:
    """A CSV file with a column `clip` (a clip's name, or a pattern with `*`) and any of `COLUMNS`.

    Raises:
        UsageError: no column `clip`, a column of another name, or two rows of one clip.
        AnyliftError: the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows, header = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnyliftError(f"{path} cannot be read as a table: {error}", "save it as CSV in UTF-8") from error
    unknown = sorted(set(header) - {"clip", *COLUMNS})
    if "clip" not in header or unknown:
        said = f"has a column '{unknown[0]}'" if "clip" in header else "has no column 'clip'"
        raise UsageError(f"{path} {said}", f"its first line names the columns: clip, {', '.join(COLUMNS)}")
    exact: dict[str, Label] = {}
    patterns: dict[str, Label] = {}
    for row in rows:
        if None in row or None in row.values():
            raise UsageError(f"{path}: the row of '{row['clip']}' has not as many values as there are columns")
        clip = row.pop("clip").strip()
        rules = patterns if any(mark in clip for mark in "*?[") else exact
        if clip in rules:
            raise UsageError(f"{path} has two rows of '{clip}'", "leave one of them")
        rules[clip] = Label(**{column: value.strip() for column, value in row.items()})
    return Labels(exact, patterns)

"""Which clips a batch has: folders, globs, single files and manifests, on disks or in stores that fsspec reaches."""

from __future__ import annotations

import csv
import glob
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from anylift_cli.batch.storage import file_system, is_url
from anylift_cli.errors import UsageError

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
"""In lower case; what a folder is searched for."""
MANIFESTS = (".csv", ".jsonl", ".ndjson")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Clip:
    """One video of a batch.

    Attributes:
        name: path of its results below the batch's folder, without suffix, such as "day1/squats".
        source: path or URL of the video.
        options: what its row of a manifest says, by the names of `anylift run`'s options without dashes.
        folder: to which paths in `options` are relative.
    """

    name: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""


def find_clips(inputs: Sequence[str]) -> list[Clip]:
    """The clips of all inputs, by name, each once.

    A folder's tree is kept in the names; where `a.mp4` and `a.mov` would have one name, the suffix stays in both.

    Args:
        inputs: folders, globs, videos, or manifests (CSV with a head line, or JSON Lines), as paths or URLs.

    Raises:
        UsageError: an input that is not there, a manifest that cannot be read, or one name for two videos.
    """
    found: dict[tuple[str, str], Clip] = {}
    for one in inputs:
        for clip in _clips_of(one):
            found.setdefault((clip.source, json.dumps(dict(clip.options), sort_keys=True)), clip)
    clips = _told_apart(list(found.values()))
    for name, count in Counter(clip.name for clip in clips).items():
        if count > 1:
            sources = [clip.source for clip in clips if clip.name == name]
            raise UsageError(
                f"the results of {sources[0]} and {sources[1]} would both be named {name}",
                "give one of them another name in a manifest (column `name`), or batch them into two folders",
            )
    return sorted(clips, key=lambda clip: clip.name)


def in_shard(clips: Sequence[Clip], number: int, count: int) -> list[Clip]:
    """The share of clips that falls to shard `number` (1-based) of `count`.

    It depends on a clip's name alone, so that shards stay apart even if clips are added between their starts.
    """
    return [clip for clip in clips if _digest(clip.name) % count == number - 1]


def _clips_of(given: str) -> Iterator[Clip]:
    if is_url(given):
        yield from _remote_clips(given)
        return
    path = Path(given)
    if path.is_dir():
        files = [file for file in _files_below(path) if file.suffix.lower() in VIDEO_SUFFIXES]
        yield from (_clip(str(file.absolute()), file.relative_to(path).as_posix()) for file in files)
    elif path.suffix.lower() in MANIFESTS and path.is_file():
        yield from _manifest(path.read_bytes(), given, str(path.absolute().parent))
    elif path.is_file():
        yield _clip(str(path.absolute()), path.name)
    elif _MAGIC.search(given):
        root = Path(*_before_magic(path.parts))
        matches = (Path(name) for name in glob.glob(given, recursive=True))
        files = sorted(file for file in matches if not _is_reached_by_link(file, root))
        yield from (
            _clip(str(file.absolute()), file.relative_to(root).as_posix())
            for file in files
            if file.is_file() and file.suffix.lower() in VIDEO_SUFFIXES
        )
    else:
        raise UsageError(f"{given} does not exist", "give a folder, a glob, videos, or a manifest (.csv, .jsonl)")


def _files_below(folder: Path) -> Iterator[Path]:
    """In a fixed order; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names))


def _is_reached_by_link(file: Path, root: Path) -> bool:
    """Whether a folder between `root` and the file is a link: globs would follow it round and round."""
    return any(Path(root, folder).is_symlink() for folder in file.relative_to(root).parents if folder.name)


def _before_magic(parts: Sequence[str]) -> list[str]:
    """The folders of a glob before its first wild card."""
    plain: list[str] = []
    for part in parts[:-1]:
        if _MAGIC.search(part):
            break
        plain.append(part)
    return plain


def _remote_clips(url: str) -> Iterator[Clip]:
    system, path = file_system(url)
    if PurePosixPath(path).suffix.lower() in MANIFESTS:
        yield from _manifest(system.cat_file(path), url, url.rsplit("/", 1)[0])
        return
    if _MAGIC.search(path):
        root, files = "/".join(_before_magic(path.split("/"))), system.glob(path)
    else:
        root, files = path.rstrip("/"), system.find(path)
    if not files:
        raise UsageError(f"{url} holds nothing", "give a folder, a glob, a video, or a manifest (.csv, .jsonl)")
    for file in sorted(files):
        if PurePosixPath(file).suffix.lower() in VIDEO_SUFFIXES:
            name = file.removeprefix(root).lstrip("/") or PurePosixPath(file).name
            yield _clip(system.unstrip_protocol(file), name)


def _clip(source: str, file: str) -> Clip:
    return Clip(PurePosixPath(file).with_suffix("").as_posix(), source)


def _manifest(content: bytes, manifest: str, folder: str) -> Iterator[Clip]:
    """The clips that the rows name; paths are relative to the manifest."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{manifest} is no text in UTF-8", "save it as UTF-8") from error
    for line, row in _rows(text, manifest):
        given = {str(key).strip().lstrip("-").replace("_", "-"): value for key, value in row.items() if key}
        given = {key: value for key, value in given.items() if value not in (None, "")}
        video, name = given.pop("video", None), given.pop("name", None)
        if not isinstance(video, str) or not PurePosixPath(video).name or not _is_writable(video):
            raise UsageError(f"{manifest}, line {line}: there is no `video`", "name the file or URL of the clip")
        source = video if is_url(video) else _joined(folder, video)
        clip = _clip(source, video if name is None and _is_below(video) else PurePosixPath(video).name)
        if name is not None:
            if not _is_below(str(name)):
                raise UsageError(
                    f"{manifest}, line {line}: the name {name} leads out of the folder of results",
                    "give a relative path without `..`",
                )
            clip = replace(clip, name=PurePosixPath(str(name)).as_posix())
        yield replace(clip, options=given, folder=folder)


def _rows(text: str, manifest: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number of the line and what it says."""
    if manifest.lower().endswith(".csv"):
        reader = csv.DictReader(text.splitlines())
        try:
            for row in reader:
                if None in row:
                    raise UsageError(
                        f"{manifest}, line {reader.line_num}: more cells than columns", "put quotes around it"
                    )
                yield reader.line_num, row
        except csv.Error as error:
            raise UsageError(f"{manifest}, line {reader.line_num}: {error}", "is it a CSV file?") from error
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{manifest}, line {number} is no JSON: {error}", "write one object a line") from error
        if not isinstance(row, dict):
            raise UsageError(f"{manifest}, line {number} is no JSON object", 'such as {"video": "a.mp4"}')
        yield number, row


def _joined(folder: str, path: str) -> str:
    if is_url(folder):
        return f"{folder}/{path}"
    return str(Path(folder, path))


def _is_below(path: str) -> bool:
    """Whether a path stays in the folder that it is put into."""
    pure = PurePosixPath(path.replace("\\", "/"))
    return (
        _is_writable(path) and bool(pure.name) and not pure.is_absolute() and ".." not in pure.parts and ":" not in path
    )


def _is_writable(path: str) -> bool:
    """Whether a text can be a path: JSON also has half characters and zeros."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _told_apart(clips: list[Clip]) -> list[Clip]:
    """Clips without a name of their own get the suffix into it where the stem alone is not enough."""
    counts = Counter(clip.name for clip in clips)
    return [
        replace(clip, name=clip.name + PurePosixPath(clip.source).suffix)
        if counts[clip.name] > 1 and clip.name.endswith(PurePosixPath(clip.source).stem)
        else clip
        for clip in clips
    ]


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big")

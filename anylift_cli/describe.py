"""What a file holds, in plain JSON values: artifacts, foreign npz files, BVH files and videos."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from anylift_cli.artifacts import ARTIFACTS
from anylift_cli.artifacts.base import read_meta, read_npz
from anylift_cli.errors import AnyliftError

ZIP_MAGIC = b"PK\x03\x04"


def describe(path: Path) -> dict[str, Any]:
    """Contents of an npz or BVH file, or facts about a video.

    Returns:
        `kind` is the artifact's schema, "npz", "bvh" or "video".
        npz: `arrays` (name, shape, dtype, unit, min, max and mean of the finite values, share of missing ones), `meta`,
        and `problem` when an artifact breaks its own rules.
        BVH: `joints` (name, index of the parent, channels), `frames`, `fps`, `duration` in s, and in the file's unit
        `size`, the extent of the rest pose along x, y, z, and `root_min` and `root_max`, between which the root moves.
        Video: the fields of `VideoInfo`.

    Raises:
        AnyliftError: the file is missing, damaged, or none of these.
    """
    if not path.exists():
        raise AnyliftError(f"{path} does not exist", "check the path")
    if not path.is_file():
        raise AnyliftError(f"{path} is a folder, not a file", "name one of the files in it")
    with open(path, "rb") as stream:
        magic = stream.read(len(ZIP_MAGIC))
    if magic == ZIP_MAGIC or path.suffix == ".npz":
        return _describe_npz(path)
    if path.suffix.lower() == ".bvh":
        return _describe_bvh(path)
    return _describe_video(path)


def _describe_npz(path: Path) -> dict[str, Any]:
    meta = read_meta(path)
    kind = ARTIFACTS.get(str(meta.get("schema")))
    units = {spec.name: spec.metadata["unit"] for spec in kind.array_fields()} if kind else {}
    arrays = [
        {"name": name, **_describe_array(value), "unit": units.get(name, "")}
        for name, value in read_npz(path).items()
        if name != "meta"
    ]
    return {
        "file": str(path),
        "kind": meta.get("schema", "npz"),
        "arrays": arrays,
        "meta": meta,
        "problem": _problem(kind, path) if kind else None,
    }


def _describe_array(value: np.ndarray) -> dict[str, Any]:
    about = {"shape": list(value.shape), "dtype": str(value.dtype)}
    if value.dtype.kind not in "fiub" or not value.size:
        return about | ({"value": str(value)} if value.ndim == 0 else {})
    finite = value[np.isfinite(value)].astype(np.float64)
    if finite.size:
        about |= {"min": float(finite.min()), "max": float(finite.max()), "mean": float(finite.mean())}
    return about | {"missing": 1 - finite.size / value.size}


def _problem(kind: Any, path: Path) -> str | None:
    try:
        kind.load(path)
    except AnyliftError as error:
        return error.message
    return None


def _describe_bvh(path: Path) -> dict[str, Any]:
    from anylift_cli.export.bvh_reader import read_bvh

    bvh = read_bvh(path)
    joints = zip(bvh.names, bvh.parents, bvh.channels, strict=True)
    root = bvh.pose()[0][:, 0]
    return {
        "file": str(path),
        "kind": "bvh",
        "joints": [{"name": name, "parent": parent, "channels": list(own)} for name, parent, own in joints],
        "frames": len(bvh.frames),
        "fps": 1 / bvh.frame_time,
        "duration": len(bvh.frames) * bvh.frame_time,
        "size": np.ptp(bvh.rest(), axis=0).tolist(),
        "root_min": root.min(0).tolist() if len(root) else None,
        "root_max": root.max(0).tolist() if len(root) else None,
    }


def _describe_video(path: Path) -> dict[str, Any]:
    from anylift_cli.video import probe

    return {"file": str(path), "kind": "video", **dataclasses.asdict(probe(path)), "path": str(path)}

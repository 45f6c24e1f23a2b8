"""Two plain Parquet tables: `clips.parquet`, a row a clip, and `frames/PART-00000.parquet`, a row a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.dataset.choosing import FIGURES
from anylift_cli.dataset.entries import Entry
from anylift_cli.dataset.parts import Parts, arrow, list_type, lists
from anylift_cli.export.motion_at import evenly
from anylift_cli.progress import Progress

if TYPE_CHECKING:
    import pyarrow

ARRAYS: dict[str, tuple[tuple[int, ...], Callable[[MotionArtifact], np.ndarray]]] = {
    "trans": ((3,), lambda motion: motion.trans),
    "root_orient": ((3,), lambda motion: motion.root_orient),
    "pose_body": ((63,), lambda motion: motion.pose_body),
    "joints": ((24, 3), lambda motion: motion.joints),
    "joint_confidence": ((24,), lambda motion: motion.joint_confidence),
    "foot_contact": ((4,), lambda motion: motion.foot_contact),
    "world_from_camera": ((4, 4), lambda motion: motion.world_from_camera),
    "K": ((3, 3), lambda motion: motion.K),
}
"""Columns of the frames that are arrays of `motion.npz`, with the shape of a row."""


def write_parquet(entries: Sequence[Entry], folder: Path, fps: float | None, progress: Progress) -> None:
    """See `entries.Writer`; without `fps` the frames are those of the videos, at their own times."""
    rows = []
    with progress.task("pack: Parquet", len(entries), "clips") as task:
        for split, own in groupby(entries, lambda entry: entry.split):
            with Parts(lambda part, split=split: folder / "frames" / f"{split}-{part:05d}.parquet", _frames()) as parts:
                for entry in own:
                    motion = entry.load() if fps is None else evenly(entry.load(), fps)
                    parts.write(_columns(entry, motion))
                    rows.append(_row(entry, motion))
                    task.advance()
    arrow().parquet.write_table(arrow().Table.from_pylist(rows, schema=_clips()), folder / "clips.parquet")


def _frames() -> pyarrow.Schema:
    pa = arrow()
    arrays = [(name, list_type(*shape)) for name, (shape, _) in ARRAYS.items()]
    return pa.schema(
        [
            ("clip", pa.dictionary(pa.int32(), pa.string())), ("frame_index", pa.int64()), ("timestamp", pa.float64()),
            ("confidence", pa.float32()), *arrays,
        ]
    )  # fmt: skip


def _columns(entry: Entry, motion: MotionArtifact) -> dict[str, pyarrow.Array]:
    pa = arrow()
    number = pa.array(np.zeros(len(motion.poses), np.int32))
    return {
        "clip": pa.DictionaryArray.from_arrays(number, pa.array([entry.clip.name])),
        "frame_index": pa.array(motion.frame_index),
        "timestamp": pa.array(motion.timestamps),
        "confidence": pa.array(motion.confidence),
        **{name: lists(values(motion)) for name, (_, values) in ARRAYS.items()},
    }


def _clips() -> pyarrow.Schema:
    pa = arrow()
    words = ("clip", "split", "licence", "source", "task", "video_sha256", "motion_sha256", "body", "gender")
    counts = ("frames", "frames_present", "width", "height_px")
    values = ("seconds", "fps", "height", *FIGURES)
    return pa.schema(
        [
            *((name, pa.string()) for name in words),
            *((name, pa.int64()) for name in counts),
            *((name, pa.float64()) for name in values),
            ("betas", list_type(16)),
        ]
    )


def _row(entry: Entry, motion: MotionArtifact) -> dict[str, object]:
    return {
        **entry.row(),
        "frames": len(motion.poses),
        "fps": float(motion.fps),
        "body": str(motion.meta.get("body", {}).get("name", "")),
        "gender": str(motion.gender),
        "height": float(motion.height),
        "width": int(motion.image_size[0]),
        "height_px": int(motion.image_size[1]),
        "betas": motion.betas.tolist(),
    }

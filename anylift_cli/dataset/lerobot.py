"""LeRobotDataset v3.0 (huggingface/lerobot, docs/source/lerobot-dataset-v3.mdx): an episode is a clip.

`observation.state` is the pelvis in the world and the rotation of each body joint; `action` is the state one frame
later. There are no pictures in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.artifacts.motion import BODY_JOINTS
from anylift_cli.body.skeleton import SMPL_JOINTS
from anylift_cli.dataset.entries import Entry
from anylift_cli.dataset.parts import Parts, arrow, list_type, lists
from anylift_cli.export.motion_at import evenly
from anylift_cli.progress import Progress

if TYPE_CHECKING:
    import pyarrow

VERSION = "v3.0"
FPS = 30.0
CHUNK = 1000
"""Files in a folder."""

_STATE = ["root_x", "root_y", "root_z"]
_STATE += [f"{joint}_r{axis}" for joint in SMPL_JOINTS[:BODY_JOINTS] for axis in "xyz"]
_CONTACT = ["left_heel", "left_toe", "right_heel", "right_toe"]
VECTORS = {
    "observation.state": _STATE,
    "action": _STATE,
    "observation.joints": [f"{joint}_{axis}" for joint in SMPL_JOINTS for axis in "xyz"],
    "observation.foot_contact": _CONTACT,
}
"""Features of several numbers, with the name of each."""
FLOATS, COUNTS = ("observation.confidence", "timestamp"), ("frame_index", "episode_index", "index", "task_index")
"""Features of one number."""


def write_lerobot(entries: Sequence[Entry], folder: Path, fps: float | None, progress: Progress) -> None:
    """See `entries.Writer`; 30 frames/s without `fps`."""
    rate = FPS if fps is None else fps
    tasks = {task: number for number, task in enumerate(dict.fromkeys(entry.label.task for entry in entries))}
    episodes: list[dict[str, Any]] = []
    whole: dict[str, dict[str, np.ndarray]] = {}
    start = 0
    with (
        Parts(lambda part: folder / "data" / _place(part), _schema()) as parts,
        progress.task("pack: LeRobot episodes", len(entries), "clips") as task,
    ):
        for number, entry in enumerate(entries):
            features = _features(evenly(entry.load(), rate), rate, number, start, tasks[entry.label.task])
            length = len(features["index"])
            chunk, file = divmod(parts.write(_columns(features)), CHUNK)
            stats = {name: _stats(values) for name, values in features.items()}
            whole = {name: _together(whole.get(name), one) for name, one in stats.items()}
            place = {"data/chunk_index": chunk, "data/file_index": file}
            episodes.append(_episode(entry, number, start, length, place, stats))
            start += length
            task.advance()
    pq = arrow().parquet
    (folder / "meta/episodes/chunk-000").mkdir(parents=True)
    pq.write_table(arrow().Table.from_pylist(episodes), folder / "meta/episodes" / _place(0))
    pq.write_table(_tasks(tasks), folder / "meta/tasks.parquet")
    info = _info(entries, rate, start, len(tasks))
    for name, value in (("info", info), ("stats", {name: _plain(one) for name, one in whole.items()})):
        (folder / f"meta/{name}.json").write_text(json.dumps(value, indent=4), encoding="utf-8")


def _place(part: int) -> str:
    chunk, file = divmod(part, CHUNK)
    return f"chunk-{chunk:03d}/file-{file:03d}.parquet"


def _schema() -> pyarrow.Schema:
    pa = arrow()
    return pa.schema(
        [
            *((name, list_type(len(names))) for name, names in VECTORS.items()),
            *((name, pa.float32()) for name in FLOATS),
            *((name, pa.int64()) for name in COUNTS),
        ]
    )


def _features(motion: MotionArtifact, rate: float, episode: int, start: int, task: int) -> dict[str, np.ndarray]:
    frames = len(motion.poses)
    state = np.concatenate([motion.joints[:, 0], motion.root_orient, motion.pose_body], -1)
    number = np.arange(frames)
    return {
        "observation.state": state,
        "action": np.concatenate([state[1:], state[-1:]]),
        "observation.joints": motion.joints.reshape(frames, -1),
        "observation.foot_contact": motion.foot_contact,
        "observation.confidence": motion.confidence,
        "timestamp": (number / rate).astype(np.float32),
        "frame_index": number,
        "episode_index": np.full(frames, episode),
        "index": start + number,
        "task_index": np.full(frames, task),
    }


def _columns(features: dict[str, np.ndarray]) -> dict[str, pyarrow.Array]:
    return {name: lists(values) if values.ndim > 1 else arrow().array(values) for name, values in features.items()}


def _episode(
    entry: Entry, number: int, start: int, length: int, place: dict[str, int], stats: dict[str, dict[str, np.ndarray]]
) -> dict[str, Any]:
    said = ("clip", "split", "licence", "source", "video_sha256", "motion_sha256")
    return {
        "episode_index": number,
        "tasks": [entry.label.task],
        "length": length,
        **place,
        "dataset_from_index": start,
        "dataset_to_index": start + length,
        "meta/episodes/chunk_index": 0,
        "meta/episodes/file_index": 0,
        **{name: value for name, value in entry.row().items() if name in said},
        **{f"stats/{name}/{kind}": value for name, one in stats.items() for kind, value in _plain(one).items()},
    }


def _tasks(tasks: dict[str, int]) -> pyarrow.Table:
    """Numbers of the tasks; their words are the index of the pandas table that LeRobot reads."""
    pa = arrow()
    table = pa.table({"task_index": pa.array(list(tasks.values()), pa.int64()), "task": list(tasks)})
    kinds = {"task_index": "int64", "task": "unicode"}
    described = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": kind.replace("unicode", "object"),
         "metadata": None}
        for name, kind in kinds.items()
    ]  # fmt: skip
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": described, "pandas_version": "2.0.0"}
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _info(entries: Sequence[Entry], rate: float, frames: int, tasks: int) -> dict[str, Any]:
    vectors = {name: {"dtype": "float32", "shape": [len(names)], "names": names} for name, names in VECTORS.items()}
    single = {name: {"dtype": "float32", "shape": [1], "names": None} for name in FLOATS}
    single |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in COUNTS}
    return {
        "codebase_version": VERSION,
        "robot_type": "human",
        "total_episodes": len(entries),
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": int(rate) if rate == int(rate) else rate,
        "splits": dict(_ranges(entries)),
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": vectors | single,
    }


def _ranges(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    first = 0
    for split, own in groupby(entries, lambda entry: entry.split):
        last = first + len(list(own))
        yield split, f"{first}:{last}"
        first = last


def _stats(values: np.ndarray) -> dict[str, np.ndarray]:
    """Of a feature (N, D) or (N,): over the frames, (D,) or (1,) each."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    spread = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    return {**spread, "count": np.array([len(rows)])}


def _together(before: dict[str, np.ndarray] | None, one: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The statistics of two sets of frames as one (Chan, Golub, LeVeque 1979)."""
    if before is None:
        return one
    count = before["count"] + one["count"]
    share = one["count"] / count
    step = one["mean"] - before["mean"]
    variance = (1 - share) * before["std"] ** 2 + share * one["std"] ** 2 + share * (1 - share) * step**2
    return {
        "min": np.minimum(before["min"], one["min"]),
        "max": np.maximum(before["max"], one["max"]),
        "mean": before["mean"] + share * step,
        "std": np.sqrt(variance),
        "count": count,
    }


def _plain(stats: dict[str, np.ndarray]) -> dict[str, list[float]]:
    return {kind: values.tolist() for kind, values in stats.items()}

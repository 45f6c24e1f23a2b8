"""Read BVH files and pose their skeleton; files come from anywhere, so nothing in them is trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.errors import AnyliftError

MAX_BYTES = 1 << 30
MAX_JOINTS = 10_000
CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass(frozen=True)
class BvhMotion:
    """A BVH file as it is written: its own unit, its own axes, angles in degrees.

    `parents[0]` is -1 and parents come before children. `offsets` (J, 3) and `end_sites` {joint index: (3,)} are in
    the parent's and the joint's frame. `channels[j]` are joint j's channel names; `frames` (T, C) holds all of them
    in file order.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    end_sites: dict[int, np.ndarray]
    channels: tuple[tuple[str, ...], ...]
    frames: np.ndarray
    frame_time: float

    def rest(self) -> np.ndarray:
        """Places of the joints and End Sites with all channels zero, (J + E, 3) in the file's world."""
        places = self.offsets.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                places[joint] += places[parent]
        return np.concatenate([places, *((places[joint] + tip)[None] for joint, tip in self.end_sites.items())])

    def pose(self) -> tuple[np.ndarray, np.ndarray]:
        """Forward kinematics: joint positions (T, J, 3) and rotations (T, J, 3, 3), both in the file's world.

        Position channels replace the joint's offset, as in Blender; rotations multiply in the order of the channels.
        """
        count = len(self.frames)
        positions = np.zeros((count, len(self.names), 3))
        rotations = np.zeros((count, len(self.names), 3, 3))
        column = 0
        for joint, (parent, names) in enumerate(zip(self.parents, self.channels, strict=True)):
            local = np.repeat(self.offsets[joint][None], count, axis=0)
            turn = np.repeat(np.eye(3)[None], count, axis=0)
            for name, values in zip(names, self.frames[:, column : column + len(names)].T, strict=True):
                if name.endswith("position"):
                    local[:, "XYZ".index(name[0])] = values
                else:
                    turn = turn @ Rotation.from_euler(name[0], values[:, None], degrees=True).as_matrix()
            column += len(names)
            if parent < 0:
                positions[:, joint], rotations[:, joint] = local, turn
            else:
                positions[:, joint] = positions[:, parent] + np.einsum("tij,tj->ti", rotations[:, parent], local)
                rotations[:, joint] = rotations[:, parent] @ turn
        return positions, rotations


def read_bvh(path: Path | str) -> BvhMotion:
    """Read one skeleton and its motion.

    Raises:
        AnyliftError: missing, too large, not BVH, or malformed; with the file and the line.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AnyliftError(f"{path} is larger than {MAX_BYTES >> 30} GiB; refusing to read it")
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise AnyliftError(f"{path} does not exist", "check the path") from error
    except OSError as error:
        raise AnyliftError(f"{path} cannot be read: {error.strerror}") from error
    return _Parser(path, text.splitlines()).parse()


class _Parser:
    def __init__(self, path: Path, lines: list[str]) -> None:
        self.path = path
        self.lines = [(number, words) for number, line in enumerate(lines, 1) if (words := line.split())]
        self.position = 0
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[np.ndarray] = []
        self.channels: list[tuple[str, ...]] = []
        self.end_sites: dict[int, np.ndarray] = {}

    def parse(self) -> BvhMotion:
        self.expect("HIERARCHY")
        self.hierarchy()
        self.expect("MOTION")
        count = self.number(self.keyword("Frames:", 1)[0], whole=True)
        frame_time = self.number(self.keyword("Frame", 2)[-1])
        if frame_time <= 0:
            raise self.error("the frame time is not positive")
        return BvhMotion(
            names=tuple(self.names),
            parents=tuple(self.parents),
            offsets=np.array(self.offsets),
            end_sites=self.end_sites,
            channels=tuple(self.channels),
            frames=self.frames(int(count)),
            frame_time=frame_time,
        )

    def hierarchy(self) -> None:
        """Walk the tree with a stack of open joints, so that depth cannot exhaust Python's."""
        kind, *name = self.next()
        if kind.upper() != "ROOT":
            raise self.error("expected 'ROOT'")
        open_joints = [self.open_joint(-1, name)]
        while open_joints:
            words = self.next()
            if words == ["}"]:
                open_joints.pop()
            elif words[0].upper() == "JOINT":
                open_joints.append(self.open_joint(open_joints[-1], words[1:]))
            elif [word.upper() for word in words] == ["END", "SITE"]:
                self.expect("{")
                self.end_sites[open_joints[-1]] = self.offset()
                self.expect("}")
            else:
                raise self.error(f"expected 'JOINT', 'End Site' or '}}', found '{words[0][:40]}'")

    def open_joint(self, parent: int, name: list[str]) -> int:
        if not name:
            raise self.error("a joint has no name")
        if len(self.names) >= MAX_JOINTS:
            raise self.error(f"more than {MAX_JOINTS} joints")
        self.expect("{")
        self.names.append("_".join(name))
        self.parents.append(parent)
        self.offsets.append(self.offset())
        count, *channels = self.keyword("CHANNELS")
        if self.number(count, whole=True) != len(channels):
            raise self.error(f"announces {count} channels and names {len(channels)}")
        if not set(channels) <= CHANNELS or len(set(channels)) != len(channels):
            raise self.error("unknown or repeated channel names")
        self.channels.append(tuple(channels))
        return len(self.names) - 1

    def offset(self) -> np.ndarray:
        return np.array([self.number(word) for word in self.keyword("OFFSET", 3)])

    def frames(self, count: int) -> np.ndarray:
        columns = sum(map(len, self.channels))
        words = self.lines[self.position :]
        if len(words) != count:
            raise self.error(f"announces {count} frames and holds {len(words)}")
        for number, row in words:
            if len(row) != columns:
                raise AnyliftError(f"{self.path}, line {number}: {len(row)} values for {columns} channels")
        try:
            frames = np.array([row for _, row in words], dtype=np.float64).reshape(count, columns)
        except ValueError as error:
            raise AnyliftError(f"{self.path}: a motion value is not a number: {error}") from error
        if not np.isfinite(frames).all():
            raise AnyliftError(f"{self.path}: the motion holds NaN or infinite values")
        return frames

    def next(self) -> list[str]:
        if self.position == len(self.lines):
            raise self.error("the file ends too early")
        self.position += 1
        return self.lines[self.position - 1][1]

    def expect(self, word: str) -> None:
        if [found.upper() for found in self.next()] != [word]:
            raise self.error(f"expected '{word}'")

    def keyword(self, word: str, count: int | None = None) -> list[str]:
        found, *values = self.next()
        if found.upper() != word.upper() or not values or count not in (None, len(values)):
            raise self.error(f"expected '{word}'" + (f" and {count} values" if count else ""))
        return values

    def number(self, word: str, whole: bool = False) -> float:
        try:
            value = float(int(word) if whole else word)
        except (ValueError, OverflowError) as error:
            raise self.error(f"'{word[:40]}' is not a number") from error
        if not math.isfinite(value) or (whole and value < 0):
            raise self.error(f"'{word[:40]}' is not a usable number")
        return value

    def error(self, what: str) -> AnyliftError:
        line = self.lines[min(self.position, len(self.lines)) - 1][0] if self.lines else 1
        return AnyliftError(f"{self.path}, line {line}: {what}", "is it a BVH file, and complete?")

"""Camera paths of overlapping pieces of a clip, each in a world and a unit of its own, as one path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts.base import Artifact, array
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.similarity import Similarity, similarity_of_paths

LEAST_TRAVEL = 0.02
"""A camera whose places scatter by less than this share of the scene's depth has moved too little to tell a scale."""
LEAST_SHARED = 3
"""Frames that two pieces must share."""


@dataclass(kw_only=True)
class CameraPiece(Artifact):
    """A camera as one run of a program found it: OpenCV axes, in a world of its own.

    `depth` is the scene's median depth in each frame, in the unit of the path; None where the unit is the metre, more
    or less, so that pieces have the same one.
    """

    schema: ClassVar[str] = "anylift.camera_piece"
    version: ClassVar[int] = 1

    rows: np.ndarray = array("N", "i8", "row of the clip, increasing")
    world_from_camera: np.ndarray = array("N 4 4", "f8", "unit of the path")
    K: np.ndarray = array("N 3 3", "f8", "px of the displayed video")
    depth: np.ndarray | None = array("N", "f8", "unit of the path", optional=True)


def joined(pieces: Sequence[CameraPiece]) -> CameraPiece:
    """One path in the world and unit of the first piece; neighbours fade into each other over the rows they share.

    Raises:
        AnyliftError: neighbours that share too few rows, or pieces of which no common scale can be told.
    """
    path = pieces[0]
    for piece in pieces[1:]:
        path = _faded(path, _moved(piece, _similarity(path, piece)))
    return path


def _similarity(path: CameraPiece, piece: CameraPiece) -> Similarity:
    shared, ours, theirs = np.intersect1d(path.rows, piece.rows, return_indices=True)
    if len(shared) < LEAST_SHARED:
        raise AnyliftError(f"two pieces of the camera path share {len(shared)} frames, which is too few to join them")
    target, source = path.world_from_camera[ours], piece.world_from_camera[theirs]
    if path.depth is None or piece.depth is None:
        depths = np.ones(2)
    else:
        depths = np.array([np.median(path.depth[ours]), np.median(piece.depth[theirs])])
    travels = np.array([_scatter(target), _scatter(source)])
    known = (travels > LEAST_TRAVEL * depths).all()
    return similarity_of_paths(target, source, None if known else float(depths[0] / depths[1]))


def _scatter(poses: np.ndarray) -> float:
    """Root mean square distance of the places from their mean."""
    return float(np.sqrt(((poses[:, :3, 3] - poses[:, :3, 3].mean(0)) ** 2).sum(1).mean()))


def _moved(piece: CameraPiece, similarity: Similarity) -> CameraPiece:
    depth = None if piece.depth is None else similarity.scale * piece.depth
    return replace(piece, world_from_camera=similarity.of_poses(piece.world_from_camera), depth=depth)


def _faded(path: CameraPiece, piece: CameraPiece) -> CameraPiece:
    """Both, and where they share rows, from one to the other."""
    shared, ours, theirs = np.intersect1d(path.rows, piece.rows, return_indices=True)
    weight = (np.arange(len(shared)) + 1) / (len(shared) + 1)
    poses = _between(path.world_from_camera[ours], piece.world_from_camera[theirs], weight)
    K = _mixed(path.K[ours], piece.K[theirs], weight)
    before, after = path.rows < shared[0], piece.rows > shared[-1]
    depth = None
    if path.depth is not None and piece.depth is not None:
        middle = _mixed(path.depth[ours], piece.depth[theirs], weight)
        depth = np.concatenate([path.depth[before], middle, piece.depth[after]])
    return CameraPiece(
        rows=np.concatenate([path.rows[before], shared, piece.rows[after]]),
        world_from_camera=np.concatenate([path.world_from_camera[before], poses, piece.world_from_camera[after]]),
        K=np.concatenate([path.K[before], K, piece.K[after]]),
        depth=depth,
    )


def _between(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    poses = first.copy()
    start = Rotation.from_matrix(first[:, :3, :3])
    turn = start.inv() * Rotation.from_matrix(second[:, :3, :3])
    poses[:, :3, :3] = (start * Rotation.from_rotvec(weight[:, None] * turn.as_rotvec())).as_matrix()
    poses[:, :3, 3] = _mixed(first[:, :3, 3], second[:, :3, 3], weight)
    return poses


def _mixed(first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    share = weight.reshape(-1, *[1] * (first.ndim - 1))
    return (1 - share) * first + share * second

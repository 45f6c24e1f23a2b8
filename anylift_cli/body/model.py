"""SMPL-format body models (SMPL: Loper et al., SIGGRAPH Asia 2015), skinned by `smplx`'s functions."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from anylift_cli.artifacts.files import sha256_of
from anylift_cli.body.files import BodyFile, find_body, read_body
from anylift_cli.body.skeleton import BODY24, SMPL_JOINTS, SMPL_PARENTS, J
from anylift_cli.errors import AnyliftError
from anylift_cli.geometry.vectors import dot

MAX_BETAS = 10
TOPOLOGIES = {6890: "smplh", 10475: "smplx"}
"""Names of the meshes whose landmarks smplx knows, by number of vertices; SMPL and SMPL-H share one."""
VERTICES_CHUNK = 64

SMPLX_LANDMARKS = {
    "nose": "nose", "left_eye": "leye", "right_eye": "reye", "left_ear": "lear", "right_ear": "rear",
    "left_big_toe": "LBigToe", "left_small_toe": "LSmallToe", "left_heel": "LHeel",
    "right_big_toe": "RBigToe", "right_small_toe": "RSmallToe", "right_heel": "RHeel",
}  # fmt: skip
"""Landmarks of `body24` that are vertices, and what smplx calls them."""

LANDMARKS = tuple(name for name in BODY24 if name in SMPLX_LANDMARKS)


class BodyPoints(NamedTuple):
    """World positions in metres: `joints` (B, 24, 3) in SMPL order, `keypoints` (B, 24, 3) in `body24` order."""

    joints: Tensor
    keypoints: Tensor


class BodyModel(nn.Module):
    """A body with SMPL's joint tree. Rest: T-pose, y up, faces +z, left = +x, metres.

    World pelvis = J0(betas) + transl. Rotations are matrices relative to the parent; `pose[:, 0]` is
    global_orient. `betas` of one row are shared by all poses.

    Attributes:
        name: "open", or the stem of the file.
        sha256: content hash of the file.
        family: "open", "smpl", "smplh" or "smplx": whose shape coefficients it takes.
        gender: "neutral", "male" or "female".
        faces: (F, 3) int64.
        vertex_colors: (V, 3) uint8 RGB, or None where the file has none.
        landmark_vertices: vertex of each landmark point of `body24`, by name.
    """

    def __init__(self, file: BodyFile, name: str, sha256: str) -> None:
        """See `load`."""
        super().__init__()
        arrays = file.arrays
        self.name, self.sha256, self.family, self.gender = name, sha256, file.family, file.gender
        self.faces = arrays["f"].astype(np.int64)
        self.vertex_colors = arrays.get("vertex_colors")
        self.landmark_vertices = _landmark_vertices(arrays)
        self.num_betas = min(MAX_BETAS, arrays["shapedirs"].shape[-1])

        template = arrays["v_template"].astype(np.float64)
        shapedirs = arrays["shapedirs"][..., : self.num_betas].astype(np.float64)
        posedirs = arrays["posedirs"]
        regressor = arrays["J_regressor"].astype(np.float64)
        chosen = [self.landmark_vertices[name] for name in LANDMARKS]
        for key, value in {
            "v_template": template,
            "shapedirs": shapedirs,
            "posedirs": posedirs.reshape(-1, posedirs.shape[-1]).T,
            "J_regressor": regressor,
            "lbs_weights": arrays["weights"],
            "joint_template": regressor @ template,
            "joint_shapedirs": np.einsum("jv,vck->jck", regressor, shapedirs),
            "landmark_template": template[chosen],
            "landmark_shapedirs": shapedirs[chosen],
            "landmark_posedirs": posedirs[chosen].reshape(-1, posedirs.shape[-1]).T,
            "landmark_weights": arrays["weights"][chosen],
        }.items():
            self.register_buffer(key, torch.tensor(value, dtype=torch.float32), persistent=False)
        self.register_buffer("parents", torch.tensor(SMPL_PARENTS), persistent=False)
        self.register_buffer("_body24_source", torch.tensor(_body24_source()), persistent=False)

    @classmethod
    def load(cls, name_or_path: str | Path = "open", device: str | torch.device = "cpu") -> BodyModel:
        """Load the shipped open body ("open"), one that the user got (see `find_body`), or a file by its path.

        Files are those of SMPL, SMPL-H and SMPL-X, `.pkl` or `.npz` (see `read_body`). Landmarks of files with
        another topology than theirs: landmark_names (L) and landmark_vertices (L).

        Raises:
            MissingDependencyError: no such weights file.
            AnyliftError: damaged, hostile or not a body model of the SMPL family.
        """
        path = find_body(name_or_path)
        name = "open" if name_or_path == "open" else path.stem
        return deepcopy(_loaded(path, name, sha256_of(path))).to(device)

    def rest_joints(self, betas: Tensor) -> Tensor:
        """Joints of the T-pose, (B, S) → (B, 24, 3)."""
        return self.joint_template + _blend(betas, self.joint_shapedirs)

    def joints(self, pose: Tensor, betas: Tensor, transl: Tensor) -> BodyPoints:
        """Joints and `body24` points, without skinning the mesh.

        Args:
            pose: (B, 24, 3, 3).
            betas: (B, S) or (1, S).
            transl: (B, 3) metres.
        """
        rest = self.rest_joints(betas)
        rotations, positions = _forward_kinematics(pose, rest)
        offsets = positions - _rotate(rotations, rest)
        blended = (self.landmark_weights @ rotations.flatten(2)).unflatten(2, (3, 3))
        shaped = self.landmark_template + _blend(betas, self.landmark_shapedirs)
        feature = (pose[:, 1:] - torch.eye(3, dtype=pose.dtype, device=pose.device)).flatten(1)
        shaped = shaped + (feature @ self.landmark_posedirs).unflatten(1, (-1, 3))
        landmarks = _rotate(blended, shaped) + self.landmark_weights @ offsets
        neck = positions[:, _SHOULDERS].mean(1, keepdim=True)
        points = torch.cat([positions, landmarks, neck], 1) + transl[:, None]
        return BodyPoints(points[:, : len(SMPL_JOINTS)], _pick(points, self._body24_source))

    def vertices(self, pose: Tensor, betas: Tensor, transl: Tensor) -> Tensor:
        """Linear blend skinning, arguments as for `joints` → (B, V, 3) metres."""
        from smplx.lbs import lbs

        betas = betas.expand(len(pose), -1)
        chunks = [
            lbs(
                betas_chunk, pose_chunk.contiguous(), self.v_template, self.shapedirs, self.posedirs,
                self.J_regressor, self.parents, self.lbs_weights, pose2rot=False,
            )[0]
            for pose_chunk, betas_chunk in zip(
                pose.split(VERTICES_CHUNK), betas.split(VERTICES_CHUNK), strict=True
            )
        ]  # fmt: skip
        return torch.cat(chunks) + transl[:, None]

    def standing_height(self, betas: Tensor) -> Tensor:
        """Extent of the T-pose along y, (B, S) → (B,) metres."""
        y = self.v_template[:, 1] + betas @ self.shapedirs[:, 1].T
        return y.amax(-1) - y.amin(-1)

    def from_height(self, height: float) -> Tensor:
        """Shape (1, S) of the given standing height in metres, reached along the first component alone.

        Raises:
            AnyliftError: the first component does not change the height that far.
        """
        betas = torch.zeros(1, self.num_betas, dtype=self.v_template.dtype, device=self.v_template.device)
        for _ in range(20):
            error = height - self.standing_height(betas)
            if error.abs() < 1e-5:
                return betas
            step = torch.zeros_like(betas)
            step[:, 0] = 0.01
            slope = (self.standing_height(betas + step) - self.standing_height(betas - step)) / 0.02
            betas = betas + step * (error / slope / 0.01)
        raise AnyliftError(f"body '{self.name}' cannot be {height} m tall", "give a height between 0.5 and 2.5 metres")


_SHOULDERS = [J["left_shoulder"], J["right_shoulder"]]


@lru_cache(maxsize=4)
def _loaded(path: Path, name: str, sha256: str) -> BodyModel:
    file = read_body(path)
    _check(path, file.arrays)
    return BodyModel(file, name, sha256)


def _tree_levels() -> list[tuple[Tensor, Tensor]]:
    """Joints of each depth of the tree below the root, with the places of their parents in the level above."""
    levels, above = [], [0]
    while below := [joint for joint, parent in enumerate(SMPL_PARENTS) if parent in above]:
        places = [above.index(SMPL_PARENTS[joint]) for joint in below]
        levels.append((torch.tensor(below), torch.tensor(places)))
        above = below
    return levels


_LEVELS = _tree_levels()
_ORDER = [0, *(joint for level, _ in _LEVELS for joint in level.tolist())]
_PLACE = torch.tensor([_ORDER.index(joint) for joint in range(len(SMPL_PARENTS))])


def _forward_kinematics(pose: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """World rotations (B, 24, 3, 3) and joint positions (B, 24, 3) of local rotations, one tree level at a time."""
    bones = rest - rest[:, [max(parent, 0) for parent in SMPL_PARENTS]]
    rotations = [pose[:, :1]]
    positions = [rest[:, :1].expand(len(pose), -1, -1)]
    for joints, parents in _LEVELS:
        parent_rotation, parent_position = _pick(rotations[-1], parents), _pick(positions[-1], parents)
        positions.append(parent_position + _rotate(parent_rotation, _pick(bones, joints)))
        rotations.append(parent_rotation @ _pick(pose, joints))
    return _pick(torch.cat(rotations, 1), _PLACE), _pick(torch.cat(positions, 1), _PLACE)


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """Entries of axis 1; unlike `values[:, index]` its gradient is a plain sum, which is far quicker."""
    return values.index_select(1, index.to(values.device))


def _rotate(rotation: Tensor, vector: Tensor) -> Tensor:
    return dot(rotation, vector[..., None, :].expand_as(rotation))


def _blend(betas: Tensor, directions: Tensor) -> Tensor:
    """(B, S) · (N, 3, S) → (B, N, 3)."""
    return (betas @ directions.flatten(0, 1).T).unflatten(1, (-1, 3))


def _body24_source() -> list[int]:
    """Place of each `body24` point in [24 joints, landmarks, neck]."""
    places = {name: len(SMPL_JOINTS) + index for index, name in enumerate(LANDMARKS)}
    places["neck"] = len(SMPL_JOINTS) + len(LANDMARKS)
    return [places.get(name, J.get(name)) for name in BODY24]


def _landmark_vertices(arrays: dict[str, np.ndarray]) -> dict[str, int]:
    if "landmark_names" in arrays:
        return {
            str(name): int(vertex)
            for name, vertex in zip(arrays["landmark_names"], arrays["landmark_vertices"], strict=True)
        }
    from smplx.vertex_ids import vertex_ids

    vertices = vertex_ids[TOPOLOGIES[len(arrays["v_template"])]]
    return {name: vertices[SMPLX_LANDMARKS[name]] for name in LANDMARKS}


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Raise AnyliftError for a mesh whose landmarks nobody names."""
    if "landmark_names" in arrays:
        if missing := sorted(set(LANDMARKS) - set(arrays["landmark_names"].tolist())):
            raise AnyliftError(f"{path}: the landmark '{missing[0]}' is missing")
    elif len(arrays["v_template"]) not in TOPOLOGIES:
        count = len(arrays["v_template"])
        raise AnyliftError(
            f"{path} has {count} vertices, not SMPL's 6890 or SMPL-X's 10475, and names no landmarks",
            "add landmark_names and landmark_vertices to the file",
        )

"""Skinning weights of the open body: parts cut by planes in the T-pose, softened by heat diffusion on the surface."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, diags
from scipy.sparse.linalg import splu

from anylift_cli.body.open_body_joints import rest_joints
from anylift_cli.body.skeleton import J

MAX_INFLUENCES = 4
DIFFUSION_STEPS = 3

_BLEND_WIDTH = {
    "pelvis": 0.055, "hip": 0.050, "spine1": 0.060, "knee": 0.032, "spine2": 0.060, "ankle": 0.022,
    "spine3": 0.050, "foot": 0.016, "neck": 0.028, "collar": 0.045, "head": 0.028, "shoulder": 0.040,
    "elbow": 0.026, "wrist": 0.016, "hand": 0.012,
}  # fmt: skip
"""Standard deviation of the blend around a part's border, metres."""


def skinning_weights(vertices: np.ndarray, faces: np.ndarray, widening: float = 1.0) -> np.ndarray:
    """Weights (V, 24), rows sum to 1 with at most four non-zeros.

    Args:
        vertices: T-pose, (V, 3) metres.
        faces: (F, 3).
        widening: factor on the width of the blends between parts.
    """
    labels = body_parts(vertices)
    parts = np.eye(len(J))[labels]
    widths = np.zeros(len(J))
    for name, index in J.items():
        widths[index] = _BLEND_WIDTH[name.removeprefix("left_").removeprefix("right_")]
    stiffness, mass = _cotangent_laplacian(vertices, faces)
    spread = _diffuse(stiffness, mass, np.full(len(vertices), 0.03), widths[labels][:, None])[:, 0]
    weights = _diffuse(stiffness, mass, widening * spread, parts)
    return _keep_largest(weights)


def body_parts(vertices: np.ndarray) -> np.ndarray:
    """The joint that moves each T-pose vertex, (V,) indices into SMPL's order."""
    side, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    joints = rest_joints()
    elbow, wrist, hand = (joints[J[f"left_{name}"], 0] for name in ("elbow", "wrist", "hand"))
    knee, toes = joints[J["left_knee"]], joints[J["left_foot"]]
    part = np.full(len(vertices), J["pelvis"])

    def assign(name: str, where: np.ndarray) -> None:
        if f"left_{name}" in J:
            part[where] = np.where(vertices[where, 0] >= 0, J[f"left_{name}"], J[f"right_{name}"])
        else:
            part[where] = J[name]

    assign("spine1", y > 1.040)
    assign("spine2", y > 1.145)
    assign("spine3", y > 1.255)
    assign("collar", (y > 1.315) & (side > 0.045))
    assign("neck", (y > 1.430 - 0.3 * (z + 0.034)) & (side < 0.12))
    assign("head", (y > 1.508 - 0.55 * (z + 0.012)) & (side < 0.12))
    assign("shoulder", (side > 0.172 + 0.10 * (y - 1.32)) & (y > 1.22))
    assign("elbow", side > elbow)
    assign("wrist", side > wrist)
    assign("hand", side > hand)
    assign("hip", (y < 0.820 + 0.80 * side) & (side < 0.3) & (y < 1.0))
    assign("knee", y < knee[1])
    assign("ankle", y < 0.092 - 0.25 * (z + 0.04))
    assign("foot", (y < 0.12) & (z > toes[2]))
    return part


def _cotangent_laplacian(vertices: np.ndarray, faces: np.ndarray) -> tuple[csc_matrix, np.ndarray]:
    """Stiffness (V, V) and lumped mass (V,) of linear finite elements (Meyer et al. 2003), cotangents clamped."""
    rows, columns, values = [], [], []
    mass = np.zeros(len(vertices))
    for turn in range(3):
        i, j, k = faces[:, turn], faces[:, (turn + 1) % 3], faces[:, (turn + 2) % 3]
        first, second = vertices[i] - vertices[k], vertices[j] - vertices[k]
        area = np.linalg.norm(np.cross(first, second), axis=1) + 1e-12
        cotangent = np.clip((first * second).sum(1) / area, 0.05, 10) / 2
        np.add.at(mass, i, area / 6)
        for row, column, sign in ((i, j, -1), (j, i, -1), (i, i, 1), (j, j, 1)):
            rows.append(row)
            columns.append(column)
            values.append(sign * cotangent)
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return coo_matrix(entries, shape=(len(vertices),) * 2).tocsc(), mass


def _diffuse(stiffness: csc_matrix, mass: np.ndarray, width: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Implicit heat flow of `values` (V, C) to a standard deviation of `width` (V,) metres."""
    capacity = mass / (width**2 / (2 * DIFFUSION_STEPS))
    solver = splu((stiffness + diags(capacity)).tocsc())
    for _ in range(DIFFUSION_STEPS):
        values = solver.solve(capacity[:, None] * values)
    return values


def _keep_largest(weights: np.ndarray) -> np.ndarray:
    fifth = -np.partition(-weights, MAX_INFLUENCES, axis=1)[:, MAX_INFLUENCES : MAX_INFLUENCES + 1]
    kept = np.maximum(weights - fifth, 0)
    kept[kept < 1e-3] = 0
    return kept / kept.sum(1, keepdims=True)

"""Shape components and joint regressor of the open body.

A component stretches each part of the body by a small diagonal matrix about its joint; children follow their parents,
and the parts blend as in skinning, so that joints and surface stay together and everything is linear in the betas.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from anylift_cli.body.skeleton import SMPL_PARENTS, J

REGRESSOR_SUPPORT = 400

_EVERYTHING = ("pelvis", "spine", "neck", "head", "collar", "arm", "hand", "leg", "foot")
_GROUPS = {
    "pelvis": ("pelvis",),
    "spine": ("spine1", "spine2", "spine3"),
    "belly": ("spine1", "spine2"),
    "chest": ("spine3",),
    "neck": ("neck",),
    "head": ("head",),
    "collar": ("collar",),
    "arm": ("shoulder", "elbow"),
    "hand": ("wrist", "hand"),
    "leg": ("hip", "knee"),
    "foot": ("ankle", "foot"),
}

COMPONENTS: dict[str, dict[str, tuple[float, float, float]]] = {
    "height": {group: (0.05, 0.05, 0.05) for group in _EVERYTHING},
    "girth": {
        "pelvis": (0.08, 0, 0.09), "belly": (0.10, 0, 0.12), "chest": (0.07, 0, 0.09), "neck": (0.06, 0, 0.06),
        "head": (0.02, 0, 0.01), "collar": (0.01, 0.02, 0.06), "arm": (0, 0.09, 0.09), "hand": (0, 0.04, 0.02),
        "leg": (0.09, 0, 0.09), "foot": (0.04, 0, 0),
    },
    "leg to trunk": {"leg": (0, 0.030, 0), "pelvis": (0, -0.043, 0), "spine": (0, -0.043, 0)},
    "shoulder width": {"collar": (0.075, 0, 0), "chest": (0.055, 0, 0.01), "belly": (0.015, 0, 0)},
    "hip width": {"pelvis": (0.085, 0, 0.03), "leg": (0.02, 0, 0.02)},
    "arm length": {"arm": (0.045, 0, 0), "hand": (0.03, 0, 0.02)},
    "belly": {"belly": (0.06, 0, 0.14), "pelvis": (0.01, 0, 0.03), "chest": (-0.02, 0, -0.02)},
    "head size": {"head": (0.045, 0.045, 0.045)},
    "limb thickness": {"arm": (0, 0.10, 0.10), "leg": (0.09, 0, 0.09), "hand": (0, 0.03, 0.03)},
    "foot length": {"foot": (0.015, 0, 0.05)},
}  # fmt: skip
"""Relative stretch (x, y, z) of body parts for one standard deviation, in the T-pose."""


def shape_directions(
    vertices: np.ndarray, weights: np.ndarray, joints: np.ndarray, soles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Displacements of vertices (V, 3, 10) and joints (24, 3, 10) per unit of each component, metres.

    Args:
        vertices: T-pose, (V, 3).
        weights: blend of the parts, (V, 24).
        joints: rest joints, (24, 3).
        soles: indices of vertices whose mean height stays where it is.
    """
    of_vertices, of_joints = [], []
    for stretches in COMPONENTS.values():
        stretch = _stretch_by_joint(stretches)
        moved = np.zeros_like(joints)
        for joint, parent in enumerate(SMPL_PARENTS[1:], 1):
            moved[joint] = moved[parent] + stretch[parent] * (joints[joint] - joints[parent])
        displacement = weights @ (moved - stretch * joints) + (weights @ stretch) * vertices
        drop = [0, displacement[soles, 1].mean(), 0]
        of_vertices.append(displacement - drop)
        of_joints.append(moved - drop)
    return np.stack(of_vertices, -1), np.stack(of_joints, -1)


def joint_regressor(
    vertices: np.ndarray, directions: np.ndarray, joints: np.ndarray, joint_directions: np.ndarray
) -> np.ndarray:
    """Sparse non-negative weights (24, V), rows summing to 1, that give the joints of every shape from its vertices.

    Solved by least squares over the nearest vertices, so that the rest joint and its ten directions all agree.
    """
    regressor = np.zeros((len(joints), len(vertices)))
    for row, joint, moved in zip(regressor, joints, joint_directions, strict=True):
        near = np.argsort(((vertices - joint) ** 2).sum(1), kind="stable")[:REGRESSOR_SUPPORT]
        offsets = np.concatenate([(vertices[near] - joint)[..., None], directions[near] - moved], -1)
        conditions = np.vstack([offsets.reshape(len(near), -1).T, np.ones((1, len(near)))])
        row[near] = nnls(conditions, np.eye(len(conditions))[-1])[0]
    return regressor / regressor.sum(1, keepdims=True)


def _stretch_by_joint(stretches: dict[str, tuple[float, float, float]]) -> np.ndarray:
    stretch = np.zeros((len(J), 3))
    for group, factors in stretches.items():
        for part in _GROUPS[group]:
            for name in (part, f"left_{part}", f"right_{part}"):
                if name in J:
                    stretch[J[name]] = factors
    return stretch

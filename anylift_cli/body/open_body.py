"""Makes the open body: `python -m anylift_cli.body.open_body OUT.npz`, a file in SMPL's format, made from nothing.

The surface is a blend of lofted parts (`open_body_surface`), triangulated on the left and mirrored, with the joints of
`open_body_joints`, the weights of `open_body_skinning` and the shape components of `open_body_shape`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from anylift_cli.artifacts.files import atomic_path
from anylift_cli.body.open_body_colours import vertex_colours
from anylift_cli.body.open_body_joints import STATURE, rest_joints
from anylift_cli.body.open_body_polygonise import polygonise
from anylift_cli.body.open_body_remesh import remesh
from anylift_cli.body.open_body_shape import COMPONENTS, joint_regressor, shape_directions
from anylift_cli.body.open_body_skinning import skinning_weights
from anylift_cli.body.open_body_surface import LOWER, UPPER, body_distance, edge_length
from anylift_cli.body.skeleton import BODY24, SMPL_MIRROR, SMPL_PARENTS

GRID_SPACING = 0.007
SHAPE_WIDENING = 1.5

_LANDMARKS = {
    "nose": (0, 1.548, 0.120), "left_eye": (0.031, 1.583, 0.095), "left_ear": (0.088, 1.572, -0.012),
    "left_big_toe": (0.086, 0.018, 0.170), "left_small_toe": (0.150, 0.018, 0.125), "left_heel": (0.094, 0.020, -0.110),
}  # fmt: skip


def make_open_body() -> dict[str, np.ndarray]:
    """Arrays of the body's file, by SMPL's names and our own (vertex_colors, landmark_*, component_names)."""
    half = remesh(*polygonise(body_distance, LOWER, UPPER, GRID_SPACING), body_distance, edge_length)
    vertices, faces, mirror = _mirror(*half)
    scale = STATURE / np.ptp(vertices[:, 1])
    vertices = (vertices - [0, vertices[:, 1].min(), 0]) * scale
    joints = rest_joints()

    weights = skinning_weights(vertices, faces)
    weights = (weights + weights[mirror][:, SMPL_MIRROR]) / 2
    blend = skinning_weights(vertices, faces, SHAPE_WIDENING)
    blend = (blend + blend[mirror][:, SMPL_MIRROR]) / 2
    soles = np.flatnonzero(vertices[:, 1] < 0.003)
    directions, joint_directions = shape_directions(vertices, blend, joints, soles)
    regressor = joint_regressor(vertices, directions, joints, joint_directions)
    regressor = (regressor + regressor[SMPL_MIRROR, :][:, mirror]) / 2

    landmarks = _landmark_vertices(vertices, mirror)
    return {
        "v_template": vertices.astype(np.float32),
        "f": faces.astype(np.int32),
        "shapedirs": directions.astype(np.float32),
        "posedirs": np.zeros((*vertices.shape, 207), np.float32),
        "J_regressor": regressor.astype(np.float32),
        "weights": weights.astype(np.float32),
        "kintree_table": np.array([SMPL_PARENTS, range(len(SMPL_PARENTS))], np.int64),
        "vertex_colors": vertex_colours(vertices),
        "landmark_names": np.array(list(landmarks)),
        "landmark_vertices": np.array(list(landmarks.values()), np.int64),
        "component_names": np.array(list(COMPONENTS)),
        "height": np.float32(STATURE),
    }


def main(target: str) -> None:
    """Write the body to the file named on the command line."""
    arrays = make_open_body()
    with atomic_path(Path(target)) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, **arrays)


def _mirror(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whole mesh from its left half, and the mirror image of each vertex (V,)."""
    on_plane = vertices[:, 0] < 1e-9
    count = len(vertices)
    image = np.arange(count)
    image[~on_plane] = count + np.arange((~on_plane).sum())
    whole = np.vstack([vertices, vertices[~on_plane] * [-1, 1, 1]])
    mirror = np.concatenate([image, np.flatnonzero(~on_plane)])
    return whole, np.vstack([faces, image[faces][:, ::-1]]), mirror


def _landmark_vertices(vertices: np.ndarray, mirror: np.ndarray) -> dict[str, int]:
    found = {name: int(((vertices - place) ** 2).sum(1).argmin()) for name, place in _LANDMARKS.items()}
    for name in [name for name in found if name.startswith("left_")]:
        found[name.replace("left_", "right_")] = int(mirror[found[name]])
    return {name: found[name] for name in BODY24 if name in found}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m anylift_cli.body.open_body OUT.npz")
    main(sys.argv[1])

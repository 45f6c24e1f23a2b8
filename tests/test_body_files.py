"""Files of the SMPL family in their exact formats, with bodies made here; motions taken from one to another."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
from motions import walking

from anylift_cli.body.files import read_body
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import body_of, pose_matrices, shape_of
from anylift_cli.body.skeleton import SMPL_PARENTS, J
from anylift_cli.editing.rebodying import change_body
from anylift_cli.errors import AnyliftError, MissingDependencyError
from anylift_cli.geometry.rotations import matrix_from_axis_angle

SMPLH_PARENTS = (*SMPL_PARENTS[:22], 20, 22, 23, 20, 25, 26, 20, 28, 29, 20, 31, 32, 20, 34, 35, 21, 37, 38, 21, 40,
                 41, 21, 43, 44, 21, 46, 47, 21, 49, 50)  # fmt: skip
SMPLX_PARENTS = (*SMPL_PARENTS[:22], 15, 15, 15, *(p if p < 22 else p + 3 for p in SMPLH_PARENTS[22:]))


def made_body(parents: tuple[int, ...], vertices: int, shapes: int = 10) -> dict[str, np.ndarray]:
    """A body of other proportions than the open one, whose shapes stretch its parts; V of SMPL's or SMPL-X's mesh."""
    rng, count = np.random.default_rng(5), len(parents)
    rest = BodyModel.load("open").rest_joints(torch.zeros(1, 10))[0].numpy()
    joints = np.zeros((count, 3))
    joints[:22] = rest[:22]
    for joint in range(22, count):
        joints[joint] = joints[parents[joint]] + rng.normal(0, 0.02, 3)
    if count == 24:
        joints[22:] = rest[22:]
    joints = joints * [0.96, 1.04, 1.0] + [0.01, -0.2, 0.02]
    near = rng.integers(0, count, vertices)
    near[:count] = range(count)
    template = joints[near] + rng.normal(0, 0.05, (vertices, 3)) * (np.arange(vertices) >= count)[:, None]
    parts = np.array([[1, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    regions = [
        np.ones(count),
        np.isin(np.arange(count), [4, 5, 7, 8, 10, 11]),
        np.isin(np.arange(count), [18, 19, 20, 21]),
    ]
    shapedirs = np.stack([0.03 * template * parts[k % 4] * regions[k % 3][near][:, None] for k in range(shapes)], -1)
    weights = np.full((vertices, count), 0.0)
    weights[np.arange(vertices), near] = 0.8
    weights[np.arange(vertices), [max(parents[n], 0) for n in near]] += 0.2
    regressor = np.zeros((count, vertices))
    regressor[range(count), range(count)] = 1
    tree = np.array([parents, range(count)], np.int64).astype(np.uint32)
    return {
        "v_template": template, "shapedirs": shapedirs, "posedirs": rng.normal(0, 1e-3, (vertices, 3, 9 * (count - 1))),
        "J_regressor": regressor, "weights": weights, "kintree_table": tree,
        "f": rng.integers(0, vertices, (100, 3)).astype(np.uint32),
    }  # fmt: skip


@pytest.fixture(scope="module")
def smpl() -> dict[str, np.ndarray]:
    return made_body(SMPL_PARENTS, 6890)


def write_chumpy(path: Path, arrays: dict[str, np.ndarray], protocol: int = 2) -> None:
    """As MPI's pickles are: chumpy arrays and a scipy sparse matrix."""
    modules = {name: types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering")}
    Ch = type("Ch", (), {"__module__": "chumpy.ch"})
    Select = type("Select", (Ch,), {"__module__": "chumpy.reordering"})
    modules["chumpy.ch"].Ch, modules["chumpy.reordering"].Select = Ch, Select

    def chumpy(array: np.ndarray) -> object:
        made = Ch()
        made.__dict__ |= {"x": array, "_dirty_vars": set(), "_cache": {"drs": {}}, "_itr": None}
        return made

    selected = Select()
    whole = chumpy(np.concatenate([arrays["shapedirs"].ravel(), [7.0]]))
    shape = arrays["shapedirs"].shape
    selected.__dict__ |= {"a": whole, "idxs": np.arange(np.prod(shape)), "preferred_shape": shape}
    stored = {
        **arrays, "v_template": chumpy(arrays["v_template"]), "weights": chumpy(arrays["weights"]),
        "shapedirs": selected, "posedirs": chumpy(arrays["posedirs"]), "bs_type": "lrotmin", "bs_style": "lbs",
        "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"]),
    }  # fmt: skip
    sys.modules.update(modules)
    try:
        path.write_bytes(pickle.dumps(stored, protocol))
    finally:
        for name in modules:
            del sys.modules[name]


def random_pose(count: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    angles = 0.4 * torch.randn(count, 24, 3, generator=generator)
    angles[:, 22:] = 0
    return (
        matrix_from_axis_angle(angles),
        torch.randn(1, 10, generator=generator),
        torch.randn(count, 3, generator=generator),
    )


@pytest.mark.parametrize("protocol", [0, 2])
def test_old_pickles_are_read_without_chumpy(tmp_path, smpl, protocol):
    write_chumpy(tmp_path / "basicModel_f_lbs_10_207_0_v1.0.0.pkl", smpl, protocol)
    np.savez(tmp_path / "SMPL_FEMALE.npz", **smpl)
    old, plain = (BodyModel.load(file) for file in sorted(tmp_path.iterdir(), reverse=True))
    assert "chumpy" not in sys.modules
    assert old.gender == plain.gender == "female" and old.family == plain.family == "smpl"
    torch.testing.assert_close(old.vertices(*random_pose()), plain.vertices(*random_pose()))


def test_rows_are_read_like_columns(tmp_path, smpl):
    stored = {**smpl, "J_regressor": scipy.sparse.csr_matrix(smpl["J_regressor"])}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(stored))
    np.testing.assert_array_equal(read_body(tmp_path / "a.pkl").arrays["J_regressor"], smpl["J_regressor"])


@pytest.mark.parametrize(
    ("parents", "vertices", "name", "family"),
    [(SMPLH_PARENTS, 6890, "SMPLH_MALE.npz", "smplh"), (SMPLX_PARENTS, 10475, "SMPLX_MALE.npz", "smplx")],
)
def test_bodies_with_fingers_move_as_smplx_moves_them(tmp_path, parents, vertices, name, family):
    """Against smplx's own skinning of all joints, fingers, jaw and eyes at rest."""
    from smplx.lbs import lbs

    arrays = made_body(parents, vertices, shapes=20)
    np.savez(tmp_path / name, **arrays, joint2num=np.array({"a": 1}, object))
    body = BodyModel.load(tmp_path / name)
    assert (body.family, body.gender, body.num_betas) == (family, "male", 10)
    pose, betas, transl = random_pose()
    full = torch.eye(3).repeat(len(pose), len(parents), 1, 1)
    full[:, :22] = pose[:, :22]
    tensors = {
        key: torch.tensor(arrays[key], dtype=torch.float32) for key in arrays if key not in ("f", "kintree_table")
    }
    mesh, joints = lbs(
        betas.expand(len(pose), -1), full, tensors["v_template"], tensors["shapedirs"][..., :10],
        tensors["posedirs"].reshape(-1, tensors["posedirs"].shape[-1]).T, tensors["J_regressor"],
        torch.tensor([-1, *parents[1:]]), tensors["weights"], pose2rot=False,
    )  # fmt: skip
    torch.testing.assert_close(body.vertices(pose, betas, transl), mesh + transl[:, None], atol=1e-4, rtol=0)
    ours = body.joints(pose, betas, transl).joints
    torch.testing.assert_close(ours[:, :22], joints[:, :22] + transl[:, None], atol=1e-4, rtol=0)
    palms = [25, 40] if family == "smplh" else [28, 43]
    torch.testing.assert_close(ours[:, 22:], joints[:, palms] + transl[:, None], atol=1e-4, rtol=0)


def test_imported_bodies_are_found_by_name(tmp_path, smpl, monkeypatch):
    monkeypatch.setenv("ANYLIFT_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="SMPL_MALE") as caught:
        BodyModel.load("smpl-male")
    assert "anylift weights fetch smpl-male" in caught.value.hint
    (tmp_path / "smpl").mkdir()
    write_chumpy(tmp_path / "smpl/SMPL_MALE.pkl", smpl)
    assert BodyModel.load("smpl-male").gender == "male"


@pytest.mark.parametrize(
    "state",
    [
        {"_shape": (2, 2), "data": np.ones(2), "indices": np.array([0, 9]), "indptr": np.array([0, 1, 2])},
        {"_shape": (2, 2), "data": np.ones(2)},
    ],
)
def test_damaged_matrices_are_refused(tmp_path, smpl, state):
    matrix = scipy.sparse.csc_matrix(np.eye(2))
    matrix.__dict__ |= state
    if "indices" not in state:
        del matrix.__dict__["indices"]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({**smpl, "J_regressor": matrix}))
    with pytest.raises(AnyliftError, match="J_regressor"):
        read_body(tmp_path / "a.pkl")


def test_other_trees_are_refused(tmp_path, smpl):
    np.savez(tmp_path / "a.npz", **{**smpl, "kintree_table": np.zeros((2, 24), np.uint32)})
    with pytest.raises(AnyliftError, match="joint tree is another"):
        read_body(tmp_path / "a.npz")
    with pytest.raises(AnyliftError, match="does not exist"):
        BodyModel.load(tmp_path / "b.pkl")


def test_a_motion_keeps_its_joints_in_another_body(tmp_path, smpl):
    motion = walking(BodyModel.load("open"), 40)
    write_chumpy(tmp_path / "SMPL_MALE.pkl", smpl)
    there = change_body(motion, str(tmp_path / "SMPL_MALE.pkl"))
    there.validate()
    assert (str(there.gender), str(there.surface_model_type)) == ("male", "smpl")
    assert there.meta["body"]["family"] == "smpl" and body_of(there).sha256 == there.meta["body"]["sha256"]
    body = body_of(there)
    posed = body.joints(pose_matrices(there), shape_of(there, body), torch.from_numpy(there.trans)).joints
    np.testing.assert_allclose(posed.detach().numpy(), there.joints, atol=1e-4)
    apart = np.linalg.norm(there.joints - motion.joints, axis=-1)
    assert apart[:, : J["left_hand"]].max() < 0.02 and apart.mean() < 0.01
    back = change_body(there, "open")
    assert np.linalg.norm(back.joints - motion.joints, axis=-1)[:, : J["left_hand"]].max() < 0.02
    assert str(back.surface_model_type) == "smplx" and back.meta["body"]["name"] == "open"

"""AIST++ and BEHAVE in their own layouts, made small: read, lifted and measured end to end."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from motions import make_motion
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import MotionArtifact
from anylift_cli.body.model import BodyModel
from anylift_cli.body.parameters import pose_matrices, shape_of
from anylift_cli.body.skeleton import BODY24, K
from anylift_cli.body.tracks.posing import REST_PELVIS
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.evaluation.aist import COCO17, body24_from_coco17, read_aist
from anylift_cli.evaluation.behave import BehaveClip, far_apart, read_behave
from anylift_cli.evaluation.clips import EvaluationClip
from anylift_cli.evaluation.formats.ply import read_ply_vertices
from anylift_cli.evaluation.running import Contender, judged, lift_clip
from anylift_cli.geometry.cameras import invert, look_at, project, transform
from anylift_cli.synthetic.scene import SceneSpec, build_scene

Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
SMPL_REST = np.array(REST_PELVIS["smpl", "male"])
SCALING = 93.0
"""Centimetres per metre of the mean body: the dancer is 7 % smaller."""
AIST_K = np.array([[1600.0, 0, 960], [0, 1600, 540], [0, 0, 1]])
DISTORTION = [-0.08, 0.02, 0.0, 0.0, 0.0]
TRAINED = "gBR_sBM_cAll_d04_mBR0_ch01"
TESTED = ("gWA_sFM_cAll_d27_mWA2_ch21", "gLH_sBM_cAll_d16_mLH0_ch01")
IGNORED = "gJB_sBM_cAll_d07_mJB3_ch05"
SHORT = "gKR_sBM_cAll_d28_mKR0_ch01"


def points_of(motion: MotionArtifact, body: BodyModel) -> np.ndarray:
    """`body24` points (T, 24, 3)."""
    posed = body.joints(pose_matrices(motion), shape_of(motion, body), torch.from_numpy(motion.trans))
    return posed.keypoints.double().numpy()


def planted(body: BodyModel, frames: int, fps: float) -> MotionArtifact:
    """A walk whose feet rest on the floor while they carry, all but exactly: it was made for another shape."""
    scene = build_scene(
        SceneSpec("walk", "walk", "still", seconds=frames / fps, fps=fps, width=320, height=180, seed=1)
    )
    turns = Rotation.from_matrix(scene.pose[:, :22].reshape(-1, 3, 3)).as_rotvec().reshape(-1, 22, 3)
    return make_motion(body, turns[:frames], scene.transl[:frames], fps=fps)


def smpl_pose(motion: MotionArtifact, rotation: np.ndarray, joints: int) -> np.ndarray:
    """(T, 3 joints) with the root in turned axes."""
    root = (Rotation.from_matrix(rotation) * Rotation.from_rotvec(motion.root_orient)).as_rotvec()
    pose = np.zeros((len(root), 3 * joints))
    pose[:, :3], pose[:, 3:66] = root, motion.pose_body
    return pose


# ---- AIST++


def aist_cameras() -> dict[str, np.ndarray]:
    """World from camera (4, 4) of the nine views around the dancer, in metres, z up."""
    around = np.radians(np.arange(8) * 45.0)
    places = [(6.5 * np.cos(a) + 0.5, 6.5 * np.sin(a), 1.7) for a in around] + [(4.0, 1.0, 0.6)]
    return {f"c{index:02d}": look_at(place, (0.5, 0.0, 0.9)) for index, place in enumerate(places, 1)}


def write_aist(folder: Path, body: BodyModel, frames: int = 70) -> MotionArtifact:
    """As google/aistplusplus_api writes it: y up, centimetres, pickles of protocol 4, nine views, a lens."""
    for part in ("motions", "keypoints2d", "cameras", "splits"):
        (folder / part).mkdir(parents=True)
    motion = planted(body, frames, 60)
    cameras = aist_cameras()
    stored_cameras = []
    for name, pose in cameras.items():
        world_to_camera = invert(pose)
        rotation = world_to_camera[:3, :3] @ Y_UP_FROM_Z_UP.T
        stored_cameras.append(
            {
                "name": name, "size": [1920, 1080], "matrix": AIST_K.tolist(),
                "rotation": cv2.Rodrigues(rotation)[0].ravel().tolist(),
                "translation": (SCALING * world_to_camera[:3, 3]).tolist(), "distortions": DISTORTION,
            }
        )  # fmt: skip
    (folder / "cameras" / "setting1.json").write_text(json.dumps(stored_cameras))
    names = [TRAINED, *TESTED, IGNORED, SHORT]
    (folder / "cameras" / "mapping.txt").write_text("".join(f"{name} setting1\n" for name in names))
    (folder / "ignore_list.txt").write_text(f"{IGNORED}\n")
    (folder / "splits" / "pose_train.txt").write_text(f"{TRAINED}\n")
    (folder / "splits" / "pose_val.txt").write_text("\n")
    videos = [name.replace("cAll", view) for name in (*TESTED, IGNORED, SHORT) for view in ("c01", "c02")]
    (folder / "splits" / "pose_test.txt").write_text("\n".join(videos) + "\n")

    points = points_of(motion, body)
    seen = np.full((9, frames, 17, 3), np.nan)
    for view, pose in enumerate(cameras.values()):
        in_camera = transform(invert(pose), points[:, [K[name] for name in COCO17]])
        flat = cv2.projectPoints(in_camera.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), AIST_K, np.array(DISTORTION))[0]
        seen[view, ..., :2], seen[view, ..., 2] = flat.reshape(frames, 17, 2), 0.9
    seen[0, 4] = np.nan
    for name in names:
        count = 30 if name == SHORT else frames
        stored = {
            "smpl_loss": 0.01,
            "smpl_poses": smpl_pose(motion, Y_UP_FROM_Z_UP, 24)[:count].astype(np.float32),
            "smpl_scaling": np.array([SCALING], np.float32),
            "smpl_trans": (SCALING * (motion.joints[:count, 0] @ Y_UP_FROM_Z_UP.T - SMPL_REST)).astype(np.float32),
        }
        (folder / "motions" / f"{name}.pkl").write_bytes(pickle.dumps(stored, protocol=4))
        detections = {
            "keypoints2d": seen[:, :count], "det_scores": np.ones((9, count)),
            "timestamps": np.arange(count) * 1000 / 60,
        }  # fmt: skip
        (folder / "keypoints2d" / f"{name}.pkl").write_bytes(pickle.dumps(detections, protocol=4))
    return motion


@pytest.fixture(scope="module")
def aist(body, tmp_path_factory) -> tuple[Path, MotionArtifact]:
    folder = tmp_path_factory.mktemp("data") / "aist"
    return folder, write_aist(folder, body)


def test_aist_clips_are_the_true_motion_at_30_frames_per_second(aist, body):
    folder, motion = aist
    clips = list(read_aist(folder, shortest=30))
    assert [clip.name for clip in clips] == list(TESTED)
    assert [clip.action for clip in clips] == ["waack", "LA hip-hop"]
    clip = clips[0]
    assert (clip.cameras, clip.mode, len(clip.points)) == ("static", "still", 35)
    assert clip.height == pytest.approx(1.70, abs=1e-3)
    truth = points_of(motion, body)[::2]
    np.testing.assert_allclose(clip.points[:, :, :2], truth[:, :, :2], atol=1e-4)
    np.testing.assert_allclose(np.ptp(clip.points[..., 2] - truth[..., 2]), 0, atol=1e-4)
    feet = [K[name] for name in BODY24 if name.endswith(("toe", "heel", "ankle"))]
    assert np.percentile(clip.points[:, feet, 2].min(1), 2) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.diff(clip.keypoints.timestamps), 1 / 30)


def test_aist_cameras_and_undistorted_detections_agree_with_the_truth(aist):
    """Only by the right axes, units, floor, view, frames, point order and lens do the points project to the pixels."""
    for view in ("c01", "c06", "c09"):
        clip = next(read_aist(aist[0], camera=view, shortest=30))
        seen = clip.keypoints.confidence[0] > 0
        expected = project(clip.points, clip.world_from_camera, clip.estimated.K)
        expected[:, K["neck"]] = expected[:, [K["left_shoulder"], K["right_shoulder"]]].mean(1)
        assert np.abs(clip.keypoints.keypoints[0][seen] - expected[seen]).max() < 0.1
        assert seen[:, :18].all(1).sum() == (34 if view == "c01" else 35)
        assert not seen[:, 18:].any()
        assert clip.keypoints.present[0].sum() == (34 if view == "c01" else 35)


def test_aist_windows_are_cut_and_short_sequences_left_out(aist):
    folder, _ = aist
    assert [len(clip.points) for clip in read_aist(folder, length=20, shortest=10)] == [20, 20, 15]
    assert list(read_aist(folder)) == []
    assert [clip.name for clip in read_aist(folder, "train", shortest=30)] == [TRAINED]
    assert list(read_aist(folder, "val", shortest=30)) == []


def test_aist_dancers_who_leave_the_image_are_left_out(aist, body, tmp_path):
    folder = shutil.copytree(aist[0], tmp_path / "aist")
    setting = folder / "cameras" / "setting1.json"
    cameras = json.loads(setting.read_text())
    cameras[0]["matrix"][0][2] = -500.0
    setting.write_text(json.dumps(cameras))
    assert list(read_aist(folder, shortest=30)) == []
    assert len(list(read_aist(folder, shortest=30, camera="c02"))) == 2


def test_aist_dynamic_clips_come_from_the_hook(aist):
    filmed = []

    def film(motion):
        filmed.append(motion)
        return motion.name

    assert list(read_aist(aist[0], shortest=30, film=film)) == list(TESTED)
    assert filmed[0].points.shape == (35, 24, 3) and filmed[0].known.all()


def test_coco_points_find_their_places():
    points = np.zeros((1, 17, 3))
    points[0, :, 0], points[0, :, 2] = np.arange(17), 0.5
    points[0, COCO17.index("left_shoulder"), 2] = 0.3
    points[0, COCO17.index("nose")] = np.nan
    pixels, confidence = body24_from_coco17(points)
    assert pixels[0, K["left_wrist"], 0] == 9 and pixels[0, K["right_ankle"], 0] == 16
    assert pixels[0, K["neck"], 0] == 5.5 and confidence[0, K["neck"]] == 0.3
    assert confidence[0, K["nose"]] == 0 and not confidence[0, 18:].any()


def lifted_errors(clip: EvaluationClip) -> dict[str, float]:
    return lift_clip(clip, Contender("optimize"), seed=0).errors.values


def true_errors(clip: EvaluationClip) -> dict[str, float]:
    """Errors of the truth itself; points that it does not know are put anywhere."""
    points = np.where(np.isfinite(clip.points), clip.points, 0.5)
    return judged(clip, Contender("truth"), points, clip.world_from_camera, 0.0).errors.values


ZERO = ("mpjpe_mm", "pa_mpjpe_mm", "t_root_mm", "t_root_axis_mm", "j2d_px", "j2d_c_px", "w_mpjpe_mm", "wa_mpjpe_mm",
        "mpjpe_heading_mm", "t_root_heading_mm")  # fmt: skip


def test_aist_and_behave_truth_has_no_error(aist, box_clip):
    for clip in (next(read_aist(aist[0], camera="c03", length=30, shortest=30)), box_clip.person):
        values = true_errors(clip)
        assert [values[name] for name in ZERO] == pytest.approx([0] * len(ZERO), abs=1e-3)


def test_aist_from_files_to_figures(aist):
    values = lifted_errors(next(read_aist(aist[0], camera="c03", length=30, shortest=30)))
    assert values["mpjpe_mm"] < 70
    assert values["t_root_mm"] < 100
    assert values["j2d_c_px"] < 4
    assert all(np.isfinite(value) for value in values.values())


@pytest.mark.parametrize(
    "part", ["motions", "keypoints2d", "cameras/mapping.txt", "splits/pose_test.txt", "ignore_list.txt"]
)
def test_an_incomplete_aist_folder_says_what_is_missing_and_where_to_get_it(aist, tmp_path, part):
    folder = shutil.copytree(aist[0], tmp_path / "aist")
    target = folder / part
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(AnyliftError, match=part) as caught:
        next(read_aist(folder))
    assert "https://google.github.io/aistplusplus_dataset" in caught.value.hint
    assert "keypoints2d/" in caught.value.hint


def test_a_missing_aist_folder_and_a_missing_or_hostile_file(aist, tmp_path):
    with pytest.raises(AnyliftError, match=r"AIST\+\+ is not at") as caught:
        next(read_aist(tmp_path / "none"))
    assert "https://" in caught.value.hint
    folder = shutil.copytree(aist[0], tmp_path / "aist")
    target = folder / "motions" / f"{TESTED[0]}.pkl"
    target.write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    with pytest.raises(AnyliftError, match=r"os\.system"):
        next(read_aist(folder))
    target.unlink()
    with pytest.raises(AnyliftError, match=target.name):
        next(read_aist(folder))
    with pytest.raises(AnyliftError, match="c10"):
        next(read_aist(folder, camera="c10"))


# ---- BEHAVE

SEQUENCES = {
    "Date03_Sub03_boxlong": "boxlong",
    "Date03_Sub03_backpack_hand": "backpack",
    "Date03_Sub04_chairwood_sit": "chairwood",
}
KINECT = {"fx": 980.0, "fy": 978.0, "cx": 1024.0, "cy": 780.0, "width": 2048, "height": 1536}
PITCH, ROLL = 14.0, -3.0
"""Degrees that Kinect 1 looks down and leans: real ones do, and BEHAVE says nothing of it."""


def kinects() -> list[np.ndarray]:
    """World from camera (4, 4) of the four Kinects, z up; the second is BEHAVE's world."""
    poses = [
        look_at(place, (0.4, 0.0, 0.9)) for place in ((-2.5, 2.5, 1.6), (3.5, 1.0, 1.5), (3, -2.5, 1.7), (-2, -2, 1.5))
    ]
    poses[1][:3, :3] = (
        look_at((3.5, 1.0, 1.5), (0.4, 0.0, 1.5))[:3, :3]
        @ Rotation.from_euler("xz", [-PITCH, ROLL], degrees=True).as_matrix()
    )
    return poses


def write_ply(path: Path, vertices: np.ndarray, order: str) -> None:
    head = (
        f"ply\nformat {order} 1.0\ncomment made by hand\nelement vertex {len(vertices)}\nproperty float x\n"
        "property float y\nproperty float z\nproperty uchar red\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    if order == "ascii":
        rows = [f"{x} {y} {z} 7" for x, y, z in vertices]
        path.write_text(head + "\n".join([*rows, "3 0 1 2"]) + "\n")
        return
    sign = "<" if "little" in order else ">"
    rows = b"".join(struct.pack(f"{sign}fffB", *vertex, 7) for vertex in vertices)
    path.write_bytes(head.encode() + rows + struct.pack(f"{sign}Biii", 3, 0, 1, 2))


BOX = np.array([(x, y, z) for x in (0.0, 0.4) for y in (0.0, 0.3) for z in (0.0, 0.9)]) + 5.0


def write_behave(folder: Path, body: BodyModel, frames: int = 45) -> tuple[MotionArtifact, np.ndarray]:
    """As xiexh20/behave-dataset reads it. Returns the motion and the box's poses, both in the z-up world."""
    cameras = kinects()
    world_to_behave = invert(cameras[1])
    for index, pose in enumerate(cameras):
        config = folder / "calibs" / "Date03" / "config" / str(index)
        lens = folder / "calibs" / "intrinsics" / str(index)
        config.mkdir(parents=True)
        lens.mkdir(parents=True)
        local = world_to_behave @ pose
        (config / "config.json").write_text(
            json.dumps({"rotation": local[:3, :3].ravel().tolist(), "translation": local[:3, 3].tolist()})
        )
        (lens / "calibration.json").write_text(json.dumps({"color": KINECT, "depth": KINECT}))
    for name, order in {"boxlong": "ascii", "chairwood": "binary_little_endian", "backpack": "ascii"}.items():
        (folder / "objects" / name).mkdir(parents=True)
        write_ply(folder / "objects" / name / f"{name}_f1000.ply", BOX, order)
    (folder / "split.json").write_text(json.dumps({"train": [], "test": list(SEQUENCES)}))

    motion = planted(body, frames, 30)
    box = np.tile(np.eye(4), (frames, 1, 1))
    box[:, :3, :3] = Rotation.from_euler("zx", np.linspace([0, 0.2], [1.5, 0.4], frames)).as_matrix()
    box[:, :3, 3] = motion.joints[:, 0] + np.array([0.4, 0.0, 0.2])
    turn = world_to_behave[:3, :3]
    times = np.array([f"t{3 + frame / 30:08.3f}" for frame in range(frames)])
    pelvis = transform(world_to_behave, motion.joints[:, :1].astype(np.float64))[:, 0]
    behave_box = world_to_behave @ box
    for name, category in SEQUENCES.items():
        sequence = folder / "behave-30fps-params-v1" / name
        sequence.mkdir(parents=True)
        info = {
            "config": "../../calibs/Date03/config", "intrinsic": "../../calibs/intrinsics", "cat": category,
            "gender": "male", "empty": None, "kinects": [0, 1, 2, 3], "beta": None,
        }  # fmt: skip
        (sequence / "info.json").write_text(json.dumps(info))
        np.savez(
            sequence / "smpl_fit_all.npz", poses=smpl_pose(motion, turn, 52), betas=np.zeros((frames, 10)),
            trans=pelvis - SMPL_REST, frame_times=times, gender="male",
        )  # fmt: skip
        kept = slice(2, None)
        np.savez(
            sequence / "object_fit_all.npz", frame_times=times[kept], trans=behave_box[kept, :3, 3],
            angles=Rotation.from_matrix(behave_box[kept, :3, :3]).as_rotvec(),
        )  # fmt: skip
    return motion, box


@pytest.fixture(scope="module")
def behave(body, tmp_path_factory) -> tuple[Path, MotionArtifact, np.ndarray]:
    folder = tmp_path_factory.mktemp("data") / "behave"
    return folder, *write_behave(folder, body)


@pytest.fixture(scope="module")
def box_clip(behave) -> BehaveClip:
    return next(read_behave(behave[0], shortest=30))


def test_behave_keeps_the_objects_of_the_paper(behave):
    clips = list(read_behave(behave[0], shortest=30))
    assert [(clip.person.name, clip.object.name) for clip in clips] == [
        ("Date03_Sub03_boxlong", "boxlong"), ("Date03_Sub04_chairwood_sit", "chairwood"),
    ]  # fmt: skip
    assert len(list(read_behave(behave[0], shortest=30, kinds=["backpack"]))) == 1
    assert list(read_behave(behave[0])) == []
    assert list(read_behave(behave[0], "train")) == []


def test_behave_truth_is_upright_on_the_floor(behave, box_clip, body):
    """Distances are exact; the vertical, which BEHAVE does not give, is found within two degrees of 14."""
    _, motion, _ = behave
    truth, found = points_of(motion, body)[2:], box_clip.person.points
    assert found.shape == truth.shape == (43, 24, 3)
    np.testing.assert_allclose(
        np.linalg.norm(found[:, 3] - found[0, 11], axis=-1),
        np.linalg.norm(truth[:, 3] - truth[0, 11], axis=-1),
        atol=1e-4,
    )
    rotation, _ = Rotation.align_vectors(
        (found - found.mean((0, 1))).reshape(-1, 3), (truth - truth.mean((0, 1))).reshape(-1, 3)
    )
    tilt = np.degrees(np.arccos(rotation.as_matrix()[2, 2]))
    assert tilt < 2
    assert abs(np.percentile(found[:, 18:, 2].min(1), 2)) < 1e-6


@pytest.mark.parametrize("camera", [1, 3])
def test_behave_person_and_object_are_where_the_kinect_sees_them(behave, body, camera):
    """Pixels do not depend on the vertical, so they must be those of the scene that was written."""
    folder, motion, box = behave
    clip = next(read_behave(folder, shortest=30, camera=camera))
    lens = np.array([[KINECT["fx"], 0, KINECT["cx"]], [0, KINECT["fy"], KINECT["cy"]], [0, 0, 1]])
    expected = project(points_of(motion, body)[2:], kinects()[camera], lens)
    seen = clip.person.keypoints.confidence[0] > 0
    assert seen.mean() > 0.9
    np.testing.assert_allclose(clip.person.keypoints.keypoints[0][seen], expected[seen], atol=0.1)
    corners = BOX - BOX.mean(0)
    apart = np.linalg.norm(clip.object.points[:, None] - corners, axis=-1)
    assert np.abs(apart.min(1)).max() < 1e-5
    world = transform(box[2:], np.tile(clip.object.points, (43, 1, 1)))
    np.testing.assert_allclose(clip.object.pixels, project(world, kinects()[camera], lens), atol=0.1)
    np.testing.assert_allclose(clip.person.estimated.K[0], lens)


def test_behave_runs_stop_at_gaps(behave, tmp_path):
    folder = shutil.copytree(behave[0], tmp_path / "behave")
    path = folder / "behave-30fps-params-v1" / "Date03_Sub03_boxlong" / "object_fit_all.npz"
    with np.load(path) as stored:
        arrays = {name: np.delete(stored[name], 8, axis=0) for name in stored.files}
    np.savez(path, **arrays)
    first, *_ = read_behave(folder, shortest=5)
    assert len(first.person.points) == 8
    first, *_ = read_behave(folder, shortest=20)
    assert len(first.person.points) == 34
    first, *_ = read_behave(folder, shortest=20, length=25)
    assert len(first.person.points) == len(first.object.pixels) == 25


def test_behave_from_files_to_figures(behave):
    clip = next(read_behave(behave[0], shortest=30, length=30))
    values = lifted_errors(clip.person)
    assert values["mpjpe_mm"] < 100
    assert values["t_root_mm"] < 200
    assert values["j2d_c_px"] < 4
    assert all(np.isfinite(value) for value in values.values())


def test_behave_dynamic_clips_come_from_the_hook(behave, box_clip):
    seen = []

    def film(motion):
        seen.append(motion)
        return box_clip.person

    clip = next(read_behave(behave[0], shortest=30, film=film))
    assert clip.person is box_clip.person and seen[0].points.shape == (43, 24, 3)
    np.testing.assert_allclose(clip.object.pixels, box_clip.object.pixels)


@pytest.mark.parametrize("part", ["split.json", "calibs", "objects"])
def test_an_incomplete_behave_folder_says_what_is_missing_and_where_to_get_it(behave, tmp_path, part):
    folder = shutil.copytree(behave[0], tmp_path / "behave")
    target = folder / part
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(AnyliftError, match=part) as caught:
        next(read_behave(folder))
    assert "https://virtualhumans.mpi-inf.mpg.de/behave" in caught.value.hint
    assert "smpl_fit_all.npz" in caught.value.hint


@pytest.mark.parametrize(
    "file, complaint",
    [
        ("behave-30fps-params-v1/Date03_Sub03_boxlong/smpl_fit_all.npz", "smpl_fit_all.npz"),
        ("behave-30fps-params-v1/Date03_Sub03_boxlong/info.json", "info.json"),
        ("calibs/Date03/config/1/config.json", "config.json"),
        ("calibs/intrinsics/1/calibration.json", "calibration.json"),
        ("objects/boxlong/boxlong_f1000.ply", "no simplified template"),
    ],
)
def test_missing_and_damaged_behave_files_are_named(behave, tmp_path, file, complaint):
    folder = shutil.copytree(behave[0], tmp_path / "behave")
    (folder / file).unlink()
    with pytest.raises(AnyliftError, match=complaint):
        next(read_behave(folder, shortest=30))
    (folder / file).write_bytes(b"{nonsense")
    with pytest.raises(AnyliftError, match=Path(file).name):
        next(read_behave(folder, shortest=30))


def test_behave_paths_stay_in_the_data_set(behave, tmp_path):
    folder = shutil.copytree(behave[0], tmp_path / "behave")
    path = folder / "behave-30fps-params-v1" / "Date03_Sub03_boxlong" / "info.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, "config": "../../../elsewhere"}))
    with pytest.raises(AnyliftError, match="leads out of the data set"):
        next(read_behave(folder, shortest=30))
    (folder / "split.json").write_text(json.dumps({"test": ["../../etc"]}))
    with pytest.raises(AnyliftError):
        next(read_behave(folder))
    with pytest.raises(UsageError):
        next(read_behave(folder, "validation"))


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_vertices(tmp_path, order):
    write_ply(tmp_path / "box.ply", BOX, order)
    np.testing.assert_allclose(read_ply_vertices(tmp_path / "box.ply"), BOX, atol=1e-6)
    content = (tmp_path / "box.ply").read_bytes()
    for share in (0.0, 0.3, 0.7):
        (tmp_path / "box.ply").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(AnyliftError, match=r"box\.ply"):
            read_ply_vertices(tmp_path / "box.ply")


def test_far_apart_points():
    line = np.array([[x, 0.0, 0.0] for x in (0.0, 0.1, 0.5, 0.9, 1.0)])
    np.testing.assert_array_equal(far_apart(line, 3)[:, 0], [0.0, 1.0, 0.5])
    assert len(far_apart(line, 9)) == 5

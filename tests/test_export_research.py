"""Files for robots and research, read back as the programs they are for read them."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
from motions import walking
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts.base import read_npz
from anylift_cli.body.model import LANDMARKS
from anylift_cli.body.posing import posed
from anylift_cli.body.skeleton import SMPL_JOINTS, J, K
from anylift_cli.body.tracks.posing import REST_PELVIS
from anylift_cli.errors import AnyliftError
from anylift_cli.evaluation.formats.read import read_motion
from anylift_cli.export.amass import SMPLX_REST_PELVIS, AmassExporter, readable_rate
from anylift_cli.export.colmap import ColmapExporter
from anylift_cli.export.csv import CsvExporter
from anylift_cli.export.holosoma import HolosomaExporter
from anylift_cli.export.motion_at import motion_at
from anylift_cli.export.take import ExportOptions, Take
from anylift_cli.export.trc import TrcExporter
from anylift_cli.export.tum import TumExporter
from anylift_cli.geometry.cameras import look_at, project

HOSTILE = "\"><script>alert(1)</script>\t'; rm -rf \u202e名前 " + "x" * 120


@pytest.fixture(scope="module")
def motion(body):
    """One second of walking, seen from the fifth frame of a video on by a camera that goes along and zooms."""
    made = walking(body, 31, betas=np.array([0.8, -0.4]))
    along = np.linspace(0, 1, 31)[:, None]
    camera = look_at(np.array([5.0, 1.0, 1.4]) + along * [0.3, -0.4, 0.1], along * [1.1, 0, 0] + [0, 0, 0.9])
    zoom = made.K.copy()
    zoom[:, [0, 1], [0, 1]] *= 1 + 0.2 * along
    contact = np.random.default_rng(0).random((31, 4))
    box = np.tile(np.eye(4), (1, 31, 1, 1))
    box[0, :, :3, :3] = Rotation.from_euler("z", along * 7).as_matrix()
    box[0, :, :3, 3] = along * 2 - [0.4, 0.1, -0.9]
    return dataclasses.replace(
        made, world_from_camera=camera, K=zoom, foot_contact=contact, timestamps=made.timestamps + 5 / 30,
        frame_index=made.frame_index + 5, object_names=np.array([HOSTILE]), world_from_object=box,
    )  # fmt: skip


def at_rate(body, fps, seconds=2.0):
    frames = round(seconds * fps) + 1
    return dataclasses.replace(
        walking(body, frames, timestamps=np.arange(frames) / fps),
        fps=fps, mocap_frame_rate=fps, mocap_framerate=fps, mocap_time_length=frames / fps,
    )  # fmt: skip


def write(exporter, motion, path, **options):
    return exporter.write(Take((motion,), (HOSTILE,), ExportOptions(**options)), path)


def test_a_motion_at_its_own_times_is_itself_and_between_them_what_the_body_says(motion):
    same = motion_at(motion, motion.timestamps.copy())
    np.testing.assert_allclose(same.joints, motion.joints, atol=1e-5)
    np.testing.assert_array_equal(same.frame_index, motion.frame_index)
    middle = motion_at(motion, (motion.timestamps[1:] + motion.timestamps[:-1]) / 2)
    np.testing.assert_allclose(middle.joints, posed(middle).joints, atol=1e-6)
    np.testing.assert_allclose(middle.joints, (motion.joints[1:] + motion.joints[:-1]) / 2, atol=2e-3)
    np.testing.assert_array_equal(middle.root_orient, middle.poses[:, :3])
    outside = motion_at(motion, np.array([-1.0, 99.0]))
    np.testing.assert_allclose(outside.joints, motion.joints[[0, -1]], atol=1e-5)
    np.testing.assert_array_equal(outside.frame_index, motion.frame_index[[0, -1]])


def test_amass_has_the_keys_that_readers_ask_for(motion, tmp_path):
    path = write(AmassExporter(), motion, tmp_path / "walk.amass.npz")
    stored = dict(np.load(path, allow_pickle=False))
    shapes = {
        "trans": (31, 3), "poses": (31, 165), "root_orient": (31, 3), "pose_body": (31, 63), "pose_hand": (31, 90),
        "pose_jaw": (31, 3), "pose_eye": (31, 6), "betas": (16,), "num_betas": (), "gender": (),
        "surface_model_type": (), "mocap_frame_rate": (), "mocap_framerate": (), "fps": (), "mocap_time_length": (),
    }  # fmt: skip
    assert {name: stored[name].shape for name in shapes} == shapes
    assert not any(value.dtype.hasobject for value in stored.values())
    np.testing.assert_array_equal(
        np.concatenate([stored[n] for n in ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")], 1),
        stored["poses"],
    )
    assert stored["mocap_frame_rate"].item() == stored["mocap_framerate"].item() == 30
    assert str(stored["gender"]) == "neutral"
    assert stored["mocap_time_length"] == pytest.approx(31 / 30)
    gmr_height = 1.66 + 0.1 * stored["betas"][0]
    assert gmr_height == pytest.approx(float(motion.height), abs=1e-5)
    np.testing.assert_array_equal(stored["anylift_betas"], motion.betas)
    np.testing.assert_array_equal(stored["anylift_trans"], motion.trans)


def test_smplx_readers_put_the_pelvis_where_it_is(motion, tmp_path):
    np.testing.assert_array_equal(SMPLX_REST_PELVIS, REST_PELVIS["smplx", "neutral"])
    record = read_motion(write(AmassExporter(), motion, tmp_path / "walk.amass.npz"))
    assert record.kind == "AMASS"
    np.testing.assert_allclose(record.people[0].joints[:, J["pelvis"]], motion.joints[:, J["pelvis"]], atol=1e-5)
    directions = [np.diff(joints[:, [J["left_knee"], J["left_ankle"]]], axis=1)[:, 0] for joints in
                  (record.people[0].joints, motion.joints)]  # fmt: skip
    directions = [bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in directions]
    np.testing.assert_allclose(*directions, atol=0.02)


@pytest.mark.parametrize("fps", [5, 23.976, 24, 25, 29.97, 29.9999, 30, 30.0003, 48, 50, 59.94, 60, 120, 240])
def test_readers_that_skip_frames_keep_the_duration(body, tmp_path, fps):
    stored = dict(np.load(write(AmassExporter(), at_rate(body, fps), tmp_path / "a.npz")))
    phc_skip = int(stored["mocap_framerate"] / 30)
    assert len(stored["trans"][::phc_skip]) / 30 == pytest.approx(2, abs=0.05)
    meshcapade_fps = int(stored["mocap_frame_rate"])
    assert meshcapade_fps >= 30
    assert int(len(stored["trans"]) / int(meshcapade_fps / 30)) / 30 == pytest.approx(2, abs=0.05)
    source, frames = stored["mocap_frame_rate"].item(), len(stored["pose_body"])
    gmr_frames, gmr_fps = (frames // int(source / 30), 30) if source > 30 else (frames, 30)
    assert gmr_frames / gmr_fps == pytest.approx(2, abs=0.05)


def test_rates_that_were_asked_for_are_kept(body, tmp_path):
    assert (readable_rate(24), readable_rate(44), readable_rate(46)) == (30, 30, 60)
    stored = np.load(write(AmassExporter(), at_rate(body, 30), tmp_path / "a.npz", fps=23.976))
    assert stored["fps"] == stored["mocap_frame_rate"] == 23.976
    assert (len(stored["poses"]) - 1) / 23.976 == pytest.approx(2, abs=0.5 / 23.976)


def read_trc(path):
    """As OpenSim's TRCFileAdapter.cpp does: empty tokens go from headers, blank lines are skipped, rows must fit."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].replace("\t", " ").split()[0] == "PathFileType"

    def tokens(line):
        return [token for token in line.split("\t") if token]

    keys, values, labels, axes = (tokens(line) for line in lines[1:5])
    assert keys == ["DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate",
                    "OrigDataStartFrame", "OrigNumFrames"]  # fmt: skip
    about = dict(zip(keys, values, strict=True))
    markers = int(about["NumMarkers"])
    assert labels[:2] == ["Frame#", "Time"]
    assert len(labels) == markers + 2
    assert axes == [f"{axis}{number}" for number in range(1, markers + 1) for axis in "XYZ"]
    rows = [tokens(line) for line in lines[5:] if line]
    assert {len(row) for row in rows} == {markers * 3 + 2}
    data = np.array(rows, float)
    return about, labels[2:], data[:, 1], data[:, 2:].reshape(len(data), markers, 3)


def test_trc(motion, tmp_path):
    about, names, times, markers = read_trc(write(TrcExporter(), motion, tmp_path / "a\tb\nNumMarkers 3.trc"))
    assert (about["Units"], about["NumFrames"], float(about["DataRate"])) == ("mm", "31", 30)
    assert names == [*SMPL_JOINTS, *LANDMARKS]
    np.testing.assert_allclose(times, np.arange(31) / 30, atol=1e-6)
    x, y, z = motion.joints[7, J["left_wrist"]] * 1000
    np.testing.assert_allclose(markers[7, names.index("left_wrist")], [x, z, -y], atol=1e-3)
    heels = posed(motion).keypoints[:, K["left_heel"]].numpy() * 1000
    np.testing.assert_allclose(markers[:, names.index("left_heel"), 1], heels[:, 2], atol=1e-3)
    _, names, _, _ = read_trc(write(TrcExporter(), motion, tmp_path / "mixamo.trc", names="mixamo"))
    assert names[0] == "mixamorig:Hips"


def test_trc_at_another_rate(body, tmp_path):
    about, _, times, markers = read_trc(write(TrcExporter(), at_rate(body, 30), tmp_path / "a.trc", fps=29.97))
    assert (about["DataRate"], len(times)) == ("29.97", 61)
    assert times[-1] == pytest.approx(2, abs=0.5 / 29.97)
    assert markers[-1, 0, 0] - markers[0, 0, 0] == pytest.approx(1100 * 2, abs=3)


def test_csv(motion, tmp_path):
    with open(write(CsvExporter(), motion, tmp_path / "a.csv"), encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 31
    assert list(rows[0])[:4] == ["frame", "time_s", "confidence", "contact_left_heel"]
    assert len(rows[0]) == 3 + 4 + 72
    assert float(rows[0]["time_s"]) == pytest.approx(5 / 30, abs=1e-6)
    for axis, value in zip("xyz", motion.joints[9, J["head"]], strict=True):
        assert float(rows[9][f"head_{axis}_m"]) == pytest.approx(value, abs=1e-6)
    assert float(rows[4]["contact_right_toe"]) == pytest.approx(motion.foot_contact[4, 3], abs=1e-4)


def test_holosoma(motion, tmp_path):
    stored = read_npz(write(HolosomaExporter(), motion, tmp_path / "a.npz"))
    assert stored["global_joint_positions"].shape == (31, 22, 3)
    np.testing.assert_array_equal(stored["global_joint_positions"], motion.joints[:, :22])
    assert 1.27 / stored["height"] == pytest.approx(1.27 / float(motion.height))
    poses = stored["object_poses"]
    assert poses.shape == (31, 7)
    turns = Rotation.from_quat(poses[:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(turns, motion.world_from_object[0, :, :3, :3], atol=1e-9)
    np.testing.assert_allclose(poses[:, 4:], motion.world_from_object[0, :, :3, 3])
    assert np.abs(np.diff(poses[:, :4], axis=0)).max() < 0.2, "no sign flips: holosoma takes differences"
    assert stored["object_names"].tolist() == [HOSTILE]


def test_holosoma_is_at_its_own_rate(body, tmp_path):
    stored = read_npz(write(HolosomaExporter(), at_rate(body, 59.94), tmp_path / "a.npz"))
    assert len(stored["global_joint_positions"]) == 61
    assert "object_poses" not in stored


def test_tum_is_what_evo_reads(motion, tmp_path):
    file_interface = pytest.importorskip("evo.tools.file_interface", reason="evo is not installed")
    path = write(TumExporter(), motion, tmp_path / "a.tum.txt")
    assert all(len(line.split(" ")) == 8 for line in path.read_text().splitlines())
    read = file_interface.read_tum_trajectory_file(path)
    np.testing.assert_allclose(read.timestamps, motion.timestamps, atol=1e-8)
    np.testing.assert_allclose(np.array(read.poses_se3), motion.world_from_camera, atol=1e-8)
    double = file_interface.read_tum_trajectory_file(write(TumExporter(), motion, tmp_path / "b.txt", fps=60))
    assert double.num_poses == 61
    np.testing.assert_allclose(double.positions_xyz[::2], motion.world_from_camera[:, :3, 3], atol=1e-8)


def test_the_camera_lasts_as_long_as_anybody_is_there(motion, tmp_path):
    early, late = (
        dataclasses.replace(
            motion_at(motion, motion.timestamps[span]), frame_index=motion.frame_index[span], object_names=None,
            world_from_object=None,
        )
        for span in (slice(0, 20), slice(12, 31))
    )  # fmt: skip
    take = Take((late, early), ("late", "early"))
    rows = np.loadtxt(TumExporter().write(take, tmp_path / "a.txt"))
    np.testing.assert_allclose(rows[:, 0], motion.timestamps, atol=1e-8)
    np.testing.assert_allclose(rows[:, 1:4], motion.world_from_camera[:, :3, 3], atol=1e-8)


@pytest.mark.parametrize("zooms", [True, False])
def test_colmap_is_what_pycolmap_reads(motion, tmp_path, zooms):
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is not installed")
    if not zooms:
        motion = dataclasses.replace(motion, K=np.tile(motion.K[0], (31, 1, 1)))
    folder = write(ColmapExporter(), motion, tmp_path / HOSTILE.replace("/", "")[:60])
    write(ColmapExporter(), motion, folder)
    model = pycolmap.Reconstruction(folder)
    assert (model.num_images(), model.num_cameras(), model.num_points3D()) == (31, 31 if zooms else 1, 0)
    for image in model.images.values():
        frame = int(image.name.removeprefix("frame_").removesuffix(".png"))
        index = frame - 5
        seen = [image.project_point(point) for point in motion.joints[index].astype(np.float64)]
        true = project(motion.joints[index].astype(np.float64), motion.world_from_camera[index], motion.K[index])
        np.testing.assert_allclose(seen, true, atol=1e-3)
        assert (image.camera.width, image.camera.height) == (640, 480)


def test_colmap_does_not_mix_with_another_model(motion, tmp_path):
    (tmp_path / "cameras.bin").write_bytes(b"")
    with pytest.raises(AnyliftError, match="another COLMAP model"):
        write(ColmapExporter(), motion, tmp_path)


@pytest.mark.parametrize(
    "exporter", [AmassExporter, TrcExporter, CsvExporter, TumExporter, ColmapExporter, HolosomaExporter]
)
def test_single_frames_can_be_written(body, tmp_path, exporter):
    one = walking(body, 1)
    made = write(exporter(), one, tmp_path / f"one{exporter.suffix}")
    assert made.exists()
    assert exporter.one_person == (exporter not in (TumExporter, ColmapExporter))

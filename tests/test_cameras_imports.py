"""Camera paths of other tools: their file formats, written here by their schemas, and real trajectory files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.artifacts.base import declared_arrays
from anylift_cli.cameras.base import CameraOptions
from anylift_cli.cameras.imports.megasam import resized
from anylift_cli.cameras.imports.read import read_path
from anylift_cli.cameras.stage import run_cameras
from anylift_cli.errors import AnyliftError, UsageError
from anylift_cli.geometry.cameras import invert
from anylift_cli.video import VideoWriter, probe

FIXTURES = Path(__file__).parents[2] / "shared" / "data" / "fixtures" / "trajectories"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no shared fixtures at {FIXTURES}")
FRAMES, FPS, SIZE = 24, 12, (1280, 720)
FOCAL = 1100.0
TRUE_K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])


def true_path() -> np.ndarray:
    """A camera that travels and pans, upright, (T, 4, 4); its first pose is not the world."""
    t = np.linspace(0, 1, FRAMES)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("YX", np.stack([0.3 + 0.5 * t, 0.1 + 0 * t], 1)).as_matrix()
    poses[:, :3, 3] = np.stack([1 + 2 * t, 0.1 * np.sin(5 * t), 0.5 * t], 1)
    return poses


POSES = true_path()
TUM_ROWS = np.concatenate([POSES[:, :3, 3], Rotation.from_matrix(POSES[:, :3, :3]).as_quat()], 1)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cameras") / "v.mp4"
    with VideoWriter(path, *SIZE, FPS) as writer:
        for _ in range(FRAMES):
            writer.write(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    return path


def keypoints(frames: np.ndarray) -> KeypointsArtifact:
    """Somebody in these frames."""
    count = len(frames)
    return KeypointsArtifact(
        keypoints=np.full((1, count, 24, 2), 300.0), confidence=np.ones((1, count, 24)),
        boxes=np.tile([0, 0, 600, 600], (1, count, 1)), present=np.ones((1, count), bool),
        timestamps=frames / FPS, frame_index=frames, image_size=np.array(SIZE), meta={},
    )  # fmt: skip


def megasam(folder: Path) -> Path:
    size = resized(*SIZE)
    K = np.diag([size[0] / SIZE[0], size[1] / SIZE[1], 1]) @ TRUE_K
    height, width = (side - side % 8 for side in size[::-1])
    np.savez(
        folder / "v_sgd_cvd_hr.npz", images=np.zeros((FRAMES, height, width, 3), np.uint8),
        depths=np.ones((FRAMES, height, width), np.float16), intrinsic=K.astype(np.float32),
        cam_c2w=POSES.astype(np.float32),
    )  # fmt: skip
    return folder / "v_sgd_cvd_hr.npz"


def vipe(folder: Path) -> Path:
    for name in ("pose", "intrinsics"):
        (folder / name).mkdir()
    inds = np.arange(FRAMES)
    np.savez(folder / "pose/v.npz", data=POSES.astype(np.float32), inds=inds)
    half = TRUE_K / 2
    row = [half[0, 0], half[1, 1], half[0, 2], half[1, 2]]
    np.savez(folder / "intrinsics/v.npz", data=np.tile(row, (FRAMES, 1)).astype(np.float32), inds=inds)
    (folder / "intrinsics/v_camera.txt").write_text("".join(f"{i}: PINHOLE\n" for i in inds))
    return folder


def tum(folder: Path, times: np.ndarray | None = None, rows: np.ndarray = TUM_ROWS) -> Path:
    times = np.arange(FRAMES) / FPS if times is None else times
    np.savetxt(folder / "path.txt", np.column_stack([times, rows]), header="t tx ty tz qx qy qz qw", fmt="%.9f")
    return folder / "path.txt"


def kitti(folder: Path) -> Path:
    np.savetxt(folder / "00.txt", POSES[:, :3].reshape(FRAMES, 12))
    return folder / "00.txt"


def colmap(form: str, first: int = 0) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import cv2  # noqa: F401  (before pycolmap)
        import pycolmap

        model = folder / "sparse" / "0"
        model.mkdir(parents=True)
        lines = []
        for frame, pose in enumerate(invert(POSES)):
            x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
            values = " ".join(f"{value:.12f}" for value in (w, x, y, z, *pose[:3, 3]))
            lines += [f"{frame + 1} {values} 1 frame_{frame + first:05d}.jpg", ""]
        half = TRUE_K / 2
        (model / "cameras.txt").write_text(f"1 PINHOLE 640 360 {half[0, 0]} {half[1, 1]} {half[0, 2]} {half[1, 2]}\n")
        (model / "images.txt").write_text("\n".join(lines) + "\n")
        (model / "points3D.txt").write_text("1 0 0 5 200 200 200 0.5\n")
        if form == "binary":
            pycolmap.Reconstruction(model).write_binary(model)
            for file in model.glob("*.txt"):
                file.unlink()
        return folder

    return write


def tram(folder: Path) -> Path:
    y_up = Rotation.from_euler("X", 180, degrees=True).as_matrix()
    stored = {
        "pred_cam_R": POSES[:, :3, :3].astype(np.float32), "pred_cam_T": POSES[:, :3, 3].astype(np.float32),
        "world_cam_R": (y_up @ POSES[:, :3, :3]).astype(np.float32),
        "world_cam_T": (POSES[:, :3, 3] @ y_up.T).astype(np.float32),
        "img_focal": FOCAL, "img_center": np.array([SIZE[0] / 2, SIZE[1] / 2]), "spec_focal": 900.0,
    }  # fmt: skip
    np.save(folder / "camera.npy", stored, allow_pickle=True)
    return folder / "camera.npy"


def own(folder: Path) -> Path:
    up = np.array([0, -1.0, 0])
    CamerasArtifact(
        world_from_camera=POSES, K=np.tile(TRUE_K, (FRAMES, 1, 1)), confidence=np.ones(FRAMES), up=up,
        timestamps=np.arange(FRAMES) / FPS, image_size=np.array(SIZE),
        meta={"motion": "moving", "scale": "arbitrary", "up_source": "given"},
    ).save(folder / "cameras.npz")  # fmt: skip
    return folder / "cameras.npz"


@pytest.mark.parametrize(
    ("write", "kind", "scale", "options"),
    [
        (megasam, "MegaSaM", "arbitrary", {}),
        (vipe, "ViPE", "arbitrary", {}),
        (tum, "TUM", "arbitrary", {"focal": FOCAL}),
        (kitti, "KITTI", "arbitrary", {"fov": float(np.degrees(2 * np.arctan(SIZE[0] / 2 / FOCAL)))}),
        (colmap("text"), "COLMAP", "arbitrary", {}),
        (colmap("binary"), "COLMAP", "arbitrary", {}),
        (colmap("text", first=1), "COLMAP", "arbitrary", {}),
        (tram, "TRAM", "metric", {}),
        (own, "anylift", "arbitrary", {}),
    ],
)
def test_each_format_gives_path_focal_length_and_vertical(video, tmp_path, write, kind, scale, options):
    frames = np.arange(4, 20)
    found = run_cameras(video, keypoints(frames), CameraOptions(str(write(tmp_path)), **options))
    wanted = invert(POSES[4]) @ POSES[frames]
    np.testing.assert_allclose(found.world_from_camera, wanted, atol=2e-6)
    np.testing.assert_allclose(found.K, np.tile(TRUE_K, (16, 1, 1)), rtol=1e-4)
    assert found.confidence.min() == 1
    assert found.meta["motion"] == "moving" and found.meta["scale"] == scale
    assert found.meta["reason"].startswith(kind)
    assert found.meta["focal_source"] == ("given" if options else "solved")
    up = POSES[4, :3, :3].T @ [0, -1, 0]
    assert np.degrees(np.arccos(min(1, found.up @ up))) < 0.05


def test_frames_between_poses_are_interpolated_and_trusted_less(video, tmp_path):
    rows = np.delete(TUM_ROWS, [8, 9, 10], 0)
    times = np.delete(np.arange(FRAMES) / FPS, [8, 9, 10])
    found = run_cameras(video, keypoints(np.arange(FRAMES)), CameraOptions(str(tum(tmp_path, times, rows)), FOCAL))
    wanted = invert(POSES[0]) @ POSES
    np.testing.assert_allclose(found.world_from_camera[8:11], wanted[8:11], atol=0.02)
    np.testing.assert_allclose(found.world_from_camera[8:11, :3, :3], wanted[8:11, :3, :3], atol=1e-6)
    assert (found.confidence[8:11] < 1).all() and (found.confidence[8:11] > 0.5).all()
    assert (np.delete(found.confidence, [8, 9, 10]) == 1).all()


def test_frames_beyond_the_path_hold_the_last_pose_without_trust(video, tmp_path):
    path = tum(tmp_path, np.arange(16) / FPS, TUM_ROWS[:16])
    found = run_cameras(video, keypoints(np.arange(FRAMES)), CameraOptions(str(path), FOCAL))
    assert (found.confidence[:16] == 1).all() and (found.confidence[16:] == 0).all()
    np.testing.assert_allclose(found.world_from_camera[20], found.world_from_camera[15])
    path = tum(tmp_path, np.arange(14) / FPS, TUM_ROWS[:14])
    with pytest.raises(AnyliftError, match="only 38% of the frames"):
        run_cameras(video, keypoints(np.arange(8, FRAMES)), CameraOptions(str(path), FOCAL))


@pytest.mark.parametrize(
    "times",
    [np.arange(FRAMES) / FPS + 1.7e9, np.arange(FRAMES), np.arange(FRAMES) / FPS],
    ids=["clock", "frame numbers", "seconds"],
)
def test_times_of_tum_files(video, tmp_path, times):
    found = run_cameras(video, keypoints(np.arange(FRAMES)), CameraOptions(str(tum(tmp_path, times)), FOCAL))
    np.testing.assert_allclose(found.world_from_camera, invert(POSES[0]) @ POSES, atol=1e-6)
    assert found.confidence.min() == 1


def test_a_camera_at_rest_is_still_and_metric(video, tmp_path):
    path = tum(tmp_path, rows=np.tile(TUM_ROWS[3], (FRAMES, 1)))
    found = run_cameras(video, keypoints(np.arange(FRAMES)), CameraOptions(str(path), FOCAL))
    assert (found.meta["motion"], found.meta["scale"]) == ("still", "metric")
    turning = TUM_ROWS.copy()
    turning[:, :3] = 1
    found = run_cameras(video, keypoints(np.arange(FRAMES)), CameraOptions(str(tum(tmp_path, rows=turning)), FOCAL))
    assert (found.meta["motion"], found.meta["scale"]) == ("rotating", "metric")


def test_the_images_of_megasam_are_not_read(tmp_path):
    shape, dtype = declared_arrays(megasam(tmp_path))["images"]
    assert shape == (FRAMES, 328, 584, 3) and dtype == np.uint8


@needs_fixtures
@pytest.mark.parametrize("name", ["freiburg1_xyz-groundtruth.txt", "KITTI_00_ORB.txt", "georeferenced.tum"])
def test_real_trajectories(video, name):
    lines = [line for line in (FIXTURES / name).read_text().splitlines() if not line.startswith("#")]
    info = replace(probe(video), frame_count=len(lines), duration=10_000.0)
    path = read_path(FIXTURES / name, info)
    assert len(path.places) == len(lines) and path.kind == ("KITTI" if "KITTI" in name else "TUM")
    last = np.array(lines[-1].split(), float)
    place = last.reshape(3, 4)[:, 3] if "KITTI" in name else last[1:4]
    np.testing.assert_allclose(path.world_from_camera[-1, :3, 3], place)
    if "KITTI" not in name:
        x, y, z, w = last[4:]
        assert path.world_from_camera[-1, 0, 0] == pytest.approx(1 - 2 * (y * y + z * z), abs=1e-4)
        assert path.world_from_camera[-1, 1, 0] == pytest.approx(2 * (x * y + z * w), abs=1e-4)


@needs_fixtures
def test_another_order_of_columns_is_not_taken_for_tum(video):
    with pytest.raises(AnyliftError, match="has 7 columns"):
        read_path(FIXTURES / "pose_est.txt", probe(video))


def broken(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content)
    return folder / name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: broken(f, "a.txt", "1 2 3\n4 5 6\n"), "has 3 columns"),
        (lambda f: broken(f, "a.txt", "1 2 x\n"), "no table of numbers"),
        (lambda f: broken(f, "a.txt", "hello"), "no file of cameras"),
        (lambda f: broken(f, "a.txt", "0 0 0 0 0 0 0 0\n1 0 0 0 0 0 0 1\n"), "no unit quaternion"),
        (lambda f: broken(f, "a.txt", "1 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 1\n"), "times go back"),
        (lambda f: broken(f, "a.txt", "0 0 0 0 0 0 0 1\n"), "a path needs two"),
        (lambda f: broken(f, "a.txt", "2 0 0 0 0 1 0 0 0 0 1 0\n" * 3), "not a rotation"),
        (lambda f: tum(f, np.arange(FRAMES) * 1.5), "lasts 34.50 s"),
        (lambda f: f, "neither a COLMAP model nor"),
        (lambda f: (np.savez(f / "a.npz", x=1), f / "a.npz")[1], "no file of cameras"),
        (lambda f: (np.save(f / "camera.npy", {"a": 1}, allow_pickle=True), f / "camera.npy")[1], "not TRAM's"),
    ],
)
def test_bad_files_are_named(video, tmp_path, make, message):
    with pytest.raises(AnyliftError, match=message):
        read_path(make(tmp_path), probe(video))


def test_cameras_of_another_video_are_refused(video, tmp_path):
    upright = replace(probe(video), width=720, height=1280)
    with pytest.raises(UsageError, match="another shape"):
        read_path(megasam(tmp_path), upright)
    with pytest.raises(AnyliftError, match="made from images of 640x360"):
        read_path(vipe(tmp_path), upright)


def test_focal_lengths_are_asked_for_where_missing_and_refused_where_present(video, tmp_path):
    with pytest.raises(UsageError, match="does not hold the focal length") as caught:
        run_cameras(video, keypoints(np.arange(FRAMES)), CameraOptions(str(tum(tmp_path))))
    assert "--focal" in caught.value.hint
    with pytest.raises(UsageError, match="has its own focal length"):
        run_cameras(video, keypoints(np.arange(FRAMES)), CameraOptions(str(tram(tmp_path)), focal=900))

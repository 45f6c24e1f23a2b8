"""Small whole files of every kind that anylift reads, all of one clip of six frames of 64x48 pixels."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from scipy.spatial.transform import Rotation

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact, LiftedArtifact, MotionArtifact, ObjectsArtifact
from anylift_cli.artifacts.motion import NUM_BETAS, convention_arrays, pose_arrays, rate_arrays
from anylift_cli.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from anylift_cli.geometry.cameras import invert
from anylift_cli.keypoints.imports.layouts import LAYOUTS

FRAMES, FPS, SIZE = 6, 10, (64, 48)
K = np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]])
META = {"motion": "moving", "scale": "metric", "key": "0", "key_parts": {"stage": "x", "inputs": {"a": "b"}}}


def _poses() -> np.ndarray:
    t = np.linspace(0, 1, FRAMES)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("YX", np.stack([0.3 + 0.5 * t, 0.1 + 0 * t], 1)).as_matrix()
    poses[:, :3, 3] = np.stack([1 + 2 * t, 0.1 * t, 0.5 * t], 1)
    return poses


POSES = _poses()


def video(folder: Path, name: str = "video.mp4", codec: str = "mpeg4") -> Path:
    """Six frames of noise."""
    rng = np.random.default_rng(0)
    with av.open(str(folder / name), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        stream.time_base = Fraction(1, FPS)
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 255, (SIZE[1], SIZE[0], 3)).astype("u1"), "rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder / name


def videos(folder: Path) -> list[Path]:
    """One of each family of containers and codecs that cameras and phones write, and a few others."""
    kinds = {
        "h264.mp4": "libx264", "mpeg4.mov": "mpeg4", "vp8.webm": "libvpx", "mjpeg.avi": "mjpeg", "mpeg4.mkv": "mpeg4",
        "mpeg2.ts": "mpeg2video", "a.gif": "gif", "mpeg2.mpg": "mpeg2video", "raw.h264": "libx264",
    }  # fmt: skip
    return [video(folder, name, codec) for name, codec in kinds.items()]


def cameras() -> CamerasArtifact:
    """A camera that travels and pans."""
    return CamerasArtifact(
        world_from_camera=POSES, K=np.tile(K, (FRAMES, 1, 1)), confidence=np.ones(FRAMES), up=[0, -1, 0],
        timestamps=np.arange(FRAMES) / FPS, image_size=SIZE, meta=dict(META),
    )  # fmt: skip


def keypoints() -> KeypointsArtifact:
    """Somebody."""
    points = np.random.default_rng(1).uniform(5, 40, (1, FRAMES, 24, 2))
    return KeypointsArtifact(
        keypoints=points, confidence=np.ones((1, FRAMES, 24)), boxes=np.tile([5.0, 5, 40, 40], (1, FRAMES, 1)),
        present=np.ones((1, FRAMES), bool), timestamps=np.arange(FRAMES) / FPS, frame_index=np.arange(FRAMES),
        image_size=SIZE, local_joints=np.zeros((1, FRAMES, 24, 3)), meta=dict(META),
    )  # fmt: skip


def lifted() -> LiftedArtifact:
    """The same, lifted."""
    return LiftedArtifact(
        joints=np.ones((1, FRAMES, 24, 3)), joint_std=np.ones((1, FRAMES, 24)), present=np.ones((1, FRAMES), bool),
        world_from_camera=POSES, K=np.tile(K, (FRAMES, 1, 1)), timestamps=np.arange(FRAMES) / FPS, meta=dict(META),
    )  # fmt: skip


def motion() -> MotionArtifact:
    """The same, fitted; standing in T-pose."""
    return MotionArtifact(
        **pose_arrays(np.zeros((FRAMES, 66))), **rate_arrays(FPS, FRAMES), **convention_arrays(),
        trans=np.zeros((FRAMES, 3)), betas=np.zeros(NUM_BETAS), num_betas=10, timestamps=np.arange(FRAMES) / FPS,
        frame_index=np.arange(FRAMES), joints=np.ones((FRAMES, 24, 3)), joint_confidence=np.ones((FRAMES, 24)),
        confidence=np.ones(FRAMES), foot_contact=np.zeros((FRAMES, 4)), world_from_camera=POSES,
        K=np.tile(K, (FRAMES, 1, 1)), image_size=SIZE, height=1.7, meta={**META, "body": {"name": "open"}},
    )  # fmt: skip


def objects() -> ObjectsArtifact:
    """A tetrahedron at rest."""
    return ObjectsArtifact(
        names=["box"], size_known=[True], vertices=np.eye(4, 3), faces=[[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]],
        vertex_count=[4], face_count=[4], symmetries=np.eye(3)[None], symmetry_count=[1], points3d=np.zeros((1, 5, 3)),
        points2d=np.ones((1, FRAMES, 5, 2)), visible=np.ones((1, FRAMES, 5), bool),
        camera_from_object=np.tile(np.eye(4), (1, FRAMES, 1, 1)), confidence=np.ones((1, FRAMES)),
        timestamps=np.arange(FRAMES) / FPS, frame_index=np.arange(FRAMES), image_size=SIZE, meta=dict(META),
    )  # fmt: skip


def artifacts(folder: Path) -> list[Path]:
    """One of each kind."""
    made = {
        "keypoints": keypoints(),
        "cameras": cameras(),
        "objects": objects(),
        "lifted": lifted(),
        "motion": motion(),
    }
    return [artifact.save(folder / f"{name}.npz") for name, artifact in made.items()]


def keypoint_files(folder: Path) -> list[Path]:
    """What pose estimators write."""
    points = keypoints().keypoints[0]

    def flat(frame: int, count: int) -> list[float]:
        rows = np.full((count, 3), 0.9)
        rows[:, :2] = points[frame][np.arange(count) % 24]
        return rows.round(2).ravel().tolist()

    def instance(frame: int) -> dict:
        rows = np.reshape(flat(frame, 17), (-1, 3))
        return {"keypoints": rows[:, :2].tolist(), "keypoint_scores": rows[:, 2].tolist(), "bbox": [[1, 2, 3, 4]]}

    frames = range(FRAMES)
    names = LAYOUTS[17]
    stored = {
        "coco.json": [{"image_id": n, "category_id": 1, "keypoints": flat(n, 17), "score": 0.8} for n in frames],
        "annotations.json": {
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in frames],
            "annotations": [{"image_id": n, "keypoints": flat(n, 17)} for n in frames],
        },
        "alphapose.json": {f"{n}.jpg": {"version": "v0.3", "bodies": [{"joints": flat(n, 18)}]} for n in frames},
        "mmpose.json": [{"frame_id": n, "instances": [instance(n)]} for n in frames],
        "demo.json": {
            "meta_info": {"keypoint_id2name": {str(place): name for place, name in enumerate(names)}},
            "instance_info": [{"frame_id": n + 1, "instances": [instance(n)]} for n in frames],
        },
        "easy_vitpose.json": {
            "keypoints": [{"0": np.reshape(flat(n, 17), (-1, 3)).tolist()} for n in frames],
            "skeleton": {str(place): name for place, name in enumerate(names)},
        },
    }
    files = []
    for name, value in stored.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
        files.append(folder / name)
    (folder / "openpose").mkdir()
    for n in frames:
        people = [{"person_id": [-1], "pose_keypoints_2d": flat(n, 25)}]
        (folder / f"openpose/v_{n:012d}_keypoints.json").write_text(json.dumps({"version": 1.3, "people": people}))
    return [*files, folder / "openpose", _trc(folder), keypoints().save(folder / "keypoints.npz")]


def _trc(folder: Path) -> Path:
    markers = ("Nose", "RShoulder", "LShoulder", "RHip", "LHip", "RKnee", "LKnee", "RAnkle", "LAnkle")
    lines = [
        "PathFileType\t4\t(X/Y/Z)\tv_px_person00.trc", "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits",
        f"{FPS}\t{FPS}\t{FRAMES}\t{len(markers)}\tm", "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(markers) + 1)),
    ]  # fmt: skip
    for n, points in enumerate(keypoints().keypoints[0]):
        cells = "\t".join(f"{x:.2f}\t{y:.2f}\t0.0" for x, y in points[: len(markers)])
        lines.append(f"{n + 1}\t{n / FPS}\t{cells}")
    (folder / "v_px_person00.trc").write_text("\n".join(lines) + "\n")
    return folder / "v_px_person00.trc"


def camera_files(folder: Path) -> list[Path]:
    """What camera solvers write."""
    count, rows = np.arange(FRAMES), Rotation.from_matrix(POSES[:, :3, :3]).as_quat()
    np.savetxt(
        folder / "tum.txt", np.column_stack([count / FPS, POSES[:, :3, 3], rows]), fmt="%.6f", header="t x y z q"
    )
    np.savetxt(folder / "kitti.txt", POSES[:, :3].reshape(FRAMES, 12), fmt="%.7f")
    images = np.zeros((FRAMES, 376, 504, 3), np.uint8)
    np.savez_compressed(
        folder / "megasam.npz", images=images[:1, ::100, ::100], intrinsic=np.diag([8.0, 8.0, 1.0]) @ K, cam_c2w=POSES
    )
    (folder / "vipe/pose").mkdir(parents=True)
    (folder / "vipe/intrinsics").mkdir()
    np.savez(folder / "vipe/pose/v.npz", data=POSES, inds=count)
    np.savez(folder / "vipe/intrinsics/v.npz", data=np.tile([60.0, 60, 32, 24], (FRAMES, 1)), inds=count)
    (folder / "vipe/intrinsics/v_camera.txt").write_text("".join(f"{i}: PINHOLE\n" for i in count))
    tram = {
        "world_cam_R": POSES[:, :3, :3], "world_cam_T": POSES[:, :3, 3], "img_focal": 60.0,
        "img_center": np.array([32.0, 24.0]),
    }  # fmt: skip
    np.save(folder / "camera.npy", tram, allow_pickle=True)
    names = ("tum.txt", "kitti.txt", "megasam.npz", "vipe", "camera.npy")
    return [*(folder / name for name in names), *colmap_models(folder), cameras().save(folder / "cameras.npz")]


def colmap_models(folder: Path) -> list[Path]:
    """A model as text and in binary."""
    import cv2  # noqa: F401  (before pycolmap)
    import pycolmap

    text, binary = folder / "colmap_text", folder / "colmap_binary"
    text.mkdir(), binary.mkdir()
    lines = []
    for frame, pose in enumerate(invert(POSES)):
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        values = " ".join(f"{value:.6f}" for value in (w, x, y, z, *pose[:3, 3]))
        lines += [f"{frame + 1} {values} 1 frame_{frame:05d}.jpg", "10.5 11.5 1" if frame < 2 else ""]
    (text / "cameras.txt").write_text("# cameras\n1 PINHOLE 64 48 60 60 32 24\n")
    (text / "images.txt").write_text("# images\n" + "\n".join(lines) + "\n")
    (text / "points3D.txt").write_text("1 0 0 5 200 200 200 0.5 1 0 2 0\n")
    pycolmap.Reconstruction(text).write_binary(binary)
    return [text, binary]


def motion_files(folder: Path) -> list[Path]:
    """What other tools write of people in 3D, pickles and all."""
    import torch

    pose, trans, eye = np.zeros((FRAMES, 72), np.float32), np.zeros((FRAMES, 3), np.float32), np.eye(3, dtype="f4")
    betas, count = np.ones((FRAMES, 10), np.float32), np.arange(FRAMES)
    wham = {4: {
        "pose": pose, "trans": trans, "pose_world": pose, "trans_world": trans, "betas": betas, "frame_ids": count + 3,
    }}  # fmt: skip
    person = {
        "exist_frames": np.ones(FRAMES, bool), "frames": count, "fr_start": np.int64(0), "smpl_pose": pose[:, 3:],
        "smpl_beta": betas, "smpl_orient_world": trans, "root_trans_world": trans, "scale": None,
        "cam_K": np.tile(eye, (FRAMES, 1, 1)), "frame2ind": {np.int64(frame): frame for frame in range(FRAMES)},
    }  # fmt: skip
    glamr = {"person_data": {0: person}, "cam_pose_inv": np.tile(np.eye(4, dtype="f4"), (FRAMES, 1, 1))}
    delta = {"coords": np.ones((FRAMES, 9, 2)), "vis": np.ones((FRAMES, 9), bool)}
    (folder / "wham.pkl").write_bytes(pickle.dumps(wham))
    (folder / "wham_zlib.pkl").write_bytes(zlib.compress(pickle.dumps(wham, 4)))
    (folder / "glamr.pkl").write_bytes(pickle.dumps(glamr, 2))
    (folder / "delta.pkl").write_bytes(pickle.dumps(delta, 5))
    parameters = {
        "body_pose": torch.zeros(FRAMES, 63), "betas": torch.ones(FRAMES, 10),
        "global_orient": torch.zeros(FRAMES, 3), "transl": torch.zeros(FRAMES, 3),
    }  # fmt: skip
    torch.save({"smpl_params_global": parameters, "K_fullimg": torch.eye(3).repeat(FRAMES, 1, 1)}, folder / "gvhmr.pt")
    (folder / "tram/hps").mkdir(parents=True)
    camera = {"world_cam_R": POSES[:, :3, :3], "world_cam_T": POSES[:, :3, 3], "img_focal": np.float64(60.0)}
    np.save(folder / "tram/camera.npy", camera, allow_pickle=True)
    track = {
        "pred_rotmat": torch.eye(3).repeat(FRAMES, 24, 1, 1), "pred_shape": torch.ones(FRAMES, 10),
        "pred_trans": torch.zeros(FRAMES, 1, 3), "frame": torch.arange(FRAMES),
    }  # fmt: skip
    np.save(folder / "tram/hps/hps_track_0.npy", track, allow_pickle=True)
    romp = {
        f"{n:08d}.jpg": {"joints": np.zeros((1, 71, 3), "f4"), "cam_trans": np.ones((1, 3), "f4")}
        for n in range(FRAMES)
    }
    np.savez(folder / "romp.npz", results=romp)
    np.savez(
        folder / "amass.npz", trans=trans, poses=np.zeros((FRAMES, 156)), betas=np.ones(16), gender="neutral",
        mocap_framerate=120.0, marker_labels=np.array(["C7", None], object),
    )  # fmt: skip
    names = ("wham.pkl", "wham_zlib.pkl", "glamr.pkl", "delta.pkl", "gvhmr.pt", "tram", "romp.npz", "amass.npz")
    return [*(folder / name for name in names), motion().save(folder / "motion.npz"), mocap(folder)]


def mocap(folder: Path) -> Path:
    """Two clips of compact motion capture."""
    rng = np.random.default_rng(0)
    np.savez(
        folder / "mocap.npz", fps=np.float32(30), up="z", joint_names=np.array(SMPL_JOINTS),
        clip_start=[0, 3], clip_len=[3, 3], clip_name=["a", "b"], subject=["s", "s"], action=["walk", "walk"],
        split=["train", "test"], floor_z=np.zeros(2, "f4"), joints=rng.normal(size=(6, 24, 3)).astype("f4"),
        local_quat_wxyz=np.tile(np.array([1, 0, 0, 0], "f2"), (6, 24, 1)),
    )  # fmt: skip
    return folder / "mocap.npz"


def bvh(folder: Path) -> list[Path]:
    """A person by SMPL's names, and a chain that nobody knows."""
    lines = ["HIERARCHY"]

    def joint(index: int, depth: int) -> None:
        tab = "  " * depth
        channels = "6 Xposition Yposition Zposition" if index == 0 else "3"
        lines.extend([
            f"{tab}{'ROOT' if index == 0 else 'JOINT'} {SMPL_JOINTS[index]}", tab + "{",
            f"{tab}  OFFSET {0.01 * index} -0.3 {0.02 * index}",
            f"{tab}  CHANNELS {channels} Zrotation Xrotation Yrotation",
        ])  # fmt: skip
        children = [child for child, parent in enumerate(SMPL_PARENTS) if parent == index]
        for child in children:
            joint(child, depth + 1)
        if not children:
            lines.extend([f"{tab}  End Site", f"{tab}  {{", f"{tab}    OFFSET 0 0.1 0", f"{tab}  }}"])
        lines.append(tab + "}")

    joint(0, 0)
    row = " ".join("0.1" for _ in range(75))
    lines += ["MOTION", f"Frames: {FRAMES}", "Frame Time: 0.1", *[row] * FRAMES]
    (folder / "person.bvh").write_text("\n".join(lines) + "\n")
    (folder / "chain.bvh").write_text(
        "HIERARCHY\nROOT a\n{\n OFFSET 0 0 0\n CHANNELS 3 Xrotation Yrotation Zrotation\n End Site\n {\n"
        "  OFFSET 0 1 0\n }\n}\nMOTION\nFrames: 2\nFrame Time: 0.033\n1 2 3\n4 5 6\n"
    )
    return [folder / "person.bvh", folder / "chain.bvh"]


def meshes(folder: Path) -> list[Path]:
    """A box in every format that is read."""
    import trimesh

    box = trimesh.creation.box((0.3, 0.2, 0.4))
    for suffix in ("obj", "ply", "stl", "off", "glb"):
        box.export(folder / f"box.{suffix}")
    box.export(folder / "ascii.ply", encoding="ascii")
    box.export(folder / "ascii.stl", file_type="stl_ascii")
    (folder / "with_material.obj").write_text("mtllib ../../x.mtl\nusemtl a\n" + (folder / "box.obj").read_text())
    (folder / "gltf").mkdir()
    for name, content in trimesh.exchange.gltf.export_gltf(trimesh.Scene(box)).items():
        (folder / "gltf" / name.replace("model", "box")).write_bytes(content)
    return [*sorted(path for path in folder.iterdir() if path.is_file()), folder / "gltf"]


def checkpoints(folder: Path) -> list[Path]:
    """Small networks of two kinds."""
    from anylift_cli.lifting.checkpoint import describe, save_checkpoint
    from anylift_cli.lifting.edges import EDGES
    from anylift_cli.lifting.networks import CrossView, NetworkConfig, ViewsAsChannels

    files = []
    for kind in (ViewsAsChannels, CrossView):
        network = kind(NetworkConfig(width=8, layers=1, heads=2, expansion=1, condition=5))
        manifest = describe(network, frames=16, fps=30.0, steps=10, lengths=[1.0] * len(EDGES))
        files.append(folder / f"{kind.__name__}.safetensors")
        save_checkpoint(files[-1], network, manifest)
    return files


def points(folder: Path) -> list[Path]:
    """Clicks on a mesh, and a pose."""
    clicks = [[0.15, -0.1, 0.2], [-0.15, 0.1, 0.2], [0.15, 0.1, -0.2], [-0.15, -0.1, -0.2], [0.15, 0.1, 0.2],
              [-0.15, 0.1, -0.2]]  # fmt: skip
    pixels = [[32 + 60 * x / (2 + z), 24 + 60 * y / (2 + z)] for x, y, z in clicks]
    pose = np.eye(4)
    pose[2, 3] = 3.4
    stored = {
        "box": [{"frame": 0, "pixels": pixels, "points": clicks}, {"frame": 5, "camera_from_object": pose.tolist()}]
    }
    (folder / "points.json").write_text(json.dumps(stored))
    return [folder / "points.json"]


def bodies(folder: Path) -> list[Path]:
    """A body of the SMPL family with few vertices, as npz and as pickle with scipy's sparse matrix."""
    import scipy.sparse

    rng, joints, vertices = np.random.default_rng(0), 24, 30
    arrays = {
        "v_template": rng.normal(size=(vertices, 3)), "shapedirs": rng.normal(size=(vertices, 3, 10)),
        "posedirs": rng.normal(size=(vertices, 3, 207)), "J_regressor": rng.random((joints, vertices)),
        "weights": rng.random((vertices, joints)), "f": rng.integers(0, vertices, (20, 3)).astype("u4"),
        "kintree_table": np.array([SMPL_PARENTS, range(joints)], np.int64).astype("u4"),
    }  # fmt: skip
    np.savez_compressed(folder / "SMPL_MALE.npz", **arrays)
    sparse = {**arrays, "J_regressor": scipy.sparse.csc_matrix(arrays["J_regressor"])}
    (folder / "SMPL_FEMALE.pkl").write_bytes(pickle.dumps(sparse, 2))
    return [folder / "SMPL_MALE.npz", folder / "SMPL_FEMALE.pkl"]


def manifests(folder: Path) -> list[Path]:
    """A manifest of weights, in the folder that it is found in."""
    (folder / "weights").mkdir()
    (folder / "weights/manifest.toml").write_text(
        '[[weights]]\nfile = "a.npz"\nsha256 = "00ff"\nlicence = "MIT"\nmade_by = "x"\n\n'
        '[[external]]\nname = "b"\nstage = "fit"\nbackend = "y"\nlicence = "MIT"\npage = "https://x.org"\n'
        'description = "z"\ngate = "agree"\n\n[[external.files]]\nfile = "b/c.bin"\nurls = ["https://x.org/c"]\n'
        'size = 12\nsha256 = "00FF"\naliases = ["d.bin"]\n'
    )
    return [folder / "weights"]


def weight_archives(folder: Path) -> list[Path]:
    """What an owner hands out: known files somewhere inside."""
    with zipfile.ZipFile(folder / "SMPL.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("smpl/models/basicmodel_m_lbs_10_207_0_v1.1.0.pkl", pickle.dumps({"a": np.zeros(3)}))
        archive.writestr("../../../evil/SMPL_NEUTRAL.pkl", b"x" * 2000)
        archive.writestr("readme.txt", b"read me")
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    (folder / "SMPL_FEMALE.pkl").write_bytes(stream.getvalue())
    return [folder / "SMPL.zip", folder / "SMPL_FEMALE.pkl"]


def clip_lists(folder: Path) -> list[Path]:
    """Manifests of a batch, and the lines that a batch has written."""
    row = {
        "video": "day 1/a.mp4",
        "name": "one/a",
        "height": 1.7,
        "start": 1,
        "cameras": "still",
        "flip-test": True,
        "object": ["a=b.obj"],
    }
    (folder / "clips.csv").write_text(
        "video,name,height,start,end,person,cameras,focal\na.mp4,one/a,1.68,,12.5,all,,1200\n"
        'c/b.mp4,"two, b",1.81,3,,,solved/b.npz,\ns3://bucket/c.mov,,,,,2,still,\n'
    )
    (folder / "clips.jsonl").write_text(f"{json.dumps(row)}\n\n{json.dumps({'video': 'b.mp4', 'person': 'all'})}\n")
    figures = {"reprojection_percent": 0.9, "jitter_mm": 3, "frames": 12}
    record = {
        "clip": "day 1/a", "video": "/v/a.mp4", "status": "done", "seconds": {"lift": 1.5}, "total_seconds": 3.5,
        "quality": {"day 1/a.npz": figures}, "rating": "fair", "severity": 0.4, "thumbnail": "day 1/a.jpg",
        "finished": "2026-01-01T00:00:00+00:00", "attempts": 1,
    }  # fmt: skip
    failed = {"clip": "b", "video": "b.mp4", "status": "failed", "exit_code": 1, "reason": "damaged", "hint": "copy it"}
    (folder / "results.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(failed)}\n")
    return [folder / "clips.csv", folder / "clips.jsonl", folder / "results.jsonl"]

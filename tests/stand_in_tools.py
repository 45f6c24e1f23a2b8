"""Programs that stand in the place of MegaSaM, ViPE and DELTA: their command lines, and files as they write them.

What they find they know from `truth.npz` in the tool's folder; which frames of the video they were given they read from
the images, where `number_frame` put the frame's number as lighter and darker blocks.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path

import cv2
import numpy as np

from anylift_cli.geometry.cameras import invert, project_camera, transform

BITS = 12
NVIDIA_SMI = "#!/bin/sh\necho 'GPU 0: Stand-in (UUID: GPU-0)'\n"


def number_frame(image: np.ndarray, number: int) -> np.ndarray:
    """Show `number` in binary at the top of an image (H, W) or (H, W, 3), in two greys that no detector minds."""
    side = image.shape[1] // 16
    for bit in range(BITS):
        image[:side, bit * side : (bit + 1) * side] = 148 if number >> bit & 1 else 108
    return image


def number_of(image: np.ndarray) -> int:
    """The number that `number_frame` put into an image of any size."""
    side = image.shape[1] / 16
    row = image[round(side / 2)].mean(-1)
    return sum(1 << bit for bit in range(BITS) if row[round((bit + 0.5) * side)] > 128)


def set_up(tools: Path, truth: dict[str, np.ndarray]) -> None:
    """Fill `tools` as the `setup.sh` of each tool does, and put an `nvidia-smi` into `tools / "bin"`.

    Args:
        truth: `world_from_camera` (T, 4, 4) and `K` (T, 3, 3) px of the video `size` (2,); for DELTA also `vertices`,
            `faces` and `world_from_object` (T, 4, 4).
    """
    _program(tools / "bin" / "nvidia-smi", NVIDIA_SMI)
    scripts = {
        "megasam": {
            "repo/Depth-Anything/run_videos.py": "depth_anything",
            "repo/UniDepth/scripts/demo_mega-sam.py": "demo_mega_sam",
            "repo/camera_tracking_scripts/test_demo.py": "camera_tracking",
        },
        "vipe": {"env/bin/vipe": "vipe"},
        "delta": {"repo/demo_2d.py": "demo_2d"},
    }
    for tool, programs in scripts.items():
        folder = tools / tool
        _program(folder / "env/bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for file, function in programs.items():
            begin = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            _program(folder / file, f"{begin}from stand_in_tools import {function}\n{function}({str(folder)!r})\n")
        np.savez(folder / "truth.npz", **truth)
        (folder / "installed").write_text("stand-in\n")
    models = tools / "megasam/repo/UniDepth/unidepth/models.py"
    models.parent.mkdir(parents=True)
    models.write_text("class UniDepthV2: pass\n")
    for weights in (
        "megasam/repo/checkpoints/megasam_final.pth",
        "megasam/repo/Depth-Anything/checkpoints/depth_anything_vitl14.pth",
        "delta/repo/checkpoints/densetrack2d.pth",
    ):
        (tools / weights).parent.mkdir(parents=True, exist_ok=True)
        (tools / weights).write_bytes(b"weights")


def calls(tools: Path, tool: str) -> list[tuple[int, int]]:
    """First and last frame of each run of a tool's last program so far."""
    file = tools / tool / "calls.txt"
    return [tuple(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _begin(folder: str, frames: list[int]) -> dict[str, np.ndarray]:
    """The truth; a run on the frame named by `fail_at` ends as one without memory does."""
    tool = Path(folder)
    with open(tool / "calls.txt", "a") as stream:
        stream.write(f"{frames[0]} {frames[-1]}\n")
    fail_at = tool / "fail_at"
    if fail_at.exists() and int(fail_at.read_text()) in frames:
        print("\n".join(f"line {number}" for number in range(40)))
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return dict(np.load(tool / "truth.npz"))


def _images(folder: str, *suffixes: str) -> list[Path]:
    return [file for suffix in suffixes for file in sorted(Path(folder).glob(f"*.{suffix}"))]


def depth_anything(folder: str) -> None:
    """Depth-Anything/run_videos.py of mega-sam: an inverse depth (H, W) float32 for each image."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--img-path", type=str)
    parser.add_argument("--outdir", type=str, default="./vis_depth")
    parser.add_argument("--encoder", type=str, default="vitl")
    parser.add_argument("--load-from", type=str, required=True)
    parser.add_argument("--localhub", dest="localhub", action="store_true", default=False)
    args = parser.parse_args()
    assert Path(args.load_from).is_file()
    Path(args.outdir).mkdir(parents=True, exist_ok=True)
    for file in _images(args.img_path, "png", "jpg", "jpeg"):
        height, width = cv2.imread(str(file)).shape[:2]
        np.save(Path(args.outdir) / f"{file.name[:-4]}.npy", np.full((height, width), 0.5, np.float32))


def demo_mega_sam(folder: str) -> None:
    """UniDepth/scripts/demo_mega-sam.py: `depth` (h, w) float32 of an image of 640 px, and `fov`."""
    from unidepth.models import UniDepthV2

    parser = argparse.ArgumentParser()
    parser.add_argument("--img-path", type=str)
    parser.add_argument("--outdir", type=str, default="./vis_depth")
    parser.add_argument("--scene-name", type=str)
    args = parser.parse_args()
    assert UniDepthV2
    outdir = Path(args.outdir) / args.scene_name
    outdir.mkdir(parents=True, exist_ok=True)
    for file in _images(args.img_path, "jpg", "png", "jpeg"):
        height, width = cv2.imread(str(file)).shape[:2]
        factor = 640 / max(width, height)
        depth = np.full((round(height * factor), round(width * factor)), 4.0, np.float32)
        np.savez(outdir / f"{file.name[:-4]}.npz", depth=depth, fov=np.float64(60.0))


def camera_tracking(folder: str) -> None:
    """camera_tracking_scripts/test_demo.py, `image_stream` and `save_full_reconstruction`: images resized to the area
    of 384x512 and cropped to multiples of 8, RGB uint8; `depths` float32; one `intrinsic` float64 in pixels of the
    resized image; `cam_c2w` float32 from the first frame on; no more than `max_frames` of them. Its own files go into
    `outputs` and `reconstructions` of the folder it runs in.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--datapath")
    parser.add_argument("--weights", default="droid.pth")
    parser.add_argument("--buffer", type=int, default=1024)
    parser.add_argument("--disable_vis", action="store_true")
    parser.add_argument("--scene_name", help="scene_name")
    parser.add_argument("--mono_depth_path", default="Depth-Anything/video_visualization")
    parser.add_argument("--metric_depth_path", default="UniDepth/outputs ")
    args = parser.parse_args()
    scene = args.scene_name.split("/")[-1]
    pictures = [cv2.imread(str(file)) for file in _images(args.datapath, "jpg", "png", "jpeg")]
    for path, suffix in ((args.mono_depth_path, "npy"), (args.metric_depth_path, "npz")):
        assert len(list((Path(path) / scene).glob(f"*.{suffix}"))) == len(pictures)
    assert Path("base").parent.resolve() == Path(folder) / "repo" and Path(args.weights).is_file()

    frames = [number_of(picture) for picture in pictures]
    truth = _begin(folder, frames)
    h0, w0 = pictures[0].shape[:2]
    h1 = int(h0 * np.sqrt((384 * 512) / (h0 * w0)))
    w1 = int(w0 * np.sqrt((384 * 512) / (h0 * w0)))
    images = np.array([
        cv2.resize(picture, (w1, h1), interpolation=cv2.INTER_AREA)[: h1 - h1 % 8, : w1 - w1 % 8, ::-1]
        for picture in pictures
    ])  # fmt: skip
    poses, unit = _in_own_world(truth["world_from_camera"][frames])
    cap = Path(folder) / "cap"
    most = min(int(cap.read_text()) if cap.exists() else 1000, len(images))
    K = np.diag([w1 / truth["size"][0], h1 / truth["size"][1], 1.0]) @ truth["K"][frames[0]]
    for place in ("outputs", f"reconstructions/{scene}"):
        Path(place).mkdir(parents=True, exist_ok=True)
    np.save(f"reconstructions/{scene}/poses.npy", poses)
    np.savez(
        f"outputs/{scene}_droid.npz", images=np.uint8(images[:most]),
        depths=np.full(images[:most].shape[:3], 4 * unit, np.float32), intrinsic=K, cam_c2w=poses[:most],
    )  # fmt: skip


def vipe(folder: str) -> None:
    """vipe/cli/main.py, and vipe/utils/io.py of nvidia-vipe 1.2.0, `save_pose_artifacts`, `save_intrinsics_artifacts`:
    float32 poses and (fx, fy, cx, cy) in pixels of the images, int64 numbers of the frames, names of camera types.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["infer", "visualize"])
    parser.add_argument("video", nargs="?")
    parser.add_argument("--image-dir")
    parser.add_argument("--output", "-o", default="vipe_results")
    parser.add_argument("--pipeline", "-p", default="default", choices=["default", "dav3", "lyra", "no_vda"])
    parser.add_argument("--visualize", "-v", action="store_true")
    args = parser.parse_args()
    pictures = [cv2.imread(str(file)) for file in _images(args.image_dir, "jpg")]
    frames = [number_of(picture) for picture in pictures]
    truth = _begin(folder, frames)
    poses, _ = _in_own_world(truth["world_from_camera"][frames], unit=1.0)
    height, width = pictures[0].shape[:2]
    K = np.diag([width / truth["size"][0], height / truth["size"][1], 1.0]) @ truth["K"][frames]
    name, out, inds = Path(args.image_dir).name, Path(args.output), np.arange(len(frames))
    rows = np.stack([K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]], 1).astype(np.float32)
    for kind, data in (("pose", poses), ("intrinsics", rows)):
        (out / kind).mkdir(parents=True, exist_ok=True)
        np.savez(out / kind / f"{name}.npz", data=data, inds=inds)
    (out / "intrinsics" / f"{name}_camera.txt").write_text("".join(f"{index}: PINHOLE\n" for index in inds))


def demo_2d(folder: str) -> None:
    """demo_2d.py and densetrack3d/models/predictor/dense_predictor2d.py of DELTA_densetrack3d: a track for each pixel
    of the first image at 384x512, at their places in the images' pixels, corner on corner; `vis` bool; `conf` float32.
    """
    from anylift_cli.meshes.surface import cast

    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", type=str, default="checkpoints/densetrack2d.pth")
    parser.add_argument("--video_path", type=str, default="demo_data/rollerblade")
    parser.add_argument("--output_path", type=str, default="results/demo")
    parser.add_argument("--use_depthcrafter", action="store_true")
    parser.add_argument("--viz_sparse", type=bool, default=True)
    parser.add_argument("--downsample", type=int, default=16)
    parser.add_argument("--upsample_factor", type=int, default=4)
    parser.add_argument("--use_fp16", action="store_true")
    args = parser.parse_args()
    assert Path(args.ckpt).is_file() and not args.viz_sparse
    pictures = [cv2.imread(str(file)) for file in _images(f"{args.video_path}/color", "png", "jpg", "jpeg")]
    frames = [number_of(picture) for picture in pictures]
    truth = _begin(folder, frames)
    height, width = pictures[0].shape[:2]
    rows, columns = np.mgrid[:384, :512].reshape(2, -1)
    grid = np.stack([columns * (width - 1) / 511, rows * (height - 1) / 383], -1)

    scale = truth["size"] / (width, height)
    pixels = (grid + 0.5) * scale
    camera_from_object = invert(truth["world_from_camera"][frames]) @ truth["world_from_object"][frames]
    points, _ = cast(truth["vertices"], truth["faces"], camera_from_object[0], truth["K"][frames[0]], pixels)
    on = np.isfinite(points).all(1)
    coords = np.tile(grid, (len(frames), 1, 1))
    for index, frame in enumerate(frames):
        seen = transform(camera_from_object[index], points[on])
        coords[index, on] = project_camera(seen, truth["K"][frame]) / scale - 0.5
    visible = (coords >= 0).all(-1) & (coords <= [width - 1, height - 1]).all(-1)
    save_dir = Path(args.output_path) / args.video_path.split("/")[-1]
    save_dir.mkdir(parents=True, exist_ok=True)
    tracks = {"coords": coords.astype(np.float32), "vis": visible, "conf": np.ones(visible.shape, np.float32)}
    with open(save_dir / "dense_2d_track.pkl", "wb") as stream:
        pickle.dump(tracks, stream, protocol=pickle.HIGHEST_PROTOCOL)


def _in_own_world(poses: np.ndarray, unit: float | None = None) -> tuple[np.ndarray, float]:
    """Poses from the first one on, float32, in a unit that depends on them unless it is given, and that unit."""
    unit = unit or 0.3 + abs(float(poses[0, :3, 3].sum())) % 1
    moved = invert(poses[0]) @ poses
    moved[:, :3, 3] *= unit
    return moved.astype(np.float32), unit

"""From pixels to motion on scenes with exact truth: `python benchmarks/synthetic_scenes.py [SCENE ...] [--json FILE]`.

Each scene is rendered to an mp4, lifted by the default chain, and compared with what it was rendered from. Worlds are
brought to one heading through their cameras; nothing else is aligned, so errors of gravity and scale count.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from anylift_cli.artifacts import CamerasArtifact, MotionArtifact
from anylift_cli.artifacts.base import read_meta
from anylift_cli.chain import Request, run_chain
from anylift_cli.console import RichProgress
from anylift_cli.evaluation import metrics
from anylift_cli.fitting.base import FitOptions
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.synthetic.scene import SCENES, build_scene, scene_spec
from anylift_cli.synthetic.writing import write_scene

COLUMNS = ("camera", "kind", "rotation_deg", "focal_percent", "focal_source", "gravity_deg", "mpjpe_mm", "pa_mpjpe_mm",
           "root_mm", "root_percent", "reprojection_percent", "foot_slide_cm_s", "jitter_mm", "seconds")  # fmt: skip


STAGES = ("keypoints", "cameras", "lifted", "motion")


def measure(name: str, folder: Path, known_height: bool) -> dict[str, Any]:
    """Render, lift and compare one scene."""
    progress = RichProgress(quiet=True)
    truth_folder = folder / name
    if not (truth_folder / "video.mp4").exists():
        write_scene(build_scene(scene_spec(name)), truth_folder, progress)
    truth = MotionArtifact.load(truth_folder / "motion.npz")
    true_cameras = CamerasArtifact.load(truth_folder / "cameras.npz")
    height = float(truth.height) if known_height else None
    out = truth_folder / ("lifted-height" if known_height else "lifted") / "motion.npz"
    request = Request(
        truth_folder / "video.mp4", out, out.with_suffix(".anylift"),
        lift=LiftOptions(height=height), fit=FitOptions(height=height),
    )  # fmt: skip
    (shot,) = run_chain(request, progress)
    motion, cameras = MotionArtifact.load(out), CamerasArtifact.load(request.work_dir / "cameras.npz")
    frames = motion.frame_index
    heading = metrics.yaw_between(motion.world_from_camera[:, :3, :3], truth.world_from_camera[frames, :3, :3])
    joints, expected = motion.joints @ heading.T, truth.joints[frames]
    roots = joints[:, 0], expected[:, 0]
    root = metrics.root_error(*roots)
    turns = metrics.rotation_errors(
        cameras.world_from_camera[:, :3, :3], true_cameras.world_from_camera[frames, :3, :3]
    )
    quality = shot.quality[out]
    return {
        "scene": name,
        "camera": SCENES[name].camera if name in SCENES else name.rpartition("_")[2],
        "kind": cameras.meta["motion"],
        "rotation_deg": float(np.median(turns)),
        "focal_percent": 100 * metrics.focal_error(cameras.K, true_cameras.K[frames]),
        "focal_source": cameras.meta["focal_source"],
        "gravity_deg": metrics.gravity_error(
            motion.world_from_camera[:, :3, :3], truth.world_from_camera[frames, :3, :3]
        ),
        "mpjpe_mm": 1000 * metrics.mpjpe(joints, expected, *roots),
        "pa_mpjpe_mm": 1000 * metrics.pa_mpjpe_per_frame(joints, expected),
        "root_mm": 1000 * root,
        "root_percent": 100 * root / metrics.path_length(expected[:, 0]),
        "reprojection_percent": quality["reprojection_percent"],
        "foot_slide_cm_s": quality["foot_slide_cm_s"],
        "jitter_mm": quality["jitter_mm"],
        "seconds": sum(read_meta(request.work_dir / f"{stage}.npz")["seconds"] for stage in STAGES),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", default=list(SCENES))
    parser.add_argument("--folder", type=Path, default=Path("out/synthetic"), help="scenes and results, kept")
    parser.add_argument("--known-height", action="store_true", help="give the person's true height")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args()
    table = Table("scene", *COLUMNS)
    rows = []
    for name in options.scenes:
        rows.append(measure(name, options.folder, options.known_height))
        table.add_row(name, *(_text(rows[-1][column]) for column in COLUMNS))
        print(name, {column: _text(rows[-1][column]) for column in COLUMNS}, file=sys.stderr, flush=True)
    means = {c: np.nanmean([r[c] for r in rows]) if isinstance(rows[0][c], float) else "" for c in COLUMNS}
    table.add_section()
    table.add_row("mean", *(_text(means[column]) for column in COLUMNS))
    Console(width=200).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _text(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()

"""How long lifting takes, and where the time goes: `python benchmarks/lifting_speed.py WORK_FOLDER`.

WORK_FOLDER is that of a run (`motion.anylift`). Prints a Markdown table of each lifter and quality: the best of
`--repeats` runs after one to warm up, frames per second, and the three functions that most of it is spent in.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from pathlib import Path

import torch

from anylift_cli.artifacts import CamerasArtifact, KeypointsArtifact
from anylift_cli.artifacts.presence import present_span
from anylift_cli.lifting.base import LiftOptions
from anylift_cli.lifting.stage import run_lift

CASES = (("optimize", "fast"), ("diffusion", "fast"), ("diffusion", "balanced"), ("diffusion", "best"))


def busiest(keypoints: KeypointsArtifact, cameras: CamerasArtifact, options: LiftOptions) -> str:
    """The functions with the largest times of their own, and their share."""
    profile = cProfile.Profile()
    profile.runcall(run_lift, keypoints, cameras, options)
    stats = pstats.Stats(profile)
    times = sorted(((own, name) for (_, _, name), (_, _, own, _, _) in stats.stats.items()), reverse=True)[:3]
    return ", ".join(f"{name.strip('<>')} {100 * own / stats.total_tt:.0f} %" for own, name in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    keypoints = KeypointsArtifact.load(arguments.folder / "keypoints.npz")
    cameras = CamerasArtifact.load(arguments.folder / "cameras.npz")
    span = present_span(keypoints.present[0])
    frames = span.stop - span.start
    print(f"{frames} frames of one person, {torch.get_num_threads()} threads, {arguments.device}\n")
    print("| lifter | quality | seconds | frames/s | busiest |\n|---|---|---|---|---|")
    for lifter, quality in CASES:
        options = LiftOptions(lifter, None, quality, arguments.device)
        spent = []
        for _ in range(arguments.repeats + 1):
            begin = time.perf_counter()
            run_lift(keypoints, cameras, options)
            spent.append(time.perf_counter() - begin)
        best = min(spent[1:])
        busy = busiest(keypoints, cameras, options)
        print(f"| {lifter} | {quality} | {best:.2f} | {frames / best:.0f} | {busy} |", flush=True)


if __name__ == "__main__":
    main()

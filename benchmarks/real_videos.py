"""Lift real videos and tabulate what can be measured without truth: `python benchmarks/real_videos.py VIDEO ...`.

Results and overlays are kept in `--folder` and reused. Prints a Markdown table; seconds are those of the run that made
each stage's file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anylift_cli.artifacts.base import read_meta
from anylift_cli.chain import Request, run_chain
from anylift_cli.console import RichProgress
from anylift_cli.errors import AnyliftError

STAGES = ("keypoints", "cameras", "lifted", "motion")
HEADER = ("video", "frames (seen)", "camera", "reprojection, % of box", "foot slide in contact, cm/s", "jitter, mm",
          "largest step, cm", "below floor, cm", "seconds: keypoints / cameras / lift / fit")  # fmt: skip


def row(video: Path, folder: Path) -> tuple[str, ...]:
    """One line of the table."""
    out = folder / f"{video.stem}.npz"
    request = Request(video, out, out.with_suffix(".anylift"), overlay=folder / f"{video.stem}.overlay.mp4")
    try:
        (shot,) = run_chain(request, RichProgress(quiet=True))
    except AnyliftError as error:
        return (video.name, f"exit {error.exit_code}: {error.message.replace(str(video), video.name)}")
    figures = shot.quality[out]
    cameras = read_meta(request.work_dir / "cameras.npz")
    seconds = " / ".join(f"{read_meta(request.work_dir / f'{stage}.npz')['seconds']:.0f}" for stage in STAGES)
    numbers = ("reprojection_percent", "foot_slide_cm_s", "jitter_mm", "max_jump_cm", "penetration_cm")
    return (
        video.name,
        f"{figures['frames']} ({figures['frames_present']})",
        f"{cameras['motion']}, focal {cameras['focal_source']}",
        *("–" if figures[name] is None else f"{figures[name]:.2f}" for name in numbers),
        seconds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("out/real"))
    options = parser.parse_args()
    print("| " + " | ".join(HEADER) + " |")
    print("|" + "---|" * len(HEADER))
    for video in options.videos:
        cells = row(video, options.folder)
        print("| " + " | ".join(cells + ("",) * (len(HEADER) - len(cells))) + " |", flush=True)


if __name__ == "__main__":
    main()

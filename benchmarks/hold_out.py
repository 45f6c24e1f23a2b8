"""What motion unlike the training data costs: `python benchmarks/hold_out.py MOCAP.npz ACTION OUT.npz`.

Writes the compact mocap file with a new split: the training clips whose action begins with ACTION are its "test", the
others stay "train". Train on it, and on the whole file as a control, and measure both on what was held out:

    python benchmarks/hold_out.py cmu_30fps.npz jumping no_jumping.npz
    anylift train from-mocap no_jumping.npz --out out/no_jumping --frames 60 --batch 128 --steps 800 --rate 0.0015
    anylift train from-mocap cmu_30fps.npz --out out/all --frames 60 --batch 128 --steps 800 --rate 0.0015
    anylift evaluate mocap no_jumping.npz --split test --height given --lifter optimize \\
        --lifter out/no_jumping/model.safetensors --lifter out/all/model.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from anylift_cli.artifacts.base import read_npz


def without(split: np.ndarray, actions: np.ndarray, action: str) -> np.ndarray:
    """The split (C,) in which training clips of an action are "test", and what was "test" belongs to none."""
    train = split == "train"
    held = train & np.char.startswith(np.char.lower(actions.astype(str)), action.lower())
    if not held.any():
        raise SystemExit(f"no training clip whose action begins with '{action}'; there are {', '.join(set(actions))}")
    return np.select([held, train], ["test", "train"], "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("action")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    stored = read_npz(options.mocap)
    split = without(stored["split"], stored["action"], options.action)
    np.savez_compressed(options.out, **{**stored, "split": split})
    for name in ("test", "train"):
        chosen = split == name
        print(f"{name}: {chosen.sum()} clips, {stored['clip_len'][chosen].sum() / float(stored['fps']):.0f} s")


if __name__ == "__main__":
    main()

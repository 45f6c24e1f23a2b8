"""What networks, passes and seeds are worth: `python benchmarks/networks.py MOCAP.npz CHECKPOINT ...`.

Errors of checkpoints of `anylift train` on windows of held-out subjects, without the last solve and without local
points: mm, mean ± standard error over the windows, which are the same for all checkpoints of one length.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from anylift_cli.lifting.checkpoint import load_checkpoint
from anylift_cli.lifting.diffusion import Schedule
from anylift_cli.training.mocap_batches import Batch, MocapBatches
from anylift_cli.training.multi_view import TESTS, window_errors

_PART = 32
"""Windows at once."""
_SEED = 1
"""Of what training with `--seed 0` watches."""
ERRORS = {"mpjpe": "MPJPE", "pa": "PA", "root": "root", "jitter": "jitter"}


def cells(
    model: torch.nn.Module, schedule: Schedule, parts: list[Batch], passes: int, seeds: list[int]
) -> tuple[str, ...]:
    """The errors as text."""
    found = [window_errors(model, schedule, part, passes, seeds) for part in parts]
    values = {name: torch.cat([one[name] for one in found]) for name in ERRORS}
    return tuple(f"{float(v.mean()):.1f} ± {float(v.std() / len(v) ** 0.5):.1f}" for v in values.values())


def numbers(text: str) -> list[int]:
    """ "1,5" → [1, 5]."""
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--passes", type=numbers, default=[1], help="with commas")
    parser.add_argument("--seeds", type=numbers, default=[1], help="how many are averaged; with commas")
    parser.add_argument("--windows", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print("| checkpoint | steps trained | frames | passes | seeds | cameras | "
          + " | ".join(f"{name}, mm" for name in ERRORS.values()) + " | windows/s |")  # fmt: skip
    print("|" + "---|" * (len(ERRORS) + 7))
    for path in options.checkpoints:
        model, manifest = load_checkpoint(path, options.device)
        schedule = Schedule.cosine(manifest["noise_steps"], options.device)
        views = manifest["network"]["views"]
        data = MocapBatches([options.mocap], "test", manifest["frames"], views, _SEED, options.device, vary=False)
        for kind, (mode, step) in TESTS.items():
            parts = [data.batch(step + part, _PART, mode) for part in range(options.windows // _PART)]
            for passes in options.passes:
                for seeds in options.seeds:
                    begin = time.perf_counter()
                    row = cells(model, schedule, parts, passes, list(range(seeds)))
                    rate = len(parts) * _PART / (time.perf_counter() - begin)
                    about = (path, manifest["steps_trained"], manifest["frames"], passes, seeds, kind)
                    print("| " + " | ".join(map(str, (*about, *row, f"{rate:.0f}"))) + " |", flush=True)


if __name__ == "__main__":
    main()

"""Speed of ViTPose's shapes with random weights: crops a second, and the share of what a matrix product reaches.

    python benchmarks/vitpose.py [--shapes base huge] [--device cpu] [--batch 8] [--flip-test]

Network and decoding are timed apart. The work of a crop is counted by torch; the peak is the best of some products of
square matrices in the same precision. With OMP_NUM_THREADS=1 on a processor, the seconds are those of its own time, so
that what else runs there counts less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from anylift_cli.keypoints.vitpose import VitPoseNetwork, precision

SHAPES = {"small": (384, 12, 12), "base": (768, 12, 12), "large": (1024, 24, 16), "huge": (1280, 32, 16)}
"""Width, layers, heads."""
MATRIX = {"cpu": 1536, "cuda": 8192}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["base", "huge"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--flip-test", action="store_true")
    options = parser.parse_args()
    peak = peak_of(options.device)
    print(f"{options.device}, {torch.get_num_threads()} threads, {precision(options.device)}: {peak / 1e9:.0f} GFLOP/s")
    for shape in options.shapes:
        measure(shape, options.device, options.batch, options.flip_test, peak)


def measure(shape: str, device: str, batch: int, flip_test: bool, peak: float) -> None:
    width, layers, heads = SHAPES[shape]
    backbone = VitPoseBackboneConfig(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, out_indices=[layers]
    )
    with TemporaryDirectory() as folder:
        config = VitPoseConfig(backbone_config=backbone, num_labels=17, use_simple_decoder=False)
        VitPoseForPoseEstimation(config).save_pretrained(folder)
        processor = VitPoseImageProcessorPil()
        processor.save_pretrained(folder)
        network = VitPoseNetwork(Path(folder), device, flip_test)
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    boxes = np.tile([400.0, 100, 700, 650], (batch, 1))
    crops = torch.rand(batch, 3, 256, 192)
    with FlopCounterMode(display=False) as counter:
        heatmaps = network.heatmaps(crops)
    all_of_it = seconds(lambda: network(image, boxes), device)
    model = seconds(lambda: network.heatmaps(crops), device)
    decoding = seconds(lambda: network.points(heatmaps, boxes), device)
    work = counter.get_total_flops()
    print(
        f"{shape}: {batch / all_of_it:.2f} crops/s; of {1000 * all_of_it / batch:.0f} ms a crop the network takes "
        f"{1000 * model / batch:.0f}, decoding {1000 * decoding / batch:.0f}; {work / batch / 1e9:.0f} GFLOP a crop, "
        f"{work / model / peak:.0%} of the peak"
    )


def peak_of(device: str) -> float:
    """FLOP/s of the best of five matrix products."""
    size = MATRIX["cuda" if device.startswith("cuda") else "cpu"]
    a = torch.rand(size, size, device=device, dtype=precision(device))
    return 2 * size**3 / min(seconds(lambda: a @ a, device) for _ in range(3))


def seconds(work: Callable[[], object], device: str) -> float:
    """Of the faster of two runs, after one to warm up."""
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    taken = []
    for _ in range(3):
        start = clock()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        taken.append(clock() - start)
    return min(taken[1:])


if __name__ == "__main__":
    main()

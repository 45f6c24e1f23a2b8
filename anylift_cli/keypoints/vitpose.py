"""ViTPose and ViTPose+ through transformers, with the 17 points of COCO or the 133 of COCO-WholeBody.

Crops, and points from heatmaps, are made by transformers' own image processor, the one that needs no torchvision.
Source: Xu et al., "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation", 2022; "ViTPose++", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors import SafetensorError
from transformers import VitPoseForPoseEstimation
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil
from transformers.models.vitpose.modeling_vitpose import VitPoseEstimatorOutput

from anylift_cli.errors import AnyliftError
from anylift_cli.keypoints.base import KeypointOptions
from anylift_cli.keypoints.imports.layouts import layout_of
from anylift_cli.keypoints.networks import network_files
from anylift_cli.keypoints.person_detector import PersonDetector
from anylift_cli.keypoints.top_down import TopDown

BATCH = 32
"""Crops at a time; a flip test doubles them."""
EXPERTS = {17: 0, 133: 5}
"""Which of ViTPose+'s experts saw people with so many points: COCO's, COCO-WholeBody's."""


class VitPose(TopDown):
    """ViTPose behind a person detector.

    Raises:
        MissingDependencyError: weights that are not here.
        UsageError, AnyliftError: they are no such network.
    """

    def __init__(self, options: KeypointOptions) -> None:
        files = network_files(options)
        network = VitPoseNetwork(files["network"].parent, options.device, options.flip_test)
        detector = PersonDetector(files["detector"].parent, options.device)
        names = f"{files['network'].parent.name}, {files['detector'].parent.name}"
        super().__init__(f"transformers {transformers.__version__} {names}", detector, network)


class VitPoseNetwork:
    """A network in Hugging Face's layout; half precision on GPUs.

    Args:
        folder: holds `config.json`, `preprocessor_config.json` and `model.safetensors`.
        flip_test: mean of the heatmaps of each crop and of its mirror image.

    Raises:
        AnyliftError: damaged files, a network of other points, or experts that did not see people.
    """

    def __init__(self, folder: Path, device: str = "cpu", flip_test: bool = False) -> None:
        try:
            self._processor = VitPoseImageProcessorPil.from_pretrained(folder, local_files_only=True)
            model, loading = VitPoseForPoseEstimation.from_pretrained(
                folder, local_files_only=True, dtype=precision(device), output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise AnyliftError(f"{folder} holds no ViTPose: {error}", "`anylift weights verify`") from error
        if missing := sorted(loading["missing_keys"]):
            raise AnyliftError(f"{folder} holds no whole ViTPose: it lacks {missing[0]}", "`anylift weights verify`")
        count = model.config.num_labels
        self._names = layout_of(count, str(folder))[:count]
        self._expert = self._expert_of(model, folder)
        self._model = model.eval().to(device)
        self._flip_pairs = torch.tensor(_mirror_pairs(self._names), device=device) if flip_test else None

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Network`; points of hands and faces are left out."""
        crops = self._processor(image, boxes=[_corner_and_size(boxes)], return_tensors="pt").pixel_values
        return self.points(torch.cat([self.heatmaps(batch) for batch in crops.split(BATCH)]), boxes)

    def close(self) -> None:
        """Nothing to free that Python does not."""

    def points(self, heatmaps: torch.Tensor, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, K, 2) and scores (N, K) of the heatmaps (N, K, 64, 48) of N boxes (N, 4)."""
        output = VitPoseEstimatorOutput(heatmaps=heatmaps)
        people = self._processor.post_process_pose_estimation(output, boxes=[_corner_and_size(boxes)])[0]
        points, scores = (np.stack([person[name].numpy() for person in people]) for name in ("keypoints", "scores"))
        return points.astype(np.float64), scores

    @torch.inference_mode()
    def heatmaps(self, crops: torch.Tensor) -> torch.Tensor:
        """(N, K, 64, 48) of crops (N, 3, 256, 192); K are the points that have a name."""
        crops = crops.to(self._model.device, self._model.dtype)
        expert = None if self._expert is None else torch.full((len(crops),), self._expert, device=crops.device)
        heatmaps = self._model(crops, dataset_index=expert).heatmaps
        if self._flip_pairs is not None:
            mirrored = self._model(crops.flip(-1), dataset_index=expert, flip_pairs=self._flip_pairs).heatmaps
            heatmaps = (heatmaps + mirrored) / 2
        return heatmaps[:, : len(self._names)].float().cpu()

    @staticmethod
    def _expert_of(model: VitPoseForPoseEstimation, folder: Path) -> int | None:
        if model.config.backbone_config.num_experts == 1:
            return None
        if model.config.num_labels not in EXPERTS:
            raise AnyliftError(
                f"{folder}: no expert of ViTPose+ is known for {model.config.num_labels} points of people",
                f"known: {', '.join(map(str, EXPERTS))}",
            )
        return EXPERTS[model.config.num_labels]


def precision(device: str) -> torch.dtype:
    """Half of it on CUDA, where it is twice as fast or more; processors gain nothing."""
    return torch.float16 if device.startswith("cuda") else torch.float32


def _corner_and_size(boxes: np.ndarray) -> list[list[float]]:
    """COCO's way to write boxes: x, y, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()


def _mirror_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    places = {name: index for index, name in enumerate(names)}
    return [(place, places[name.replace("left_", "right_")]) for name, place in places.items() if "left_" in name]
